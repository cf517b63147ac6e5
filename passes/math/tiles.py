"""Register tiles and cache blocks of the gather-GEMM, chosen by counting instructions.

A register tile is `vectors` registers of rows (output channels) times `pixels` pixels. Each column costs `vectors` weight
loads, `pixels` broadcast loads and their product of multiply-adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FMA_PER_CYCLE = 2
LOADS_PER_CYCLE = 2
FMA_LATENCY = 4
L2_BYTES_PER_CYCLE = 32
TILE_OVERHEAD = 24
"""Cycles to set up a tile and to write one of its registers' share of the epilogue, roughly."""
MAX_PIXELS = 28
MAX_VECTORS = 8
TASKS_WANTED = 16


@dataclass(frozen=True)
class Segment:
    """`groups` neighbouring row groups of `vectors` registers each."""

    vectors: int
    groups: int


@dataclass(frozen=True)
class TileSchedule:
    """How one contraction is tiled."""

    lanes: int
    segments: tuple[Segment, ...]
    """Row groups of each outer row index, in order."""
    pixels: int
    """Pixels of a register tile, along the innermost pixel dimension."""
    pixel_block: int
    """Register tiles of pixels that one task computes."""
    row_block: int
    """Row groups that one task computes."""

    @property
    def groups(self) -> int:
        return sum(s.groups for s in self.segments)

    def rows_of(self, group: int) -> tuple[int, int]:
        """(first row, rows) of a row group, rows padded to whole registers."""
        first = 0
        for segment in self.segments:
            size = segment.vectors * self.lanes
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
    columns: int
    """Columns of the reduction (the mean over row groups where they differ)."""
    input_bytes: int
    weight_bytes: int


def choose_tiles(work: Work, lanes: int, registers: int, l2_bytes: int, broadcast_operand: bool) -> TileSchedule:
    """The tile with the fewest cycles by the count of instructions; among equals the larger one."""
    while lanes > 4 and lanes // 2 >= work.rows:
        lanes //= 2
    n_vectors = -(-work.rows // lanes)
    best: tuple[float, int, int] | None = None
    for vectors in range(1, min(MAX_VECTORS, n_vectors) + 1):
        for pixels in range(1, min(MAX_PIXELS, work.pixels) + 1):
            spare = 0 if vectors == 1 and broadcast_operand else 1
            if vectors * pixels + vectors + spare > registers:
                break
            cycles = _cycles(work, vectors, pixels, lanes)
            if best is None or (cycles, -vectors * pixels) < (best[0], -best[1] * best[2]):
                best = (cycles, vectors, pixels)
    assert best is not None
    _, vectors, pixels = best
    segments = split_rows(work.rows, vectors, lanes)
    pixel_block, row_block = _blocks(work, sum(s.groups for s in segments), pixels, l2_bytes)
    return TileSchedule(lanes, segments, pixels, pixel_block, row_block)


def estimate(work: Work, schedule: TileSchedule) -> float:
    """Cycles that the count of instructions predicts for a schedule."""
    widest = max(s.vectors for s in schedule.segments)
    return _cycles(work, widest, schedule.pixels, schedule.lanes)


def split_rows(rows: int, vectors: int, lanes: int) -> tuple[Segment, ...]:
    """Full row groups of `vectors` registers, and one group with as many registers as the remaining rows take."""
    full, rest = divmod(rows, vectors * lanes)
    segments = [Segment(vectors, full)] if full else []
    if rest:
        segments.append(Segment(-(-rest // lanes), 1))
    return tuple(segments)


def _cycles(work: Work, vectors: int, pixels: int, lanes: int) -> float:
    tiles = work.outer_pixels * -(-work.pixels // pixels)
    total = 0.0
    for segment in split_rows(work.rows, vectors, lanes):
        products = segment.vectors * pixels
        memory = (segment.vectors * lanes + pixels) * 4 / L2_BYTES_PER_CYCLE
        column = max(products / FMA_PER_CYCLE, (segment.vectors + pixels) / LOADS_PER_CYCLE, FMA_LATENCY, memory)
        total += segment.groups * tiles * (work.columns * (column + 0.1 * memory) + TILE_OVERHEAD + products)
    return total


def _blocks(work: Work, groups: int, pixels: int, l2_bytes: int) -> tuple[int, int]:
    """(register tiles of pixels, row groups) of a task: enough tasks, the input of a task in the L2 cache, and the least
    traffic: every block of pixels reads all weights of its rows, every block of rows all its pixels."""
    tiles = work.outer_pixels * -(-work.pixels // pixels)
    all_groups = groups * work.outer_rows
    fewest = max(1, round(work.input_bytes / (0.4 * l2_bytes)))
    candidates: list[tuple[bool, int, int, int]] = []
    for power in range(12):
        blocks = min(tiles, fewest << power)
        row_blocks = min(all_groups, -(-TASKS_WANTED // (blocks * work.batches)))
        few = blocks * row_blocks * work.batches < TASKS_WANTED
        candidates.append((few, work.weight_bytes * blocks + work.input_bytes * row_blocks, blocks, row_blocks))
    _, _, blocks, row_blocks = min(candidates)
    return -(-tiles // blocks), -(-all_groups // row_blocks)
