"""What a contraction has to compute, on which processor, and how that is cut: what the count of instructions is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from .pieces import Pieces

FMA_ISSUES = 2
"""Multiply-add instructions that any core of today starts in a cycle when they are narrow enough."""
MIN_LANES = 4


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
    band: int = 0
    """Rows of a row group whose accumulators lie in memory, computed in pieces of `Segment.vectors` of them at a time; 0 where
    a row group is computed at once. Registers run along pixels."""
    unit: int = 1
    """Columns that an entry of a list of kept columns stands for: neighbours, kept or left out together."""
    workgroup: tuple[int, ...] = ()
    """Tiles of pixels and row groups that the invocations of a GPU's workgroup take; empty where a rule says how many."""

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

    @property
    def padded_rows(self) -> int:
        """Rows of all row groups together."""
        return sum(self.group_rows(s) * s.groups for s in self.segments)

    def group_rows(self, segment: Segment) -> int:
        """Rows of one of a segment's row groups, padded to whole registers."""
        return self.band or segment.vectors * self.row_unit

    def rows_of(self, group: int) -> tuple[int, int]:
        """(first row, rows) of a row group, rows padded to whole registers."""
        first = 0
        for segment in self.segments:
            size = self.group_rows(segment)
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
    pieces: Mapping[tuple[int, int], Pieces] = field(default_factory=dict[tuple[int, int], Pieces])
    """What the matrix is cut into, by rows of a band and of a piece; empty where row groups are as good."""
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
    window: int = 1
    """Pixels that a pool makes one of: a tile has whole windows of them."""
    window_lines: int = 1
    """Lines of pixels of a window, those of other planes included. A tile takes one after the other; `lines` counts their first
    ones."""

    def columns_of(self, rows: int) -> float:
        """Columns that row groups of `rows` rows keep on average."""
        return max(1.0, self.kept[rows]) if self.kept else self.columns

    def tiles(self, pixels: int, lines: int = 1) -> int:
        """Register tiles of `lines` times `pixels` pixels of each line of a window."""
        windows = self.outer_pixels // self.window_lines
        return windows // self.lines * -(-self.lines // lines) * -(-self.pixels // pixels)


class Description(Protocol):
    """What a target tells."""

    @property
    def vector_bytes(self) -> int: ...
    @property
    def registers(self) -> int: ...
    @property
    def l1_bytes(self) -> int: ...
    @property
    def l2_bytes(self) -> int: ...
    @property
    def broadcast_operand(self) -> bool: ...
    @property
    def fma_lanes(self) -> int: ...
    @property
    def filters(self) -> bool: ...

    whole_lines: ClassVar[bool]
    busy_elements: ClassVar[int]


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
    l1_bytes: int = 32 << 10
    filters: bool = True
    """Whether there are kernels of minimal filtering."""
    whole_lines: bool = True
    """Whether a register tile may be a whole line of pixels."""
    busy_elements: int = 0
    """Elements of a result from which on a kernel that computes several for each keeps all of the processor busy."""

    @classmethod
    def of(cls, target: Description, element_bytes: int = 4) -> VectorUnit:
        """That of a target, for elements of some size."""
        lanes, fma_lanes = target.vector_bytes // element_bytes, target.fma_lanes * 4 // element_bytes
        return cls(
            lanes,
            target.registers,
            target.l2_bytes,
            target.broadcast_operand,
            fma_lanes,
            element_bytes,
            target.l1_bytes,
            target.filters,
            target.whole_lines,
            target.busy_elements,
        )

    def fma_per_cycle(self, lanes: int) -> float:
        """Multiply-adds of `lanes` elements that finish in a cycle."""
        return min(max(FMA_ISSUES, self.fma_lanes / self.lanes), self.fma_lanes / lanes)

    def widths(self, rows: int, sparse: bool) -> list[int]:
        """Elements of a register of rows that are worth trying: narrow ones lose less where neighbouring rows differ."""
        lanes = self.lanes
        while lanes > MIN_LANES and lanes // 2 >= rows:
            lanes //= 2
        narrow = [lanes >> s for s in range(3) if lanes >> s >= MIN_LANES] if sparse else []
        return narrow or [lanes]


def split_rows(rows: int, vectors: int, lanes: int) -> tuple[Segment, ...]:
    """Full row groups of `vectors` registers, and one group with as many registers as the remaining rows take."""
    full, rest = divmod(rows, vectors * lanes)
    segments = [Segment(vectors, full)] if full else []
    if rest:
        segments.append(Segment(-(-rest // lanes), 1))
    return tuple(segments)
