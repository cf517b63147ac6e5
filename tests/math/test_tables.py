"""Tables of functions of integers, and loops over tensors, for numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.accelerator.points import gather, place
from cocomp.passes.math.accelerator.tables import MANTISSA, MOST_ENTRIES, Index


@given(st.integers(-(2**20), 0), st.integers(1, 2**28))
def test_every_integer_has_an_entry_whose_middle_is_near(low: int, high: int) -> None:
    index = Index.of(low, high)
    values = np.unique(
        np.concatenate([np.linspace(low, high, 999).astype(np.int64), [low, -1 if low else 0, 0, 1, high]])
    )
    places = index.position(values)
    assert places.min() >= 0 and places.max() < index.entries
    middles = index.middles()[places]
    exact = np.abs(values) < 2 ** (MANTISSA + 1) if index.mantissa else np.full(len(values), True)
    assert (middles[exact] == values[exact]).all()
    assert (np.abs(middles - values) <= np.abs(values) * 2.0**-MANTISSA).all()
    if high - low < MOST_ENTRIES:
        assert index.entries == high - low + 1


def test_a_function_is_sampled_inside_of_the_range() -> None:
    index = Index.of(1, 1 << 16)
    entries = index.sample(lambda x: 1 / x)
    assert np.isfinite(entries).all()
    values = np.arange(1, 1 << 16, 37)
    assert np.abs(entries[index.position(values)] * values - 1).max() < 2.0**-MANTISSA


@settings(max_examples=60)
@given(st.data())
def test_gathering_and_placing_are_loops(data: st.DataObject) -> None:
    bounds = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    shape = (5, 4)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    array = rng.integers(-9, 9, shape)
    index = [
        affine.dim(data.draw(st.integers(0, len(bounds) - 1))) * data.draw(st.integers(0, 2))
        + data.draw(st.integers(-2, 2))
        for _ in shape
    ]
    seen = np.broadcast_to(gather(array, index, bounds, 7), bounds)
    for point in np.ndindex(*bounds):
        at = [affine.evaluate(e, point) for e in index]
        inside = all(0 <= a < n for a, n in zip(at, shape, strict=True))
        assert seen[point] == (array[tuple(at)] if inside else 7)


@pytest.mark.parametrize("combine", ["add", "max"])
def test_points_of_one_element_are_combined(combine: str) -> None:
    values = np.random.default_rng(0).integers(-9, 9, (2, 3, 4))
    a, c = affine.dim(0), affine.dim(2)
    expected = values.sum(1) if combine == "add" else values.max(1)
    assert np.array_equal(place(values, [c, a], (4, 2), (2, 3, 4), combine), expected.T)
    flat = place(values, [a * 4 + c], (8,), (2, 3, 4), combine)
    assert np.array_equal(flat, expected.reshape(-1))
