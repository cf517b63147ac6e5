"""What zeros bring a layer, and what would bring more: the same count of instructions that chooses tiles, asked other questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from .schedule import MAX_STEP
from .tiles import choose_pixel_tiles, choose_tiles, estimate, group_sizes
from .work import VectorUnit, Work

NOTABLE = 1.08
"""Factor from which a cause is named."""
BETTER = 1.15
"""Factor from which another arrangement is recommended."""
PAYS = 1.1
"""Speed-up from which a rate is said to pay."""
RATES = (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class Costs:
    """Cycles that a layer is predicted to take."""

    chosen: float
    dense: float
    """Of the best kernel that keeps every column, minimal filtering included."""
    direct: float
    """Of the best one without minimal filtering."""
    thinned: float
    """Of the best one that leaves zeros out."""


@dataclass(frozen=True)
class Layer:
    """A weight with zeros and the kernel that was chosen for it."""

    kept: float
    """Share of elements that are not zero."""
    executed: float
    """Share of products that the kernel computes."""
    together: int
    """Rows of a row group."""
    costs: Costs
    keeps_zeros: bool
    in_pieces: bool = False
    """Bands of rows are cut into pieces of `together` rows."""

    @property
    def rate(self) -> float:
        """What the zeros promise."""
        return 1 / max(self.kept, 1e-9)

    @property
    def speed_up(self) -> float:
        """What they are predicted to bring."""
        return self.costs.dense / self.costs.chosen


def reasons(layer: Layer) -> list[str]:
    """Why the speed-up stays behind the rate, the weightiest first; empty where it does not."""
    if layer.keeps_zeros:
        longer = layer.costs.thinned / layer.costs.chosen
        return [f"zeros are kept: leaving them out would take {longer:.1f}x as long"]
    shared = layer.executed / max(layer.kept, 1e-9)
    filtered = layer.costs.direct / layer.costs.dense
    rest = layer.rate / layer.speed_up / shared / filtered
    rows = f"{layer.together} rows"
    cause = (
        f"pieces are filled up to {rows}"
        if layer.in_pieces
        else f"the {rows} of a register tile keep different columns"
    )
    found = [
        (shared, f"{cause}: {shared:.1f}x the products"),
        (filtered, f"the dense layer would run in minimal filtering, {filtered:.1f}x faster than directly"),
        (rest, f"what a tile costs beside its products (its start, its results, cache lines): {rest:.1f}x"),
    ]
    return [text for factor, text in sorted(found, reverse=True) if factor >= NOTABLE]


def advice(layer: Layer, planes: Work, unit: VectorUnit, sparse_rows: int) -> str:
    """What would pay: wider blocks at the same rate, or a higher rate; empty where neither would."""
    best = min(_widths(planes.rows, unit), key=lambda rows: predicted(planes, unit, rows, layer.rate))
    speed_up = layer.costs.dense / predicted(planes, unit, best, layer.rate)
    if speed_up > BETTER * layer.speed_up and speed_up > PAYS:
        return f"bcr<{best}, all> at the same rate: {speed_up:.1f}x"
    if layer.speed_up >= PAYS:
        return ""
    for rate in RATES:
        faster = layer.costs.dense / predicted(planes, unit, sparse_rows, rate)
        if rate > layer.rate and faster >= PAYS:
            return f"from a rate of {rate:g} on leaving zeros out pays: {faster:.1f}x"
    return ""


def predicted(work: Work, unit: VectorUnit, rows: int, rate: float) -> float:
    """Cycles of a layer whose blocks of `rows` rows keep 1/rate of the columns, each block others."""
    thinned = dataclasses.replace(work, kept=expected_columns(work.columns, rows, rate, group_sizes(work.rows, unit)))
    tiles = [choose_tiles(thinned, unit)]
    if (
        work.contiguous_pixels
        and work.pixel_step <= MAX_STEP
        and (along := choose_pixel_tiles(thinned, unit)) is not None
    ):
        tiles.append(along)
    return min(estimate(thinned, found, unit) for found in tiles)


def expected_columns(columns: int, rows: int, rate: float, sizes: Sequence[int]) -> dict[int, float]:
    """Columns that row groups of each size keep on average, where blocks of `rows` rows keep 1/rate of them at random."""
    return {size: columns * (1 - (1 - 1 / rate) ** max(1, -(-size // rows))) for size in sizes}


def _widths(rows: int, unit: VectorUnit) -> list[int]:
    return [width for width in (4, 8, unit.lanes, 2 * unit.lanes) if width <= max(4, rows)]
