"""Minimal filtering in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cocomp.passes.math.winograd import Filtering, Matrix, apply, filtering

fractions = st.fractions(min_value=-4, max_value=4, max_denominator=8)
points = [Fraction(0), Fraction(1), Fraction(-1), Fraction(2), Fraction(-2), Fraction(1, 2), Fraction(-1, 2)]


def product(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def filtered(made: Filtering, data: list[Fraction], taps: list[Fraction]) -> list[Fraction]:
    u, v = product(made.filter_transform, taps), product(made.input_transform, data)
    return product(made.output_transform, [a * b for a, b in zip(u, v, strict=True)])


def correlation(data: list[Fraction], taps: list[Fraction], outputs: int) -> list[Fraction]:
    return [sum((data[i + k] * t for k, t in enumerate(taps)), Fraction(0)) for i in range(outputs)]


@given(st.integers(1, 6), st.integers(1, 5), st.data())
def test_filtering_is_correlation(outputs: int, taps: int, data: st.DataObject) -> None:
    size = outputs + taps - 1
    chosen = data.draw(st.lists(fractions, min_size=size - 1, max_size=size - 1, unique=True))
    made = filtering(outputs, taps, chosen)
    assert made.size == size
    d = data.draw(st.lists(fractions, min_size=size, max_size=size))
    g = data.draw(st.lists(fractions, min_size=taps, max_size=taps))
    assert filtered(made, d, g) == correlation(d, g, outputs)


def test_the_points_must_be_distinct_and_enough() -> None:
    with pytest.raises(ValueError, match="expected 5 distinct points, got 4"):
        filtering(4, 3, points[:4])
    with pytest.raises(ValueError, match="expected 2 distinct points"):
        filtering(2, 2, [Fraction(1), Fraction(1)])


class Counter:
    """Fractions that count what is done to them."""

    def __init__(self) -> None:
        self.operations = 0
        self.multiplications = 0

    def add(self, a: Fraction, b: Fraction) -> Fraction:
        self.operations += 1
        return a + b

    def subtract(self, a: Fraction, b: Fraction) -> Fraction:
        self.operations += 1
        return a - b

    def scaled(self, c: Fraction, x: Fraction, y: Fraction | None) -> Fraction:
        self.operations += 1
        self.multiplications += 1
        return c * x + (y or 0)


matrices = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(-2, 2).map(Fraction), min_size=width, max_size=width), min_size=1, max_size=6
    )
)


@given(matrices, st.data())
def test_straight_line_programs_are_the_matrix(matrix: Matrix, data: st.DataObject) -> None:
    assume(all(any(row) for row in matrix))
    width = len(matrix[0])
    values = data.draw(st.lists(fractions, min_size=width, max_size=width))
    counter = Counter()
    assert apply(matrix, values, counter.add, counter.subtract, counter.scaled) == product(matrix, values)


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (4, 3), (2, 5), (6, 3)])
def test_sharing_saves_operations(outputs: int, taps: int) -> None:
    made = filtering(outputs, taps, points[: outputs + taps - 2])
    for matrix in (made.input_transform, made.filter_transform, made.output_transform):
        counter = Counter()
        values = [Fraction(i + 1) for i in range(len(matrix[0]))]
        assert apply(matrix, values, counter.add, counter.subtract, counter.scaled) == product(matrix, values)
        plain = sum(sum(map(bool, row)) for row in matrix)
        assert counter.operations <= plain
