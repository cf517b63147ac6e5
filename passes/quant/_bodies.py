"""What the operations of a body make of numbers: sums stay sums, functions of one integer stay functions of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ._atoms import Array, Atom, Condition, Curve, Form, chosen, larger, multiplied, scaled, settle, single, smaller

Number = Form | Curve
_erf = np.vectorize(math.erf, otypes=[np.float64])
FUNCTIONS: dict[str, Callable[..., Array]] = {
    "arith.addf": np.add, "arith.subf": np.subtract, "arith.mulf": np.multiply, "arith.divf": np.divide, "arith.negf": np.negative,
    "arith.maximumf": np.maximum, "arith.minimumf": np.minimum, "arith.maxnumf": np.fmax, "arith.minnumf": np.fmin,
    "math.exp": np.exp, "math.exp2": np.exp2, "math.expm1": np.expm1, "math.log": np.log, "math.log1p": np.log1p, "math.log2": np.log2,
    "math.sqrt": np.sqrt, "math.rsqrt": lambda x: 1 / np.sqrt(x), "math.tanh": np.tanh, "math.sin": np.sin, "math.cos": np.cos,
    "math.absf": np.abs, "math.floor": np.floor, "math.ceil": np.ceil, "math.roundeven": np.rint, "math.powf": np.power, "math.fpowi": np.power,
    "math.erf": _erf, "math.fma": lambda a, b, c: a * b + c, "math.atan": np.arctan, "math.sinh": np.sinh, "math.cosh": np.cosh,
    "arith.truncf": np.asarray, "arith.extf": np.asarray, "arith.select": np.where,
}  # fmt: skip
"""Functions of numbers by the operations that compute them."""
COMPARISONS: dict[int, tuple[str, Callable[..., Array]]] = {
    1: ("eq", np.equal), 2: ("sgt", np.greater), 3: ("sge", np.greater_equal), 4: ("slt", np.less), 5: ("sle", np.less_equal), 6: ("ne", np.not_equal),
    8: ("eq", np.equal), 9: ("sgt", np.greater), 10: ("sge", np.greater_equal), 11: ("slt", np.less), 12: ("sle", np.less_equal), 13: ("ne", np.not_equal),
}  # fmt: skip
"""Predicates of `arith.cmpf`, of which those for numbers that are none do not matter, as those of `arith.cmpi`."""
SAME = ("arith.truncf", "arith.extf")
LARGEST = {"arith.maximumf": 1, "arith.maxnumf": 1, "arith.minimumf": -1, "arith.minnumf": -1}


def constant(value: float | Array) -> Form:
    """A number that no input changes."""
    return Form(const=value)


def apply(name: str, operands: list[Number | Condition], predicate: int = 0) -> Number | Condition:
    """What the operation `name` makes of numbers. Raises ValueError for an operation that there is no arithmetic for."""
    if name == "arith.cmpf":
        left, right = _numbers(operands)
        return Condition(COMPARISONS[predicate][0], left, right)
    if name == "arith.select" and isinstance(operands[0], Condition):
        return _select(operands[0], *_numbers(operands[1:]))
    if name not in FUNCTIONS:
        raise ValueError(f"'{name}' has no integer arithmetic")
    given = _numbers(operands)
    if name in SAME:
        return given[0]
    if all(isinstance(n, Form) and n.is_constant for n in given):
        with np.errstate(all="ignore"):
            return Form(const=FUNCTIONS[name](*(n.values() for n in given if isinstance(n, Form))))
    exact = _affine(name, given)
    return exact if exact is not None else _nonlinear(name, given)


def _numbers(operands: list[Number | Condition]) -> list[Number]:
    found = [n for n in operands if not isinstance(n, Condition)]
    if len(found) != len(operands):
        raise ValueError("a truth value that is not selected by has no integer arithmetic")
    return found


def _scalar(number: Number) -> float | None:
    """A constant that is the same at all points."""
    if isinstance(number, Form) and number.is_constant and np.size(number.values()) == 1:
        return float(number.values().reshape(-1)[0])
    return None


def _affine(name: str, given: list[Number]) -> Form | Curve | None:
    """Where the result is a sum, too."""
    if name == "arith.negf":
        return apply("arith.mulf", [given[0], constant(-1.0)])  # pyright: ignore[reportReturnType]
    if name in LARGEST:
        return _clamped(LARGEST[name], *given)
    if name == "arith.subf":
        return apply("arith.addf", [given[0], apply("arith.negf", [given[1]])])  # pyright: ignore[reportReturnType]
    if name == "math.roundeven" and isinstance(given[0], Form):
        return Form({scaled(given[0], 1.0): 1.0})
    if name == "arith.addf" and not (_shared(given) and any(isinstance(n, Curve) for n in given)):
        return _sum(*given)
    if name in ("arith.mulf", "arith.divf"):
        number, other = given
        if isinstance(number, Form) and number.is_constant and name == "arith.mulf":
            number, other = other, number
        if isinstance(number, Form) and isinstance(other, Form) and other.is_constant:
            return _times(number, other.values() if name == "arith.mulf" else 1 / other.values())
    return None


def _sum(a: Number, b: Number) -> Form:
    for form, other in ((a, b), (b, a)):
        shift = _scalar(other)
        if isinstance(form, Form) and form.is_clamped and shift is not None:
            return Form(form.terms, np.add(form.const, shift), form.low + shift, form.high + shift)
    x, y = _plain(a), _plain(b)
    terms = dict(x.terms)
    for atom, factor in y.terms.items():
        terms[atom] = np.add(terms[atom], factor) if atom in terms else factor
    return Form(terms, np.add(x.const, y.const))


def _plain(number: Number) -> Form:
    """A number as a sum without ends."""
    if isinstance(number, Form) and not number.is_clamped:
        return number
    atom, factor = settle(number)
    return Form({atom: factor})


def _times(form: Form, factor: Array) -> Form:
    if form.is_clamped:
        if factor.size > 1:
            form = _plain(form)
        else:
            ends = sorted(
                float(e * factor.reshape(-1)[0]) if factor.reshape(-1)[0] else 0.0 for e in (form.low, form.high)
            )
            made = _times(replace(form, low=-math.inf, high=math.inf), factor)
            return replace(made, low=ends[0], high=ends[1])
    number = float(factor.reshape(-1)[0]) if factor.size == 1 else factor
    return Form(
        {a: np.multiply(f, number) if np.ndim(f) or np.ndim(number) else f * number for a, f in form.terms.items()},
        np.multiply(form.const, number),
    )  # pyright: ignore[reportArgumentType]


def _clamped(sign: int, a: Number, b: Number) -> Form | None:
    """The larger one of two numbers (sign 1), or the smaller one."""
    for form, other in ((a, b), (b, a)):
        end = _scalar(other)
        if isinstance(form, Form) and end is not None:
            choose = max if sign > 0 else min
            return replace(form, low=choose(form.low, end), high=choose(form.high, end))
    if _shared([a, b]):
        return None
    x, y, scale = _aligned(a, b)
    return Form({larger(x, y) if sign > 0 else smaller(x, y): scale})


def _aligned(a: Number, b: Number) -> tuple[Atom, Atom, float]:
    """Two numbers at one scale."""
    (x, s), (y, t) = settle(a), settle(b)
    if s == t:
        return x, y, s
    scale = max(s, t)
    return *(n if u == scale else scaled(Form({n: u}), scale) for n, u in ((x, s), (y, t))), scale  # pyright: ignore[reportReturnType]


def _shared(given: list[Number]) -> bool:
    """Whether all numbers that are no constants are functions of one atom."""
    atoms: set[Atom] = set()
    for number in given:
        if isinstance(number, Curve):
            atoms.add(number.atom)
        elif number.is_constant:
            if np.size(number.values()) > 1:
                return False
        else:
            if len(number.terms) > 1 or any(np.size(f) > 1 for f in (*number.terms.values(), number.const)):
                return False
            atoms.update(number.terms)
    return len(atoms) == 1


def _at(number: Number) -> Callable[[Array], Array]:
    """A number as a function of its atom."""
    if isinstance(number, Curve):
        return number.function
    const = float(np.reshape(number.const, -1)[0])
    factor = float(np.reshape(next(iter(number.terms.values())), -1)[0]) if number.terms else 0.0
    return lambda x: np.clip(factor * x + const, number.low, number.high)


def _atom_of(given: list[Number]) -> Atom:
    return next(
        n.atom if isinstance(n, Curve) else next(iter(n.terms)) for n in given if isinstance(n, Curve) or n.terms
    )


def _curve(name: str, given: list[Number], function: Callable[..., Array] | None = None) -> Curve:
    parts, made = [_at(n) for n in given], function or FUNCTIONS[name]
    return Curve(_atom_of(given), lambda x: made(*(part(x) for part in parts)), _step(name, given))


def _step(name: str, given: list[Number]) -> float:
    """How far apart the levels are that a function has been rounded to; 0 where it has not."""
    if name == "math.roundeven":
        return 1.0
    steps = [n.step for n in given if isinstance(n, Curve)]
    numbers = [n for n in map(_scalar, given) if n is not None]
    if len(steps) != 1 or not steps[0] or len(given) != 1 + len(numbers):
        return 0.0
    if name == "arith.mulf":
        return abs(steps[0] * numbers[0])
    return steps[0] if name in LARGEST else 0.0


def _nonlinear(name: str, given: list[Number]) -> Number:
    if name in ("math.powf", "math.fpowi") and _scalar(given[1]) == 2.0:
        name, given = "arith.mulf", [given[0], given[0]]
    if name == "arith.mulf" and given[0] is given[1] and isinstance(given[0], Form):
        atom, scale = settle(given[0])
        return Form({multiplied(atom, atom): scale * scale})
    if _shared(given):
        return _curve(name, given)
    if len(given) == 1:
        return _curve(name, [_settled(given[0])])
    if name == "arith.mulf":
        (a, s), (b, t) = settle(given[0]), settle(given[1])
        return Form({multiplied(a, b): s * t})
    if name == "arith.divf":
        return apply("arith.mulf", [given[0], apply("arith.divf", [constant(1.0), _settled(given[1])])])  # pyright: ignore[reportReturnType]
    if name == "math.fma":
        return apply("arith.addf", [apply("arith.mulf", list(given[:2])), given[2]])  # pyright: ignore[reportReturnType]
    raise ValueError(f"'{name}' of several tensors has no integer arithmetic")


def _settled(number: Number) -> Form:
    """A number as an atom of which functions can be had."""
    if (
        isinstance(number, Form)
        and len(number.terms) == 1
        and not number.is_clamped
        and all(np.size(n) == 1 for n in (*number.terms.values(), number.const))
    ):
        return number
    atom, factor = settle(number)
    return Form({atom: factor})


def _select(condition: Condition, a: Number, b: Number) -> Number:
    """Maxima and minima are recognised; otherwise functions of one atom, or a choice."""
    left, right, predicate = condition.left, condition.right, condition.predicate
    if predicate in ("slt", "sle", "sgt", "sge"):
        sign = 1 if predicate[1] == "g" else -1
        if _same(left, a) and _same(right, b):
            return apply("arith.maximumf" if sign > 0 else "arith.minimumf", [a, b])  # pyright: ignore[reportReturnType]
        if _same(left, b) and _same(right, a):
            return apply("arith.minimumf" if sign > 0 else "arith.maximumf", [a, b])  # pyright: ignore[reportReturnType]
    given = [left, right, a, b]
    if _shared(given):
        compare = next(f for name, f in COMPARISONS.values() if name == predicate)
        return _curve("arith.select", given, lambda x, y, p, q: np.where(compare(x, y), p, q))
    x, y, _ = _aligned(left, right)
    p, q, scale = _aligned(a, b)
    return Form({chosen(predicate, x, y, p, q): scale})


def _same(a: Number, b: Number) -> bool:
    if a is b:
        return True
    p, q = _scalar(a), _scalar(b)
    if p is not None or q is not None:
        return p == q
    x, y = single(a), single(b)
    return x is not None and x == y
