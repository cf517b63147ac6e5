"""Orders of rows: permutations that never cost products, and find blocks whose rows were shuffled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import row_order
from cocomp.passes.math.row_order import HEIGHTS, WORTH_IT, arrange, better_order, products

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
masks = st.tuples(st.integers(1, 50), st.integers(1, 30), st.floats(0, 1), seeds)


def mask(rows: int, columns: int, share: float, seed: int) -> Array:
    return np.random.default_rng(seed).random((rows, columns)) < share


def masks_of(shapes: list[tuple[int, int, float, int]]) -> list[Array]:
    """Masks with as many rows as the first."""
    return [mask(shapes[0][0], columns, share, seed) for _, columns, share, seed in shapes]


@given(st.lists(masks, min_size=1, max_size=3))
def test_an_order_is_a_permutation(shapes: list[tuple[int, int, float, int]]) -> None:
    matrices = masks_of(shapes)
    order = arrange(matrices, [1 + n for n in range(len(matrices))])
    assert sorted(order) == list(range(len(matrices[0])))


@given(st.lists(masks, min_size=1, max_size=3), st.booleans())
def test_no_matrix_ever_has_more_products(shapes: list[tuple[int, int, float, int]], doubled: bool) -> None:
    matrices = masks_of(shapes)
    if doubled:
        matrices = [np.concatenate([m, m]) for m in matrices]
    weights = [1.0 + n for n in range(len(matrices))]
    order = better_order(matrices, weights)
    if order is None:
        return
    for height in (h for h in HEIGHTS if h < len(order)):
        before, after = ([products(m[rows], height) for m in matrices] for rows in (slice(None), order))
        assert all(a <= b for a, b in zip(after, before, strict=True))
        if height == HEIGHTS[0]:
            assert np.dot(weights, after) <= WORTH_IT * np.dot(weights, before)


@given(st.sampled_from([2, 4, 8, 16]), st.integers(2, 9), st.integers(8, 60), st.floats(0.05, 0.5), seeds)
def test_blocks_whose_rows_were_shuffled_are_found(
    height: int, blocks: int, columns: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planted = (rng.random((blocks, columns)) < share).repeat(height, axis=0)
    shuffled = planted[rng.permutation(len(planted))]
    assert products(shuffled[arrange([shuffled], [1])], height) == np.count_nonzero(planted)


@given(st.integers(2, 9), st.integers(8, 60), seeds)
def test_blocks_that_several_matrices_share_are_found(blocks: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    planted = [(rng.random((blocks, columns)) < share).repeat(8, axis=0) for share in (0.2, 0.5)]
    shuffle = rng.permutation(8 * blocks)
    order = arrange([m[shuffle] for m in planted], [1, 100])
    assert [products(m[shuffle][order], 8) for m in planted] == [np.count_nonzero(m) for m in planted]


@given(st.sampled_from([4, 8, 16]), st.integers(2, 6), st.integers(1, 60), st.floats(0, 1), seeds)
def test_blocks_stay_as_they_are(height: int, blocks: int, columns: int, share: float, seed: int) -> None:
    assert better_order([mask(blocks, columns, share, seed).repeat(height, axis=0)], [1]) is None


def test_rows_without_anything_come_together() -> None:
    """Filters that were removed here and there: what is left is dense again."""
    kept = mask(64, 1, 0.5, 3).repeat(40, axis=1)
    order = better_order([kept], [1])
    assert order is not None
    assert products(kept[order], 4) < products(kept, 4)
    assert products(kept[order], 16) <= np.count_nonzero(kept) + 15 * 40


def test_blocks_that_lose_rows_are_ordered_inside() -> None:
    """Blocks of 16 x 256 that keep half of their rows and a quarter of their columns, each its own."""
    rng = np.random.default_rng(0)
    rows = np.argsort(rng.random((16, 16, 4, 1)), axis=1) < 8
    columns = np.argsort(rng.random((16, 1, 4, 256)), axis=3) < 64
    kept = (rows & columns).reshape(256, 1024)
    order = better_order([kept], [1])
    assert order is not None
    assert (order // 16 == np.arange(256) // 16).all()
    assert products(kept[order], 4) < 0.8 * products(kept, 4)
    assert products(kept[arrange([kept], [1])], 16) > products(kept, 16) == products(kept[order], 16)


def test_one_matrix_may_not_pay_for_another() -> None:
    """Blocks that stand in order, beside rows that could gain: all stay."""
    planted, random = mask(16, 64, 0.1, 5).repeat(8, axis=0), mask(128, 12, 0.1, 7)
    assert better_order([random], [1]) is not None
    assert better_order([planted, random], [1, 1000]) is None


def test_wide_matrices_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = mask(8, 600, 0.2, 9).repeat(8, axis=0)
    shuffled = planted[np.random.default_rng(0).permutation(64)]
    monkeypatch.setattr(row_order, "MOST_PRODUCTS", 64 * 64 * 100)
    assert products(shuffled[arrange([shuffled], [1])], 8) == np.count_nonzero(planted)


def test_too_few_and_too_many_rows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.eye(2, dtype=bool).repeat(8, axis=1)[[0, 1] * 8]
    assert better_order([rows], [1]) is not None
    assert better_order([rows[:7]], [1]) is None
    monkeypatch.setattr(row_order, "MOST_ROWS", 15)
    assert better_order([rows], [1]) is None
