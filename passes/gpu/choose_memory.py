"""Which tensors had better be images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, structured
from cocomp.passes.math import image
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._texels import FORMATS


@dataclass(frozen=True)
class ChooseMemoryPass(Pass):
    """Put tensors between kernels into images.

        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, "buffer">}, ..)
      -->
        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, #layout.texture2d<3584>>}, ..)

    With `memory=texture` all that can be, with `buffer` none, with `auto` those that the target's rule is about. What is too large for
    two dimensions has three (`texture3d`). What is concatenated is in one image with the whole. Inputs, outputs, weights and what the CPU
    computes are in buffers, and so is what has no elements of four to
    a texel, no lines of whole texels, or more of them than a device is certain to take; calls say why of each result
    (`layout.in_buffer`). Needs `select-layout`, and kernels that are not shared yet.
    """

    name: ClassVar[str] = "choose-memory"
    memory: str = "auto"

    def run(self, module: ir.Module, state: State) -> None:
        target = state.target
        assert isinstance(target, GpuTarget)
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        block = functions["main"].regions[0].blocks[0]
        for tensor in _tensors(block, functions):
            found = self._pitches_of(tensor, target)
            for place in tensor.places:
                place.settle(found)

    def _pitches_of(self, tensor: _Tensor, target: GpuTarget) -> image.Pitches | str:
        """Of the image that a tensor becomes, or why it does not."""
        if tensor.is_output:
            return "it is an output of the model"
        if any(place.is_on_cpu for place in tensor.places):
            return "the CPU reads or writes it"
        if self.memory == "buffer":
            return "buffers were asked for"
        if tensor.element not in FORMATS:
            return f"four elements of type {tensor.element} are no texel"
        if self.memory == "auto" and not target.takes_images:
            return target.memory_reason
        if self.memory == "auto" and not any(place.is_read_by_contraction for place in tensor.places):
            return "no contraction reads it again and again"
        shapes = [(layout.position_of(p.layout, p.shape), p.shape) for p in tensor.places]
        size = layout.size_of(tensor.places[0].layout)
        return image.pitches_of(shapes, size, target.image_extent, target.volume_extent)


@dataclass(frozen=True)
class _Place:
    """An operand or a result of a call whose memory is a tensor's, or a part of it."""

    call: ir.Operation
    function: ir.Operation
    number: int
    is_result: bool

    @property
    def layout(self) -> layout.MapAttr:
        return (layout.of_result if self.is_result else layout.of_argument)(self.function, self.number)

    @property
    def shape(self) -> Sequence[int]:
        return structured.shape_of((self.call.results if self.is_result else self.call.operands)[self.number])

    @property
    def is_read_by_contraction(self) -> bool:
        return not self.is_result and graphs.read_group(self.function).contraction is not None

    @property
    def is_on_cpu(self) -> bool:
        return bool(places.on_cpu(self.function))

    def settle(self, found: image.Pitches | str) -> None:
        """Put the pitches of an image on the function, or the reason for none on the call."""
        if not isinstance(found, str):
            changed = layout.in_texture(self.layout, found)
            (layout.set_of_result if self.is_result else layout.set_of_argument)(self.function, self.number, changed)
        elif self.is_result:
            reasons = layout.buffer_reasons(self.call)
            reasons[self.number] = found
            layout.set_buffer_reasons(self.call, reasons)


@dataclass
class _Tensor:
    """Memory between kernels."""

    element: str
    is_output: bool
    places: list[_Place] = field(default_factory=list[_Place])


def _tensors(block: ir.Block, functions: dict[str, ir.Operation]) -> Iterator[_Tensor]:
    """What kernels write, with all that they read and write of it."""
    owners = layout.owners(block)
    *calls, end = ops_in(block)
    outputs = {owners.get(v, v) for v in end.operands}
    found: dict[ir.Value, _Tensor] = {}
    for call in calls:
        if call.name != "func.call":
            continue
        function = functions[call.attributes["callee"].value]
        for is_result, values in ((False, call.operands), (True, call.results)):
            for number, value in enumerate(values):
                owner = owners.get(value, value)
                if isinstance(owner, ir.BlockArgument):
                    continue
                tensor = found.setdefault(owner, _Tensor(str(structured.element_of(owner)), owner in outputs))
                tensor.places.append(_Place(call, function, number, is_result))
    yield from found.values()
