"""Integer index expressions: sums of multiples of dimensions, floor divisions and remainders.

Every reshape, transpose, slice, window and layout of the compiler is a tuple of such expressions. They are kept in one
canonical form, a linear combination of *atoms*, so that equality is structural and "is this access linear?" is a
question about atoms. Ranges of the dimensions are known (shapes are static), and every constructor simplifies with them
(strength reduction of SmartMem, arXiv 2404.13528, section 3.2.1, and the rules listed beside each function).

Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

Bounds = Sequence[int]
"""Extent of each dimension: dimension i runs over range(bounds[i])."""


@dataclass(frozen=True)
class Dim:
    """Loop dimension number `index`."""

    index: int

    def __str__(self) -> str:
        return f"d{self.index}"


@dataclass(frozen=True)
class FloorDiv:
    """`operand floordiv divisor`, kept only where it does not simplify."""

    operand: Expr
    divisor: int

    def __str__(self) -> str:
        return f"({self.operand}) floordiv {self.divisor}"


@dataclass(frozen=True)
class Mod:
    """`operand mod divisor`, kept only where it does not simplify."""

    operand: Expr
    divisor: int

    def __str__(self) -> str:
        return f"({self.operand}) mod {self.divisor}"


Atom = Dim | FloorDiv | Mod


@dataclass(frozen=True)
class Expr:
    """`sum(coefficient * atom) + constant`, atoms distinct and in a fixed order, no zero coefficient."""

    terms: tuple[tuple[Atom, int], ...] = ()
    constant: int = 0

    def __add__(self, other: Expr | int) -> Expr:
        other = as_expr(other)
        merged: dict[Atom, int] = dict(self.terms)
        for atom, coefficient in other.terms:
            merged[atom] = merged.get(atom, 0) + coefficient
        return _canonical(merged, self.constant + other.constant)

    __radd__ = __add__

    def __sub__(self, other: Expr | int) -> Expr:
        return self + as_expr(other) * -1

    def __mul__(self, factor: int) -> Expr:
        return _canonical({atom: c * factor for atom, c in self.terms}, self.constant * factor)

    __rmul__ = __mul__

    def __str__(self) -> str:
        parts = [str(a) if c == 1 else f"{c} * {a}" if isinstance(a, Dim) else f"{c} * ({a})" for a, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts)

    @property
    def is_constant(self) -> bool:
        return not self.terms

    @property
    def is_linear(self) -> bool:
        """True when every atom is a dimension."""
        return all(isinstance(atom, Dim) for atom, _ in self.terms)

    def coefficient(self, dim: int) -> int:
        """Factor of dimension `dim` in the linear part."""
        return next((c for atom, c in self.terms if atom == Dim(dim)), 0)

    def dims(self) -> frozenset[int]:
        """Every dimension that occurs, also inside divisions."""
        found: set[int] = set()
        for atom, _ in self.terms:
            found |= {atom.index} if isinstance(atom, Dim) else atom.operand.dims()
        return frozenset(found)


def _canonical(terms: Mapping[Atom, int], constant: int) -> Expr:
    terms, constant = _join_quotients(terms, constant)
    kept = sorted(((a, c) for a, c in terms.items() if c), key=lambda item: _order(item[0]))
    return Expr(tuple(kept), constant)


def _join_quotients(terms: Mapping[Atom, int], constant: int) -> tuple[Mapping[Atom, int], int]:
    """(x / c) * (c * k) + (x % c) * k = x * k."""
    for atom, k in terms.items():
        if isinstance(atom, Mod):
            quotient = _quotient_of(atom)
            if k and terms.get(quotient, 0) == k * atom.divisor:
                rest = Expr(tuple((a, c) for a, c in terms.items() if a not in (atom, quotient)))
                joined = rest + atom.operand * k
                return dict(joined.terms), joined.constant + constant
    return terms, constant


def _quotient_of(atom: Mod) -> FloorDiv:
    """The atom that `operand floordiv divisor` is written as."""
    operand = atom.operand
    if len(operand.terms) == 1 and operand.terms[0][1] == 1 and not operand.constant:
        inner = operand.terms[0][0]
        if isinstance(inner, FloorDiv):
            return FloorDiv(inner.operand, inner.divisor * atom.divisor)
    return FloorDiv(operand, atom.divisor)


def _order(atom: Atom) -> tuple[int, str]:
    return (atom.index, "") if isinstance(atom, Dim) else (1_000_000, str(atom))


def as_expr(value: Expr | int) -> Expr:
    """An integer as a constant expression; an expression as it is."""
    return value if isinstance(value, Expr) else Expr((), value)


def dim(index: int) -> Expr:
    """The expression `d<index>`."""
    return Expr(((Dim(index), 1),))


def interval(expr: Expr, bounds: Bounds) -> tuple[int, int]:
    """Smallest and largest value (inclusive) that interval arithmetic proves, each dimension in range(bounds[i])."""
    low = high = expr.constant
    for atom, coefficient in expr.terms:
        first, last = _atom_interval(atom, bounds)
        low += coefficient * (first if coefficient > 0 else last)
        high += coefficient * (last if coefficient > 0 else first)
    return low, high


def _atom_interval(atom: Atom, bounds: Bounds) -> tuple[int, int]:
    if isinstance(atom, Dim):
        return 0, max(bounds[atom.index] - 1, 0)
    low, high = interval(atom.operand, bounds)
    if isinstance(atom, FloorDiv):
        return low // atom.divisor, high // atom.divisor
    if low // atom.divisor == high // atom.divisor:
        return low % atom.divisor, high % atom.divisor
    return 0, atom.divisor - 1


def floordiv(expr: Expr | int, divisor: int, bounds: Bounds) -> Expr:
    """`expr floordiv divisor`, simplified:

    (c*q + r) / c = q when 0 <= r < c;  (x / a) / b = x / (a*b);  (x % a) / b = (x / b) % (a / b) when b divides a;
    (g*x + r) / (g*c) = x / c when 0 <= r < g.
    """
    expr = as_expr(expr)
    if divisor == 1:
        return expr
    quotient, rest = _split(expr, divisor)
    low, high = interval(rest, bounds)
    if low // divisor == high // divisor:
        return quotient + low // divisor
    shift = rest.constant // divisor
    quotient, rest = quotient + shift, rest - shift * divisor
    for common, large, _ in _scales(rest, divisor, bounds):
        return quotient + floordiv(large, divisor // common, bounds)
    if len(rest.terms) == 1 and rest.terms[0][1] == 1 and rest.constant == 0:
        atom = rest.terms[0][0]
        if isinstance(atom, FloorDiv):
            return quotient + floordiv(atom.operand, atom.divisor * divisor, bounds)
        if isinstance(atom, Mod) and atom.divisor % divisor == 0:
            return quotient + mod(floordiv(atom.operand, divisor, bounds), atom.divisor // divisor, bounds)
    return quotient + Expr(((FloorDiv(rest, divisor), 1),))


def mod(expr: Expr | int, divisor: int, bounds: Bounds) -> Expr:
    """`expr mod divisor` (never negative), simplified:

    (c*q + r) % c = r when 0 <= r < c;  (k * (x % a) + y) % b = (k * x + y) % b when b divides k * a;
    (g*x + r) % (g*c) = g * (x % c) + r when 0 <= r < g.
    """
    expr = as_expr(expr)
    if divisor == 1:
        return Expr()
    _, rest = _split(expr, divisor)
    rest = rest - (rest.constant // divisor) * divisor
    low, high = interval(rest, bounds)
    if low // divisor == high // divisor:
        return rest - (low // divisor) * divisor
    plain = _without_remainders(rest, divisor)
    if plain != rest:
        return mod(plain, divisor, bounds)
    for common, large, small in _scales(rest, divisor, bounds):
        return mod(large, divisor // common, bounds) * common + small
    return Expr(((Mod(rest, divisor), 1),))


def _without_remainders(expr: Expr, divisor: int) -> Expr:
    """An expression of the same remainder, without the remainders in it that make no difference."""
    total = Expr((), expr.constant)
    for atom, k in expr.terms:
        if isinstance(atom, Mod) and k * atom.divisor % divisor == 0:
            total = total + _without_remainders(atom.operand, divisor) * k
        else:
            total = total + Expr(((atom, k),))
    return total


def _scales(expr: Expr, divisor: int, bounds: Bounds) -> Iterator[tuple[int, Expr, Expr]]:
    """Ways to write `expr` as g * large + small with g > 1 dividing the divisor and 0 <= small < g; largest g first."""
    factors = {gcd(divisor, c) for _, c in expr.terms}
    for common in sorted((g for g in factors if g > 1), reverse=True):
        shift = expr.constant // common
        small = Expr(tuple((a, c) for a, c in expr.terms if c % common), expr.constant - shift * common)
        low, high = interval(small, bounds)
        if low >= 0 and high < common:
            yield common, Expr(tuple((a, c // common) for a, c in expr.terms if c % common == 0), shift), small


def _split(expr: Expr, divisor: int) -> tuple[Expr, Expr]:
    """`expr = divisor * quotient + rest`, the rest holding the terms whose factor the divisor does not divide."""
    quotient = Expr(tuple((a, c // divisor) for a, c in expr.terms if c % divisor == 0), 0)
    rest = Expr(tuple((a, c) for a, c in expr.terms if c % divisor), expr.constant)
    return quotient, rest


def substitute(expr: Expr, values: Sequence[Expr], bounds: Bounds) -> Expr:
    """Replace dimension i by `values[i]`, simplifying with the `bounds` of the dimensions that the values use."""
    total = Expr((), expr.constant)
    for atom, coefficient in expr.terms:
        total = total + _substitute_atom(atom, values, bounds) * coefficient
    return total


def _substitute_atom(atom: Atom, values: Sequence[Expr], bounds: Bounds) -> Expr:
    if isinstance(atom, Dim):
        return values[atom.index]
    inner = substitute(atom.operand, values, bounds)
    return (floordiv if isinstance(atom, FloorDiv) else mod)(inner, atom.divisor, bounds)


def evaluate(expr: Expr, point: Sequence[Any]) -> Any:
    """Value at one point, or at many where its coordinates are arrays."""
    total = expr.constant
    for atom, coefficient in expr.terms:
        if isinstance(atom, Dim):
            value = point[atom.index]
        elif isinstance(atom, FloorDiv):
            value = evaluate(atom.operand, point) // atom.divisor
        else:
            value = evaluate(atom.operand, point) % atom.divisor
        total = total + coefficient * value
    return total


def linearize(indices: Sequence[Expr], shape: Sequence[int]) -> Expr:
    """Row-major position of a multi-dimensional index."""
    position = Expr()
    for index, extent in zip(indices, shape, strict=True):
        position = position * extent + index
    return position


def delinearize(position: Expr, shape: Sequence[int], bounds: Bounds) -> tuple[Expr, ...]:
    """Multi-dimensional index of a row-major position."""
    indices: list[Expr] = []
    inner = 1
    for axis in range(len(shape) - 1, -1, -1):
        index = floordiv(position, inner, bounds)
        indices.append(index if axis == 0 else mod(index, shape[axis], bounds))
        inner *= shape[axis]
    return tuple(reversed(indices))


def split_points(expr: Expr, cuts: dict[int, set[int]]) -> bool:
    """Collect for each dimension the sizes at which it must be cut for `expr` to become linear.

    False when some atom cannot be made linear by cutting single dimensions (a division of a sum).
    """
    possible = True
    for atom, _ in expr.terms:
        if isinstance(atom, Dim):
            continue
        inner = 1
        operand = atom.operand
        if len(operand.terms) == 1 and isinstance(operand.terms[0][0], FloorDiv) and operand.terms[0][1] == 1:
            inner, operand = operand.terms[0][0].divisor, operand.terms[0][0].operand
        if len(operand.terms) != 1 or operand.constant or not isinstance(operand.terms[0][0], Dim):
            possible = False
            continue
        ((variable, factor),) = operand.terms
        outer = inner * atom.divisor
        if factor != 1 or not isinstance(variable, Dim):
            possible = False
            continue
        cuts.setdefault(variable.index, set()).update({inner, outer} - {1})
    return possible


@dataclass(frozen=True)
class Split:
    """A refinement of loop dimensions: old dimension i is `values[i]` over new dimensions of extents `bounds`."""

    bounds: tuple[int, ...]
    values: tuple[Expr, ...]

    def apply(self, expr: Expr) -> Expr:
        return substitute(expr, self.values, self.bounds)


def split_dims(exprs: Iterable[Expr], bounds: Bounds) -> Split:
    """Cut dimensions so that as many of `exprs` as possible become linear; identity where nothing has to be cut.

    A dimension is cut only at sizes that divide one another and its extent (a rectangular split); other divisions stay.
    New dimensions keep the order of the old ones, outer part first; dimensions of extent one vanish.
    """
    pending = list(exprs)
    split = _cut(bounds, {})
    while True:
        cuts: dict[int, set[int]] = {}
        for expr in pending:
            split_points(split.apply(expr), cuts)
        step = _cut(split.bounds, cuts)
        if len(step.bounds) == len(split.bounds):
            return split
        split = Split(step.bounds, tuple(step.apply(v) for v in split.values))


def _cut(bounds: Bounds, cuts: Mapping[int, set[int]]) -> Split:
    new_bounds: list[int] = []
    values: list[Expr] = []
    for index, extent in enumerate(bounds):
        if extent == 1:
            values.append(Expr())
            continue
        sizes = [1]
        for size in sorted(cuts.get(index, ())):
            if size < extent and size % sizes[-1] == 0 and extent % size == 0 and size > sizes[-1]:
                sizes.append(size)
        value = Expr()
        for position, size in reversed(list(enumerate(sizes))):
            outer = sizes[position + 1] if position + 1 < len(sizes) else extent
            value = value + dim(len(new_bounds)) * size
            new_bounds.append(outer // size)
        values.append(value)
    return Split(tuple(new_bounds), tuple(values))
