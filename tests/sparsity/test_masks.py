"""Masks made with a structure are found to have it, sizes and all."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.encodings import NEARLY_DENSE, find_encoding
from cocomp.passes.math.encodings.bcr import Bcr
from cocomp.passes.math.encodings.block import Block
from cocomp.passes.math.encodings.channel import Channel
from cocomp.passes.math.encodings.csr import Csr
from cocomp.passes.math.encodings.dense import Dense
from cocomp.passes.math.encodings.filter import Filter
from cocomp.passes.math.encodings.kgs import Kgs
from cocomp.passes.math.tiles import kept_columns

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=60, derandomize=True)


def groups_of_kernels(rng: np.random.Generator, rows: int, channels: int, rounds: tuple[int, int]) -> Array:
    """A mask in which every group of kernels keeps other positions than its neighbours."""
    across, down = rounds
    patterns = rng.permutation(np.arange(1, 512))[: across * down]  # kernels of 3x3, one bit a position
    kept = (patterns[:, None] >> np.arange(9) & 1).astype(bool).reshape(across, down, 9)
    return kept.repeat(rows, 0).repeat(channels, 1)


@quick
@given(st.integers(2, 8), st.integers(3, 8), st.integers(2, 4), st.integers(2, 4), seeds)
def test_groups_of_kernels(rows: int, channels: int, across: int, down: int, seed: int) -> None:
    kept = groups_of_kernels(np.random.default_rng(seed), rows, channels, (across, down))
    if kept.mean() <= NEARLY_DENSE:
        assert find_encoding(kept) == Kgs(rows, channels)


@quick
@given(st.sampled_from([2, 3, 4, 8, 16]), st.integers(2, 4), st.integers(48, 96), seeds)
def test_blocks_of_rows_that_share_columns(rows: int, blocks: int, columns: int, seed: int) -> None:
    """BCR as pruned for registers: a block is as wide as the matrix. With so many columns no two blocks are alike."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((blocks, columns)) < 0.4
    kept = patterns.repeat(rows, 0)[:, :, None]
    assert find_encoding(kept) == Bcr(rows, columns)


@quick
@given(st.sampled_from([4, 8]), st.sampled_from([4, 8, 16]), seeds)
def test_blocks_that_lose_rows_and_columns(height: int, width: int, seed: int) -> None:
    """BCR in general: the blocks that are found take no more indices than those that the mask was made with."""
    rng = np.random.default_rng(seed)
    rows, columns = (rng.random(s) < 0.6 for s in ((4, height, 4, 1), (4, 1, 4, width)))
    rows[:, 0], rows[:, 1], columns[..., 0], columns[..., 1] = True, False, True, False
    rows[::2, 2:, ::2] ^= True
    kept = (rows & columns).reshape(4 * height, 4 * width, 1)
    found, made = find_encoding(kept), Bcr(height, width)
    assert made.describes(kept) and found.describes(kept)
    assert isinstance(found, Bcr | Block | Csr)
    assert found.indices(kept) <= made.indices(kept)


@quick
@given(st.integers(8, 32), st.integers(9, 32), st.sampled_from([1, 9]), seeds)
def test_zeros_anywhere_have_no_structure(rows: int, channels: int, positions: int, seed: int) -> None:
    kept = np.random.default_rng(seed).random((rows, channels, positions)) < 0.3
    assert find_encoding(kept) == Csr()


@quick
@given(st.integers(10, 32), st.integers(10, 32), st.sampled_from([1, 9]), seeds)
def test_hardly_any_zeros_count_as_none(rows: int, channels: int, positions: int, seed: int) -> None:
    kept = np.ones((rows, channels, positions), bool)
    count = int((1 - NEARLY_DENSE) * kept.size) - 1
    kept.ravel()[np.random.default_rng(seed).permutation(kept.size)[:count]] = False
    assert find_encoding(kept) == Dense()


def test_whole_filters_and_whole_channels() -> None:
    filters, channels = (np.zeros((16, 8, 9), bool) for _ in range(2))
    filters[::4] = True
    channels[:, 1::4] = True
    assert find_encoding(filters) == Filter()
    assert find_encoding(channels) == Channel()


@quick
@given(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24), st.integers(1, 30), st.floats(0, 1), seeds)
def test_kept_columns(outer: int, rows: int, columns: int, group: int, share: float, seed: int) -> None:
    kept = np.random.default_rng(seed).random((outer, rows, columns)) < share
    total = count = 0
    for matrix in kept:
        for first in range(0, rows, group):
            count += 1
            total += sum(any(matrix[r, c] for r in range(first, min(first + group, rows))) for c in range(columns))
    assert np.isclose(kept_columns(kept, group), total / count)
