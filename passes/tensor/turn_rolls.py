"""Rotations along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.passes.math import affine
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class TurnRollsPass(Pass):
    """Write a rotation, which comes as a concatenation of two slices, as one operation that only moves values.

        %a = tensor.extract_slice %x[3] [53] [1]
        %b = tensor.extract_slice %x[0] [3] [1]        -->      %y = linalg.generic ins(%x) { copy x[(i + 3) mod 56] }
        %y = tensor.concat dim(0) %a, %b

    What only moves values is read through by who needs them, or copied at most once: concatenations are always copied, part
    by part. That is better along the last axis, on which registers of neighbours would be cut: it is left alone. Leaves the
    slices, which nothing reads any more.
    """

    name: ClassVar[str] = "turn-rolls"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if op.name == "tensor.concat" and (shift := _shift(op)) is not None:
                    _turn(op, shift)


def _shift(concat: ir.Operation) -> int | None:
    """Where in the source the result begins, along the axis of the concatenation; None where it is no rotation."""
    parts = [v.owner for v in concat.operands]
    if len(parts) != 2 or any(isinstance(p, ir.Block) or p.operation.name != "tensor.extract_slice" for p in parts):
        return None
    first, second = (p.operation for p in parts)
    axis, shape = concat.attributes["dim"].value, structured.shape_of(concat.results[0])
    if (
        first.operands[0] != second.operands[0]
        or structured.shape_of(first.operands[0]) != shape
        or axis == len(shape) - 1
    ):
        return None
    (starts, steps), (zeros, others) = structured.static_slice(first), structured.static_slice(second)
    length = structured.shape_of(first.results[0])[axis]
    whole = set(steps) | set(others) == {1} and not any(zeros) and not any(n for a, n in enumerate(starts) if a != axis)
    return starts[axis] if whole and starts[axis] + length == shape[axis] else None


def _turn(concat: ir.Operation, shift: int) -> None:
    axis, source = concat.attributes["dim"].value, concat.operands[0].owner.operation.operands[0]
    shape = structured.shape_of(source)
    index = [affine.dim(a) for a in range(len(shape))]
    index[axis] = affine.mod(index[axis] + shift, shape[axis], shape)
    with ir.InsertionPoint(concat), concat.location:
        turned = structured.read_at(source, index, shape)
    concat.results[0].replace_all_uses_with(turned)
    concat.erase()
