"""Blocks that are kept or removed as a whole (block compressed rows)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, from_blocks, in_blocks, period, root_mean_square, starts_of


@dataclass(frozen=True)
class Block(Encoding):
    """Blocks of `rows` x `columns` of the matrix; blocks at the end may be smaller.

    Packed: `starts` i32[rows of blocks + 1] and `columns` i32, the kept blocks of each; `values` [blocks, rows, columns].
    """

    name: ClassVar[str] = "block"
    rows: int
    columns: int

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        matrix = kept.reshape(len(kept), -1)
        found = cls(period(matrix, 0), period(matrix, 1))
        return found if found.rows * found.columns > 1 else None

    def describes(self, kept: Array) -> bool:
        blocks, present = (
            in_blocks(kept, self.rows, self.columns),
            in_blocks(np.ones_like(kept), self.rows, self.columns),
        )
        return bool((blocks == (blocks.any(axis=(2, 3), keepdims=True) & present)).all())

    def indices(self, kept: Array) -> int:
        blocks = in_blocks(kept, self.rows, self.columns)
        return int(blocks.any(axis=(2, 3)).sum()) + len(blocks)

    def pack(self, weight: Array) -> dict[str, Array]:
        blocks = in_blocks(weight, self.rows, self.columns)
        kept = blocks.any(axis=(2, 3))
        down, across = np.nonzero(kept)
        return {
            "starts": starts_of(kept.sum(axis=1)),
            "columns": across.astype(np.int32),
            "values": blocks[down, across],
        }

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        blocks = in_blocks(np.zeros(shape, packed["values"].dtype), self.rows, self.columns).copy()
        down = np.repeat(np.arange(len(blocks)), np.diff(packed["starts"]))
        blocks[down, packed["columns"]] = packed["values"]
        return from_blocks(blocks, shape)

    def scores(self, weight: Array) -> Array:
        blocks, present = (
            in_blocks(np.square(weight), self.rows, self.columns),
            in_blocks(np.ones_like(weight), self.rows, self.columns),
        )
        scores = np.broadcast_to(root_mean_square(blocks, (2, 3), present), blocks.shape)
        return from_blocks(scores, weight.shape)
