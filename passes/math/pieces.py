"""A matrix cut into pieces: rows of a band x the columns that exactly these keep.

Per-block packing for BCR (GRIM, arXiv 2108.11033), whose blocks lose rows and columns of their own: two whole rows have hardly
a list of columns in common, but inside of a block's columns they have the same list, or one of them has none. Columns of a
band are therefore put together by the set of rows that keep them. In a band no higher than a block that finds the blocks,
wherever their columns begin; where it finds nothing, pieces are one column wide, and cost what that costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Array = np.ndarray
BANDS = (8, 16, 32, 64)
"""Rows of a band that are worth trying. Larger blocks lose nothing in bands of this height."""


class Pieces(NamedTuple):
    """What the bands of a matrix are cut into, the mean over bands."""

    pieces: float
    columns: float
    """Columns of all pieces together."""
    distinct: float
    """Columns that any row keeps: pieces that share theirs read them from the cache."""
    near: float
    """Of these the sum of `density` over columns."""

    @property
    def density(self) -> float:
        """Share that a piece has of the columns between its first and its last one: these may lie in the same cache lines."""
        return self.near / self.distinct if self.distinct else 1.0


def row_sets(kept: Array) -> Iterator[tuple[Array, Array]]:
    """(rows, columns), ascending, for every set of rows that keep the same columns; `kept` is bool[rows, columns], of a band.
    Every element that is kept is in exactly one of them, and no other is."""
    _, first, numbers, counts = _sets(kept)
    columns = np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])
    yield from (
        (np.flatnonzero(kept[:, f]), found) for f, found in zip(first, columns, strict=True) if kept[:, f].any()
    )


def count_pieces(kept: Array, bands: Iterable[int], heights: Sequence[int]) -> dict[tuple[int, int], Pieces]:
    """(rows of a band, rows of a piece) -> what `kept`, bool[outer rows, rows, columns], is cut into."""
    return {
        (band, height): found
        for band in bands
        for height, found in zip(heights, _count(kept, band, np.array(heights)), strict=True)
    }


def _count(kept: Array, band: int, heights: Array) -> list[Pieces]:
    outer, rows, _ = kept.shape
    bands = [kept[o, first : first + band] for o in range(outer) for first in range(0, rows, band)]
    total = np.zeros((len(heights), len(Pieces._fields)))
    for part in bands:
        _, first, numbers, counts = _sets(part)
        last = np.zeros_like(first)
        last[numbers] = np.arange(len(numbers))
        sizes = part[:, first].sum(axis=0)
        chunks = -(-sizes // heights[:, None])
        near = counts**2 / (last + 1 - first)
        total[:, :2] += np.stack([chunks.sum(axis=1), chunks @ counts], axis=1)
        total[:, 2:] += counts[sizes > 0].sum(), near[sizes > 0].sum()
    return [Pieces(*map(float, mean)) for mean in total / len(bands)]


def _sets(kept: Array) -> tuple[Array, Array, Array, Array]:
    """`np.unique` of the columns of a band, each as a number: (numbers, first column, number's place, columns) of each."""
    assert len(kept) <= max(BANDS)
    keys = np.zeros((kept.shape[1], max(BANDS) // 8), np.uint8)
    bits = np.packbits(kept, axis=0).T
    keys[:, : bits.shape[1]] = bits
    return np.unique(keys.view(np.uint64)[:, 0], return_index=True, return_inverse=True, return_counts=True)
