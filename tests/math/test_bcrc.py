"""BCRC: nothing is lost, runs share their columns, and arrays that do not fit together are refused."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.bcrc import decode, encode, multiply
from cocomp.passes.math.encodings.csr import Csr

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
shapes = st.one_of(
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(1, 12), st.integers(1, 6), st.just(3), st.just(3)),
)


def pruned(shape: tuple[int, ...], rows: int, share: float, seed: int) -> Array:
    """A weight in which every `rows` rows keep the same columns, then shuffled."""
    rng = np.random.default_rng(seed)
    kept = (rng.random((-(-shape[0] // rows), *shape[1:])) < share).repeat(rows, axis=0)[: shape[0]]
    return (np.where(kept, rng.uniform(1, 2, shape), 0)[rng.permutation(shape[0])]).astype(np.float32)


@given(shapes, st.integers(1, 6), st.floats(0, 1), seeds)
def test_encoding_loses_nothing(shape: tuple[int, ...], rows: int, share: float, seed: int) -> None:
    weight = pruned(shape, rows, share, seed)
    packed = encode(weight)
    np.testing.assert_array_equal(decode(packed), weight)
    assert packed.weights.size == np.count_nonzero(weight)
    x = np.random.default_rng(seed).standard_normal((packed.columns, 5))
    np.testing.assert_allclose(multiply(packed, x), weight.reshape(len(weight), packed.columns) @ x, atol=1e-9)


@given(shapes, st.integers(1, 6), st.floats(0, 1), seeds)
def test_every_list_of_columns_is_stored_once(shape: tuple[int, ...], rows: int, share: float, seed: int) -> None:
    weight = pruned(shape, rows, share, seed)
    packed = encode(weight)
    lists = {tuple(np.flatnonzero(row)) for row in weight.reshape(len(weight), -1 if weight.size else 0)}
    assert len(packed.occurrence) - 1 == len(lists)
    assert len(packed.compact_column) == sum(map(len, lists))
    lengths = np.diff(packed.row_offset)
    assert (np.diff(lengths) <= 0).all()


def test_the_arrays_of_a_small_matrix() -> None:
    weight = np.array([[0, 1, 0, 2], [3, 0, 0, 0], [0, 4, 0, 5], [0, 0, 0, 0]])
    packed = encode(weight)
    assert packed.reorder.tolist() == [0, 2, 1, 3]
    assert packed.row_offset.tolist() == [0, 2, 4, 5, 5]
    assert packed.occurrence.tolist() == [0, 2, 3, 4]
    assert packed.column_stride.tolist() == [0, 2, 3, 3]
    assert packed.compact_column.tolist() == [1, 3, 0]
    assert packed.weights.tolist() == [1, 2, 4, 5, 3]
    assert packed.index_bytes == 4 * (4 + 5 + 4 + 4 + 3)


def test_shared_lists_take_less_room_than_csr() -> None:
    weight = pruned((64, 256), 8, 0.125, 0)
    packed = Csr().pack(weight[:, :, None])
    assert encode(weight).index_bytes < 0.3 * (packed["starts"].nbytes + packed["columns"].nbytes)


GOOD = encode(np.array([[0, 1, 0, 2], [3, 0, 0, 0], [0, 4, 0, 5], [0, 0, 0, 0]], np.float32))
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"shape": (4,)}, "expected a shape of at least two extents, got (4,)"),
    ({"shape": (4, -4)}, "expected a shape of at least two extents, got (4, -4)"),
    ({"shape": (5, 4)}, "expected each of 5 rows once in reorder"),
    ({"reorder": [0, 2, 1, 1]}, "expected each of 4 rows once in reorder"),
    ({"reorder": [0, 2, 1, 4]}, "expected each of 4 rows once in reorder"),
    ({"reorder": [[0, 2], [1, 3]]}, "expected one axis in reorder, got shape (2, 2)"),
    ({"weights": 5}, "expected one axis in weights, got shape ()"),
    ({"row_offset": [0.0, 2, 4, 5, 5]}, "expected integers in row_offset, got float64"),
    ({"occurrence": np.zeros(0, int)}, "expected occurrence to rise from 0 to 4"),
    ({"occurrence": [1, 2, 3, 4]}, "expected occurrence to rise from 0 to 4"),
    ({"occurrence": [0, 2, 3, 5]}, "expected occurrence to rise from 0 to 4"),
    ({"occurrence": [0, 3, 2, 4]}, "expected occurrence to rise from 0 to 4"),
    ({"occurrence": [0, 2, 2, 4]}, "expected at least one row in every run of occurrence"),
    ({"column_stride": [0, 2, 3]}, "expected 4 entries in column_stride, as in occurrence, got 3"),
    ({"column_stride": [0, 2, 3, 4]}, "expected column_stride to rise from 0 to 3"),
    ({"column_stride": np.array([0, 2, 1, 3], np.uint32)}, "expected column_stride to rise from 0 to 3"),
    ({"compact_column": [1, 4, 0]}, "expected columns below 4 in compact_column"),
    ({"compact_column": [-1, 3, 0]}, "expected columns below 4 in compact_column"),
    ({"compact_column": [3, 1, 0]}, "expected ascending columns in every run of compact_column"),
    ({"compact_column": [1, 1, 0]}, "expected ascending columns in every run of compact_column"),
    ({"row_offset": [0, 2, 4, 5]}, "expected 5 entries in row_offset, got 4"),
    ({"row_offset": [0, 2, 4, 5, 6]}, "expected row_offset to rise from 0 to 5"),
    ({"weights": [1.0, 2, 4, 5]}, "expected row_offset to rise from 0 to 4"),
    ({"row_offset": [0, 1, 4, 5, 5]}, "expected as many weights in row 0 of row_offset as its run has columns"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    changed = {k: v if k == "shape" else np.array(v) for k, v in change.items()}
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        dataclasses.replace(GOOD, **changed)


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a weight of at least two axes, got shape \(4,\)"):
        encode(np.ones(4))
    with pytest.raises(ValueError, match=r"expected 4 rows to multiply with, got shape \(3, 2\)"):
        multiply(GOOD, np.ones((3, 2)))
