"""Weights in the order in which kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocomp.passes.math.pieces import row_sets
from cocomp.passes.math.work import TileSchedule

Array = np.ndarray


@dataclass(frozen=True)
class Packed:
    """A weight for the gather-GEMM.

    values: f32[..]    row group after row group; within one, the rows of the group for each kept column
    offsets: i32[..]   position of each kept column relative to the first pixel, group after group (one list when shared); of the
        first of `unit` columns where the schedule keeps so many neighbours together
    spans: i32[groups, 3]   first and last entry of the group in `offsets`, start of its `values`

    In bands `values` and `offsets` go piece by piece, and

    spans: i32[bands, 2]    first and last piece of the band
    pieces: i32[pieces, 2 + rows]   first and last entry of the piece in `offsets`, its rows in the band; the band's height
        stands for a row of padding
    """

    values: Array
    offsets: Array
    spans: Array
    shared: bool
    """All groups keep every column, and share one list."""

    products: int
    """Elements that are multiplied: rows times kept columns. Padding behind the last row of the matrix is not counted, that of
    pieces is."""
    pieces: Array | None = None


def pack(matrix: Array, offsets: Array, schedule: TileSchedule) -> Packed:
    """Pack `matrix` [outer rows, rows, columns]; columns whose values are zero in a whole row group are left out, unless the
    schedule keeps zeros.

    Groups come segment by segment, within a segment outer row by outer row. Rows are padded with zeros to whole
    groups. A schedule with bands gets pieces (`passes.math.pieces`) instead of row groups.
    """
    if schedule.band:
        return _pack_bands(matrix, offsets, schedule.band, schedule.segments[0].vectors)
    outer, rows, _ = matrix.shape
    values: list[Array] = []
    lists: list[Array] = []
    spans: list[tuple[int, int, int]] = []
    shared = schedule.keep_zeros
    unit = schedule.unit
    listed = placed = first_row = products = 0
    for segment in schedule.segments:
        size = schedule.group_rows(segment)
        for o in range(outer):
            for g in range(segment.groups):
                start = first_row + g * size
                block = matrix[o, start : min(start + size, rows)]
                used = np.any((block != 0).reshape(len(block), -1, unit), axis=(0, 2))
                entries = np.arange(len(used)) if schedule.keep_zeros else np.flatnonzero(used)
                kept = (entries[:, None] * unit + np.arange(unit)).ravel()
                part = np.zeros((len(kept), size), matrix.dtype)
                part[:, : block.shape[0]] = block[:, kept].T
                values.append(part.ravel())
                if not shared:
                    lists.append(offsets[kept[::unit]])
                spans.append((listed, listed + len(entries), placed))
                listed += 0 if shared else len(entries)
                placed += part.size
                products += len(kept) * block.shape[0]
        first_row += segment.groups * size
    assert first_row == schedule.padded_rows
    table = offsets if shared else np.concatenate(lists) if lists else offsets[:0]
    return Packed(np.concatenate(values), table.astype(np.int32), np.array(spans, np.int32), shared, products)


def _pack_bands(matrix: Array, offsets: Array, band: int, height: int) -> Packed:
    """Bands of `band` rows in pieces of `height` rows. Those that share their columns follow each other."""
    values: list[Array] = [np.zeros(0, matrix.dtype)]
    lists: list[Array] = [offsets[:0]]
    pieces: list[tuple[int, ...]] = []
    spans: list[tuple[int, int]] = []
    listed = 0
    for rows_of_outer in matrix:
        for start in range(0, len(rows_of_outer), band):
            block = rows_of_outer[start : start + band]
            before = len(pieces)
            for rows, columns in row_sets(block != 0):
                for chunk in np.split(rows, range(height, len(rows), height)):
                    part = np.zeros((len(columns), height), matrix.dtype)
                    part[:, : len(chunk)] = block[np.ix_(chunk, columns)].T
                    values.append(part.ravel())
                    lists.append(offsets[columns])
                    padding = [band] * (height - len(chunk))
                    pieces.append((listed, listed + len(columns), *chunk.tolist(), *padding))
                    listed += len(columns)
            spans.append((before, len(pieces)))
    return Packed(
        values=np.concatenate(values),
        offsets=np.concatenate(lists).astype(np.int32),
        spans=np.array(spans, np.int32),
        shared=False,
        products=listed * height,
        pieces=np.array(pieces, np.int32).reshape(-1, 2 + height),
    )
