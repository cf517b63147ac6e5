"""The register tile of a gather-GEMM: what its registers hold, before and after windows of it are reduced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.mlir import ir

from ._contraction import Contraction


@dataclass(frozen=True)
class Registers:
    """A register tile."""

    rows: int
    parts: tuple[int | None, ...]
    """For each register how many elements count, None for all."""
    scalars: int
    """Extent along the other dimension."""
    along_pixels: bool
    lanes: int
    lines: int = 1
    """Lines of pixels; `parts` has all registers of one after those of the line before."""

    @property
    def of_line(self) -> int:
        """Registers of a line of pixels."""
        return len(self.parts) // self.lines

    @property
    def pixels(self) -> int:
        """Pixels of a line."""
        if not self.along_pixels:
            return self.scalars
        last = self.parts[-1]
        return self.of_line * self.lanes if last is None else (self.of_line - 1) * self.lanes + last

    def windows(self, size: int, low: int) -> Registers:
        """The tile whose pixels are windows of `size` pixels of this one, `low` of them before the first."""
        count = -(-(self.pixels + low) // size)
        if not self.along_pixels:
            return replace(self, scalars=count)
        full, rest = divmod(count, self.lanes)
        return replace(self, parts=((None,) * full + ((rest,) if rest else ())) * self.lines)


@dataclass(frozen=True)
class Totals:
    """A register tile in registers: [register][scalar]."""

    values: Sequence[ir.Value]
    scalars: int

    def load(self, row: int) -> list[ir.Value]:
        """The registers of a row."""
        return list(self.values[row :: self.scalars])


def registers_of(shape: Contraction, schedule: TileSchedule, segment: Segment, is_last: bool) -> Registers:
    """The register tile of a segment. Registers hold fewer elements at the end of the rows (the last group, alone in its
    segment), and where all pixels together do not fill one."""
    lanes = schedule.lanes
    rows = segment.vectors * schedule.row_unit
    if schedule.along_pixels:
        pixels = shape.extent(shape.pixel)
        lines = schedule.lines
        parts = (pixels,) * lines if pixels < lanes else (None,) * (schedule.pixels * lines)
        return Registers(rows, parts, segment.vectors, True, lanes, lines)
    missing = schedule.padded_rows - shape.extent(shape.row)
    last = lanes - missing if is_last and missing else None
    return Registers(rows, (*(None,) * (segment.vectors - 1), last), schedule.pixels, False, lanes)
