"""Kernel positions that see nothing but padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cocomp.dialects import sparse, structured
from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ir, ops_in, tensor
from cocomp.support.passes import Pass, State

from ._pads import padded, zero_pad

WORTH_IT = 0.4
"""Share of the work that cutting a contraction into rows has to save."""
MOST_PIECES = 4


@dataclass(frozen=True)
class TrimPaddingPass(Pass):
    """Leave out kernel positions whose input is padding for every pixel, and the padding that nobody then reads.

        %p = tensor.pad %x low[0, 0, 36, 36] high[0, 0, 36, 36]            (a 3x3 kernel of dilation 36 on 14x14 pixels)
        %y = "sparse.contract"(%p, %w) {bounds = [1, 256, 14, 14, 960, 3, 3]}
      -->
        %y = "sparse.contract"(%x, %w) {bounds = [1, 256, 14, 14, 960, 1, 1]}    (the middle position)

    The weight stays as it is: its map starts at the first position that counts. Where positions count for some rows of the
    result only, rows that share them become a contraction of their own, and the result is the concatenation; that happens
    when it saves `WORTH_IT` of the work. Needs `raise-contractions`.
    """

    name: ClassVar[str] = "trim-padding"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            for op in ops_in(block):
                if structured.is_contract(op) and (pad := zero_pad(op.operands[0])) is not None:
                    _cut_rows(op, pad)
            for op in ops_in(block):
                if structured.is_contract(op) and (pad := zero_pad(op.operands[0])) is not None:
                    _trim(op, pad)


def _trim(op: ir.Operation, pad: ir.Operation) -> None:
    loops = structured.loops_of(op)
    low, high = list(pad.attributes["static_low"]), list(pad.attributes["static_high"])
    extents = structured.shape_of(pad.operands[0])
    bounds, starts = list(loops.bounds), [0] * len(loops.bounds)
    for axis, expr in enumerate(loops.maps[0]):
        for dim in _kernel_dims(expr, loops.parallel):
            alive = [k for k in range(bounds[dim]) if _sees_inside(expr, {dim: k}, bounds, low[axis], extents[axis])]
            if alive:
                starts[dim], bounds[dim] = alive[0], alive[-1] - alive[0] + 1
    if bounds == list(loops.bounds):
        return
    shifted = tuple(affine.dim(d) + start for d, start in enumerate(starts))
    maps = [[affine.substitute(e, shifted, bounds) for e in m] for m in loops.maps]
    for axis, expr in enumerate(maps[0]):
        first, last = affine.interval(expr, bounds)
        before = max(0, low[axis] - first)
        maps[0][axis] = expr - (low[axis] - before)
        high[axis] = max(0, last - (low[axis] + extents[axis] - 1))
        low[axis] = before
    with ir.InsertionPoint(op), op.location:
        x = padded(pad.operands[0], low, high)
        affine_maps = [structured.affine_map(m, len(bounds)) for m in maps]
        trimmed = sparse.contract(x, op.operands[1], affine_maps, bounds, op.results[0].type, op.location)
    op.results[0].replace_all_uses_with(trimmed)
    op.erase()
    if not list(pad.results[0].uses):
        pad.erase()


# Rows that see different kernel positions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """Pixels `first .. first + count - 1` of dimension `pixel`, which see positions `low .. high` of dimension `tap`."""

    pixel: int
    first: int
    count: int
    tap: int
    low: int
    high: int

    @property
    def work(self) -> int:
        return self.count * (self.high - self.low + 1)


def _cut_rows(op: ir.Operation, pad: ir.Operation) -> None:
    loops = structured.loops_of(op)
    low, extents = list(pad.attributes["static_low"]), structured.shape_of(pad.operands[0])
    for axis, expr in enumerate(loops.maps[0][:-1]):  # along the last axis pieces would be narrower than registers
        for tap in _kernel_dims(expr, loops.parallel):
            pixel = next(d for d in sorted(expr.dims()) if loops.parallel[d])
            pieces = _pieces(expr, pixel, tap, loops.bounds, low[axis], extents[axis])
            whole = loops.bounds[pixel] * loops.bounds[tap]
            if 1 < len(pieces) <= MOST_PIECES and sum(p.work for p in pieces) <= (1 - WORTH_IT) * whole:
                _replace_by_pieces(op, loops, pieces)
                return


def _pieces(expr: Expr, pixel: int, tap: int, bounds: tuple[int, ...], low: int, extent: int) -> list[_Rows]:
    """Runs of pixels that see the same positions; nothing where a pixel sees none."""
    found: list[_Rows] = []
    for p in range(bounds[pixel]):
        at = {pixel: p}
        alive = [k for k in range(bounds[tap]) if _sees_inside(expr, {**at, tap: k}, bounds, low, extent)]
        if not alive:
            return []
        if found and (found[-1].low, found[-1].high) == (alive[0], alive[-1]):
            found[-1] = replace(found[-1], count=found[-1].count + 1)
        else:
            found.append(_Rows(pixel, p, 1, tap, alive[0], alive[-1]))
    return found


def _replace_by_pieces(op: ir.Operation, loops: structured.Loops, pieces: list[_Rows]) -> None:
    output = loops.maps[2]
    axis = next((a for a, e in enumerate(output) if structured.dim_of(e) == pieces[0].pixel), None)
    if axis is None:
        return
    kind = op.results[0].type
    parts: list[ir.Value] = []
    with ir.InsertionPoint(op), op.location:
        for piece in pieces:
            bounds = list(loops.bounds)
            bounds[piece.pixel], bounds[piece.tap] = piece.count, piece.high - piece.low + 1
            moved = {piece.pixel: piece.first, piece.tap: piece.low}
            shifted = tuple(affine.dim(d) + moved.get(d, 0) for d in range(len(bounds)))
            maps = [[affine.substitute(e, shifted, bounds) for e in m] for m in loops.maps[:2]] + [list(output)]
            shape = [piece.count if a == axis else n for a, n in enumerate(kind.shape)]
            affine_maps = [structured.affine_map(m, len(bounds)) for m in maps]
            result = ir.RankedTensorType.get(shape, kind.element_type)
            parts.append(sparse.contract(op.operands[0], op.operands[1], affine_maps, bounds, result, op.location))
        joined = tensor.concat(kind, axis, parts)
    op.results[0].replace_all_uses_with(joined)
    op.erase()


# Positions that no pixel sees ---------------------------------------------------------------------------------------------


def _kernel_dims(expr: Expr, parallel: tuple[bool, ...]) -> list[int]:
    """Reduction dimensions that move over an axis together with pixels."""
    dims = [atom.index for atom, _ in expr.terms if isinstance(atom, affine.Dim)]
    is_linear = len(dims) == len(expr.terms) and all(step > 0 for _, step in expr.terms)
    return [d for d in dims if not parallel[d]] if is_linear and any(parallel[d] for d in dims) else []


def _sees_inside(expr: Expr, at: Mapping[int, int], bounds: Sequence[int], low: int, extent: int) -> bool:
    """Whether any pixel reads the input proper where the dimensions of `at` have these values."""
    point = tuple(Expr((), at[d]) if d in at else affine.dim(d) for d in range(len(bounds)))
    first, last = affine.interval(affine.substitute(expr, point, bounds), bounds)
    return last >= low and first < low + extent
