"""Which tensors are images in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import places, plan, structured, texel
from cocomp.passes.math.image import TEXEL, Image
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class SettleMemoryPass(Pass):
    """Make images of the tensors that all their kernels read and write as such.

        %a = "plan.arena"() {bytes = 802816, offset = -1}
      -->
        %a = "plan.image"() {bytes = 802816, width = 896, height = 56, depth = 1, element = f32, slot = -1, offset = -1}

    Kernels have to know line and element in it of all that they read, and to write whole texels; where one does not, the tensor
    stays a buffer, and dispatches say so of what they write (`in_buffer`). Leaves `kernel.images` on kernels, the operands that are
    images; a kernel that has others in another dispatch is there twice. Needs `choose-memory` and lowered kernels.
    """

    name: ClassVar[str] = "settle-memory"

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        main = functions.pop("main")
        body = ops_in(main.regions[0].blocks[0])
        dispatches = [op for op in body if op.name == "plan.dispatch"]
        for op in [op for op in body if op.name == "plan.arena"]:
            with op.location:
                _settle(op, functions)
        variants: dict[tuple[str, tuple[int, ...]], str] = {}
        for op in dispatches:
            if not places.on_cpu(functions[op.attributes["kernel"].value]):
                _specialise(op, functions, variants)


def _settle(buffer: ir.Operation, functions: dict[str, ir.Operation]) -> None:
    uses = [(use.owner.operation, use.operand_number) for use in buffer.results[0].uses]
    seen = [(functions[op.attributes["kernel"].value], number) for op, number in uses]
    pitches = [_pitches(*one) for one in seen]
    if not pitches or not all(pitches):
        return
    reason = next(filter(None, (_refusal(*one) for one in sorted(seen, key=_place_of))), "")
    if reason:
        for op, number in uses:
            _explain(op, number, reason)
        return
    function, number = seen[0]
    element = function.regions[0].blocks[0].arguments[number].type.element_type
    each = structured.bytes_of(element)
    image = Image.of(buffer.attributes["bytes"].value // each, pitches[0])
    with ir.InsertionPoint(buffer):
        made = plan.image(image, element, image.texels * TEXEL * each)
    buffer.results[0].replace_all_uses_with(made)
    buffer.erase()


def _pitches(function: ir.Operation, number: int) -> tuple[int, ...]:
    """Of an image that an operand may be, none where it cannot: the CPU sees none."""
    return () if places.on_cpu(function) else tuple(function.attributes["kernel.pitches"][number])


def _place_of(seen: tuple[ir.Operation, int]) -> tuple[str, int]:
    function, number = seen
    return function.attributes["sym_name"].value, number


def _refusal(function: ir.Operation, number: int) -> str:
    """Why an operand of a kernel cannot be an image, or nothing."""
    name = function.attributes["sym_name"].value
    for use in function.regions[0].blocks[0].arguments[number].uses:
        op = use.owner.operation
        if op.name not in texel.NAMES:
            return f"kernel {name} {'writes' if op.name.endswith('store') else 'reads'} it element by element"
        if len(texel.place_of(op)) == 1:
            return f"kernel {name} would have to divide to find lines of it"
    return ""


def _explain(dispatch: ir.Operation, number: int, reason: str) -> None:
    """Say of an operand that a dispatch writes why it is in a buffer."""
    described = list(dispatch.attributes["writes"])
    for i, one in enumerate(described):
        if one["argument"].value == number:
            changed = {named.name: named.attr for named in one} | {"in_buffer": ir.StringAttr.get(reason)}
            described[i] = ir.DictAttr.get(changed)
    with dispatch.location:
        dispatch.attributes["writes"] = ir.ArrayAttr.get(described)


def _specialise(
    dispatch: ir.Operation, functions: dict[str, ir.Operation], variants: dict[tuple[str, tuple[int, ...]], str]
) -> None:
    """Name the kernel for the operands of a dispatch that are images."""
    name = dispatch.attributes["kernel"].value
    images = tuple(n for n, value in enumerate(dispatch.operands) if value.owner.name == "plan.image")
    if (name, images) not in variants:
        others = sum(1 for kernel, _ in variants if kernel == name)
        function, made = functions[name], name
        if others:
            made = f"{name}_{others}"
            with ir.InsertionPoint(function):
                function = function.clone().operation
            function.attributes["sym_name"] = ir.StringAttr.get(made, function.context)
        function.attributes["kernel.images"] = ir.DenseI64ArrayAttr.get(images, function.context)
        variants[name, images] = made
    dispatch.attributes["kernel"] = ir.FlatSymbolRefAttr.get(variants[name, images], dispatch.context)
