"""BCRC, blocked column-row compact storage (GRIM, arXiv 2108.11033): rows with the same columns share one list of them.

Rows are put in an order in which those that keep the same columns are neighbours, a *run*. Of a run the columns are stored
once, where CSR stores them for every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
INDICES = ("reorder", "row_offset", "occurrence", "column_stride", "compact_column")
"""The arrays beside the weights, in the order of the paper."""


@dataclass(frozen=True, eq=False)
class Bcrc:
    """A matrix of R rows in G runs. Made of arrays that do not fit together it raises a ValueError that says which."""

    shape: tuple[int, ...]
    """Of the weight; its matrix has all axes but the first as columns, as im2col has."""
    reorder: Array
    """i32[R], position -> row of the weight."""
    row_offset: Array
    """i32[R + 1], where each row, in the new order, starts in `weights`."""
    occurrence: Array
    """i32[G + 1], the first row of each run."""
    column_stride: Array
    """i32[G + 1], where the list of each run starts in `compact_column`."""
    compact_column: Array
    """i32[..], the columns that each run keeps, ascending."""
    weights: Array
    """What is kept, row by row."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def columns(self) -> int:
        """Columns of the matrix."""
        return math.prod(self.shape[1:])

    @property
    def index_bytes(self) -> int:
        """Size of all that is not `weights`."""
        return sum(getattr(self, name).nbytes for name in INDICES)


def encode(weight: Array) -> Bcrc:
    """The storage of a weight [rows, ..] from its zeros; longer rows come first, as in GRIM, so that threads end together."""
    if weight.ndim < 2:
        raise ValueError(f"expected a weight of at least two axes, got shape {weight.shape}")
    matrix = weight.reshape(len(weight), math.prod(weight.shape[1:]))
    kept = matrix != 0
    counts = kept.sum(axis=1)
    patterns = [row.tobytes() for row in np.packbits(~kept, axis=1)]
    order = sorted(range(len(matrix)), key=lambda r: (-counts[r], patterns[r]))
    starts = [n for n, r in enumerate(order) if n == 0 or patterns[r] != patterns[order[n - 1]]]
    lists = [np.flatnonzero(kept[order[n]]) for n in starts]
    return Bcrc(
        shape=weight.shape,
        reorder=np.array(order, np.int32),
        row_offset=_starts(counts[order]),
        occurrence=np.array([*starts, len(order)], np.int32),
        column_stride=_starts(np.array([len(found) for found in lists])),
        compact_column=np.concatenate([*lists, np.zeros(0, int)]).astype(np.int32),
        weights=matrix[order][kept[order]],
    )


def decode(packed: Bcrc) -> Array:
    """The weight that was encoded."""
    matrix = np.zeros((packed.shape[0], packed.columns), packed.weights.dtype)
    for rows, columns, values in _runs(packed):
        matrix[np.ix_(rows, columns)] = values
    return matrix.reshape(packed.shape)


def multiply(packed: Bcrc, x: Array) -> Array:
    """The matrix times `x` [columns, points], run by run: what a run reads of `x` serves all its rows."""
    if x.ndim != 2 or len(x) != packed.columns:
        raise ValueError(f"expected {packed.columns} rows to multiply with, got shape {x.shape}")
    y = np.zeros((packed.shape[0], x.shape[1]), np.result_type(packed.weights, x))
    for rows, columns, values in _runs(packed):
        y[rows] = values @ x[columns]
    return y


def _runs(packed: Bcrc) -> list[tuple[Array, Array, Array]]:
    """(rows, columns, values [rows, columns]) of each run."""
    found: list[tuple[Array, Array, Array]] = []
    for run, (first, last) in enumerate(zip(packed.occurrence[:-1], packed.occurrence[1:], strict=True)):
        columns = packed.compact_column[packed.column_stride[run] : packed.column_stride[run + 1]]
        values = packed.weights[packed.row_offset[first] : packed.row_offset[last]]
        found.append((packed.reorder[first:last], columns, values.reshape(last - first, len(columns))))
    return found


def _starts(counts: Array) -> Array:
    """Where runs of the given lengths start, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _check(packed: Bcrc) -> None:
    if len(packed.shape) < 2 or any(n < 0 for n in packed.shape):
        raise ValueError(f"expected a shape of at least two extents, got {packed.shape}")
    rows = packed.shape[0]
    for name in (*INDICES, "weights"):
        array = getattr(packed, name)
        if array.ndim != 1:
            raise ValueError(f"expected one axis in {name}, got shape {array.shape}")
        if name in INDICES and array.dtype.kind not in "iu":
            raise ValueError(f"expected integers in {name}, got {array.dtype}")
    if len(packed.reorder) != rows or not np.array_equal(np.sort(packed.reorder), np.arange(rows)):
        raise ValueError(f"expected each of {rows} rows once in reorder")
    _check_starts("occurrence", packed.occurrence, rows)
    if (_steps(packed.occurrence) == 0).any():
        raise ValueError("expected at least one row in every run of occurrence")
    if len(packed.column_stride) != len(packed.occurrence):
        raise ValueError(
            f"expected {len(packed.occurrence)} entries in column_stride, as in occurrence, got {len(packed.column_stride)}"
        )
    _check_starts("column_stride", packed.column_stride, len(packed.compact_column))
    _check_columns(packed)
    if len(packed.row_offset) != rows + 1:
        raise ValueError(f"expected {rows + 1} entries in row_offset, got {len(packed.row_offset)}")
    _check_starts("row_offset", packed.row_offset, len(packed.weights))
    lengths = np.repeat(_steps(packed.column_stride), _steps(packed.occurrence))
    wrong = np.flatnonzero(_steps(packed.row_offset) != lengths)
    if len(wrong):
        raise ValueError(f"expected as many weights in row {wrong[0]} of row_offset as its run has columns")


def _check_starts(name: str, starts: Array, end: int) -> None:
    if not len(starts) or starts[0] != 0 or starts[-1] != end or (_steps(starts) < 0).any():
        raise ValueError(f"expected {name} to rise from 0 to {end}")


def _check_columns(packed: Bcrc) -> None:
    columns = packed.compact_column.astype(np.int64)
    if len(columns) and not 0 <= columns.min() <= columns.max() < packed.columns:
        raise ValueError(f"expected columns below {packed.columns} in compact_column")
    falls = np.flatnonzero(np.diff(columns) <= 0) + 1
    if not np.isin(falls, packed.column_stride).all():
        raise ValueError("expected ascending columns in every run of compact_column")


def _steps(starts: Array) -> Array:
    return np.diff(starts.astype(np.int64))
