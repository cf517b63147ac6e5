"""Weights in the order in which kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocomp.passes.math.tiles import TileSchedule

Array = np.ndarray


@dataclass(frozen=True)
class Packed:
    """A weight for the gather-GEMM.

    values: f32[..]    row group after row group; within one, the rows of the group for each kept column
    offsets: i32[..]   position of each kept column relative to the first pixel, group after group (one list when shared)
    spans: i32[groups, 3]   first and last entry of the group in `offsets`, start of its `values`
    """

    values: Array
    offsets: Array
    spans: Array
    shared: bool
    """All groups keep every column, and share one list."""

    products: int
    """Elements of the matrix that are multiplied: rows times kept columns, padding of rows not counted."""


def pack(matrix: Array, offsets: Array, schedule: TileSchedule) -> Packed:
    """Pack `matrix` [outer rows, rows, columns]; columns whose values are zero in a whole row group are left out, unless the
    schedule keeps zeros.

    Groups come segment by segment, within a segment outer row by outer row. Rows are padded with zeros to whole
    groups.
    """
    outer, rows, columns = matrix.shape
    padded = sum(s.vectors * s.groups for s in schedule.segments) * schedule.row_unit
    values: list[Array] = []
    lists: list[Array] = []
    spans: list[tuple[int, int, int]] = []
    shared = schedule.keep_zeros
    listed = placed = first_row = products = 0
    for segment in schedule.segments:
        size = segment.vectors * schedule.row_unit
        for o in range(outer):
            for g in range(segment.groups):
                start = first_row + g * size
                block = matrix[o, start : min(start + size, rows)]
                kept = np.arange(columns) if schedule.keep_zeros else np.flatnonzero(np.any(block != 0, axis=0))
                part = np.zeros((len(kept), size), matrix.dtype)
                part[:, : block.shape[0]] = block[:, kept].T
                values.append(part.ravel())
                if not shared:
                    lists.append(offsets[kept])
                spans.append((listed, listed + len(kept), placed))
                listed += 0 if shared else len(kept)
                placed += part.size
                products += len(kept) * block.shape[0]
        first_row += segment.groups * size
    assert first_row == padded
    table = offsets if shared else np.concatenate(lists) if lists else offsets[:0]
    return Packed(np.concatenate(values), table.astype(np.int32), np.array(spans, np.int32), shared, products)
