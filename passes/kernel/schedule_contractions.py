"""How each contraction is tiled, and whether its zeros are left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cocomp.dialects import sparse
from cocomp.passes.math.outlook import Costs, Layer, advice, reasons
from cocomp.passes.math.tiles import choose_pixel_tiles, choose_tiles, estimate, multiplied
from cocomp.passes.math.work import TileSchedule, VectorUnit, Work
from cocomp.support.mlir import ir
from cocomp.support.passes import Pass, State

from ._candidates import works_of
from ._contraction import Contraction, encoding_of, matrix_of
from ._scheduled import contractions, schedule_attribute, schedule_of
from ._winograd import WORTH_IT, choose_winograd, winograd_attribute

ENOUGH = 0.9
"""Share of the rate from which on a speed-up needs no explanation."""


@dataclass(frozen=True)
class ScheduleContractionsPass(Pass):
    """Put the register tile and the cache block of every contraction on its function.

        func @group_3(..)
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, vectors = [2], groups = [8], pixels = 14, ..}}

    Counts instructions (`passes.math.tiles`) of several ways and takes the cheapest: registers along rows, or along pixels
    where they are contiguous; all columns, or for a weight with zeros only those that a row group keeps, or a piece of a band of
    rows (`passes.math.pieces`); minimal filtering, which a 3x3 convolution gets as `kernel.winograd` instead. With `force` zeros are left out wherever there are any.
    Tiles hold whole windows of a result that is pooled. Depth-wise contractions get neither: they run as loops over channels. A contraction that has a tile, for a GPU, keeps it.
    Needs `select-layout` and weights that have an encoding. `tune-contractions` may overwrite the attributes.
    """

    name: ClassVar[str] = "schedule-contractions"
    force: bool = False

    def run(self, module: ir.Module, state: State) -> None:
        for contraction, names in contractions(module):
            function = contraction.group.function
            if schedule_of(function) is not None:
                continue
            unit = VectorUnit.of(state.processor, contraction.element_bytes)
            whole, *thinned = works_of(contraction, names, state)
            forced = self.force and bool(thinned)
            tiles, cycles = _cheapest(contraction, thinned if forced else [whole, *thinned], unit)
            filtered = (
                None if forced or not unit.filters else choose_winograd(contraction, unit, state.processor.l1_bytes)
            )
            if filtered is not None and filtered[1] < WORTH_IT * cycles:
                cycles = filtered[1]
                function.attributes["kernel.winograd"] = winograd_attribute(filtered[0])
            else:
                function.attributes["kernel.schedule"] = schedule_attribute(tiles)
            state.facts.setdefault("predicted-cycles", {})[function.attributes["sym_name"].value] = cycles
            if thinned:
                found = _outlook(contraction, (whole, thinned[0]), (tiles, cycles), names, state)
                state.facts.setdefault(self.name, {}).update(dict.fromkeys(names, found))


def _cheapest(contraction: Contraction, works: Sequence[Work], unit: VectorUnit) -> tuple[TileSchedule, float]:
    """The schedule with the fewest cycles, and these."""
    found = [(work, choose_tiles(work, unit)) for work in works]
    if contraction.fills_along_pixels:
        found += [(work, tiles) for work in works if (tiles := choose_pixel_tiles(work, unit)) is not None]
    costs = [(tiles, estimate(work, tiles, unit)) for work, tiles in found]
    return min(costs, key=lambda c: c[1])


def _outlook(
    contraction: Contraction,
    works: tuple[Work, Work],
    chosen: tuple[TileSchedule, float],
    names: Sequence[str],
    state: State,
) -> dict[str, Any]:
    """What the report says of a weight with zeros: shares of 1, cycles, and why it is not faster."""
    (whole, thinned), (tiles, cycles) = works, chosen
    unit = VectorUnit.of(state.processor, contraction.element_bytes)
    kept, share = (float(np.mean(n)) for n in zip(*(_kept(n, contraction, state) for n in set(names)), strict=True))
    lines = dataclasses.replace(whole, contiguous_rows=True, contiguous_pixels=False)
    direct = estimate(lines, choose_tiles(lines, unit), unit)
    filtered = choose_winograd(contraction, unit, state.processor.l1_bytes, any_layout=True)
    dense = filtered[1] if filtered is not None and filtered[1] < WORTH_IT * direct else direct
    layer = Layer(
        kept=kept,
        executed=1.0 if tiles.keep_zeros else multiplied(thinned, tiles) / share,
        together=tiles.segments[0].vectors * tiles.row_unit,
        in_pieces=tiles.band > 0,
        costs=Costs(cycles, dense, direct, _cheapest(contraction, [thinned], unit)[1]),
        keeps_zeros=tiles.keep_zeros,
    )
    planes = dataclasses.replace(whole, contiguous_rows=False, contiguous_pixels=True, pixel_step=1)
    return {
        "encoding": encoding_of(contraction),
        "zeros": 1 - kept,
        "rate": layer.rate,
        "predicted_speed_up": layer.speed_up,
        "reasons": reasons(layer) if layer.speed_up < ENOUGH * layer.rate else [],
        "advice": advice(layer, planes if whole.pixels > 1 else whole, unit, _rows_alike(contraction)),
    }


def _kept(name: str, contraction: Contraction, state: State) -> tuple[float, float]:
    """Share of a weight of the model that is not zero, and share of the matrix that is its own."""
    matrix = matrix_of(name, state.weights[name], contraction)
    own = matrix.size - state.weights.filled(name)
    return np.count_nonzero(matrix) / own, own / matrix.size


def _rows_alike(contraction: Contraction) -> int:
    """Neighbouring rows that keep the same columns, as the encoding says."""
    encoding = sparse.encoding_of(contraction.group.arguments[contraction.w_argument].type.encoding)
    return min(getattr(encoding, "rows", 1), contraction.extent(contraction.row))
