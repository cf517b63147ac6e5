"""Tensor expressions: a graph of terms, each one an operator with its parameters and the terms that it is applied to.

    leaf()              a value from outside: an input, a weight, the result of an operation that the algebra does not know
    num(v)              the number v in every place, of the shape and type that its context asks for
    op(k; a, ..)        element-wise, k names the scalar operation; all operands have one shape, but for numbers
    view(m; a)          result[i] = a[m(i)]: broadcasts, transposes, reshapes, slices
    reduce(r; a)        a sum, product, maximum or minimum over axes
    contract(c; a, b)   result[y(d)] = sum over the other d of a[x(d)] * b[w(d)]: products of matrices, convolutions
    pad(p; a)           a number around a
    concat(axis; a, b)  one behind the other
    delta(d)            the weight of a convolution that returns its input

Terms are numbered in the order in which they are made, operands first; equal terms are one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import prod

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr

Index = tuple[Expr, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """Type of a term: extents, and the element as MLIR spells it (`f32`)."""

    shape: Shape
    element: str
    number: bool = False
    """Whether it is a number, or made of numbers alone: it has no extents, and its context says what its element is."""

    @cached_property
    def elements(self) -> int:
        return prod(self.shape)

    @cached_property
    def bytes(self) -> int:
        bits = int("".join(c for c in self.element if c.isdigit()) or "64")  # `index` says no width
        return self.elements * max(1, bits // 8)


NUMBER = Kind((), "", number=True)


@dataclass(frozen=True)
class Scalar:
    """A scalar operation: its name, its attributes as text, and its result's element where that is not its operands'."""

    name: str
    attributes: str = ""
    element: str = ""

    def __str__(self) -> str:
        return "|".join((self.name, self.attributes, self.element)).rstrip("|")

    @classmethod
    def parse(cls, text: str) -> Scalar:
        """The operation whose text form is `text`."""
        return cls(*text.split("|"))


@dataclass(frozen=True)
class View:
    """A reading of a source in another order or form, of some of it, or of it many times."""

    shape: Shape
    index: Index
    """Index into the source, over the dimensions of the result."""

    @cached_property
    def _hash(self) -> int:
        return hash((self.shape, self.index))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Reduce:
    """Along which axes is reduced."""

    axes: tuple[int, ...]
    keep: bool
    """Whether the axes stay, with extent one."""


@dataclass(frozen=True)
class Contract:
    """Loops of a multiply-accumulate, as those of `sparse.contract`."""

    bounds: Shape
    maps: tuple[Index, Index, Index]
    """Of the input, the weight and the result."""
    shape: Shape
    """Of the result."""

    @property
    def flops(self) -> int:
        """A multiply-add counts as two."""
        return 2 * prod(self.bounds)

    def dims(self, operand: int) -> frozenset[int]:
        """Loop dimensions that an operand (0, 1) or the result (2) is indexed with."""
        return frozenset[int]().union(*(e.dims() for e in self.maps[operand]))


@dataclass(frozen=True)
class Pad:
    """How many elements of one value are put before and behind, on each axis."""

    low: Shape
    high: Shape
    value: float


@dataclass(frozen=True)
class Delta:
    """A weight with ones where input and output channel are the same, at one place of the kernel."""

    shape: Shape
    """[channels, channels, kernel extents]."""
    centre: Shape
    """Where the ones stand in the kernel."""
    element: str


@dataclass(frozen=True)
class Term:
    """`operator` and `key` say what is done to `operands`; `parameter` holds what is not text."""

    operator: str
    key: str = ""
    parameter: Hashable = None
    operands: tuple[int, ...] = ()


@dataclass
class Terms:
    """A graph of terms."""

    terms: list[Term] = field(default_factory=list[Term])
    kinds: list[Kind] = field(default_factory=list[Kind])
    constant: set[int] = field(default_factory=set[int])
    """Leaves that are known at compile time."""
    pruned: set[int] = field(default_factory=set[int])
    """Constant leaves whose zeros are worth more than what a rule would save: no rule changes them."""
    _numbers: dict[Term, int] = field(default_factory=dict[Term, int])

    def leaf(self, kind: Kind, constant: bool = False, pruned: bool = False) -> int:
        """A new leaf."""
        number = len(self.terms)
        self._append(Term("leaf", "", number), kind)
        if constant:
            self.constant.add(number)
        if pruned:
            self.pruned.add(number)
        return number

    def make(self, term: Term) -> int:
        """The number of a term; equal terms have one."""
        if term not in self._numbers:
            self._numbers[term] = len(self.terms)
            self._append(term, kind_of(term, [self.kinds[o] for o in term.operands]))
        return self._numbers[term]

    def _append(self, term: Term, kind: Kind) -> None:
        self.terms.append(term)
        self.kinds.append(kind)


def kind_of(term: Term, kinds: Sequence[Kind]) -> Kind:
    """Type of a term (not of a leaf) applied to operands of these types."""
    parameter = term.parameter
    if isinstance(parameter, View | Contract):
        return Kind(parameter.shape, kinds[0].element)
    if isinstance(parameter, Delta):
        return Kind(parameter.shape, parameter.element)
    if isinstance(parameter, Pad):
        extents = zip(parameter.low, kinds[0].shape, parameter.high, strict=True)
        return Kind(tuple(map(sum, extents)), kinds[0].element)
    if isinstance(parameter, Reduce):
        return Kind(reduced_shape(kinds[0].shape, parameter), kinds[0].element)
    if term.operator == "concat":
        axis = int(term.key)
        first = kinds[0].shape
        joined = sum(k.shape[axis] for k in kinds)
        return Kind((*first[:axis], joined, *first[axis + 1 :]), kinds[0].element)
    if term.operator == "num" or all(k.number for k in kinds):
        return NUMBER
    shaped = next(k for k in kinds if not k.number)
    scalar = Scalar.parse(term.key)
    values = kinds[1:] if scalar.name == "arith.select" else kinds
    element = next((k.element for k in values if not k.number), shaped.element)
    return Kind(shaped.shape, scalar.element or element)


def number_element(term: Term, kinds: Sequence[Kind], result: Kind) -> str:
    """The element that a number has among the operands of an element-wise operation: that of the other operands, or of the
    result where it is chosen from."""
    if term.key.startswith("arith.select"):
        return result.element
    return next((k.element for k in kinds if not k.number), result.element)


def reduced_shape(shape: Shape, reduce: Reduce) -> Shape:
    """What a reduction leaves of a shape."""
    if reduce.keep:
        return tuple(1 if i in reduce.axes else e for i, e in enumerate(shape))
    return tuple(e for i, e in enumerate(shape) if i not in reduce.axes)


def num(value: float) -> Term:
    """The term of a number."""
    return Term("num", repr(float(value)))


def apply(name: str, *operands: int) -> Term:
    """An element-wise operation whose result has the type of its operands."""
    return Term("op", name, None, operands)


def view(parameter: View, operand: int) -> Term:
    return Term("view", "", parameter, (operand,))


def reduce(name: str, parameter: Reduce, operand: int) -> Term:
    return Term("reduce", name, parameter, (operand,))


def contract(parameter: Contract, x: int, weight: int) -> Term:
    return Term("contract", "", parameter, (x, weight))


def pad(parameter: Pad, operand: int) -> Term:
    return Term("pad", "", parameter, (operand,))


def concat(axis: int, first: int, second: int) -> Term:
    return Term("concat", str(axis), None, (first, second))


def delta(parameter: Delta) -> Term:
    return Term("delta", "", parameter)


def identity(rank: int) -> Index:
    """The index that changes nothing."""
    return tuple(affine.dim(i) for i in range(rank))


def dim_of(expr: Expr) -> int | None:
    """The dimension that an expression is, if it is one and nothing else."""
    if (
        len(expr.terms) == 1
        and not expr.constant
        and isinstance(expr.terms[0][0], affine.Dim)
        and expr.terms[0][1] == 1
    ):
        return expr.terms[0][0].index
    return None


def compose(outer: Index, inner: Index, bounds: Shape) -> Index:
    """`outer` at the index `inner`, which is over dimensions of extents `bounds`."""
    return tuple(affine.substitute(e, inner, bounds) for e in outer)


@cache
def composed(outer: View, inner: View) -> View:
    """What `outer` shows of what `inner` shows."""
    return View(outer.shape, compose(inner.index, outer.index, outer.shape))


@cache
def is_transposing(view: View) -> bool:
    """Whether a view reads in another order than it is written in."""
    dims = [d for e in view.index if (d := dim_of(e)) is not None and view.shape[d] > 1]
    return dims != sorted(dims)
