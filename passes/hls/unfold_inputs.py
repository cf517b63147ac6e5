"""Activations as the engine of an accelerator reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class UnfoldInputsPass(Pass):
    """Copy what products cannot read in place into matrices, one line for each pixel.

        %y = hls.product(%x) {columns = (kh, kw, 3 channels)}
      -->
        %m = hls.sweep(%x) : tensor<112x112x147xui8>
        %y = hls.product(%m) {columns = (147)}

    The engine reads `lanes` neighbouring channels at once, from windows of up to four axes; a line of the matrix has those numbers side by side that
    are so in the tensor. It reads a matrix where there are
    few channels beside several positions of a window, where columns are no axis of the tensor, and where another
    product has other channels. Needs `lower-to-integers`.
    """

    name: ClassVar[str] = "unfold-inputs"
    lanes: int = 16

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        axes: dict[ir.Value, int] = {}
        for op in ops_in(block):
            if not hls.is_product(op):
                continue
            windows = hls.windows_of(op)
            taps = math.prod(hls.bounds_of(op)[d] for d in list(op.attributes["columns"])[:-1])
            few = windows is not None and taps > 1 and 2 * windows.channels <= self.lanes
            if windows is None or few or axes.setdefault(op.operands[0], windows.axis) != windows.axis:
                _unfold(op, state)


def _unfold(op: ir.Operation, state: State) -> None:
    """Put a sweep before a product, whose columns become one dimension."""
    bounds = hls.bounds_of(op)
    rows, columns = list(op.attributes["rows"]), list(op.attributes["columns"])
    pixels = [d for d in range(len(bounds)) if d not in (*rows, *columns)]
    read, written = hls.maps_of(op)
    count = math.prod(bounds[d] for d in columns)
    flat = affine.linearize(read, structured.shape_of(op.operands[0]))
    ordered = sorted(columns, key=lambda d: flat.is_linear and flat.coefficient(d) == 1)
    weights = _ordered(
        op.attributes["weights"].value, [bounds[d] for d in columns], [columns.index(d) for d in ordered], state
    )
    columns = ordered

    points = [bounds[d] for d in (*pixels, *columns)]
    dims = {d: affine.dim(i) for i, d in enumerate((*pixels, *columns))}
    place = [dims.get(d, affine.as_expr(0)) for d in range(len(bounds))]
    index = tuple(affine.substitute(e, place, points) for e in read)
    column = affine.linearize([dims[d] for d in columns], [bounds[d] for d in columns])
    shape = [*(bounds[d] for d in pixels), count]
    kind = hls.type_of(op.operands[0])
    fill = op.attributes["fill"].value
    with ir.InsertionPoint(op), op.location:
        whole = (*(dims[d] for d in pixels), column)
        matrix = hls.sweep(
            [(op.operands[0], index, fill)], whole, points, "none", hls.tensor_type(shape, kind), lambda x: x
        )
        extents = [*(bounds[d] for d in rows), *shape]
        kept = {d: affine.dim(i) for i, d in enumerate((*rows, *pixels))}
        there = tuple(
            affine.substitute(e, [kept.get(d, affine.as_expr(0)) for d in range(len(bounds))], extents) for e in written
        )
        lines = tuple(affine.dim(i) for i in range(len(rows), len(extents)))
        made = hls.product(
            matrix, [lines, there], extents, (list(range(len(rows))), [len(extents) - 1]), fill,
            weights, [q.value for q in op.attributes["quantisers"]], op.attributes["scale"].value,
            op.results[0].type,
        )  # fmt: skip
    op.results[0].replace_all_uses_with(made)
    op.erase()


def _ordered(name: str, extents: list[int], order: list[int], state: State) -> str:
    """Weights whose columns, of these extents, are in another order: those that are side by side in memory last."""
    if order == sorted(order):
        return name
    codes = state.weights[f"{name}:codes"]
    shaped = codes.reshape([-1, *extents]).transpose([0, *(1 + n for n in order)])
    made = state.weights.add(f"{name}:unfolded:codes", shaped.reshape(codes.shape)).removesuffix(":codes")
    for part in ("places", "bias", "multipliers", "shifts"):
        state.weights.add(f"{made}:{part}", state.weights[f"{name}:{part}"])
    return made
