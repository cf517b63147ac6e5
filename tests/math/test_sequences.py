"""Places are found where coordinates of grids give the values, and nothing is found elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.sequences import place_of


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(-9, 9), st.integers(-9, 9))
def test_coordinates_of_grids_are_found(outer: int, of: int, by: int, first: int, step: int):
    values = [first + step * (i // by % of) for i in range(outer * of * by)]
    found = place_of(values)
    assert found is not None
    assert [affine.evaluate(found, [i]) for i in range(len(values))] == values


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_what_is_found_is_right(values: list[int]):
    found = place_of(values)
    assert found is None or [affine.evaluate(found, [i]) for i in range(len(values))] == values


@pytest.mark.parametrize("values", [[0, 1, 3], [0, 0, 1], [0, 1, 1, 0], [0, 1, 2, 4]])
def test_other_values_have_no_place(values: list[int]):
    assert place_of(values) is None
