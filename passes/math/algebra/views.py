"""Rules on views: broadcasts, transposes, reshapes and slices of what is computed."""

from __future__ import annotations

from collections.abc import Iterator

from cocomp.passes.math import affine

from . import terms
from .saturate import Classes, Finding, New
from .terms import Reduce, Term, View


def compose_views(classes: Classes) -> Iterator[Finding]:
    """A view of a view is one; a view that changes nothing is what it views."""
    for whole, term in _all(classes, "view"):
        outer, source = term.parameter, term.operands[0]
        assert isinstance(outer, View)
        if outer.index == terms.identity(len(outer.shape)) and classes.kinds[source].shape == outer.shape:
            if whole != source:
                yield Finding("compose-views", whole, source)
            continue
        for inner in classes.find(source, "view"):
            assert isinstance(inner.parameter, View)
            made = terms.view(terms.composed(outer, inner.parameter), inner.operands[0])
            yield Finding("compose-views", whole, New(made, made.operands))


def compute_before_broadcast(classes: Classes) -> Iterator[Finding]:
    """f(broadcast(A), broadcast(B)) --> broadcast(f(A, B)): for each value once."""
    for whole, term in _all(classes, "op"):
        shaped = [o for o in dict.fromkeys(term.operands) if not classes.kinds[o].number]
        if not shaped:
            continue
        for first in classes.find(shaped[0], "view"):
            parameter, size = first.parameter, classes.kinds[first.operands[0]]
            assert isinstance(parameter, View)
            if size.elements >= classes.kinds[whole].elements:
                continue
            sources = {o: _source(classes, o, parameter) for o in shaped}
            if all(s is not None and classes.kinds[s].shape == size.shape for s in sources.values()):
                operands = tuple(sources.get(o, o) for o in term.operands)
                inner = New(term, tuple(o for o in operands if o is not None))
                yield Finding("compute-before-broadcast", whole, New(terms.view(parameter, whole), (inner,)))


def _source(classes: Classes, number: int, parameter: View) -> int | None:
    return next((t.operands[0] for t in classes.find(number, "view") if t.parameter == parameter), None)


def extreme_of_broadcast(classes: Classes) -> Iterator[Finding]:
    """Max(broadcast(A)) --> A, and Min, along the axes of the broadcast."""
    for whole, term in _all(classes, "reduce"):
        if term.key in ("arith.maximumf", "arith.minimumf", "arith.maxsi", "arith.minsi"):
            for made in _narrowed(classes, term, term.operands[0]):
                yield Finding("extreme-of-broadcast", whole, made)


def sum_of_broadcast(classes: Classes) -> Iterator[Finding]:
    """Sum(broadcast(A)) --> A*n, where n values are added up."""
    for whole, term in _all(classes, "reduce"):
        if term.key not in ("arith.addf", "arith.addi"):
            continue
        reduce = term.parameter
        assert isinstance(reduce, Reduce)
        shape = classes.kinds[term.operands[0]].shape
        count = 1
        for axis in reduce.axes:
            count *= shape[axis]
        for made in _narrowed(classes, term, term.operands[0]):
            name = "arith.mulf" if term.key == "arith.addf" else "arith.muli"
            number = New(terms.num(count), ())
            yield Finding("sum-of-broadcast", whole, New(Term("op", name, None, (whole, whole)), (made, number)))


def factor_out_of_sum(classes: Classes) -> Iterator[Finding]:
    """Sum(broadcast(A)*B) --> A*Sum(B), along the axes of the broadcast."""
    for whole, term in _all(classes, "reduce"):
        product = {"arith.addf": "arith.mulf", "arith.addi": "arith.muli"}.get(term.key, "")
        for inner in classes.find(term.operands[0], "op"):
            if inner.key != product:
                continue
            for number, factor in enumerate(inner.operands):
                other = inner.operands[1 - number]
                for made in _narrowed(classes, term, factor):
                    if not classes.kinds[other].number:
                        rest = New(terms.reduce(term.key, _reduce(term), other), (other,))
                        yield Finding("factor-out-of-sum", whole, New(terms.apply(product, whole, whole), (made, rest)))


def _reduce(term: Term) -> Reduce:
    assert isinstance(term.parameter, Reduce)
    return term.parameter


def _narrowed(classes: Classes, term: Term, operand: int) -> Iterator[New]:
    """`operand` as it is at every place along the axes of a reduction, where it is a broadcast along them."""
    reduce = _reduce(term)
    for found in classes.find(operand, "view"):
        wide = found.parameter
        assert isinstance(wide, View)
        if any(e.dims() & set(reduce.axes) for e in wide.index):
            continue
        shape = terms.reduced_shape(wide.shape, reduce)
        left = [d for d in range(len(wide.shape)) if d not in reduce.axes]
        places = {d: affine.dim(d if reduce.keep else left.index(d)) for d in left}
        values = [places.get(d, affine.Expr()) for d in range(len(wide.shape))]
        index = tuple(affine.substitute(e, values, shape) for e in wide.index)
        yield New(terms.view(View(shape, index), operand), (found.operands[0],))


def _all(classes: Classes, operator: str) -> Iterator[tuple[int, Term]]:
    return ((n, t) for n, found in enumerate(classes.terms) for t in found if t.operator == operator)
