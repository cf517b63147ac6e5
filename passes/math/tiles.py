"""Register tiles and cache blocks of the gather-GEMM, chosen by counting instructions.

A register tile runs along rows (output channels): `vectors` registers of rows times `pixels` pixels; each column costs
`vectors` weight loads, `pixels` broadcast loads and their product of multiply-adds. Or it runs along pixels, with rows in
the other role: for row groups too narrow to fill a register, on an input whose pixels are contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

FMA_ISSUES = 2
"""Multiply-add instructions that any core of today starts in a cycle when they are narrow enough."""
MIN_LANES = 4
LOADS_PER_CYCLE = 2
FMA_LATENCY = 4
L2_BYTES_PER_CYCLE = 32
TILE_OVERHEAD = 24
"""Cycles to set up a tile and to write one of its registers' share of the epilogue, roughly."""
PER_INSTRUCTION = 0.02
"""What an instruction costs beside the units that it keeps busy: among equals the tile with fewer loads wins."""
SPARE = {4: 3}
"""Lanes of the widest registers -> registers that a tile leaves to the scalars of a column, 1 where not given. Registers of 16
bytes are multiplied by one of their lanes: several columns are loaded at once, and with fewer left over they are moved about."""
MAX_PIXELS = 28
MAX_VECTORS = 8
MAX_ROWS = 12
LINE_BYTES = 64
PER_SHUFFLE = 0.5
"""Cycles that a shuffle of two registers takes from multiply-adds, where pixels are not neighbours."""
NARROW_OVERLAP = 3
"""Exponent of the norm that adds up what narrow registers do at the same time; a maximum would be infinity. Measured."""
MISSED = 0.4
"""Share of the time that lines take from the L2 cache that nothing else hides, where pixels are not neighbours."""
FEW_OF_A_LINE = 0.4
"""Columns kept of those that read the same lines, up to which prefetching was measured to pay."""
TASKS_WANTED = 16
TASK_CYCLES = 8000
"""What makes a task worth handing to another thread, which takes about as long to notice."""
OTHER_TASKS = 0.03
"""What the second best way to cut the work into tasks counts beside the best, and so on: cycles do not tell them apart."""


@dataclass(frozen=True)
class Segment:
    """`groups` neighbouring row groups of `vectors` units each: registers, or single rows where registers run along pixels."""

    vectors: int
    groups: int


@dataclass(frozen=True)
class TileSchedule:
    """How one contraction is tiled."""

    lanes: int
    segments: tuple[Segment, ...]
    """Row groups of each outer row index, in order."""
    pixels: int
    """Units of pixels of a register tile, along one pixel dimension: single ones, or registers."""
    pixel_block: int
    """Register tiles of pixels that one task computes."""
    row_block: int
    """Row groups that one task computes."""
    keep_zeros: bool = True
    """Every row group keeps every column, and all share one list."""
    along_pixels: bool = False
    """Registers run along pixels, not along rows."""
    prefetch: bool = False
    """Ask for the next tile's input while this one is computed."""
    lines: int = 1
    """Neighbouring lines of pixels of a register tile, where registers run along pixels."""

    @property
    def row_unit(self) -> int:
        """Rows that `Segment.vectors` counts in."""
        return 1 if self.along_pixels else self.lanes

    @property
    def pixel_unit(self) -> int:
        """Pixels that `pixels` counts in."""
        return self.lanes if self.along_pixels else 1

    @property
    def groups(self) -> int:
        return sum(s.groups for s in self.segments)

    def rows_of(self, group: int) -> tuple[int, int]:
        """(first row, rows) of a row group, rows padded to whole registers."""
        first = 0
        for segment in self.segments:
            size = segment.vectors * self.row_unit
            if group < segment.groups:
                return first + group * size, size
            group -= segment.groups
            first += segment.groups * size
        raise IndexError(group)


@dataclass(frozen=True)
class Work:
    """What has to be computed."""

    rows: int
    """Rows of one outer row index."""
    outer_rows: int
    """Number of outer row indices (groups, heads)."""
    batches: int
    pixels: int
    """Extent of the innermost pixel dimension."""
    outer_pixels: int
    """Lines of pixels."""
    columns: int
    """Columns of the reduction."""
    input_bytes: int
    weight_bytes: int
    """Bytes of the weights with all columns kept."""
    kept: Mapping[int, float] = field(default_factory=dict[int, float])
    """Mean number of columns that row groups of so many rows keep, by size; empty when all are to be kept."""
    contiguous_rows: bool = True
    """The result's rows are neighbours in memory; otherwise registers along rows are turned before they are stored, or,
    where neither rows nor pixels are contiguous, stored element by element."""
    contiguous_pixels: bool = False
    """The result's pixels are neighbours in memory."""
    pixel_step: int = 1 << 20
    """Distance of neighbouring pixels of the input in memory, in elements."""
    pixel_taps: int = 1
    """Columns that read the same cache lines, pixels being contiguous: kernel positions along them."""
    lines: int = 1
    """Of `outer_pixels` how many follow each other at one distance: those of an image. A tile may have several."""
    line_step: int = 1 << 20
    """That distance in the input, in elements."""
    line_taps: int = 1
    """Columns that read each other's lines: kernel positions along them."""

    def columns_of(self, rows: int) -> float:
        """Columns that row groups of `rows` rows keep on average."""
        return max(1.0, self.kept[rows]) if self.kept else self.columns

    def tiles(self, pixels: int, lines: int = 1) -> int:
        """Register tiles of `lines` times `pixels` pixels."""
        return self.outer_pixels // self.lines * -(-self.lines // lines) * -(-self.pixels // pixels)


class Description(Protocol):
    """What a target tells."""

    @property
    def vector_bytes(self) -> int: ...
    @property
    def registers(self) -> int: ...
    @property
    def l2_bytes(self) -> int: ...
    @property
    def broadcast_operand(self) -> bool: ...
    @property
    def fma_lanes(self) -> int: ...


@dataclass(frozen=True)
class VectorUnit:
    """What the count of instructions has to know of a CPU."""

    lanes: int
    registers: int
    l2_bytes: int
    broadcast_operand: bool
    fma_lanes: int
    """Multiply-adds that all pipes together finish in a cycle."""
    element_bytes: int = 4

    @classmethod
    def of(cls, target: Description, element_bytes: int = 4) -> VectorUnit:
        """That of a target, for elements of some size."""
        lanes, fma_lanes = target.vector_bytes // element_bytes, target.fma_lanes * 4 // element_bytes
        return cls(lanes, target.registers, target.l2_bytes, target.broadcast_operand, fma_lanes, element_bytes)

    def fma_per_cycle(self, lanes: int) -> float:
        """Multiply-adds of `lanes` elements that finish in a cycle."""
        return min(max(FMA_ISSUES, self.fma_lanes / self.lanes), self.fma_lanes / lanes)

    def widths(self, rows: int, sparse: bool) -> list[int]:
        """Elements of a register of rows that are worth trying: narrow ones lose less where neighbouring rows differ."""
        lanes = self.lanes
        while lanes > MIN_LANES and lanes // 2 >= rows:
            lanes //= 2
        return [lanes >> s for s in range(3) if lanes >> s >= MIN_LANES] if sparse else [lanes]


class Tile(NamedTuple):
    """A register tile and what it costs."""

    cycles: float
    lanes: int
    rows: int
    """Units of rows."""
    pixels: int
    """Units of pixels."""
    lines: int = 1


def choose_tiles(work: Work, unit: VectorUnit) -> TileSchedule:
    """The tile with the fewest cycles by the count of instructions; among equals the larger one."""
    return _schedules(work, unit, min(_row_tiles(work, unit), key=_dearness), along_pixels=False)[0]


def choose_pixel_tiles(work: Work, unit: VectorUnit) -> TileSchedule | None:
    """The best tile with registers along pixels; None where there are too few of them."""
    best = min(_pixel_tiles(work, unit), key=_dearness, default=None)
    return None if best is None else _schedules(work, unit, best, along_pixels=True)[0]


def rank_tiles(work: Work, unit: VectorUnit, along_pixels: bool) -> list[tuple[float, TileSchedule]]:
    """(cycles, schedule) of what is worth measuring, cheapest first: for each width of the registers and height of the tile the
    two best widths of the tile, each with the best ways to cut the work into tasks. The first is what the functions above
    choose; the list is empty where registers cannot run so."""
    heights: dict[tuple[int, int], list[Tile]] = {}
    for tile in sorted(_pixel_tiles(work, unit) if along_pixels else _row_tiles(work, unit), key=_dearness):
        heights.setdefault((tile.lanes, tile.rows), []).append(tile)
    found = [
        (tile.cycles * (1 + OTHER_TASKS * number), schedule)
        for tiles in heights.values()
        for tile in tiles[:2]
        for number, schedule in enumerate(_schedules(work, unit, tile, along_pixels)[:3])
    ]
    return sorted(found, key=lambda c: c[0])


def _dearness(tile: Tile) -> tuple[float, int]:
    return tile.cycles, -tile.rows * tile.pixels * tile.lines


def _row_tiles(work: Work, unit: VectorUnit) -> Iterator[Tile]:
    """Every tile with registers along rows that fits the registers."""
    for lanes in unit.widths(work.rows, bool(work.kept)):
        for vectors in range(1, min(MAX_VECTORS, -(-work.rows // lanes)) + 1):
            for pixels in range(1, min(MAX_PIXELS, work.pixels) + 1):
                spare = 0 if vectors == 1 and unit.broadcast_operand else SPARE.get(unit.lanes, 1)
                if vectors * pixels + vectors + spare > unit.registers:
                    break
                yield Tile(_cycles(work, vectors, pixels, lanes, unit), lanes, vectors, pixels)


def _pixel_tiles(work: Work, unit: VectorUnit) -> Iterator[Tile]:
    """Every tile with registers along pixels that fits the registers."""
    for lanes in (unit.lanes, unit.lanes // 2):
        if lanes < MIN_LANES or work.pixels <= lanes // 2:
            continue
        for rows in range(1, min(MAX_ROWS, work.rows) + 1):
            for vectors in range(1, max(1, work.pixels // lanes) + 1):
                for lines in range(1, work.lines + 1):
                    if (rows + 1) * vectors * lines + 1 > unit.registers:
                        break
                    yield Tile(_pixel_cycles(work, rows, vectors, lines, lanes, unit), lanes, rows, vectors, lines)


def _schedules(work: Work, unit: VectorUnit, tile: Tile, along_pixels: bool) -> list[TileSchedule]:
    """A tile with every way to cut the work into tasks, the best first."""
    row_lanes, pixel_lanes = (1, tile.lanes) if along_pixels else (tile.lanes, 1)
    segments = split_rows(work.rows, tile.rows, row_lanes)
    size, tiles = tile.rows * row_lanes, work.tiles(tile.pixels * pixel_lanes, tile.lines)
    cycles = tile.cycles * work.outer_rows * work.batches
    wanted = max(1, min(TASKS_WANTED, int(cycles / TASK_CYCLES)))
    blocks = _blocks(work, sum(s.groups for s in segments), size, tiles, wanted, unit.l2_bytes)
    prefetch = _foresees_nothing(work, size, unit)
    return [
        TileSchedule(tile.lanes, segments, tile.pixels, *cut, not work.kept, along_pixels, prefetch, tile.lines)
        for cut in blocks
    ]


def _foresees_nothing(work: Work, size: int, unit: VectorUnit) -> bool:
    """Whether the processor cannot know what row groups of `size` rows read next: the input outgrows the L2 cache, and few of
    the columns that share its lines are kept."""
    if not work.kept or work.input_bytes <= unit.l2_bytes or work.pixel_step * unit.element_bytes >= LINE_BYTES:
        return False
    return work.pixel_taps * work.columns_of(size) / work.columns <= FEW_OF_A_LINE


def group_sizes(rows: int, unit: VectorUnit) -> list[int]:
    """Sizes of the row groups that the choices above may form of so many rows, where columns are left out."""
    along_rows = {lanes * vectors for lanes in unit.widths(rows, sparse=True) for vectors in range(1, MAX_VECTORS + 1)}
    return sorted(along_rows | set(range(1, MAX_ROWS + 1)))


def estimate(work: Work, schedule: TileSchedule, unit: VectorUnit) -> float:
    """Cycles that the count of instructions predicts for a schedule."""
    widest = max(s.vectors for s in schedule.segments)
    if schedule.along_pixels:
        return _pixel_cycles(work, widest, schedule.pixels, schedule.lines, schedule.lanes, unit)
    return _cycles(work, widest, schedule.pixels, schedule.lanes, unit)


def kept_columns(kept: np.ndarray, group: int) -> float:
    """Mean number of columns that groups of `group` neighbouring rows keep; `kept` is bool[outer rows, rows, columns]."""
    outer, rows, columns = kept.shape
    count = -(-rows // group)
    padded = np.zeros((outer, count * group, columns), bool)
    padded[:, :rows] = kept
    return float(padded.reshape(outer, count, group, columns).any(axis=2).sum() / (outer * count))


def split_rows(rows: int, vectors: int, lanes: int) -> tuple[Segment, ...]:
    """Full row groups of `vectors` registers, and one group with as many registers as the remaining rows take."""
    full, rest = divmod(rows, vectors * lanes)
    segments = [Segment(vectors, full)] if full else []
    if rest:
        segments.append(Segment(-(-rest // lanes), 1))
    return tuple(segments)


def _cycles(work: Work, vectors: int, pixels: int, lanes: int, unit: VectorUnit) -> float:
    tiles = work.tiles(pixels)
    columns = work.columns_of(vectors * lanes)
    total = 0.0
    for segment in split_rows(work.rows, vectors, lanes):
        products = segment.vectors * pixels
        memory = (segment.vectors * lanes + pixels) * unit.element_bytes / L2_BYTES_PER_CYCLE
        arithmetic = products / unit.fma_per_cycle(lanes)
        lines = _lines(work, pixels, columns, unit) * LINE_BYTES / L2_BYTES_PER_CYCLE if work.kept else 0
        embedded = segment.vectors == 1 and unit.broadcast_operand
        instructions = products + segment.vectors + (0 if embedded else pixels)
        column = max(arithmetic, (segment.vectors + pixels) / LOADS_PER_CYCLE, FMA_LATENCY, memory, lines)
        column += PER_INSTRUCTION * instructions + MISSED * lines
        stores = segment.vectors * _stores(work, pixels, lanes)
        total += segment.groups * tiles * (columns * (column + 0.1 * memory) + TILE_OVERHEAD + stores)
    return total


def _stores(work: Work, pixels: int, lanes: int) -> float:
    """Instructions that store a register of rows for each of `pixels` pixels."""
    if work.contiguous_rows:
        return pixels
    if work.contiguous_pixels:
        return -(-pixels // lanes) * lanes * (math.log2(lanes) + 1)
    return pixels * lanes


def _lines(work: Work, pixels: int, columns: float, unit: VectorUnit) -> float:
    """Cache lines that a column brings in for a tile. Where pixels are far apart, a line holds neighbouring columns, kept at
    random: they share it when both are kept."""
    elements = LINE_BYTES // unit.element_bytes
    if work.pixel_step < elements:
        return 1 + (pixels - 1) * work.pixel_step / elements
    density = columns / work.columns
    return pixels * (1 - (1 - density) ** elements) / (elements * density)


def _lines_of(elements: int, unit: VectorUnit) -> float:
    """Cache lines that neighbouring elements lie in, wherever they begin."""
    return 1 + (elements - 1) * unit.element_bytes / LINE_BYTES


def _together(cycles: tuple[float, ...], narrow: bool) -> float:
    """Cycles of what the core does at the same time. With narrow registers it looks less far ahead, and hides less of it."""
    return sum(c**NARROW_OVERLAP for c in cycles) ** (1 / NARROW_OVERLAP) if narrow else max(cycles)


def _brought(work: Work, pixels: int, lines: int, columns: float, unit: VectorUnit) -> float:
    """Cache lines that a column brings in for a tile of contiguous pixels. Columns that read the same ones, where kept, share
    them."""
    width = pixels * work.pixel_step
    density = columns / work.columns
    apart = _shared(lines, work.line_taps, density) * _lines_of(width, unit)
    found = min(apart, _lines_of((lines - 1) * work.line_step + width, unit))
    return found * _shared(1, work.pixel_taps, density)


def _shared(lines: int, taps: int, density: float) -> float:
    """Lines that each kept column of `taps` neighbouring ones reads first, of the `lines` that it reads; each column begins one
    line after the column before."""
    readers = (min(n + 1, taps, lines, lines + taps - 1 - n) for n in range(lines + taps - 1))
    return sum(1 - (1 - density) ** n for n in readers) / (taps * density)


def _pixel_cycles(work: Work, rows: int, vectors: int, lines: int, lanes: int, unit: VectorUnit) -> float:
    tiles = work.tiles(vectors * lanes, lines)
    columns = work.columns_of(rows)
    registers = vectors * lines
    slots = _lines_of(lanes, unit) * FMA_ISSUES / unit.fma_per_cycle(lanes)
    memory = _brought(work, vectors * lanes, lines, columns, unit) * LINE_BYTES / L2_BYTES_PER_CYCLE
    total = 0.0
    for segment in split_rows(work.rows, rows, 1):
        products = segment.vectors * registers
        loads = (segment.vectors + slots * registers * work.pixel_step) / LOADS_PER_CYCLE
        column = max(_together((products / unit.fma_per_cycle(lanes), loads, memory), lanes < unit.lanes), FMA_LATENCY)
        column += PER_INSTRUCTION * (products + segment.vectors + registers)
        if work.pixel_step > 1:
            column += PER_SHUFFLE * registers * (work.pixel_step - 1) + MISSED * memory
        stores = products * (1 if work.contiguous_pixels else lanes)
        total += segment.groups * tiles * (columns * column + TILE_OVERHEAD + stores)
    return total


def _blocks(work: Work, groups: int, size: int, tiles: int, wanted: int, l2_bytes: int) -> list[tuple[int, int]]:
    """(register tiles of pixels, row groups) of a task, the best first: enough tasks, the input of a task in the L2 cache, and
    the least traffic: every block of pixels reads all weights of its rows, every block of rows all its pixels."""
    all_groups = groups * work.outer_rows
    weight_bytes = work.weight_bytes * work.columns_of(size) / work.columns
    fewest = max(1, round(work.input_bytes / (0.4 * l2_bytes)))
    candidates: list[tuple[bool, float, int, int]] = []
    for power in range(12):
        blocks = min(tiles, fewest << power)
        row_blocks = min(all_groups, -(-wanted // (blocks * work.batches)))
        few = blocks * row_blocks * work.batches < wanted
        candidates.append((few, weight_bytes * blocks + work.input_bytes * row_blocks, blocks, row_blocks))
    cuts = ((-(-tiles // blocks), -(-all_groups // row_blocks)) for _, _, blocks, row_blocks in sorted(candidates))
    return list(dict.fromkeys(cuts))
