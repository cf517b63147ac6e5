"""Which points of a loop can be computed at once is what their addresses say."""

from __future__ import annotations

import itertools
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cocomp.dialects import hls
from cocomp.passes.math.affine import Dim, Expr, FloorDiv, evaluate

BOUNDS = (4, 3, 2)
TERMS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1, 1, 2, 3]), st.sampled_from([0, 0, 2])), max_size=2)
INDEX = st.lists(TERMS, min_size=1, max_size=3)


def expr_of(terms: list[tuple[int, int, int]]) -> Expr:
    """Of (loop, factor, divisor or 0)."""
    found = Expr()
    for dim, factor, divisor in terms:
        plain = Expr(((Dim(dim), 1),))
        found = found + (Expr(((FloorDiv(plain, divisor), 1),)) if divisor else plain) * factor
    return found


@given(INDEX, st.integers(0, 2), st.integers(-1, 2))
def test_accesses_are_those_of_addresses(index: list[list[tuple[int, int, int]]], dim: int, axis: int) -> None:
    exprs = tuple(map(expr_of, index))
    shape = [9] * len(exprs)
    innermost = len(exprs) - 1 if axis < 0 else min(axis, len(exprs) - 1)
    order = [*(a for a in range(len(exprs)) if a != innermost), innermost]
    strides = {a: prod(shape[b] for b in order[n + 1 :]) for n, a in enumerate(order)}

    def address(point: tuple[int, ...]) -> int:
        return sum(evaluate(e, point) * strides[a] for a, e in enumerate(exprs))

    steps = set[int]()
    for point in itertools.product(*map(range, BOUNDS)):
        if point[dim] + 1 < BOUNDS[dim]:
            after = tuple(p + (d == dim) for d, p in enumerate(point))
            steps.add(address(after) - address(point))
    found = hls.access_of(exprs, shape, axis if axis < 0 else innermost, dim)
    expected = hls.SAME if steps == {0} else hls.ALONG if steps == {1} else hls.APART
    assert found in (expected, hls.APART)
    if all(not divisor for terms in index for _, _, divisor in terms):
        assert (found == hls.SAME) == (steps == {0})


def test_the_loop_of_lanes_is_one_that_reads_what_lies_side_by_side() -> None:
    same, along, apart = hls.SAME, hls.ALONG, hls.APART
    reads = np.array([[along, apart, along], [same, along, along]])

    def loop(line: int, folded: list[int], bounds: tuple[int, ...] = BOUNDS) -> tuple[int, bool]:
        return hls.lane_loop(line, folded, bounds, lambda dim: list(reads[:, dim]))

    assert loop(0, [1, 2]) == (0, True) and loop(2, []) == (2, True)
    assert loop(1, []) == (1, False) and loop(-1, []) == (-1, False)
    assert loop(1, [0, 2]) == (2, True) and loop(-1, [1, 0]) == (0, True)
    assert loop(1, [2], (4, 3, 1)) == (1, False) and loop(1, [], (4, 1, 2)) == (1, True)
