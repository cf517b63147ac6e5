"""Integers of a stage, and real numbers as sums of them.

An `Atom` is an integer at every point of a stage's loops, with what it is for the example inputs, by which ranges are chosen. A `Form` is a real number
as a sum of atoms times factors, a `Curve` a function of one atom; neither costs anything until it is made an atom (`settle`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.accelerator.tables import Index
from cocomp.passes.math.quantisers.dyadic import MULTIPLIER_BITS

Array = np.ndarray
Factor = float | Array
"""A number, or one for each point, in the shape of the loops or with extents of one."""
BITS = 16
"""Of numbers that are no levels."""
MOST_SHIFT = 46
GUARD = 3
"""Bits by which what a rounded multiplier changes is below the last place of a sum."""
ROOM = 4.0
"""How many times what was seen on the examples numbers of 16 bits may be: inputs differ."""


@dataclass(eq=False)
class Atom:
    """An integer at each point: what it is made of, its values for the examples (int64, the shape of the loops or extents of one), and the
    smallest and largest that it can be."""

    kind: str
    """`load`, `sum` (of a contraction), `scaled`, `product`, `max`, `min`, `table` or `select`."""
    array: Array
    low: int
    high: int
    operands: tuple[Atom, ...] = ()
    data: object = None


@dataclass(frozen=True)
class Scaling:
    """`(sum of multiplier * operand + offset) >> shift`."""

    multipliers: tuple[Array, ...]
    offset: Array
    shift: int


@dataclass(eq=False)
class Form:
    """`clamp(sum of factor * atom + const, low, high)`."""

    terms: dict[Atom, Factor] = field(default_factory=dict[Atom, Factor])
    const: Factor = 0.0
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_constant(self) -> bool:
        return not self.terms

    @property
    def is_clamped(self) -> bool:
        return self.low > -math.inf or self.high < math.inf

    def values(self) -> Array:
        """For the examples."""
        total = np.asarray(self.const, np.float64)
        for atom, factor in self.terms.items():
            total = total + factor * atom.array
        return np.clip(total, self.low, self.high)


@dataclass(eq=False)
class Curve:
    """`function(atom)`; the function takes integers as floating point numbers."""

    atom: Atom
    function: Callable[[Array], Array]
    step: float = 0.0
    """How far apart the levels are that it has been rounded to; 0 where it has not."""


@dataclass(eq=False)
class Condition:
    """A comparison of two numbers."""

    predicate: str
    left: Form | Curve
    right: Form | Curve


def single(form: Form | Curve) -> tuple[Atom, float] | None:
    """The atom and the factor of a form that is nothing else."""
    if isinstance(form, Curve) or len(form.terms) != 1 or form.is_clamped or np.any(form.const):
        return None
    ((atom, factor),) = form.terms.items()
    return (atom, float(factor)) if np.ndim(factor) == 0 else None


def scaled(form: Form, scale: float, low: int | None = None, high: int | None = None) -> Atom:
    """Round(form / scale), halves up, no smaller than `low` and no larger than `high`."""
    if form.is_clamped:
        low = (
            max(math.ceil(round(form.low / scale, 6)), -(1 << 62) if low is None else low)
            if form.low > -math.inf
            else low
        )
        high = (
            min(math.floor(round(form.high / scale, 6)), 1 << 62 if high is None else high)
            if form.high < math.inf
            else high
        )
    operands = tuple(form.terms)
    factors = [np.asarray(f, np.float64) / scale for f in form.terms.values()]
    const = np.asarray(form.const, np.float64) / scale
    largest = max((float(np.abs(f).max()) for f in factors), default=0.0)
    exact = max((_width(a) + GUARD for a in operands), default=0)
    shift = min(max(MULTIPLIER_BITS - 1 - math.frexp(largest)[1], exact), MOST_SHIFT) if largest else 0
    if const.size > 1:  # numbers that are stored have 32 bits
        shift = min(shift, max(30 - math.frexp(float(np.abs(const).max()))[1], 0))
    multipliers = tuple(np.rint(np.ldexp(f, shift)).astype(np.int64) for f in factors)
    offset = np.rint(np.ldexp(const, shift)).astype(np.int64)
    even = min((_twos(m) for m in (*multipliers, offset)), default=0)
    shift, spare = max(shift - even, 0), min(shift, even)
    multipliers, offset = tuple(m >> spare for m in multipliers), offset >> spare
    offset = offset + (1 << shift - 1 if shift else 0)
    total = offset
    bounds = [int(offset.min()), int(offset.max())]
    for atom, multiplier in zip(operands, multipliers, strict=True):
        total = total + multiplier * atom.array
        ends = [int(m) * e for m in (multiplier.min(), multiplier.max()) for e in (atom.low, atom.high)]
        bounds = [bounds[0] + min(ends), bounds[1] + max(ends)]
    if max(abs(b) for b in bounds) >= 1 << 63:
        raise ValueError("sums beyond 64 bits")
    made = Atom(
        "scaled",
        total >> shift,
        bounds[0] >> shift,
        bounds[1] >> shift,
        operands,
        (Scaling(multipliers, offset, shift), form, scale),
    )
    return limited(made, low, high)


def _twos(numbers: Array) -> int:
    """How often all numbers can be divided by two; 62 for zeros."""
    together = int(np.bitwise_or.reduce(np.abs(numbers), axis=None))
    return (together & -together).bit_length() - 1 if together else 62


def limited(atom: Atom, low: int | None, high: int | None) -> Atom:
    """An atom that is no smaller than `low` and no larger than `high`."""
    if low is not None and atom.low < low:
        atom = Atom("max", np.maximum(atom.array, low), low, max(atom.high, low), (atom,), low)
    if high is not None and atom.high > high:
        atom = Atom("min", np.minimum(atom.array, high), min(atom.low, high), high, (atom,), high)
    return atom


def settle(form: Form | Curve, bits: int = BITS) -> tuple[Atom, float]:
    """A number as an integer of at most `bits` bits and a factor: exact where it is an atom of so many already, rounded otherwise, at a scale that
    what was seen on the examples fits."""
    found = single(form)
    if found is not None and _width(found[0]) <= bits:
        return found
    if isinstance(form, Curve):
        return _tabled(form, bits)
    clamped = _clamped_exactly(form, bits)
    if clamped is not None:
        return clamped
    kind, scale = _fit(form.values(), bits)
    return scaled(form, scale, kind.low, kind.high), scale


def _clamped_exactly(form: Form, bits: int) -> tuple[Atom, float] | None:
    """Where a form is an atom times a factor and clamped between multiples of that: the clamped atom."""
    bare = single(replace(form, low=-math.inf, high=math.inf))
    if bare is None or bare[1] <= 0:
        return None
    atom, factor = bare
    ends: list[int | None] = []
    for end in (form.low, form.high):
        if math.isfinite(end) and abs(round(end / factor) - end / factor) > 1e-4:
            return None
        ends.append(round(end / factor) if math.isfinite(end) else None)
    found = limited(atom, ends[0], ends[1])
    return (found, factor) if _width(found) <= bits else None


def _fit(values: Array, bits: int, step: float = 0.0) -> tuple[IntegerType, float]:
    """Integers for numbers, and their scale: `step` where they are on levels."""
    if not np.isfinite(values).all():
        raise ValueError("numbers that are not finite on the example inputs")
    kind = IntegerType(bits, bool(values.min(initial=0.0) < 0))
    largest = float(np.abs(values).max(initial=0.0)) * ROOM
    return kind, step or (largest / kind.high if largest else 1.0)


def _tabled(curve: Curve, bits: int) -> tuple[Atom, float]:
    index = Index.of(curve.atom.low, curve.atom.high)
    with np.errstate(all="ignore"):
        kind, scale = _fit(np.asarray(curve.function(curve.atom.array.astype(np.float64))), bits, curve.step)
    entries = np.nan_to_num(index.sample(curve.function) / scale, nan=0.0, posinf=kind.high, neginf=kind.low)
    table = np.clip(np.rint(entries), kind.low, kind.high).astype(np.int64)
    seen = table[index.position(curve.atom.array)]
    return Atom("table", seen, int(table.min()), int(table.max()), (curve.atom,), (index, table)), scale


def _width(atom: Atom) -> int:
    """Bits of an atom."""
    return width(atom.low, atom.high)


def width(low: int, high: int) -> int:
    """Bits that integers from low to high need."""
    return max(high.bit_length(), 1) if low >= 0 else max((~low).bit_length(), high.bit_length()) + 1


def type_for(low: int, high: int) -> IntegerType:
    """The narrowest type with all integers from low to high. Raises ValueError where there is none."""
    return IntegerType(width(low, high), signed=low < 0)


def multiplied(a: Atom, b: Atom) -> Atom:
    """The product of two atoms."""
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    if a is b:
        ends = [a.low**2, a.high**2, *([0] if a.low < 0 < a.high else [])]
    if max(map(abs, ends)) >= 1 << 62:
        raise ValueError("products beyond 64 bits")
    return Atom("product", a.array * b.array, min(ends), max(ends), (a, b))


def larger(a: Atom, b: Atom) -> Atom:
    """The larger one of two atoms."""
    return Atom("max", np.maximum(a.array, b.array), max(a.low, b.low), max(a.high, b.high), (a, b))


def smaller(a: Atom, b: Atom) -> Atom:
    """The smaller one of two atoms."""
    return Atom("min", np.minimum(a.array, b.array), min(a.low, b.low), min(a.high, b.high), (a, b))


def chosen(predicate: str, x: Atom, y: Atom, a: Atom, b: Atom) -> Atom:
    """`a` where x compares with y like this, otherwise b; `predicate` is one of `arith.cmpi`."""
    holds = {
        "slt": np.less,
        "sle": np.less_equal,
        "sgt": np.greater,
        "sge": np.greater_equal,
        "eq": np.equal,
        "ne": np.not_equal,
    }
    array = np.where(holds[predicate](x.array, y.array), a.array, b.array)
    return Atom("select", array, min(a.low, b.low), max(a.high, b.high), (x, y, a, b), predicate)
