"""What every layer of a model would take at other sparsities: for who chooses blocks and rates before pruning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.passes.math.outlook import predicted
from cocomp.passes.math.tiles import choose_tiles, estimate
from cocomp.passes.math.work import VectorUnit, Work
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.passes import State

from ._contraction import Contraction, read_contraction
from ._winograd import WORTH_IT, choose_winograd

Option = tuple[int, float]
"""(rows that keep the same columns, rate)."""


@dataclass(frozen=True)
class Prospect:
    """What a layer takes, dense and pruned."""

    layer: str
    rows: int
    columns: int
    pixels: int
    dense: float
    """Of the best dense kernel, minimal filtering included."""
    options: dict[Option, float]
    unit: str = "cycles"
    """What the times are in: `cycles`, which are predicted, or `us`, which are measured."""

    def smallest_block(self, rate: float, within: float = 1.1) -> int:
        """The fewest rows whose time is within a factor of the best: smaller blocks cost less accuracy (GRIM)."""
        times = {rows: time for (rows, r), time in self.options.items() if r == rate}
        best = min(times.values())
        return min(rows for rows, time in times.items() if time <= within * best)


def prospects(module: ir.Module, state: State, sizes: Sequence[int], rates: Iterable[float]) -> list[Prospect]:
    """Every layer with a weight, in order, for all row counts and rates. `module` is laid out, its weights dense."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    found: list[Prospect] = []
    wanted = list(rates)
    for op in ops_in(functions["main"].regions[0].blocks[0]):
        if op.name != "func.call":
            continue
        group = graphs.read_group(functions[op.attributes["callee"].value])
        if group.contraction is None:
            continue
        contraction = read_contraction(group)
        if contraction.depthwise or not contraction.constant_weight:
            continue
        weight = structured.weight_name(op.operands[contraction.w_argument])
        layer = next((path for _, path in origins(op.location) if path), weight or "")
        found.append(_prospect(layer, contraction, state, sizes, wanted))
    return found


def _prospect(
    layer: str, contraction: Contraction, state: State, sizes: Sequence[int], rates: Sequence[float]
) -> Prospect:
    unit = VectorUnit.of(state.target, contraction.element_bytes)
    lines = dataclasses.replace(contraction.work(), contiguous_rows=True, contiguous_pixels=False)
    direct = estimate(lines, choose_tiles(lines, unit), unit)
    filtered = choose_winograd(contraction, unit, state.target.l1_bytes, any_layout=True)
    dense = filtered[1] if filtered is not None and filtered[1] < WORTH_IT * direct else direct
    works: list[Work] = [lines]
    if lines.pixels > 1:
        works.append(dataclasses.replace(lines, contiguous_rows=False, contiguous_pixels=True, pixel_step=1))
    options = {
        (rows, rate): min(predicted(work, unit, rows, rate) for work in works) for rows in sizes for rate in rates
    }
    return Prospect(layer, lines.rows, lines.columns, lines.pixels * lines.outer_pixels, dense, options)
