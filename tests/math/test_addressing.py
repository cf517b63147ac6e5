"""What readers want is served: by the tensor as far as its memory has dimensions, beyond that by as few copies as can be."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.addressing import serve


@pytest.mark.parametrize(
    ("wanted", "k", "layouts"),
    [
        ([], 1, []),
        ([3], 1, [(3,)]),
        ([1, 1, 1], 1, [(1,)]),
        ([1, 3, 1], 1, [(1,), (3,)]),
        ([3, 1], 2, [(3, 1)]),
        ([3, 1, 2, 3, 0, 1], 2, [(3, 1), (2, 0)]),
    ],
)
def test_the_weightiest_are_served_by_the_tensor_itself(wanted: list[int], k: int, layouts: list[tuple[int, ...]]):
    assert serve(wanted, k) == layouts


@given(st.lists(st.integers(0, 5)), st.integers(1, 3))
def test_every_reader_is_served_with_as_few_copies_as_possible(wanted: list[int], k: int):
    layouts = serve(wanted, k)
    served = [axis for layout in layouts for axis in layout]
    assert set(served) == set(wanted) and len(set(served)) == len(served)
    assert len(layouts) == -(-len(served) // k)
    assert all(wanted.index(a) < wanted.index(b) for a, b in pairwise(served))


def test_a_memory_has_dimensions():
    with pytest.raises(ValueError, match="expected a memory of at least one dimension, got 0"):
        serve([1], 0)
