"""Kernels in one launch: units stay in their slices, and neighbours share a launch only where nothing is lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.chains import Chain, Digit, Limits, Step, Walk, exact_digits, form_chains, slice_of, walk_of

LIMITS = Limits(cache_bytes=1000, arguments=6)


@st.composite
def walks(draw: st.DrawFn) -> tuple[list[int], list[Digit], list[Expr]]:
    """Extents, digits, and positions: mostly those of a tensor with its axes in some order, walked in another."""
    bounds = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4))
    order = draw(st.permutations(range(len(bounds))))
    if draw(st.booleans()):
        order = list(range(len(bounds)))
    strides: dict[int, int] = {}
    size = 1
    for dim in reversed(order):
        strides[dim] = size
        size *= bounds[dim]
    position = Expr((), 0)
    for dim, stride in strides.items():
        kind = draw(st.sampled_from(["plain"] * 6 + ["left out", "wide", "cut"]))
        factor = {"plain": stride, "left out": 0, "wide": 2 * stride, "cut": stride}[kind]
        index = affine.dim(dim)
        position = position + (affine.mod(index, 2, bounds) if kind == "cut" else index) * factor
    offsets = draw(st.lists(st.integers(0, 3), min_size=1, max_size=2))
    count = draw(st.integers(0, len(bounds)))
    loops = [(d, bounds[d], draw(st.sampled_from([s for s in (1, 2, 3) if s <= bounds[d]]))) for d in range(count)]
    return bounds, list(exact_digits(loops)), [position + o for o in (offsets if draw(st.booleans()) else [0])]


def unit_of(point: Sequence[int], digits: Sequence[Digit], units: int) -> int:
    number = 0
    for digit in digits:
        number = number * digit.count + point[digit.dim] // digit.step
    return number * units // prod(d.count for d in digits)


@given(walks(), st.sampled_from([1, 2, 4, 8]))
def test_every_unit_stays_in_its_slice(walk: tuple[list[int], list[Digit], list[Expr]], element_bytes: int) -> None:
    bounds, digits, positions = walk
    counts = [d.count for d in digits]
    found = walk_of(positions, digits, bounds, element_bytes)
    for units in range(1, prod(counts) + 1):
        size = slice_of(found, counts, units)
        if size is None:
            continue
        assert prod(counts) % units == 0
        for point in itertools.product(*map(range, bounds)):
            for position in positions:
                at = affine.evaluate(position, point) * element_bytes
                unit = unit_of(point, digits, units)
                assert unit * size <= at and at + element_bytes <= (unit + 1) * size


@given(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=4), st.integers(1, 4), st.data())
def test_a_tensor_in_its_order_can_be_cut_at_every_digit(bounds: list[int], count: int, data: st.DataObject) -> None:
    position = affine.linearize([affine.dim(d) for d in range(len(bounds))], bounds)
    digits = exact_digits((d, n, 1) for d, n in list(enumerate(bounds))[:count])
    counts = [d.count for d in digits]
    walk = walk_of([position], digits, bounds, 4)
    whole = prod(counts)
    for j in range(len(counts)):
        together = data.draw(st.sampled_from([n for n in range(1, counts[j] + 1) if counts[j] % n == 0]))
        units = prod(counts[: j + 1]) // together
        if units > 1 or whole == 1:
            assert slice_of(walk, counts, units) == 4 * prod(bounds) // units


def test_digits_end_where_tasks_are_uneven() -> None:
    assert exact_digits([(0, 12, 1), (1, 1, 1), (2, 128, 32), (3, 10, 4), (4, 8, 1)]) == (
        Digit(0, 1, 12),
        Digit(2, 32, 4),
    )


def step(
    reads: str, writes: str, *digits: int, tasks: int = 0, size: int = 1, constants: dict[str, int] | None = None
) -> Step:
    """A kernel whose buffers of `size` bytes a task all lie in the order of its tasks."""
    products = [size * prod(digits[j + 1 :]) for j in range(len(digits))]
    walk = Walk(tuple(products), tuple(products))
    return Step(
        tasks or prod(digits), digits, dict.fromkeys(reads + writes, walk), frozenset(reads), frozenset(writes), constants or {}
    )  # fmt: skip


def test_what_falls_into_the_same_units_shares_a_launch() -> None:
    """The finest units that all have; what nobody else reads is passed on in slices."""
    steps = [step("x", "a", 12, 2, size=4), step("a", "b", 12, 8), step("bx", "c", 24, size=4)]
    assert list(form_chains(steps, LIMITS)) == [Chain((0, 1, 2), 24, {"a": 4, "b": 4})]
    assert list(form_chains([*steps, step("b", "d", 5)], LIMITS)) == [Chain((0, 1, 2), 24, {"a": 4})]
    assert list(form_chains(steps, LIMITS, kept={"a"})) == [Chain((0, 1, 2), 24, {"b": 4})]


def test_a_chain_goes_as_far_as_it_can() -> None:
    steps = [step("x", "a", 8), step("a", "b", 8), step("b", "c", 9), step("c", "d", 9)]
    assert list(form_chains(steps, LIMITS)) == [Chain((0, 1), 8, {"a": 1}), Chain((2, 3), 9, {"c": 1})]


def test_single_tasks_share_a_launch_whatever_they_read() -> None:
    steps = [step("x", "a", tasks=1), step("x", "b", tasks=1), step("ab", "c", tasks=1), step("c", "d", 8)]
    assert list(form_chains(steps, LIMITS)) == [Chain((0, 1, 2), 1)]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(step("x", "b", 8), id="nothing is passed on"),
        pytest.param(step("a", "b", 9), id="other units"),
        pytest.param(step("a", "b", 4, 2, size=2), id="other slices"),
        pytest.param(Step(8, (8,), {"a": Walk()}, frozenset("a"), frozenset("b")), id="all of it is read"),
        pytest.param(step("abcdef", "g", 8), id="too many arguments"),
        pytest.param(step("a", "b", 8, constants={"v": 1001, "w": 1}), id="weights that drive each other out of the cache"),
        pytest.param(step("a", "a", 8), id="written twice"),
    ],
)  # fmt: skip
def test_kernels_that_stay_alone(second: Step) -> None:
    first = step("x", "a", 8, constants={"u": 1001})
    assert list(form_chains([first, second], LIMITS)) == []


def test_few_units_stay_alone_unless_there_are_no_more_tasks() -> None:
    assert list(form_chains([step("x", "a", 4, 16), step("a", "b", 4)], LIMITS)) == []
    assert list(form_chains([step("x", "a", 4), step("a", "b", 4)], LIMITS)) == [Chain((0, 1), 4, {"a": 1})]


def test_slices_that_outgrow_the_cache_stay_in_memory() -> None:
    assert list(form_chains([step("x", "a", 8, size=1001), step("a", "b", 8, size=1001)], LIMITS)) == []
