"""The structure found for a mask describes it exactly, and is found for masks made with it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.structure import Blocks, Dense, KernelGroups, find_structure, kept_columns

Array = np.ndarray


def is_described(kept: Array, structure: object) -> bool:
    """Whether a mask has a structure, by the definition of the structure."""
    rows, channels, positions = kept.shape
    match structure:
        case Dense():
            return kept.mean() > 0.9
        case KernelGroups(height, width):
            for r in range(0, rows, height):
                for c in range(0, channels, width):
                    part = kept[r : r + height, c : c + width].reshape(-1, positions)
                    if not (part == part[0]).all():
                        return False
            return True
        case Blocks(height, width):
            matrix = kept.reshape(rows, -1)
            for r in range(0, rows, height):
                for c in range(0, matrix.shape[1], width):
                    part = matrix[r : r + height, c : c + width]
                    if not (part == part.any(1, keepdims=True) & part.any(0, keepdims=True)).all():
                        return False
            return True
    return False


shapes = st.tuples(st.integers(1, 16), st.integers(1, 8), st.sampled_from([1, 3, 9]))


@given(shapes, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_what_is_found_describes_the_mask(shape: tuple[int, int, int], seed: int, share: float) -> None:
    kept = np.random.default_rng(seed).random(shape) < share
    assert is_described(kept, find_structure(kept))


@given(st.sampled_from([2, 4, 8]), st.sampled_from([2, 4]), st.integers(0, 2**32 - 1))
def test_kernel_groups_are_found(rows: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.random((4, 4, 9)) < 0.35
    kept = groups.repeat(rows, 0).repeat(channels, 1)
    found = find_structure(kept)
    assert is_described(kept, found)
    if isinstance(found, KernelGroups):
        assert found.rows % rows == 0 and found.channels % channels == 0
    else:
        assert groups.reshape(4, -1).all() or not groups.any() or kept.mean() > 0.9


@given(st.sampled_from([4, 8]), st.sampled_from([4, 8]), st.integers(0, 2**32 - 1))
def test_blocks_are_found(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = np.zeros((4 * height, 4 * width), bool)
    for r in range(0, 4 * height, height):
        for c in range(0, 4 * width, width):
            kept[r : r + height, c : c + width] = (rng.random((height, 1)) < 0.5) & (rng.random((1, width)) < 0.5)
    found = find_structure(kept[:, :, None])
    assert is_described(kept[:, :, None], found)
    if isinstance(found, Blocks):
        assert found.rows * found.columns >= height * width


@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 30), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_kept_columns_are_counted(outer: int, rows: int, columns: int, group: int, seed: int) -> None:
    kept = np.random.default_rng(seed).random((outer, rows, columns)) < 0.2
    counts = [kept[o, r : r + group].any(0).sum() for o in range(outer) for r in range(0, rows, group)]
    assert np.isclose(kept_columns(kept, group), np.mean(counts))
