"""Block-based column-row pruning (GRIM, arXiv 2108.11033)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, from_blocks, in_blocks, period, root_mean_square, starts_of, top_share

MAX_BLOCK = 256
"""Largest side of a block that is told apart from the whole matrix."""


@dataclass(frozen=True)
class Bcr(Encoding):
    """Blocks of `rows` x `columns` of the matrix keep whole rows and whole columns, each block its own; blocks at the end may
    be smaller.

    Packed, block after block, row-major: `row_starts` i32[blocks + 1] and `rows` i32, the kept rows of each block counted
    from its first; `column_starts` and `columns` likewise; `values`, each block's kept rows x kept columns.
    """

    name: ClassVar[str] = "bcr"
    rows: int
    columns: int

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        matrix = kept.reshape(len(kept), -1)
        group = period(matrix, 0)
        sizes = [(height * group, width) for height, width in _described(matrix[::group])]
        found = [cls(min(rows, len(matrix)), columns) for rows, columns in sizes if rows > 1]
        return min(found, key=lambda e: (e.indices(kept), -e.rows * e.columns), default=None)

    def describes(self, kept: Array) -> bool:
        blocks = in_blocks(kept, self.rows, self.columns)
        rows, columns = blocks.any(axis=3, keepdims=True), blocks.any(axis=2, keepdims=True)
        return bool((blocks == np.logical_and(rows, columns)).all())

    def indices(self, kept: Array) -> int:
        blocks = in_blocks(kept, self.rows, self.columns)
        rows = blocks.any(axis=3).sum(axis=2)
        whole = min(self.rows, len(kept))
        return int(blocks.any(axis=2).sum() + np.where(rows == whole, 0, rows).sum() + rows.size)

    def pack(self, weight: Array) -> dict[str, Array]:
        blocks = in_blocks(weight, self.rows, self.columns)
        rows: list[Array] = []
        columns: list[Array] = []
        values: list[Array] = [np.zeros(0, weight.dtype)]
        for line in blocks:
            for block in line:
                rows.append(np.flatnonzero(block.any(axis=1)))
                columns.append(np.flatnonzero(block.any(axis=0)))
                values.append(block[np.ix_(rows[-1], columns[-1])].ravel())
        return {
            "row_starts": starts_of(np.array([len(r) for r in rows])),
            "rows": np.concatenate(rows).astype(np.int32),
            "column_starts": starts_of(np.array([len(c) for c in columns])),
            "columns": np.concatenate(columns).astype(np.int32),
            "values": np.concatenate(values),
        }

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        blocks = in_blocks(np.zeros(shape, packed["values"].dtype), self.rows, self.columns)
        start = 0
        for number in range(blocks.shape[0] * blocks.shape[1]):
            rows, columns = (
                packed[kind][packed[f"{kind[:-1]}_starts"][number] : packed[f"{kind[:-1]}_starts"][number + 1]]
                for kind in ("rows", "columns")
            )
            size = len(rows) * len(columns)
            block = blocks[divmod(number, blocks.shape[1])]
            block[np.ix_(rows, columns)] = packed["values"][start : start + size].reshape(len(rows), len(columns))
            start += size
        return from_blocks(blocks, shape)

    def scores(self, weight: Array) -> Array:
        """Columns of a block go; rows are left to `Filter`, because rows that only some blocks keep share nothing."""
        blocks, present = (
            in_blocks(np.square(weight), self.rows, self.columns),
            in_blocks(np.ones_like(weight), self.rows, self.columns),
        )
        scores = np.broadcast_to(root_mean_square(blocks, (2,), present), blocks.shape)
        return from_blocks(scores, weight.shape)

    def project(self, weight: Array, rate: float) -> Array:
        """Every block keeps the same number of columns, so that threads and registers have equal work."""
        matrix = self.scores(weight).reshape(len(weight), -1)
        kept = np.zeros(matrix.shape, bool)
        for row in range(0, len(matrix), self.rows):
            for column in range(0, matrix.shape[1], self.columns):
                part = matrix[row, column : column + self.columns]
                kept[row : row + self.rows, column : column + self.columns] = top_share(part, 1 / rate)
        return kept.reshape(weight.shape)


def _described(matrix: Array) -> list[tuple[int, int]]:
    """For each height the widest blocks in which whole rows and whole columns are kept; sides are powers of two or whole."""
    found: list[tuple[int, int]] = []
    for height in _sides(matrix.shape[0]):
        width = 1
        for wider in _sides(matrix.shape[1]):
            if not Bcr(height, wider).describes(matrix[:, :, None]):
                break
            width = wider
        if width == 1 and height > 1:
            break
        found.append((height, width))
    return found


def _sides(extent: int) -> list[int]:
    powers = [1 << p for p in range(MAX_BLOCK.bit_length()) if 1 << p < extent]
    return [*powers, extent]
