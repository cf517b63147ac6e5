"""Pieces are the matrix: every kept element once, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.pieces import BANDS, count_pieces, row_sets

Array = np.ndarray
quick = settings(deadline=None, max_examples=100, derandomize=True)


def blocks(rng: np.random.Generator, shape: tuple[int, int], block: tuple[int, int], kept: tuple[int, int]) -> Array:
    """bool[shape]: every block keeps so many rows and columns, each block others."""
    mask = np.zeros(shape, bool)
    for row in range(0, shape[0], block[0]):
        for column in range(0, shape[1], block[1]):
            rows = rng.permutation(min(block[0], shape[0] - row))[: kept[0]]
            columns = rng.permutation(min(block[1], shape[1] - column))[: kept[1]]
            mask[np.ix_(row + rows, column + columns)] = True
    return mask


@st.composite
def masks(draw: st.DrawFn) -> Array:
    """bool[outer rows, rows, columns], in blocks or anywhere."""
    outer, rows, columns = draw(st.integers(1, 2)), draw(st.integers(1, 150)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        block, kept = (draw(st.sampled_from([4, 8, 24, 64])), 16), (draw(st.integers(0, 32)), draw(st.integers(1, 8)))
        return np.array([blocks(rng, (rows, columns), block, kept) for _ in range(outer)])
    return rng.random((outer, rows, columns)) < draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))


@quick
@given(masks())
def test_every_element_is_in_one_set(mask: Array) -> None:
    band = mask[0, : max(BANDS)]
    found = np.zeros(band.shape, int)
    seen: set[tuple[int, ...]] = set()
    for rows, columns in row_sets(band):
        assert (np.diff(rows) > 0).all() and (np.diff(columns) > 0).all() and len(rows) and len(columns)
        assert tuple(rows) not in seen
        seen.add(tuple(rows))
        found[np.ix_(rows, columns)] += 1
    np.testing.assert_array_equal(found, band)


@quick
@given(masks())
def test_the_count_is_that_of_the_sets(mask: Array) -> None:
    heights = (2, 3, 8)
    counted = count_pieces(mask, BANDS, heights)
    assert set(counted) == {(band, height) for band in BANDS for height in heights}
    for (band, height), found in counted.items():
        parts = [matrix[first : first + band] for matrix in mask for first in range(0, len(matrix), band)]
        sets = [[(-(-len(rows) // height), len(columns)) for rows, columns in row_sets(part)] for part in parts]
        expected = [
            sum(chunks for found in sets for chunks, _ in found),
            sum(chunks * columns for found in sets for chunks, columns in found),
            sum(int(part.any(axis=0).sum()) for part in parts),
            sum(len(columns) ** 2 / (np.ptp(columns) + 1) for part in parts for _, columns in row_sets(part)),
        ]
        np.testing.assert_allclose(np.array(found) * len(parts), expected)


def test_blocks_are_found_in_bands_no_higher() -> None:
    """Half of 32 rows x a quarter of 64 columns: two pieces of 8 rows for each block, each of its 16 columns."""
    mask = blocks(np.random.default_rng(0), (64, 256), (32, 64), (16, 16))
    found = count_pieces(mask[None], [32, 64], [8])
    assert found[32, 8][:3] == (2 * 4, 2 * 4 * 16, 4 * 16)
    assert 16 / 64 <= found[32, 8].density < 16 / 40
    # In higher bands columns of one block that the other keeps too are a third set.
    assert found[64, 8].pieces > 2 * found[32, 8].pieces
