"""The tiles that a contraction may have on a GPU, and the workgroups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from cocomp.passes.kernel._contraction import Contraction, encoding_of, matrix_of
from cocomp.passes.kernel._scheduled import schedule_attribute
from cocomp.passes.math import shades
from cocomp.passes.math.shades import Prices, Shape, Tile
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir
from cocomp.support.passes import State

from ._columns import texel_columns
from ._shader import WORKGROUP
from ._texels import TEXEL

ENOUGH_LANES = 24
"""Tiles of pixels from which on a workgroup has one row group, where the schedule does not say."""


def rank(contraction: Contraction, names: Sequence[str], state: State, force: bool) -> list[tuple[float, ir.DictAttr]]:
    """(predicted cycles, schedule) of every tile, the best first."""
    assert isinstance(state.target, GpuTarget)
    prices = _prices(state.target)
    masks = [matrix_of(name, state.weights[name], contraction) != 0 for name in dict.fromkeys(names)]
    shape = _shape(contraction, masks if encoding_of(contraction) != "dense" else [])
    ranked = shades.rank(shape, prices, force)
    return [(cycles, schedule_attribute(_schedule(shape.rows, tile))) for cycles, tile in ranked]


def extents(contraction: Contraction, schedule: TileSchedule) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(dimension, how many) of tiles of pixels, and of row groups, whose own number -1 stands for; the outermost first."""
    bounds = contraction.nest.bounds
    steps = {d: contraction.window(d) for d in contraction.outer_pixels}
    if contraction.pixel is not None:
        steps[contraction.pixel] = schedule.pixels
    order = sorted(steps, key=lambda d: -abs(contraction.out_position.coefficient(d)))
    groups = [(d, bounds[d]) for d in (*contraction.batches, *contraction.outer_rows)]
    return [(d, -(-bounds[d] // steps[d])) for d in order], [*groups, (-1, schedule.groups)]


def workgroups(contraction: Contraction, schedule: TileSchedule, target: GpuTarget) -> list[TileSchedule]:
    """The same with other workgroups than the rule's, the most promising first."""
    tiles, groups = (prod(count for _, count in part) for part in extents(contraction, schedule))
    found = shades.workgroups(tiles, groups, target.workgroup_invocations)
    usual = (min(WORKGROUP, 1 << (tiles - 1).bit_length()), 1) if tiles >= ENOUGH_LANES else None
    return [replace(schedule, workgroup=shape) for shape in found if shape != usual]


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
