"""Concatenations of slices of one tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.sequences import place_of
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class JoinSlicesPass(Pass):
    """Write a concatenation of slices that begin at the points of a grid as one operation that only moves values.

        %a = tensor.extract_slice %x[0, 0] [4, 16] [2, 1]
        %b = tensor.extract_slice %x[1, 0] [4, 16] [2, 1]      -->     %y = linalg.generic ins(%x) { copy x[2 * i + j / 16, j mod 16] }
        %y = tensor.concat dim(1) %a, %b

    Space to depth and the merging of patches come like this. What only moves values is read through by who needs them:
    concatenations are always copied, part by part. Along the last axis parts have to fill whole registers, or neighbours would be
    cut. Leaves the slices, which nothing reads any more.
    """

    name: ClassVar[str] = "join-slices"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if op.name == "tensor.concat":
                    _join(op, state)


def _join(concat: ir.Operation, state: State) -> None:
    """Replace a concatenation whose parts are at places of one tensor that hang on the number of the part alone."""
    shape = structured.shape_of(concat.operands[0])
    axis, whole = concat.attributes["dim"].value, structured.shape_of(concat.results[0])
    if len(concat.operands) < 2 or any(structured.shape_of(v) != shape for v in concat.operands):
        return
    lanes = state.target.lanes(structured.bytes_of(structured.element_of(concat.results[0])))
    if axis == len(shape) - 1 and shape[axis] % lanes:
        return
    parts = [structured.through_views(v, structured.identity(len(shape)), shape) for v in concat.operands]
    source = parts[0][0]
    if any(s != source or s == v for (s, _), v in zip(parts, concat.operands, strict=True)):
        return
    within = [affine.dim(a) for a in range(len(shape))]
    number = affine.floordiv(affine.dim(axis), shape[axis], whole)
    within[axis] = affine.mod(affine.dim(axis), shape[axis], whole)
    index: list[Expr] = []
    for exprs in zip(*(index for _, index in parts), strict=True):
        place = place_of([e.constant for e in exprs])
        if place is None or len({e.terms for e in exprs}) > 1:
            return
        walked = affine.substitute(Expr(exprs[0].terms), within, whole)
        index.append(walked + affine.substitute(place, [number], whole))
    with ir.InsertionPoint(concat), concat.location:
        joined = structured.read_at(source, index, whole)
    concat.results[0].replace_all_uses_with(joined)
    concat.erase()
