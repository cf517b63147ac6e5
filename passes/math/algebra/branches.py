"""Branches that are added up and see the same image become one convolution: what training with several branches leaves
(RepVGG, arXiv 2101.03697: 3x3, 1x1 and the image itself)."""

from __future__ import annotations

from collections.abc import Iterator

from cocomp.passes.math import affine

from . import terms
from .saturate import Classes, Finding, New
from .terms import Contract, Delta, Pad, Term, dim_of

ADDITIONS = 4
"""Additions between a branch and the sum that it has in common with another."""
ADD = "arith.addf"


def widen_kernel(classes: Classes) -> Iterator[Finding]:
    """A.W1 + pad(A).W2 --> pad(A).pad(W1) + pad(A).W2, W1 having the smaller kernel."""
    for image, wide, product in _convolutions(classes):
        sums = _sums(classes, wide)
        for narrow, other in _readers(classes, image):
            if narrow != wide and sums & _sums(classes, narrow):
                embedded = _embedding(classes, other, product)
                if embedded is not None:
                    weight = New(terms.pad(embedded, other.operands[1]), (other.operands[1],))
                    yield Finding("widen-kernel", narrow, _like(product, weight))


def identity_branch(classes: Classes) -> Iterator[Finding]:
    """A + pad(A).W --> pad(A).I + pad(A).W, I being the weight of a convolution that returns its input."""
    for image, wide, product in _convolutions(classes):
        unit = _unit(classes, image, wide, product)
        if unit is None:
            continue
        sums = _sums(classes, wide)
        for whole, term in classes.users(image):
            if term.operator != "op" or len(term.operands) != 2:
                continue
            left, right = term.operands
            other = right if left == image else left
            if term.key == ADD and whole in sums and other not in classes.known:
                same = New(terms.apply(ADD, other, other), (other, _like(product, New(terms.delta(unit), ()))))
                yield Finding("identity-branch", whole, same)
            elif term.key == "arith.mulf" and other in classes.known and sums & _sums(classes, whole):
                scaled = New(terms.apply(term.key, whole, whole), (_like(product, New(terms.delta(unit), ())), other))
                yield Finding("identity-branch", whole, scaled)


def _like(product: Term, weight: New) -> New:
    """The contraction with another weight."""
    return New(product, (product.operands[0], weight))


def _convolutions(classes: Classes) -> Iterator[tuple[int, int, Term]]:
    """(image, class, contraction) with weights known, of a padded image or the image itself."""
    for whole, found in enumerate(classes.terms):
        for product in found:
            if product.operator == "contract" and product.operands[1] in classes.known:
                yield _image(classes, product)[0], whole, product


def _readers(classes: Classes, image: int) -> Iterator[tuple[int, Term]]:
    """Contractions of an image, padded or not, with known weights."""
    padded = [image, *(u for u, t in classes.users(image) if t.operator == "pad")]
    for source in padded:
        for user, term in classes.users(source):
            if term.operator == "contract" and term.operands[0] == source and term.operands[1] in classes.known:
                yield user, term


def _image(classes: Classes, product: Term) -> tuple[int, tuple[int, ...]]:
    """(what is padded with zeros, by how much at the low ends) of a contraction's input; itself and nothing without a pad."""
    source = product.operands[0]
    for term in classes.find(source, "pad"):
        if isinstance(term.parameter, Pad) and term.parameter.value == 0:
            return term.operands[0], term.parameter.low
    return source, (0,) * len(classes.kinds[source].shape)


def _sums(classes: Classes, number: int) -> set[int]:
    """Sums that a value goes into by additions alone."""
    found, edge = {number}, [number]
    for _ in range(ADDITIONS):
        edge = [u for n in edge for u, t in classes.users(n) if t.operator == "op" and t.key == ADD and u not in found]
        found.update(edge)
    return found - {number}


def _embedding(classes: Classes, narrow: Term, wide: Term) -> Pad | None:
    """How to pad the weight of `narrow` for it to do the same as a weight of `wide`."""
    small, large = narrow.parameter, wide.parameter
    assert isinstance(small, Contract) and isinstance(large, Contract)
    if small.maps != large.maps or small.shape != large.shape or small.bounds == large.bounds:
        return None
    (_, inner), (_, outer) = _image(classes, narrow), _image(classes, wide)
    low, high = [0] * len(large.maps[1]), [0] * len(large.maps[1])
    for axis, expr in enumerate(large.maps[0]):
        shift = outer[axis] - inner[axis]
        kernel = [d for d in sorted(expr.dims()) if d in large.dims(1) and d not in large.dims(2)]
        same = all(small.bounds[d] == large.bounds[d] for d in kernel)
        if len(expr.dims()) < 2:  # a channel, or pixels that no kernel goes over
            if shift or not same:
                return None
            continue
        if len(kernel) != 1 or not (step := expr.coefficient(kernel[0])) or shift % step:
            return None
        place = [dim_of(e) for e in large.maps[1]].index(kernel[0])
        low[place] = shift // step
        high[place] = large.bounds[kernel[0]] - small.bounds[kernel[0]] - low[place]
    if min(*low, *high) < 0 or _grown(small, low, high, large) != large.bounds:
        return None
    return Pad(tuple(low), tuple(high), 0.0)


def _grown(small: Contract, low: list[int], high: list[int], large: Contract) -> tuple[int, ...]:
    bounds = list(small.bounds)
    for axis, expr in enumerate(large.maps[1]):
        dim = dim_of(expr)
        if dim is not None:
            bounds[dim] += low[axis] + high[axis]
    return tuple(bounds)


def _unit(classes: Classes, image: int, whole: int, product: Term) -> Delta | None:
    """The weight with which this contraction returns its input."""
    found = product.parameter
    assert isinstance(found, Contract)
    if classes.kinds[image] != classes.kinds[whole]:
        return None
    weight, (_, low) = classes.kinds[product.operands[1]], _image(classes, product)
    places = [dim_of(e) for e in found.maps[1]]
    if len(places) < 2 or None in places or places[0] not in found.dims(2) or places[0] in found.dims(0):
        return None
    centre: list[int] = []
    for axis, (read, written) in enumerate(zip(found.maps[0], found.maps[2], strict=True)):
        row = dim_of(written)
        if row == places[0]:
            if dim_of(read) != places[1]:
                return None
            continue
        steps = read - written
        kernel = sorted(steps.dims())
        if not kernel and not low[axis]:
            continue
        if (
            len(kernel) != 1
            or kernel[0] not in places[2:]
            or steps != affine.dim(kernel[0]) * (step := steps.coefficient(kernel[0]))
            or not step
            or low[axis] % step
        ):
            return None
        centre.append(low[axis] // step)
    extents = weight.shape
    inside = len(centre) == len(extents) - 2 and all(c < e for c, e in zip(centre, extents[2:], strict=True))
    return Delta(extents, tuple(centre), weight.element) if inside and extents[0] == extents[1] else None
