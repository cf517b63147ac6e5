"""Every simplification keeps the value: compared with numpy on all points of small boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_trees import Tree, factored_shapes, grid_of, indexed, trees, values_of

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Dim, Expr, FloorDiv, Mod


@given(indexed())
def test_constructors_keep_the_value(case: tuple[list[int], Tree]) -> None:
    bounds, tree = case
    np.testing.assert_array_equal(values_of(tree.build(bounds), bounds), tree.values(grid_of(bounds)))


steps = st.lists(st.tuples(st.booleans(), st.sampled_from([2, 3, 4, 5, 6, 8, 12, 24])), min_size=1, max_size=4)


@given(st.integers(2, 60), st.integers(2, 9), st.integers(-12, 12), st.integers(-30, 30), st.integers(1, 12), steps)
def test_chains_of_divisions_keep_the_value(
    outer: int, inner: int, factor: int, constant: int, scale: int, steps: list[tuple[bool, int]]
) -> None:
    """`(scale * x + factor * y + c) div a mod b ...`: what reshapes of slices and windows look like."""
    bounds = (outer, inner)
    expr = affine.dim(0) * scale + affine.dim(1) * factor + constant
    expected = values_of(expr, bounds)
    for divides, divisor in steps:
        expr = (affine.floordiv if divides else affine.mod)(expr, divisor, bounds)
        expected = expected // divisor if divides else expected % divisor
        np.testing.assert_array_equal(values_of(expr, bounds), expected)
        low, high = affine.interval(expr, bounds)
        assert low <= expected.min() and expected.max() <= high


@given(indexed())
def test_interval_holds_every_value(case: tuple[list[int], Tree]) -> None:
    bounds, tree = case
    low, high = affine.interval(tree.build(bounds), bounds)
    values = tree.values(grid_of(bounds))
    assert low <= values.min() and values.max() <= high


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.data())
def test_interval_of_a_linear_expression_is_tight(bounds: list[int], data: st.DataObject) -> None:
    factors = data.draw(st.lists(st.integers(-9, 9), min_size=len(bounds), max_size=len(bounds)))
    expr = sum((affine.dim(i) * c for i, c in enumerate(factors)), Expr((), data.draw(st.integers(-9, 9))))
    values = values_of(expr, bounds)
    assert affine.interval(expr, bounds) == (values.min(), values.max())


@given(indexed())
def test_the_form_is_canonical(case: tuple[list[int], Tree]) -> None:
    bounds, tree = case
    expr = tree.build(bounds)
    atoms = [a for a, _ in expr.terms]
    assert len(set(atoms)) == len(atoms)
    assert all(c for _, c in expr.terms)
    assert expr - expr == Expr()
    assert expr + 0 == expr == expr * 1
    assert expr.dims() <= set(range(len(bounds)))
    assert hash(expr) == hash(Expr(expr.terms, expr.constant))


@given(st.data())
def test_addition_commutes_and_associates(data: st.DataObject) -> None:
    bounds = [6, 8]
    a, b, c = (data.draw(trees(2)).build(bounds) for _ in range(3))
    assert a + b == b + a
    np.testing.assert_array_equal(values_of((a + b) + c, bounds), values_of(a + (b + c), bounds))


@given(indexed(), st.data())
def test_substitution_composes(case: tuple[list[int], Tree], data: st.DataObject) -> None:
    inner_bounds, tree = case
    bounds = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=2))
    expr = tree.build(inner_bounds)
    values = [affine.mod(data.draw(trees(len(bounds))).build(bounds), extent, bounds) for extent in inner_bounds]
    found = values_of(affine.substitute(expr, values, bounds), bounds)
    np.testing.assert_array_equal(found, tree.values([values_of(v, bounds) for v in values]))


@given(factored_shapes())
def test_reshape_is_numpys(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    source, target = shapes
    position = affine.linearize(tuple(affine.dim(i) for i in range(len(target))), target)
    index = affine.delinearize(position, source, target)
    data = np.arange(np.prod(source)).reshape(source)
    found = data[tuple(values_of(e, target) for e in index)]
    np.testing.assert_array_equal(found, data.reshape(target).ravel())


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4))
def test_delinearizing_undoes_linearizing(shape: list[int]) -> None:
    index = tuple(affine.dim(i) for i in range(len(shape)))
    assert affine.delinearize(affine.linearize(index, shape), shape, shape) == index


@given(factored_shapes())
def test_a_reshape_and_back_is_nothing(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    source, target = shapes
    there = affine.delinearize(affine.linearize(tuple(map(affine.dim, range(len(target)))), target), source, target)
    back = affine.delinearize(affine.linearize(tuple(map(affine.dim, range(len(source)))), source), target, source)
    round_trip = [affine.substitute(e, back, source) for e in there]
    for axis, expr in enumerate(round_trip):
        np.testing.assert_array_equal(values_of(expr, source), grid_of(source)[axis])


@given(indexed(), st.data())
def test_splitting_renames_points(case: tuple[list[int], Tree], data: st.DataObject) -> None:
    bounds, tree = case
    exprs = [tree.build(bounds), data.draw(trees(len(bounds))).build(bounds)]
    split = affine.split_dims(exprs, bounds)
    old = np.stack([values_of(v, split.bounds or (1,)) for v in split.values])
    # The pieces, outer part first, walk the old box in its own order.
    np.testing.assert_array_equal(old, np.stack(grid_of(bounds)))
    for expr in exprs:
        np.testing.assert_array_equal(values_of(split.apply(expr), split.bounds or (1,)), values_of(expr, bounds))


@given(factored_shapes(), st.randoms(use_true_random=False))
def test_splitting_makes_reshapes_linear(shapes: tuple[tuple[int, ...], tuple[int, ...]], random: object) -> None:
    """Shapes cut from the same factors, with a transposition after: no division survives."""
    source, target = shapes
    index = affine.delinearize(affine.linearize(tuple(map(affine.dim, range(len(target)))), target), source, target)
    split = affine.split_dims(index, target)
    assert all(split.apply(e).is_linear for e in index)
    assert int(np.prod(split.bounds)) == int(np.prod(target))


Build = Callable[..., Expr]


@dataclass(frozen=True)
class Rule:
    """A rule of strength reduction: both sides for an index i of which nothing is known but its range, and constants that divide."""

    name: str
    left: Build
    right: Build
    constants: tuple[tuple[int, ...], ...]


D, M = affine.floordiv, affine.mod
SIZES = range(1, 13)
MULTIPLES = tuple((b * n, b) for b in SIZES for n in (1, 2, 3, 4))
PAIRS = tuple(product(SIZES, SIZES))
SINGLE = tuple((c,) for c in SIZES)
RULES = [
    Rule("(i % a) % b = i % b where b divides a", lambda i, n, a, b: M(M(i, a, n), b, n), lambda i, n, _a, b: M(i, b, n), MULTIPLES),
    Rule("(i / a) / b = i / (a * b)", lambda i, n, a, b: D(D(i, a, n), b, n), lambda i, n, a, b: D(i, a * b, n), PAIRS),
    Rule(
        "(i % a) / b = (i / b) % (a / b) where b divides a",
        lambda i, n, a, b: D(M(i, a, n), b, n), lambda i, n, a, b: M(D(i, b, n), a // b, n), MULTIPLES,
    ),
    Rule("(i % c) / c = 0", lambda i, n, c: D(M(i, c, n), c, n), lambda _i, _n, _c: Expr(), SINGLE),
    Rule("(i / c) * c + i % c = i", lambda i, n, c: D(i, c, n) * c + M(i, c, n), lambda i, _n, _c: i, SINGLE),
    Rule("i / 1 = i", lambda i, n: D(i, 1, n), lambda i, _n: i, ((),)),
    Rule("i % 1 = 0", lambda i, n: M(i, 1, n), lambda _i, _n: Expr(), ((),)),
]  # fmt: skip
"""Those that SmartMem prints and those that follow from static shapes, for any i."""
INDICES = [
    affine.dim(0), affine.dim(0) + 5, affine.dim(0) - 3, affine.dim(0) * 3 + affine.dim(1) + 1,
    affine.dim(0) * 6 + affine.dim(1) * 4 + 2, affine.dim(0) * 2 - affine.dim(1),
]  # fmt: skip
BOXES = ((1, 3), (4, 1), (13, 4), (24, 3))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_rule(rule: Rule) -> None:
    """Both sides are the same everywhere, and for a plain index they are written the same."""
    for bounds, index, constants in product(BOXES, INDICES, rule.constants):
        left, right = rule.left(index, bounds, *constants), rule.right(index, bounds, *constants)
        np.testing.assert_array_equal(values_of(left, bounds), values_of(right, bounds))
        assert left == right or index != affine.dim(0)


@pytest.mark.parametrize("extent", SIZES)
def test_rule_joined_indices_come_apart(extent: int) -> None:
    """(i * c + j) / c = i and (i * c + j) % c = j where j < c, and for multiples of c too."""
    i, j = affine.dim(0), affine.dim(1)
    for c, times, reach in product(range(2, 13), (1, 2, 3), range(1, 13)):
        bounds = (extent, min(reach, c))
        assert affine.floordiv(i * (c * times) + j, c, bounds) == i * times
        assert affine.mod(i * (c * times) + j, c, bounds) == j


@pytest.mark.parametrize("c", range(2, 13))
def test_rule_what_is_in_range_is_not_divided(c: int) -> None:
    """i / c = 0 and i % c = i where i < c, and only there."""
    i = affine.dim(0)
    for extent in range(1, 30):
        assert (affine.floordiv(i, c, (extent,)) == Expr()) == (extent <= c)
        assert (affine.mod(i, c, (extent,)) == i) == (extent <= c)


def test_rule_remainders_inside_of_sums_vanish() -> None:
    """(k * (i % a) + j) % b = (k * i + j) % b where b divides k * a."""
    i, j = affine.dim(0), affine.dim(1)
    for k, a, b in product((1, 2, 3, -2), SIZES, SIZES):
        bounds = (25, 4)
        left = affine.mod(affine.mod(i, a, bounds) * k + j, b, bounds)
        right = affine.mod(i * k + j, b, bounds)
        if k * a % b == 0:
            np.testing.assert_array_equal(values_of(left, bounds), values_of(right, bounds))
            assert left == right or affine.interval(affine.mod(i, a, bounds) * k + j, bounds)[1] < b


def test_the_rules_that_the_docstrings_promise() -> None:
    x, y = affine.dim(0), affine.dim(1)
    bounds = (24, 4)
    assert affine.floordiv(x * 4 + y, 4, bounds) == x
    assert affine.mod(x * 4 + y, 4, bounds) == y
    assert affine.floordiv(affine.floordiv(x, 2, bounds), 3, bounds) == affine.floordiv(x, 6, bounds)
    assert affine.mod(affine.mod(x, 12, bounds), 4, bounds) == affine.mod(x, 4, bounds)
    assert affine.floordiv(affine.mod(x, 12, bounds), 4, bounds) == affine.mod(affine.floordiv(x, 4, bounds), 3, bounds)
    assert affine.floordiv(x, 4, bounds) * 4 + affine.mod(x, 4, bounds) == x
    assert affine.mod(x, 24, bounds) == x
    assert affine.floordiv(x, 24, bounds) == Expr()


def test_what_cannot_be_simplified_stays() -> None:
    x, y = affine.dim(0), affine.dim(1)
    bounds = (5, 7)
    found = affine.floordiv(x + y, 3, bounds)
    assert found == Expr(((FloorDiv(x + y, 3), 1),)) and not found.is_linear
    assert affine.mod(x * 3 + y, 4, bounds).dims() == {0, 1}
    assert affine.mod(y, 3, bounds) == Expr(((Mod(y, 3), 1),))
    assert not affine.split_points(found, {})


def test_text_names_dimensions() -> None:
    bounds = (10, 10)
    expr = affine.dim(0) * 3 + affine.floordiv(affine.dim(1), 4, bounds) + 2
    assert str(expr) == "3 * d0 + (d1) floordiv 4 + 2"
    assert str(Expr()) == "0"
    assert str(Dim(7)) == "d7"
