"""How each contraction is tiled, and whether its zeros are left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.passes.math.tiles import (
    TileSchedule,
    VectorUnit,
    Work,
    choose_pixel_tiles,
    choose_tiles,
    estimate,
    group_sizes,
    kept_columns,
)
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._contraction import Contraction, encoding_of, matrix_of, read_contraction, schedule_attribute
from ._winograd import choose_winograd, winograd_attribute


@dataclass(frozen=True)
class ScheduleContractionsPass(Pass):
    """Put the register tile and the cache block of every contraction on its function.

        func @group_3(..)
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, vectors = [2], groups = [8], pixels = 14, ..}}

    Counts instructions (`passes.math.tiles`) of several ways and takes the cheapest: registers along rows, or along pixels
    where they are contiguous; all columns, or for a weight with zeros only those that a row group keeps; minimal filtering, which a 3x3 convolution gets as `kernel.winograd` instead. With `force` zeros are left out wherever there are any.
    Depth-wise contractions get neither: they run as loops over channels. Needs `select-layout` and weights that have an
    encoding. A tuner may overwrite the attributes.
    """

    name: ClassVar[str] = "schedule-contractions"
    force: bool = False

    def run(self, module: ir.Module, state: State) -> None:
        functions = ops_in(module.body)
        weights = graphs.weights_of_calls(functions)
        for function in functions:
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.contraction is None:
                continue
            contraction = read_contraction(group)
            if contraction.depthwise:
                continue
            unit = VectorUnit.of(state.target, contraction.element_bytes)
            names = weights.get((function.attributes["sym_name"].value, contraction.w_argument), [])
            whole, *thinned = _works(contraction, names, state, unit)
            forced = self.force and bool(thinned)
            tiles, cycles = _cheapest(contraction, thinned if forced else [whole, *thinned], unit)
            winograd = None if forced else choose_winograd(contraction, unit, state.target.l1_bytes, cycles)
            if winograd is not None:
                function.attributes["kernel.winograd"] = winograd_attribute(winograd)
            else:
                function.attributes["kernel.schedule"] = schedule_attribute(tiles)


def _works(contraction: Contraction, names: Sequence[str], state: State, unit: VectorUnit) -> list[Work]:
    """The work with all columns, and with the columns that zeros leave where there are zeros."""
    work = contraction.work()
    if not names or encoding_of(contraction) == "dense":
        return [work]
    return [work, dataclasses.replace(work, kept=_kept(contraction, names, state, unit))]


def _cheapest(contraction: Contraction, works: Sequence[Work], unit: VectorUnit) -> tuple[TileSchedule, float]:
    """The schedule with the fewest cycles, and these."""
    found = [(work, choose_tiles(work, unit)) for work in works]
    if contraction.contiguous_pixels:
        found += [(work, tiles) for work in works if (tiles := choose_pixel_tiles(work, unit)) is not None]
    costs = [(tiles, estimate(work, tiles, unit)) for work, tiles in found]
    return min(costs, key=lambda c: c[1])


def _kept(contraction: Contraction, names: Sequence[str], state: State, unit: VectorUnit) -> dict[int, float]:
    """Mean number of columns that row groups keep, by the size of the groups; the mean over layers that share a kernel."""
    sizes = group_sizes(contraction.extent(contraction.row), unit)
    masks = [matrix_of(name, state.weights[name], contraction) != 0 for name in dict.fromkeys(names)]
    return {size: float(np.mean([kept_columns(mask, size) for mask in masks])) for size in sizes}
