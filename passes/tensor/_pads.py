"""Padding with a number."""

from __future__ import annotations

from collections.abc import Sequence

from cocomp.dialects import structured
from cocomp.support.mlir import arith, ir, tensor


def zero_pad(value: ir.Value) -> ir.Operation | None:
    """The padding with zeros that makes `value`, if one does."""
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.operation.name != "tensor.pad":
        return None
    return owner.operation if filling_of(owner.operation) == 0 else None


def filling_of(pad: ir.Operation) -> float | None:
    """What the border is made of, where it is one floating-point number."""
    maker = structured.body_ops(pad)[-1].operands[0].owner
    if isinstance(maker, ir.Block) or maker.operation.name != "arith.constant":
        return None
    attribute = maker.operation.attributes["value"]
    return attribute.value if isinstance(attribute, ir.FloatAttr) else None


def padded(source: ir.Value, low: Sequence[int], high: Sequence[int], filling: float = 0.0) -> ir.Value:
    """`source` with that many zeros, or whatever fills, before and after along each axis, built at the current insertion point."""
    if not any(low) and not any(high):
        return source
    shape = [before + n + after for before, n, after in zip(low, structured.shape_of(source), high, strict=True)]
    element = structured.element_of(source)
    made = tensor.PadOp(ir.RankedTensorType.get(shape, element), source, [], [], low, high)
    locations = [ir.Location.current] * len(shape)
    block = made.regions[0].blocks.append(*[ir.IndexType.get()] * len(shape), arg_locs=locations)
    with ir.InsertionPoint(block):
        tensor.yield_(arith.constant(element, ir.FloatAttr.get(element, filling)))
    return made.result
