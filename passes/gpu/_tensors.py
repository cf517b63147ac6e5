"""Tensors between kernels, and the memory that they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, structured
from cocomp.passes.math import image
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, ops_in

from ._texels import FORMATS


@dataclass(frozen=True)
class Place:
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

    def put(self, found: image.Pitches | str) -> None:
        """Put the pitches of an image on the function, or the reason for none on the call."""
        is_image = not isinstance(found, str)
        if is_image or layout.pitches_of(self.layout):
            changed = layout.in_texture(self.layout, found) if is_image else layout.in_plain_buffer(self.layout)
            (layout.set_of_result if self.is_result else layout.set_of_argument)(self.function, self.number, changed)
        reasons = layout.buffer_reasons(self.call)
        if self.is_result and (not is_image or reasons[self.number]):
            reasons[self.number] = "" if is_image else found
            layout.set_buffer_reasons(self.call, reasons)


@dataclass
class Tensor:
    """Memory between kernels."""

    element: ir.Type
    is_output: bool
    places: list[Place] = field(default_factory=list[Place])

    @property
    def bytes(self) -> int:
        """Of its memory."""
        return layout.size_of(self.places[0].layout) * structured.bytes_of(self.element)

    def put(self, found: image.Pitches | str) -> None:
        """Make it an image of such pitches, or a buffer for some reason."""
        for place in self.places:
            place.put(found)

    def pitches(self, target: GpuTarget, memory: str) -> image.Pitches | str:
        """Of the image that it is by the rules of `choose-memory`, or why it is none."""
        if self.is_output:
            return "it is an output of the model"
        if any(place.is_on_cpu for place in self.places):
            return "the CPU reads or writes it"
        if memory == "buffer":
            return "buffers were asked for"
        if str(self.element) not in FORMATS:
            return f"four elements of type {self.element} are no texel"
        if memory == "auto" and not target.takes_images:
            return target.memory_reason
        if memory == "auto" and not any(place.is_read_by_contraction for place in self.places):
            return "no contraction reads it again and again"
        shapes = [(layout.position_of(p.layout, p.shape), p.shape) for p in self.places]
        size = layout.size_of(self.places[0].layout)
        return image.pitches_of(shapes, size, target.image_extent, target.volume_extent)


def tensors(module: ir.Module) -> Iterator[Tensor]:
    """What kernels write, with all that they read and write of it."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    block = functions["main"].regions[0].blocks[0]
    owners = layout.owners(block)
    *calls, end = ops_in(block)
    outputs = {owners.get(v, v) for v in end.operands}
    found: dict[ir.Value, Tensor] = {}
    for call in calls:
        if call.name != "func.call":
            continue
        function = functions[call.attributes["callee"].value]
        for is_result, values in ((False, call.operands), (True, call.results)):
            for number, value in enumerate(values):
                owner = owners.get(value, value)
                if isinstance(owner, ir.BlockArgument):
                    continue
                tensor = found.setdefault(owner, Tensor(structured.element_of(owner), owner in outputs))
                tensor.places.append(Place(call, function, number, is_result))
    yield from found.values()
