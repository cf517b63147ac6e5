"""How contractions are tiled on a GPU, and whether their zeros are left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.passes.kernel._contraction import Contraction, encoding_of, matrix_of, read_contraction, schedule_attribute
from cocomp.passes.math import shades
from cocomp.passes.math.shades import Prices, Shape, Tile
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._columns import texel_columns
from ._texels import TEXEL


@dataclass(frozen=True)
class ScheduleShadesPass(Pass):
    """Choose the tile of every contraction over channels.

        func @group_3(..) { contract, .. }   -->   func @group_3(..) attributes {kernel.schedule = {lanes = 4, pixels = 4, ..}}

    Counts what an invocation fetches and multiplies (`passes.math.shades`) and takes the cheapest: so many rows and pixels, all
    columns or lists of those that a row group keeps, one by one or a texel at a time. With `force` zeros are left out
    wherever there are any. Depth-wise contractions get no tile: `shade-loops` computes them. Needs `select-layout` and weights
    that have an encoding.
    """

    name: ClassVar[str] = "schedule-shades"
    force: bool = False

    def run(self, module: ir.Module, state: State) -> None:
        functions = ops_in(module.body)
        weights = graphs.weights_of_calls(functions)
        assert isinstance(state.target, GpuTarget)
        prices = _prices(state.target)
        for function in functions:
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.contraction is None:
                continue
            contraction = read_contraction(group)
            if contraction.depthwise:
                continue
            names = weights.get((function.attributes["sym_name"].value, contraction.w_argument), [])
            masks = [matrix_of(name, state.weights[name], contraction) != 0 for name in dict.fromkeys(names)]
            shape = _shape(contraction, masks if encoding_of(contraction) != "dense" else [])
            found = shades.tiles(shape, prices)
            if self.force and shape.kept:
                found = (tile for tile in found if tile.unit)
            tile = min(found, key=lambda t: shades.cycles(shape, t, prices))
            function.attributes["kernel.schedule"] = schedule_attribute(_schedule(shape.rows, tile))


def _prices(target: GpuTarget) -> Prices:
    return Prices(
        texel=target.texel_cycles,
        element=target.element_cycles,
        weight=target.weight_cycles,
        product=target.product_cycles,
        accumulators=target.accumulators,
    )


def _shape(contraction: Contraction, masks: Sequence[np.ndarray]) -> Shape:
    together = texel_columns(contraction, contraction.x_argument, contraction.x_position)
    outer = (*contraction.batches, *contraction.outer_rows, *contraction.outer_pixels)
    return Shape(
        rows=contraction.extent(contraction.row),
        pixels=contraction.extent(contraction.pixel),
        outer=contraction.extent(outer),
        columns=contraction.extent(contraction.columns),
        together=together,
        window=contraction.window(contraction.pixel),
        kept=dict(_kept(masks, {1, together})),
    )


def _schedule(rows: int, tile: Tile) -> TileSchedule:
    return TileSchedule(
        lanes=TEXEL,
        segments=(Segment(tile.rows // TEXEL, -(-rows // tile.rows)),),
        pixels=tile.pixels,
        pixel_block=1,
        row_block=1,
        keep_zeros=not tile.unit,
        unit=max(1, tile.unit),
    )


def _kept(masks: Sequence[np.ndarray], units: Collection[int]) -> Iterator[tuple[tuple[int, int], float]]:
    """Mean length of the lists of row groups of so many rows, with entries of so many columns."""
    for unit in units if masks else ():
        for rows in range(TEXEL, shades.MOST_ROWS + 1, TEXEL):
            lengths = [np.mean(entries(mask, rows, unit)) for mask in masks]
            yield (rows, unit), float(np.mean(lengths))


def entries(mask: np.ndarray, rows: int, unit: int) -> np.ndarray:
    """Length of each row group's list: bool[outer rows, rows, columns] -> int[outer rows, row groups]."""
    outer, height, columns = mask.shape
    padded = np.zeros((outer, -(-height // rows) * rows, columns), bool)
    padded[:, :height] = mask
    blocks = padded.reshape(outer, -1, rows, columns // unit, unit)
    return blocks.any(axis=(2, 4)).sum(axis=-1)
