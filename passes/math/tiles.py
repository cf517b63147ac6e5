"""Register tiles and cache blocks of the gather-GEMM, chosen by counting instructions.

A register tile runs along rows (output channels): `vectors` registers of rows times `pixels` pixels; each column costs
`vectors` weight loads, `pixels` broadcast loads and their product of multiply-adds. Or it runs along pixels, with rows in
the other role: for row groups too narrow to fill a register, on an input whose pixels are contiguous.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .pieces import BANDS, Pieces, count_pieces
from .schedule import even_step
from .work import FMA_ISSUES, MIN_LANES, Segment, TileSchedule, VectorUnit, Work, split_rows

LOADS_PER_CYCLE = 2
FMA_LATENCY = 4
L2_BYTES_PER_CYCLE = 32
TILE_OVERHEAD = 24
"""Cycles to set up a tile and to write one of its registers' share of the epilogue, roughly."""
PIECE_OVERHEAD = 30
"""Cycles to set up a piece of a band, and of the branch that ends its short loop. Measured."""
STORES_BUFFERED = 48
"""Stores that wait while the next columns are multiplied; what a band writes beyond takes the time that lines take to and from
the L2 cache."""
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
COMMON_ROWS, WORTH_CUTTING = 4, 1.1
"""A matrix is looked at in pieces if groups of so many rows multiply so many times what they keep."""
TASKS_WANTED = 16
TASK_CYCLES = 8000
"""What makes a task worth handing to another thread, which takes about as long to notice."""
OTHER_TASKS = 0.03
"""What the second best way to cut the work into tasks counts beside the best, and so on: cycles do not tell them apart."""


class Tile(NamedTuple):
    """A register tile and what it costs."""

    cycles: float
    lanes: int
    rows: int
    """Units of rows."""
    pixels: int
    """Units of pixels."""
    lines: int = 1
    band: int = 0
    """Rows whose accumulators lie in memory, as in `TileSchedule`."""


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
    heights: dict[tuple[int, int, int], list[Tile]] = {}
    for tile in sorted(_pixel_tiles(work, unit) if along_pixels else _row_tiles(work, unit), key=_dearness):
        heights.setdefault((tile.lanes, tile.rows, tile.band), []).append(tile)
    found = [
        (tile.cycles * (1 + OTHER_TASKS * number), schedule)
        for tiles in heights.values()
        for tile in tiles[:2]
        for number, schedule in enumerate(_schedules(work, unit, tile, along_pixels)[:3])
    ]
    return sorted(found, key=lambda c: c[0])


def fits_line(work: Work, unit: VectorUnit) -> bool:
    """Whether a tile with registers along rows can have a whole line of pixels."""
    return any(tile.pixels == work.pixels for tile in _row_tiles(work, unit))


def _dearness(tile: Tile) -> tuple[float, int]:
    return tile.cycles, -tile.rows * tile.pixels * tile.lines


def _row_tiles(work: Work, unit: VectorUnit) -> Iterator[Tile]:
    """Every tile with registers along rows that fits the registers."""
    for lanes in unit.widths(work.rows, bool(work.kept)):
        for vectors in range(1, min(MAX_VECTORS, -(-work.rows // lanes)) + 1):
            for pixels in range(work.window, min(MAX_PIXELS, work.pixels) + 1, work.window):
                spare = 0 if vectors == 1 and unit.broadcast_operand else SPARE.get(unit.lanes, 1)
                if vectors * pixels + vectors + spare > unit.registers:
                    break
                yield Tile(_cycles(work, vectors, pixels, lanes, unit), lanes, vectors, pixels)


def _pixel_tiles(work: Work, unit: VectorUnit) -> Iterator[Tile]:
    """Every tile with registers along pixels that fits the registers, and the accumulators of a band in half of the L1 cache."""
    for lanes in (unit.lanes, unit.lanes // 2):
        if lanes < MIN_LANES or work.pixels <= lanes // 2:
            continue
        for rows in range(1, min(MAX_ROWS, work.rows) + 1):
            bands = [band for band, height in work.pieces if height == rows]
            for vectors in range(1, max(1, work.pixels // lanes) + 1):
                if min(vectors * lanes, work.pixels) % work.window:
                    continue
                for lines in range(1, work.lines + 1):
                    if (rows + 1) * vectors * lines + 1 > unit.registers:
                        break
                    yield Tile(_pixel_cycles(work, rows, vectors, lines, lanes, unit), lanes, rows, vectors, lines)
                    for band in bands:
                        if 2 * band * vectors * lines * lanes * unit.element_bytes <= unit.l1_bytes:
                            cycles = _band_cycles(work, band, rows, vectors, lines, lanes, unit)
                            yield Tile(cycles, lanes, rows, vectors, lines, band)


def _schedules(work: Work, unit: VectorUnit, tile: Tile, along_pixels: bool) -> list[TileSchedule]:
    """A tile with every way to cut the work into tasks, the best first."""
    row_lanes, pixel_lanes = (1, tile.lanes) if along_pixels else (tile.lanes, 1)
    share = _share_read(work, tile.rows * row_lanes, tile.band)
    if tile.band:
        segments = (Segment(tile.rows, -(-work.rows // tile.band)),)
    else:
        segments = split_rows(work.rows, tile.rows, row_lanes)
    tiles = work.tiles(tile.pixels * pixel_lanes, tile.lines)
    of_line = -(-work.pixels // (tile.pixels * pixel_lanes))
    inner = (of_line, -(-work.lines // tile.lines) * of_line)
    cycles = tile.cycles * work.outer_rows * work.batches
    wanted = max(1, min(TASKS_WANTED, int(cycles / TASK_CYCLES)))
    blocks = _blocks(work, sum(s.groups for s in segments), share, tiles, inner, wanted, unit.l2_bytes)
    prefetch = _foresees_nothing(work, share, unit)
    return [
        TileSchedule(
            tile.lanes, segments, tile.pixels, *cut, not work.kept, along_pixels, prefetch, tile.lines, tile.band
        )
        for cut in blocks
    ]


def _share_read(work: Work, rows: int, band: int) -> float:
    """Share of the input's columns that row groups of `rows` rows read, or bands that are cut into pieces of that height."""
    return (work.pieces[band, rows].distinct if band else work.columns_of(rows)) / work.columns


def _foresees_nothing(work: Work, share: float, unit: VectorUnit) -> bool:
    """Whether the processor cannot know what a row group that reads a `share` of the columns reads next: the input outgrows the
    L2 cache, and few of the columns that share its lines are kept."""
    if not work.kept or work.input_bytes <= unit.l2_bytes or work.pixel_step * unit.element_bytes >= LINE_BYTES:
        return False
    return work.pixel_taps * share <= FEW_OF_A_LINE


def group_sizes(rows: int, unit: VectorUnit) -> list[int]:
    """Sizes of the row groups that the choices above may form of so many rows, where columns are left out."""
    along_rows = {lanes * vectors for lanes in unit.widths(rows, sparse=True) for vectors in range(1, MAX_VECTORS + 1)}
    return sorted(along_rows | set(range(1, MAX_ROWS + 1)))


def estimate(work: Work, schedule: TileSchedule, unit: VectorUnit) -> float:
    """Cycles that the count of instructions predicts for a schedule."""
    widest = max(s.vectors for s in schedule.segments)
    if schedule.band:
        return _band_cycles(work, schedule.band, widest, schedule.pixels, schedule.lines, schedule.lanes, unit)
    if schedule.along_pixels:
        return _pixel_cycles(work, widest, schedule.pixels, schedule.lines, schedule.lanes, unit)
    return _cycles(work, widest, schedule.pixels, schedule.lanes, unit)


def multiplied(work: Work, schedule: TileSchedule) -> float:
    """Share of the matrix that a schedule multiplies."""
    rows = schedule.segments[0].vectors * schedule.row_unit
    if schedule.band:
        return schedule.groups * work.pieces[schedule.band, rows].columns * rows / (work.rows * work.columns)
    return 1.0 if schedule.keep_zeros else work.columns_of(rows) / work.columns


def thinned(work: Work, masks: Sequence[np.ndarray], unit: VectorUnit) -> Work:
    """The work with the columns that zeros leave. `masks` are bool[outer rows, rows, columns], of layers that share a kernel: what
    they keep on average counts."""
    kept = {size: float(np.mean([kept_columns(mask, size) for mask in masks])) for size in group_sizes(work.rows, unit)}
    together = sum(kept_columns(mask, COMMON_ROWS) * -(-mask.shape[1] // COMMON_ROWS) * len(mask) for mask in masks)
    if together * COMMON_ROWS <= WORTH_CUTTING * sum(map(np.count_nonzero, masks)):
        return dataclasses.replace(work, kept=kept)
    heights = range(2, min(MAX_ROWS, work.rows) + 1)
    counts = [count_pieces(mask, [band for band in BANDS if band < 2 * work.rows], heights) for mask in masks]
    pieces = {key: Pieces(*np.mean([count[key] for count in counts], axis=0).tolist()) for key in counts[0]}
    return dataclasses.replace(work, kept=kept, pieces=pieces)


def kept_columns(kept: np.ndarray, group: int) -> float:
    """Mean number of columns that groups of `group` neighbouring rows keep; `kept` is bool[outer rows, rows, columns]."""
    outer, rows, columns = kept.shape
    count = -(-rows // group)
    padded = np.zeros((outer, count * group, columns), bool)
    padded[:, :rows] = kept
    return float(padded.reshape(outer, count, group, columns).any(axis=2).sum() / (outer * count))


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
        stores = segment.vectors * _stores(work, pixels // work.window, lanes)
        multiplied = work.window_lines * (columns * (column + 0.1 * memory) + TILE_OVERHEAD)
        total += segment.groups * tiles * (multiplied + stores)
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
    columns = work.columns_of(rows)
    brought = _brought(work, vectors * lanes, lines, columns, unit)
    total = 0.0
    for segment in split_rows(work.rows, rows, 1):
        column = _column_cycles(work, segment.vectors, vectors * lines, lanes, brought, unit)
        stores = segment.vectors * vectors * lines * (1 if work.contiguous_pixels else lanes) / work.window
        total += segment.groups * (work.window_lines * (columns * column + TILE_OVERHEAD) + stores)
    return total * work.tiles(vectors * lanes, lines)


def _band_cycles(work: Work, band: int, rows: int, vectors: int, lines: int, lanes: int, unit: VectorUnit) -> float:
    """As `_pixel_cycles`: of bands whose accumulators are loaded and stored for each piece, cleared before and loaded after all."""
    found = work.pieces[band, rows]
    registers = vectors * lines
    brought = _brought(work, vectors * lanes, lines, found.density * work.columns, unit)
    of_piece = brought * LINE_BYTES * found.columns / max(1.0, found.pieces)
    if of_piece + band * registers * lanes * unit.element_bytes <= unit.l1_bytes:
        brought *= found.distinct / max(
            1.0, found.columns
        )  # the others with the same columns find them in the L1 cache
    column = _column_cycles(work, rows, registers, lanes, brought, unit)
    moved = 1 + 1 / LOADS_PER_CYCLE
    pieces = found.columns * column + found.pieces * (PIECE_OVERHEAD + rows * registers * moved)
    burst = max(0, band * registers - STORES_BUFFERED) * 2 * lanes * unit.element_bytes / L2_BYTES_PER_CYCLE
    stores = work.rows * registers * ((1 if work.contiguous_pixels else lanes) + moved) / work.window
    multiplied = -(-work.rows // band) * (pieces + TILE_OVERHEAD + burst)
    return (work.window_lines * multiplied + stores) * work.tiles(vectors * lanes, lines)


def _column_cycles(work: Work, rows: int, registers: int, lanes: int, brought: float, unit: VectorUnit) -> float:
    """Cycles of a column of a tile with registers along pixels, for which so many cache lines are brought in."""
    slots = _lines_of(lanes, unit) * FMA_ISSUES / unit.fma_per_cycle(lanes)
    memory = brought * LINE_BYTES / L2_BYTES_PER_CYCLE
    products = rows * registers
    loads = (rows + slots * registers * work.pixel_step) / LOADS_PER_CYCLE
    column = max(_together((products / unit.fma_per_cycle(lanes), loads, memory), lanes < unit.lanes), FMA_LATENCY)
    column += PER_INSTRUCTION * (products + rows + registers)
    if work.pixel_step > 1:
        column += PER_SHUFFLE * registers * (work.pixel_step - 1) + MISSED * memory
    return column


def _blocks(
    work: Work, groups: int, share: float, tiles: int, inner: Sequence[int], wanted: int, l2_bytes: int
) -> list[tuple[int, int]]:
    """(register tiles of pixels, row groups) of a task, the best first: enough tasks, the input of a task in the L2 cache, and
    the least traffic: every block of pixels reads all weights of its rows, every block of rows all its pixels. Where all of it
    stays in the cache blocks are of pixels, as those of the layers around."""
    all_groups = groups * work.outer_rows
    weight_bytes = work.weight_bytes * share
    fewest = max(1, round(work.input_bytes / (0.4 * l2_bytes)))
    candidates: list[tuple[bool, float, int, int]] = []
    for power in range(12):
        blocks = min(tiles, fewest << power)
        row_blocks = min(all_groups, -(-wanted // (blocks * work.batches)))
        few = blocks * row_blocks * work.batches < wanted
        traffic = weight_bytes * blocks + work.input_bytes * row_blocks
        if weight_bytes + work.input_bytes <= 0.6 * l2_bytes:
            traffic = -min(blocks, wanted)
        candidates.append((few, traffic, blocks, row_blocks))
    cuts = (
        (even_step(tiles, -(-tiles // blocks), inner), -(-all_groups // row_blocks))
        for _, _, blocks, row_blocks in sorted(candidates)
    )
    return list(dict.fromkeys(cuts))
