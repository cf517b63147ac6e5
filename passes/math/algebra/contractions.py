"""Rules on contractions that compute with their index maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cocomp.passes.math import affine

from . import terms
from .saturate import Classes, Finding, New
from .terms import Contract, Index, Term, View, dim_of


def scale_weight_by_channel(classes: Classes) -> Iterator[Finding]:
    """(A.W) * broadcast(s) --> A.(W*s), and the same for quotients: s differs from channel to channel at most."""
    for whole, term in _ops(classes, "arith.mulf", "arith.divf"):
        swapped = (term.operands[1], term.operands[0]) if term.key == "arith.mulf" else None
        for value, scale in filter(None, (term.operands, swapped)):
            for product in classes.find(value, "contract"):
                weight = product.operands[1]
                if weight not in classes.known or scale not in classes.known:
                    continue
                found = _contract(product)
                for view in classes.find(scale, "view"):
                    index = _on_weight(view, found.maps[2], found)
                    if index is not None:
                        scaled = _scaled(classes, term.key, weight, view, index)
                        made = terms.contract(found, product.operands[0], weight)
                        yield Finding("scale-weight-by-channel", whole, New(made, (product.operands[0], scaled)))


def scale_of_input_by_channel(classes: Classes) -> Iterator[Finding]:
    """(A * broadcast(s)).W --> A.(W*s)."""
    for whole, product in _contracts(classes):
        x, weight = product.operands
        if weight not in classes.known:
            continue
        found = _contract(product)
        for term in classes.find(x, "op"):
            if term.key != "arith.mulf":
                continue
            for value, scale in (term.operands, term.operands[::-1]):
                if scale not in classes.known or classes.kinds[value].number:
                    continue
                for view in classes.find(scale, "view"):
                    index = _on_weight(view, found.maps[0], found)
                    if index is not None:
                        scaled = _scaled(classes, term.key, weight, view, index)
                        made = terms.contract(found, value, weight)
                        yield Finding("scale-of-input-by-channel", whole, New(made, (value, scaled)))


def _scaled(classes: Classes, name: str, weight: int, view: Term, index: Index) -> New:
    factor = New(terms.view(View(classes.kinds[weight].shape, index), view.operands[0]), view.operands)
    return New(terms.apply(name, weight, weight), (weight, factor))


def _on_weight(view: Term, place: Index, found: Contract) -> Index | None:
    """Index of a scale over the dimensions of the weight, where it is read at `place`, a map of the contraction."""
    parameter = view.parameter
    assert isinstance(parameter, View)
    axes = {dim_of(e): affine.dim(axis) for axis, e in enumerate(found.maps[1])}
    values: list[affine.Expr] = []
    for axis, expr in enumerate(place):
        dim = dim_of(expr)
        needed = parameter.shape[axis] > 1 and any(axis in e.dims() for e in parameter.index)
        if needed and (dim is None or dim not in axes):
            return None
        values.append(axes[dim] if needed else affine.Expr())
    bounds = [found.bounds[d] if (d := dim_of(e)) is not None else 1 for e in found.maps[1]]
    return tuple(affine.substitute(e, values, bounds) for e in parameter.index)


def merge_products(classes: Classes) -> Iterator[Finding]:
    """(A.W1 + b).W2 --> A.(W1.W2) + b.W2, with or without a bias: one product instead of two."""
    for whole, product in _contracts(classes):
        middle, second = product.operands
        if second not in classes.known:
            continue
        for first, bias in _inner_products(classes, middle):
            merged = _merged(classes, first, product)
            if merged is None:
                continue
            if bias is None:
                yield Finding("merge-products", whole, merged)
            elif (shift := _shift(classes, bias, product)) is not None:
                yield Finding("merge-products", whole, New(terms.apply("arith.addf", whole, whole), (merged, shift)))


def _inner_products(classes: Classes, middle: int) -> Iterator[tuple[Term, Term | None]]:
    """(contraction, view of its bias or None) of every way in which a class is a contraction with a known weight."""
    for term in classes.find(middle, "contract"):
        if term.operands[1] in classes.known:
            yield term, None
    for term in classes.find(middle, "op"):
        if term.key == "arith.addf" and term.operands[1] in classes.known:
            for inner in classes.find(term.operands[0], "contract"):
                if inner.operands[1] in classes.known:
                    yield from ((inner, view) for view in classes.find(term.operands[1], "view"))


def _merged(classes: Classes, first: Term, second: Term) -> New | None:
    """One contraction for two, with a weight that is a contraction of theirs."""
    one, two = _contract(first), _contract(second)
    summed = two.dims(0) & two.dims(1) - two.dims(2)
    """Dimensions of the second that are channels of the first."""
    if (two.dims(0) | two.dims(1)) - two.dims(2) - summed or two.dims(1) & two.dims(0) - summed:
        return None
    place: dict[int, int] = {}
    """Dimension of the first result -> of the second contraction."""
    for mine, theirs in zip(one.maps[2], two.maps[0], strict=True):
        inner, outer = dim_of(mine), dim_of(theirs)
        if inner is None or outer is None or one.bounds[inner] != two.bounds[outer]:
            return None
        place[inner] = outer
    rows = {d for d, outer in place.items() if outer in summed}
    if rows & one.dims(0) or rows != one.dims(1) & set(place) or len(place) != len(set(place.values())):
        return None
    if any(dim_of(e) is None for e in (*one.maps[1], *two.maps[1])):
        return None
    own = [d for d in range(len(one.bounds)) if d not in place]
    kept = [d for d in range(len(two.bounds)) if d not in summed]
    bounds = (*(two.bounds[d] for d in kept), *(one.bounds[d] for d in own), *(two.bounds[d] for d in sorted(summed)))
    new_two = {d: affine.dim(i) for i, d in enumerate([*kept, *own, *sorted(summed)]) if i < len(kept)}
    new_two |= {d: affine.dim(len(kept) + len(own) + i) for i, d in enumerate(sorted(summed))}
    new_one = {d: affine.dim(len(kept) + i) for i, d in enumerate(own)} | {d: new_two[o] for d, o in place.items()}
    columns = [d for d in kept if d in two.dims(1)]
    weight_map = (*(new_two[d] for d in columns), *(new_one[d] for d in own))
    shape = (*(two.bounds[d] for d in columns), *(one.bounds[d] for d in own))
    x_map = _renamed(one.maps[0], new_one, bounds)
    y_map = _renamed(two.maps[2], new_two, bounds)
    inner_maps = (_renamed(two.maps[1], new_two, bounds), _renamed(one.maps[1], new_one, bounds), weight_map)
    weight = _compact(Contract(bounds, inner_maps, shape))
    outer = _compact(Contract(bounds, (x_map, weight_map, y_map), two.shape))
    made = New(terms.contract(weight, *second.operands), (second.operands[1], first.operands[1]))
    return New(terms.contract(outer, *first.operands), (first.operands[0], made))


def _shift(classes: Classes, bias: Term, second: Term) -> New | None:
    """What a bias on the input of a contraction adds to its result, as a broadcast."""
    two, view = _contract(second), bias.parameter
    assert isinstance(view, View)
    summed = two.dims(0) & two.dims(1) - two.dims(2)
    values = [d if (dim := dim_of(d)) is not None and dim in summed else affine.Expr() for d in two.maps[0]]
    read = {a for e in view.index for a in e.dims() if view.shape[a] > 1}
    if any(not values[a].terms for a in read):
        return None
    columns = [d for d in range(len(two.bounds)) if d in two.dims(2) & two.dims(1)]
    index = tuple(affine.substitute(e, values, two.bounds) for e in view.index)
    shape = tuple(two.bounds[d] for d in columns)
    summing = _compact(Contract(two.bounds, (index, two.maps[1], tuple(affine.dim(d) for d in columns)), shape))
    axis_of = {dim_of(e): affine.dim(axis) for axis, e in enumerate(two.maps[2])}
    spread = View(two.shape, tuple(axis_of[d] for d in columns))
    product = New(terms.contract(summing, *second.operands), (bias.operands[0], second.operands[1]))
    return New(terms.view(spread, bias.operands[0]), (product,))


def _renamed(index: Index, names: dict[int, affine.Expr], bounds: Sequence[int]) -> Index:
    values = [names.get(d, affine.Expr()) for d in range(max(names, default=0) + 1)]
    return tuple(affine.substitute(e, values, bounds) for e in index)


def _compact(found: Contract) -> Contract:
    """The contraction without dimensions that nothing is indexed with."""
    used = sorted(found.dims(0) | found.dims(1) | found.dims(2))
    names = {d: affine.dim(i) for i, d in enumerate(used)}
    bounds = tuple(found.bounds[d] for d in used)
    x, weight, y = (_renamed(m, names, bounds) for m in found.maps)
    return Contract(bounds, (x, weight, y), found.shape)


def transpose_of_product(classes: Classes) -> Iterator[Finding]:
    """transpose(A.B) --> A.B, written in the other order."""
    for whole, term in _views(classes):
        view = term.parameter
        assert isinstance(view, View)
        if not _is_transpose(view, classes.kinds[term.operands[0]].shape):
            continue
        for product in classes.find(term.operands[0], "contract"):
            found = _contract(product)
            target = list(found.maps[2])
            for axis, expr in enumerate(view.index):
                target[dim_of(expr) or 0] = found.maps[2][axis]
            made = terms.contract(
                Contract(found.bounds, (*found.maps[:2], tuple(target)), view.shape), *product.operands
            )
            yield Finding("transpose-of-product", whole, New(made, made.operands))


def product_of_transpose(classes: Classes) -> Iterator[Finding]:
    """transpose(A).B --> A.B, read in the other order; the same for B."""
    for whole, product in _contracts(classes):
        found = _contract(product)
        for operand in (0, 1):
            for term in classes.find(product.operands[operand], "view"):
                view = term.parameter
                assert isinstance(view, View)
                if _is_transpose(view, classes.kinds[term.operands[0]].shape):
                    maps = list(found.maps)
                    maps[operand] = terms.compose(view.index, maps[operand], found.bounds)
                    operands = list(product.operands)
                    operands[operand] = term.operands[0]
                    turned = Contract(found.bounds, (maps[0], maps[1], maps[2]), found.shape)
                    made = terms.contract(turned, operands[0], operands[1])
                    yield Finding("product-of-transpose", whole, New(made, made.operands))


def _is_transpose(view: View, shape: Sequence[int]) -> bool:
    """Whether a view shows all of a source of that shape, its axes in some order."""
    dims = [d for e in view.index if (d := dim_of(e)) is not None]
    every = len(dims) == len(shape) == len(view.shape) and len(set(dims)) == len(dims)
    return every and all(view.shape[d] == extent for d, extent in zip(dims, shape, strict=True))


def slice_of_product(classes: Classes) -> Iterator[Finding]:
    """slice(A.B) --> slice(A).slice(B): only what is asked for is computed."""
    for whole, term in _views(classes):
        view, source = term.parameter, term.operands[0]
        assert isinstance(view, View)
        offsets = _slice(view, classes.kinds[source].shape)
        if offsets is None:
            continue
        for product in classes.find(source, "contract"):
            found = _contract(product)
            made = _sliced(classes, product, found, offsets, view.shape)
            if made is not None:
                yield Finding("slice-of-product", whole, made)


def _slice(view: View, shape: Sequence[int]) -> Sequence[int] | None:
    """Offsets of a view that is a part of its source in one piece."""
    if len(view.shape) != len(shape) or view.shape == tuple(shape):
        return None
    moved = [e - affine.dim(axis) if view.shape[axis] > 1 else e for axis, e in enumerate(view.index)]
    return [e.constant for e in moved] if all(e.is_constant for e in moved) else None


def _sliced(
    classes: Classes, product: Term, found: Contract, offsets: Sequence[int], shape: tuple[int, ...]
) -> New | None:
    bounds, start = list(found.bounds), [0] * len(found.bounds)
    for axis, offset in enumerate(offsets):
        dim = dim_of(found.maps[2][axis])
        if dim is None:
            return None
        bounds[dim], start[dim] = shape[axis], offset
    cut = {d for d, b in enumerate(found.bounds) if bounds[d] != b}
    operands: list[int | New] = []
    for number in (0, 1):
        source = product.operands[number]
        parts = [dim_of(e) if e.dims() & cut else None for e in found.maps[number]]
        if any(p is None and e.dims() & cut for p, e in zip(parts, found.maps[number], strict=True)):
            return None
        extents = classes.kinds[source].shape
        part = tuple(bounds[p] if p is not None else e for p, e in zip(parts, extents, strict=True))
        index = tuple(affine.dim(a) + (start[p] if p is not None else 0) for a, p in enumerate(parts))
        operands.append(New(terms.view(View(part, index), source), (source,)) if part != extents else source)
    return New(terms.contract(Contract(tuple(bounds), found.maps, shape), *product.operands), tuple(operands))


def _contract(term: Term) -> Contract:
    assert isinstance(term.parameter, Contract)
    return term.parameter


def _contracts(classes: Classes) -> Iterator[tuple[int, Term]]:
    return ((n, t) for n, found in enumerate(classes.terms) for t in found if t.operator == "contract")


def _views(classes: Classes) -> Iterator[tuple[int, Term]]:
    return ((n, t) for n, found in enumerate(classes.terms) for t in found if t.operator == "view")


def _ops(classes: Classes, *names: str) -> Iterator[tuple[int, Term]]:
    return ((n, t) for n, f in enumerate(classes.terms) for t in f if t.operator == "op" and t.key in names)
