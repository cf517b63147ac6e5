"""Weights in the order in which kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocomp.passes.kernel._contraction import Contraction
from cocomp.passes.math import affine
from cocomp.passes.math.tiles import TileSchedule
from cocomp.support.diagnostics import InternalError

Array = np.ndarray


@dataclass(frozen=True)
class Packed:
    """A weight for the gather-GEMM.

    values: f32[..]    row group after row group; within one, a register (or several) of rows for each kept column
    offsets: i32[..]   position of each kept column relative to the first pixel, group after group (one list when shared)
    spans: i32[groups, 3]   first and last entry of the group in `offsets`, start of its `values`
    """

    values: Array
    offsets: Array
    spans: Array
    shared: bool
    """All groups keep every column, and share one list."""

    @property
    def kept(self) -> float:
        """Mean number of columns of a row group."""
        return float(np.mean(self.spans[:, 1] - self.spans[:, 0]))


def pack(matrix: Array, offsets: Array, schedule: TileSchedule, keep_zeros: bool) -> Packed:
    """Pack `matrix` [outer rows, rows, columns]; columns whose values are zero in a whole row group are left out.

    Groups come segment by segment, within a segment outer row by outer row. Rows are padded with zeros to whole
    registers.
    """
    outer, rows, columns = matrix.shape
    padded = sum(s.vectors * s.groups for s in schedule.segments) * schedule.lanes
    values: list[Array] = []
    lists: list[Array] = []
    spans: list[tuple[int, int, int]] = []
    shared = keep_zeros
    listed = placed = first_row = 0
    for segment in schedule.segments:
        size = segment.vectors * schedule.lanes
        for o in range(outer):
            for g in range(segment.groups):
                start = first_row + g * size
                block = matrix[o, start : min(start + size, rows)]
                kept = np.arange(columns) if keep_zeros else np.flatnonzero(np.any(block != 0, axis=0))
                part = np.zeros((len(kept), size), matrix.dtype)
                part[:, : block.shape[0]] = block[:, kept].T
                values.append(part.ravel())
                if not shared:
                    lists.append(offsets[kept])
                spans.append((listed, listed + len(kept), placed))
                listed += 0 if shared else len(kept)
                placed += part.size
        first_row += segment.groups * size
    assert first_row == padded
    table = offsets if shared else np.concatenate(lists) if lists else offsets[:0]
    return Packed(np.concatenate(values), table.astype(np.int32), np.array(spans, np.int32), shared)


def matrix_of(name: str, weight: Array, contraction: Contraction) -> Array:
    """A weight as [outer rows, rows, columns], columns in the order of the input's memory. A view where that is possible."""
    bounds = contraction.nest.bounds
    position = affine.linearize(contraction.w_index, weight.shape)
    if not position.is_linear:
        raise InternalError(f"weight '{name}' is read through a reshape that cannot be packed")
    rows = () if contraction.row is None else (contraction.row,)
    dims = [*contraction.outer_rows, *rows, *contraction.columns]
    flat = np.ascontiguousarray(weight).reshape(-1)[position.constant :]
    strides = [position.coefficient(d) * flat.itemsize for d in dims]
    view = np.lib.stride_tricks.as_strided(flat, [bounds[d] for d in dims], strides, writeable=False)
    extents = [contraction.extent(d) for d in (contraction.outer_rows, rows, contraction.columns)]
    return view.reshape(extents)
