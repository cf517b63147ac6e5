"""How tensors of an accelerator lie in its memory, whatever its size."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator.memories import MOST_CONSTANT_BITS
from cocomp.support.mlir import ir, ops_in


@dataclass(frozen=True, eq=False)
class Layout:
    """`axis` is innermost (-1: the tensor is row-major); its elements lie where the engine writes the rows of a `product`, if any."""

    axis: int = -1
    product: ir.Operation | None = None


def tensors_of(block: ir.Block) -> list[ir.Value]:
    """What is in memory: what a function takes, then what its stages make and large constants."""
    kinds = hls.is_product, hls.is_sweep, is_large_constant
    return [*block.arguments, *(op.results[0] for op in ops_in(block) if any(is_kind(op) for is_kind in kinds))]


def is_large_constant(op: ir.Operation) -> bool:
    """Whether an operation is a constant that has no room on chip."""
    if op.name != "hls.constant":
        return False
    return prod(structured.shape_of(op.results[0])) * hls.type_of(op.results[0]).bits > MOST_CONSTANT_BITS


def layouts_of(block: ir.Block) -> dict[ir.Value, Layout]:
    """Of all tensors. What products read has the axis that they read channels of; otherwise channels are where the maker has them."""
    returned = {*block.arguments, *ops_in(block)[-1].operands}
    found: dict[ir.Value, Layout] = {}
    for tensor in tensors_of(block):
        found[tensor] = _layout(tensor, found, tensor in returned)
    return found


def _layout(tensor: ir.Value, known: dict[ir.Value, Layout], is_returned: bool) -> Layout:
    windows = (hls.windows_of(use.owner.operation) for use in tensor.uses if hls.is_product(use.owner.operation))
    reader = next((w for w in windows if w is not None), None)
    axis = -1 if reader is None else reader.axis
    if is_returned:
        return Layout(axis)
    op = tensor.owner.operation
    if is_large_constant(op):
        return Layout()
    made = _of_product(op) if hls.is_product(op) else _of_sweep(op, known)
    return made if axis < 0 or made.axis == axis else Layout(axis)


def _of_product(op: ir.Operation) -> Layout:
    """Channels in the order of the engine's slots, where they are one axis."""
    rows = list(op.attributes["rows"])
    _, written = hls.maps_of(op)
    axes = [a for a, e in enumerate(written) if structured.dim_of(e) == rows[0]]
    return Layout(axes[0], op) if len(rows) == 1 and len(axes) == 1 else Layout()


def _of_sweep(op: ir.Operation, known: dict[ir.Value, Layout]) -> Layout:
    """Channels where the first tensor has them that is read along with the result's."""
    written = hls.map_of(op)
    for value, index, _ in hls.reads_of(op):
        layout = known.get(value, Layout())
        if layout.axis < 0:
            continue
        dim = structured.dim_of(index[layout.axis])
        axes = [a for a, e in enumerate(written) if dim is not None and structured.dim_of(e) == dim]
        if axes and structured.shape_of(op.results[0])[axes[0]] == structured.shape_of(value)[layout.axis]:
            return Layout(axes[0], layout.product)
    return Layout()
