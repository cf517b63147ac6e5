"""Minimal filtering: the matrices of F(m, r), and short straight-line programs that apply them.

F(m, r) computes m outputs of an r-tap filter with m + r - 1 multiplications (Winograd 1980; Lavin & Gray 2016). The
matrices come from evaluating polynomials at points and at infinity (Toom-Cook), in exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

Matrix = list[list[Fraction]]
T = TypeVar("T")


@dataclass(frozen=True)
class Filtering:
    """y = A_t ((G g) * (B_t d)): g the filter, d the input tile, * element by element."""

    outputs: int
    taps: int
    input_transform: Matrix
    """B transposed, [n, n] with n = outputs + taps - 1."""
    filter_transform: Matrix
    """G, [n, taps]."""
    output_transform: Matrix
    """A transposed, [outputs, n]."""

    @property
    def size(self) -> int:
        """Points of a tile along one axis."""
        return self.outputs + self.taps - 1


def filtering(outputs: int, taps: int, points: Sequence[Fraction]) -> Filtering:
    """F(outputs, taps) from outputs + taps - 2 distinct points; infinity is the last one."""
    size = outputs + taps - 1
    if len(points) != size - 1 or len(set(points)) != len(points):
        raise ValueError(f"expected {size - 1} distinct points, got {len(points)}")
    # Convolution of a filter with `outputs` values by evaluation and interpolation, transposed (Tellegen).
    filter_transform = [[p**k for k in range(taps)] for p in points] + [[Fraction(k == taps - 1) for k in range(taps)]]
    output_transform = [[p**k for p in points] + [Fraction(k == outputs - 1)] for k in range(outputs)]
    interpolation = _interpolation(points, size)
    input_transform = [list(column) for column in zip(*interpolation, strict=True)]
    for row, point in enumerate(points):
        scale = Fraction(1)
        for other in points:
            scale *= point - other if other != point else 1
        filter_transform[row] = [g / scale for g in filter_transform[row]]
        input_transform[row] = [b * scale for b in input_transform[row]]
    return Filtering(outputs, taps, input_transform, filter_transform, output_transform)


def _interpolation(points: Sequence[Fraction], size: int) -> Matrix:
    """Coefficients of a polynomial of degree size - 1 from its values at the points and its leading coefficient."""
    matrix = [[p**k for k in range(size)] for p in points] + [[Fraction(k == size - 1) for k in range(size)]]
    return _inverse(matrix)


def _inverse(matrix: Matrix) -> Matrix:
    size = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(r for r in range(column, size) if rows[r][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for other in range(size):
            if other != column and rows[other][column]:
                factor = rows[other][column]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[column], strict=True)]
    return [row[size:] for row in rows]


def apply(
    matrix: Matrix,
    values: Sequence[T],
    add: Callable[[T, T], T],
    subtract: Callable[[T, T], T],
    scaled: Callable[[Fraction, T, T | None], T],
) -> list[T]:
    """`matrix @ values` with few operations. `scaled(c, x, y)` is c * x + y, or c * x when y is None.

    Rows (or columns) that agree up to sign share their sums: what holds for points p and -p.
    """
    pairs = _sign_pairs([list(column) for column in zip(*matrix, strict=True)])
    if pairs:
        columns = [list(c) for c in zip(*matrix, strict=True)]
        values, columns = _fold_columns(pairs, columns, list(values), add, subtract)
        return _rows([list(r) for r in zip(*columns, strict=True)], values, add, subtract, scaled)
    return _rows(matrix, values, add, subtract, scaled)


def _sign_pairs(rows: Matrix) -> list[tuple[int, int]]:
    """Disjoint pairs of rows whose entries have equal absolute values, not all of them equal."""
    found: list[tuple[int, int]] = []
    used: set[int] = set()
    for i, a in enumerate(rows):
        for j in range(i + 1, len(rows)):
            b = rows[j]
            if i in used or j in used or sum(map(bool, a)) < 2:
                continue
            if all(abs(x) == abs(y) for x, y in zip(a, b, strict=True)):
                found.append((i, j))
                used |= {i, j}
    return found


def _fold_columns(
    pairs: list[tuple[int, int]],
    columns: Matrix,
    values: list[T],
    add: Callable[[T, T], T],
    subtract: Callable[[T, T], T],
) -> tuple[list[T], Matrix]:
    """Replace two values by their sum and difference: x c + y c = (x + y) c, x c - y c = (x - y) c."""
    for i, j in pairs:
        total, difference = add(values[i], values[j]), subtract(values[i], values[j])
        same = [a if a == b else Fraction(0) for a, b in zip(columns[i], columns[j], strict=True)]
        opposite = [a if a != b else Fraction(0) for a, b in zip(columns[i], columns[j], strict=True)]
        values[i], values[j] = total, difference
        columns[i], columns[j] = same, opposite
    return values, columns


def _rows(
    matrix: Matrix,
    values: Sequence[T],
    add: Callable[[T, T], T],
    subtract: Callable[[T, T], T],
    scaled: Callable[[Fraction, T, T | None], T],
) -> list[T]:
    results: dict[int, T] = {}
    for i, j in _sign_pairs(matrix):
        same = [a if a == b else Fraction(0) for a, b in zip(matrix[i], matrix[j], strict=True)]
        opposite = [a if a != b else Fraction(0) for a, b in zip(matrix[i], matrix[j], strict=True)]
        if any(same) and any(opposite):
            even, odd = _dot(same, values, add, subtract, scaled), _dot(opposite, values, add, subtract, scaled)
            results[i], results[j] = add(even, odd), subtract(even, odd)
    return [results[i] if i in results else _dot(row, values, add, subtract, scaled) for i, row in enumerate(matrix)]


def _dot(
    row: Sequence[Fraction],
    values: Sequence[T],
    add: Callable[[T, T], T],
    subtract: Callable[[T, T], T],
    scaled: Callable[[Fraction, T, T | None], T],
) -> T:
    """One row: begins with a value that needs no multiplication, where there is one."""
    terms = sorted(
        ((c, v) for c, v in zip(row, values, strict=True) if c), key=lambda term: (term[0] != 1, abs(term[0]) != 1)
    )
    (first, value), *rest = terms
    total = value if first == 1 else scaled(first, value, None)
    for factor, value in rest:
        if factor == 1:
            total = add(total, value)
        elif factor == -1:
            total = subtract(total, value)
        else:
            total = scaled(factor, value, total)
    return total
