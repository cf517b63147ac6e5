"""Which contractions minimal filtering serves, and the shape of its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cocomp.passes.math.affine import Expr
from cocomp.passes.math.tiles import L2_BYTES_PER_CYCLE
from cocomp.passes.math.winograd import Filtering, filtering
from cocomp.passes.math.work import Segment, VectorUnit, split_rows
from cocomp.support.mlir import ir

from ._contraction import Contraction

SIZE = 6
"""Inputs of a tile along each axis."""
POINTS = SIZE**2
PLACES = [Fraction(p) for p in ("0", "3/4", "-3/4", "3/2", "-3/2")]
"""These points keep single precision within 2e-6; the usual 0, 1, 2 lose another digit."""
FILTERS = {taps: filtering(SIZE + 1 - taps, taps, PLACES) for taps in (3, 4)}
"""Taps along an axis -> F(4, 3), F(3, 4)."""
MIN_CHANNELS = 8
WORTH_IT = 0.8
L2_SHARE = 0.65
"""Part of the L2 cache that transformed inputs may take."""
TASKS_WANTED = 6
INPUT_CYCLES, OUTPUT_CYCLES = 110, 85
"""Cycles to transform one tile of one register of channels or rows, measured."""
START_CYCLES = 10
"""Cycles around the loop over the channels of a register tile."""
MEMORY_BYTES_PER_CYCLE, CACHE_BYTES_PER_CYCLE = 8, 24
"""Speed at which transformed weights come, the first time and again: they are four times the weights and outgrow caches."""


@dataclass(frozen=True)
class Roles:
    """Dimensions of a convolution of stride one, in the contraction's nest."""

    filter: Filtering
    """Along rows and columns alike."""

    channel: int
    rows: tuple[int, int]
    """(pixel row, kernel row)."""
    columns: tuple[int, int]
    """(pixel column, kernel column)."""
    outer: tuple[int, ...]
    """Other pixel dimensions: images of a batch."""


@dataclass(frozen=True)
class WinogradSchedule:
    """How a contraction is computed by minimal filtering."""

    lanes: int
    segments: tuple[Segment, ...]
    pixels: int
    """Tiles in a register tile of the products."""
    tiles: int
    """Tiles of a task; a multiple of `pixels`."""
    row_block: int
    """Row groups of a task."""

    @property
    def groups(self) -> int:
        return sum(s.groups for s in self.segments)


def roles_of(contraction: Contraction, any_layout: bool = False) -> Roles | None:
    """The roles of the dimensions, None where the contraction is no convolution of stride one with as many taps down as across
    and dense rows, or in half precision, which the transforms would exhaust, or where windows of it do not fit the tiles."""
    pixels = [*contraction.outer_pixels, *(() if contraction.pixel is None else (contraction.pixel,))]
    if (
        contraction.element_bytes != 4
        or contraction.outer_rows
        or contraction.batches
        or not contraction.constant_weight
        or contraction.row is None
    ):
        return None
    roles = roles_among(contraction.nest.bounds, contraction.columns, pixels, contraction.x_position)
    if roles is None or (contraction.x_position.coefficient(roles.channel) != 1 and not any_layout):
        return None
    fits = contraction.pool is None or has_windows(roles, contraction.pool.sizes)
    return roles if fits and all(map(contraction.is_whole, pixels)) else None


def has_windows(roles: Roles, sizes: Mapping[int, int]) -> bool:
    """Whether tiles of outputs hold whole windows of these extents along pixel dimensions."""
    inside = set(sizes) <= {roles.rows[0], roles.columns[0]}
    return inside and not any(roles.filter.outputs % n for n in sizes.values())


def roles_among(bounds: Sequence[int], columns: Sequence[int], pixels: Sequence[int], x: Expr) -> Roles | None:
    """The roles of columns and pixels by the extents of the dimensions and the position in the input."""
    taps = [d for d in columns if bounds[d] in FILTERS]
    channels = [d for d in columns if bounds[d] not in FILTERS]
    if len(taps) != 2 or len(channels) != 1 or bounds[channels[0]] < MIN_CHANNELS:
        return None
    if bounds[taps[0]] != bounds[taps[1]]:
        return None
    pairs = [(p, k) for k in taps for p in pixels if x.coefficient(p) == x.coefficient(k)]
    if len(pairs) != 2 or pairs[0][0] == pairs[1][0]:
        return None
    pairs.sort(key=lambda pair: -x.coefficient(pair[0]))
    used = {pairs[0][0], pairs[1][0]}
    outer = tuple(p for p in pixels if p not in used)
    return Roles(FILTERS[bounds[taps[0]]], channels[0], pairs[0], pairs[1], outer)


def tile_counts(contraction: Contraction, roles: Roles) -> tuple[int, int]:
    """Tiles along rows and columns of the output."""
    outputs = roles.filter.outputs
    return -(-contraction.nest.bounds[roles.rows[0]] // outputs), -(
        -contraction.nest.bounds[roles.columns[0]] // outputs
    )


def choose_winograd(
    contraction: Contraction, unit: VectorUnit, l1_bytes: int, any_layout: bool = False
) -> tuple[WinogradSchedule, float] | None:
    """The best schedule of minimal filtering and its cycles; None where it is not possible. With `any_layout` what would be
    possible with channels contiguous counts."""
    work = _work_of(contraction, any_layout)
    return None if work is None else schedule_filtering(work, unit, l1_bytes)


def rank_winograd(contraction: Contraction, unit: VectorUnit, l1_bytes: int) -> list[tuple[float, WinogradSchedule]]:
    """(cycles, schedule) of what is worth measuring, cheapest first: the best four for each height of the register tile. The first
    is what `choose_winograd` chooses."""
    work = _work_of(contraction)
    if work is None or work.rows < unit.lanes:
        return []
    heights: dict[int, list[_Candidate]] = {}
    for candidate in sorted(_candidates(work, unit, l1_bytes), key=_cycles):
        heights.setdefault(candidate[1], []).append(candidate)
    best = sorted((c for candidates in heights.values() for c in candidates[:4]), key=_cycles)
    return [(c[0], _schedule(work, c, unit)) for c in best]


def _work_of(contraction: Contraction, any_layout: bool = False) -> FilteringWork | None:
    roles = roles_of(contraction, any_layout)
    if roles is None:
        return None
    down, across = tile_counts(contraction, roles)
    return FilteringWork(
        rows=contraction.extent(contraction.row),
        channels=contraction.nest.bounds[roles.channel],
        tiles=contraction.extent(roles.outer) * down * across,
    )


@dataclass(frozen=True)
class FilteringWork:
    """What minimal filtering costs depends on these."""

    rows: int
    channels: int
    tiles: int


def schedule_filtering(work: FilteringWork, unit: VectorUnit, l1_bytes: int) -> tuple[WinogradSchedule, float] | None:
    """The best schedule and its cycles; None where registers or the L2 cache hold none."""
    if work.rows < unit.lanes:
        return None
    found = min(_candidates(work, unit, l1_bytes), key=_cycles, default=None)
    return None if found is None else (_schedule(work, found, unit), found[0])


_Candidate = tuple[float, int, int, int, int]
"""(cycles, vectors, pixels, tiles of a task, blocks of rows)."""


def _cycles(candidate: _Candidate) -> float:
    return candidate[0]


def _schedule(work: FilteringWork, candidate: _Candidate, unit: VectorUnit) -> WinogradSchedule:
    _, vectors, pixels, tiles, row_blocks = candidate
    segments = split_rows(work.rows, vectors, unit.lanes)
    groups = sum(s.groups for s in segments)
    return WinogradSchedule(unit.lanes, segments, pixels, tiles, -(-groups // row_blocks))


def _candidates(work: FilteringWork, unit: VectorUnit, l1_bytes: int) -> Iterator[_Candidate]:
    """Every schedule that fits the registers and the L2 cache."""
    for vectors in range(1, 5):
        segments = split_rows(work.rows, vectors, unit.lanes)
        groups = sum(s.groups for s in segments)
        for pixels in range(1, min(28, work.tiles) + 1):
            if vectors * pixels + vectors + 1 > unit.registers:
                break
            column = sum(s.groups * _column_cycles(work, s.vectors, pixels, unit, l1_bytes) for s in segments)
            fitting = int(L2_SHARE * unit.l2_bytes) // (POINTS * work.channels * 4 * pixels)
            for count in range(1, min(fitting, -(-work.tiles // pixels)) + 1):
                tiles = min(count * pixels, work.tiles // pixels * pixels)
                blocks = -(-work.tiles // tiles)
                row_blocks = min(groups, -(-TASKS_WANTED // blocks))
                products = POINTS * ((work.channels + 4) * column + START_CYCLES * groups) * (tiles // pixels) * blocks
                cycles = products + _other_cycles(work, unit, tiles, blocks, row_blocks, groups)
                yield (
                    cycles * (1 + 0.2 * max(0, TASKS_WANTED - blocks * row_blocks)),
                    vectors,
                    pixels,
                    tiles,
                    row_blocks,
                )


def _column_cycles(work: FilteringWork, vectors: int, pixels: int, unit: VectorUnit, l1_bytes: int) -> float:
    """Cycles of one channel in a register tile. Weights are read again for each tile: from the L2 cache when the weights of
    a point do not fit the L1."""
    memory = vectors * unit.lanes * 4 / L2_BYTES_PER_CYCLE
    fits = work.channels * vectors * unit.lanes * 4 < 0.6 * l1_bytes
    return max(vectors * pixels / unit.fma_per_cycle(unit.lanes), (vectors + pixels) / 2, 4, 0 if fits else memory)


def _other_cycles(
    work: FilteringWork, unit: VectorUnit, tiles: int, blocks: int, row_blocks: int, groups: int
) -> float:
    """Transforms, and memory traffic that the products do not hide."""
    channels, rows = -(-work.channels // unit.lanes), work.rows / unit.lanes
    transforms = tiles * blocks * (INPUT_CYCLES * channels * row_blocks + OUTPUT_CYCLES * rows)
    weights = POINTS * work.channels * work.rows * 4
    traffic = weights / MEMORY_BYTES_PER_CYCLE + weights * (blocks - 1) / CACHE_BYTES_PER_CYCLE
    reread = POINTS * tiles * work.channels * 4 * groups * blocks / L2_BYTES_PER_CYCLE
    return transforms + 0.5 * traffic + 0.3 * reread


def winograd_attribute(schedule: WinogradSchedule) -> ir.DictAttr:
    """A schedule as it stands on a function: `kernel.winograd`."""
    i64 = ir.IntegerType.get_signless(64)
    numbers = {
        "lanes": schedule.lanes,
        "pixels": schedule.pixels,
        "tiles": schedule.tiles,
        "row_block": schedule.row_block,
    }
    attributes: dict[str, ir.Attribute] = {k: ir.IntegerAttr.get(i64, v) for k, v in numbers.items()}
    attributes["vectors"] = ir.DenseI64ArrayAttr.get([s.vectors for s in schedule.segments])
    attributes["groups"] = ir.DenseI64ArrayAttr.get([s.groups for s in schedule.segments])
    return ir.DictAttr.get(attributes)


def winograd_of(function: ir.Operation) -> WinogradSchedule | None:
    """The schedule that stands on a function, if there is one."""
    if "kernel.winograd" not in function.attributes:
        return None
    found = function.attributes["kernel.winograd"]
    segments = tuple(Segment(v, g) for v, g in zip(found["vectors"], found["groups"], strict=True))
    lanes, pixels, tiles, rows = (found[k].value for k in ("lanes", "pixels", "tiles", "row_block"))
    return WinogradSchedule(lanes, segments, pixels, tiles, rows)
