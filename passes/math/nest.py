"""The loop nest that computes a group: which values are needed at which points, and in what order.

A group is a graph of *loop operations* (element-wise, reductions, contractions), *views* (index changes) and *leaves*
(memory). Starting from the group's result at the point given by its own loop dimensions, `demand` follows operands down:
an element-wise operation is needed at one point, a reduction brings dimensions of its own. What comes out is a
`Nest`: one space of dimensions, every memory access as expressions over it, and the reductions in the order in
which they have to run. Dimensions are then cut (`affine.split_dims`) so that reshapes inside the group cost no division.

Pure arithmetic: values are integers, nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import affine
from .affine import Expr

Index = tuple[Expr, ...]


@dataclass(frozen=True)
class Leaf:
    """A value that lives in memory."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """`value[i] = source[index(i)]`."""

    shape: tuple[int, ...]
    source: int
    index: Index


@dataclass(frozen=True)
class Loop:
    """An operation over loop dimensions; `maps` belong to `operands` and then to the `results`."""

    bounds: tuple[int, ...]
    parallel: tuple[bool, ...]
    operands: tuple[int, ...]
    operand_maps: tuple[Index, ...]
    results: tuple[int, ...]
    result_maps: tuple[Index, ...]
    contraction: bool = False

    @property
    def reduction_dims(self) -> tuple[int, ...]:
        return tuple(i for i, p in enumerate(self.parallel) if not p)

    @property
    def points(self) -> int:
        """Number of points of the parallel space."""
        total = 1
        for extent, parallel in zip(self.bounds, self.parallel, strict=True):
            total *= extent if parallel else 1
        return total


Definition = Leaf | View | Loop


class NestError(Exception):
    """The operations cannot be computed as one group; the message says why."""


@dataclass(frozen=True)
class Need:
    """Operation `loop` needed at `point`, one expression for each of its loop dimensions."""

    loop: Loop
    point: Index


@dataclass
class Nest:
    """Everything needed to compute a group's result once.

    Dimensions `0 .. n_root - 1` are the result's; the others belong to reductions.
    """

    bounds: list[int]
    n_root: int
    reductions: list[Need] = field(default_factory=list[Need])
    """In an order in which each one uses earlier ones only."""
    own_dims: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    """Nest dimensions that belong to each reduction."""
    accesses: list[tuple[int, Index]] = field(default_factory=list[tuple[int, Index]])
    """(leaf, index) of every memory access."""
    maps: list[Need] = field(default_factory=list[Need])
    """Element-wise operations, with the points they are needed at."""


def demand(root: int, index: Index, bounds: Sequence[int], values: Mapping[int, Definition]) -> Nest:
    """Nest for value `root` at `index`, expressions over dimensions of extents `bounds`."""
    nest = Nest(list(bounds), len(bounds))
    seen: set[tuple[int, Index]] = set()
    _visit(root, index, values, nest, seen)
    return nest


def _visit(
    value: int, index: Index, values: Mapping[int, Definition], nest: Nest, seen: set[tuple[int, Index]]
) -> None:
    if (value, index) in seen:
        return
    seen.add((value, index))
    definition = values[value]
    if isinstance(definition, Leaf):
        nest.accesses.append((value, index))
    elif isinstance(definition, View):
        _visit(definition.source, _compose(definition.index, index, nest.bounds), values, nest, seen)
    else:
        _visit_loop(definition, value, index, values, nest, seen)


def _visit_loop(
    loop: Loop,
    value: int,
    index: Index,
    values: Mapping[int, Definition],
    nest: Nest,
    seen: set[tuple[int, Index]],
) -> None:
    point = point_of(loop, loop.results.index(value), index)
    own: list[int] = []
    for axis in loop.reduction_dims:
        own.append(len(nest.bounds))
        point[axis] = affine.dim(len(nest.bounds))
        nest.bounds.append(loop.bounds[axis])
    need = Need(loop, tuple(e if e is not None else Expr() for e in point))
    for operand, operand_map in zip(loop.operands, loop.operand_maps, strict=True):
        _visit(operand, _compose(operand_map, need.point, nest.bounds), values, nest, seen)
    if own or loop.contraction:
        nest.reductions.append(need)
        nest.own_dims.append(tuple(own))
    else:
        nest.maps.append(need)


def point_of(loop: Loop, result: int, index: Index) -> list[Expr | None]:
    """Loop point at which result number `result` has `index`; None for the reduction dimensions."""
    point: list[Expr | None] = [None] * len(loop.bounds)
    for expr, wanted in zip(loop.result_maps[result], index, strict=True):
        if expr.is_constant:
            continue
        (atom, factor), *rest = expr.terms
        if rest or factor != 1 or expr.constant or not isinstance(atom, affine.Dim) or point[atom.index] is not None:
            raise NestError("an operation writes its result through an index map that cannot be inverted")
        point[atom.index] = wanted
    for axis, parallel in enumerate(loop.parallel):
        if parallel and point[axis] is None:
            if loop.bounds[axis] != 1:
                raise NestError("an operation has a parallel loop that its result does not show")
            point[axis] = Expr()
    return point


def _compose(outer: Index, inner: Index, bounds: Sequence[int]) -> Index:
    return tuple(affine.substitute(e, inner, bounds) for e in outer)


def split(nest: Nest, extra: Sequence[Expr] = ()) -> tuple[Nest, affine.Split]:
    """Cut the nest's dimensions so that accesses (and `extra` expressions) are linear where they can be.

    The new nest counts the pieces of the result's dimensions as the result's.
    """
    exprs = [e for _, index in nest.accesses for e in index]
    exprs += [e for need in (*nest.reductions, *nest.maps) for e in need.point]
    cut = affine.split_dims([*exprs, *extra], nest.bounds)
    return refine(nest, cut), cut


def refine(nest: Nest, cut: affine.Split) -> Nest:
    """The nest over new dimensions."""
    owner: list[list[int]] = [sorted(v.dims()) for v in cut.values]
    roots = {p for d in range(nest.n_root) for p in owner[d]}
    fresh = Nest(list(cut.bounds), len(roots))
    fresh.own_dims = [tuple(dict.fromkeys(p for d in own for p in owner[d])) for own in nest.own_dims]
    fresh.reductions = [Need(n.loop, tuple(cut.apply(e) for e in n.point)) for n in nest.reductions]
    fresh.maps = [Need(n.loop, tuple(cut.apply(e) for e in n.point)) for n in nest.maps]
    fresh.accesses = [(leaf, tuple(cut.apply(e) for e in index)) for leaf, index in nest.accesses]
    return fresh


def merge_dims(bounds: Sequence[int], mergeable: Sequence[int], positions: Sequence[Expr]) -> affine.Split:
    """Join neighbouring dimensions that every position walks as one: outer step = inner step * inner extent.

    `mergeable` lists the dimensions that may be joined, outermost first. The pieces are written as quotient and
    remainder of the joined dimension, which cancel in every position.
    """
    chains: list[list[int]] = []
    for dim in mergeable:
        if chains and all(_walks_as_one(p, chains[-1][-1], dim, bounds) for p in positions):
            chains[-1].append(dim)
        else:
            chains.append([dim])
    joined = {d: chain for chain in chains for d in chain}
    new_bounds: list[int] = []
    values: list[Expr] = [Expr()] * len(bounds)
    for dim in range(len(bounds)):
        chain = joined.get(dim, [dim])
        if dim != min(chain):
            continue
        extent = 1
        for member in chain:
            extent *= bounds[member]
        new_bounds.append(extent)
    for dim in range(len(bounds)):
        chain = joined.get(dim, [dim])
        if dim == min(chain):
            place = sum(1 for d in range(dim) if d == min(joined.get(d, [d])))
            pieces = affine.delinearize(affine.dim(place), [bounds[m] for m in chain], new_bounds)
            for member, piece in zip(chain, pieces, strict=True):
                values[member] = piece
    return affine.Split(tuple(new_bounds), tuple(values))


def _walks_as_one(position: Expr, outer: int, inner: int, bounds: Sequence[int]) -> bool:
    hidden = any(not isinstance(a, affine.Dim) and {outer, inner} & a.operand.dims() for a, _ in position.terms)
    return not hidden and position.coefficient(outer) == position.coefficient(inner) * bounds[inner]


@dataclass(frozen=True)
class Windows:
    """A reduction over windows that lie side by side in a value which a contraction computes."""

    need: Need
    operand: int
    """What is reduced."""
    index: Index
    """Where it is needed, over the nest's dimensions."""
    value: int
    """The value itself: the operand, or what it pads with elements that make no difference."""
    places: tuple[int | None, ...]
    """For each axis of the value the dimension of the result that counts windows along it, None where there is one."""
    sizes: tuple[int, ...]
    """Extent of a window along each axis."""
    extents: tuple[int, ...]
    """Extent of all windows together along each axis of the value."""
    low: tuple[int, ...]
    """Points of the first window along each axis that lie before the value."""

    def count(self, axis: int, bounds: Sequence[int]) -> int:
        """Windows along an axis, where dimensions of the nest have these extents."""
        place = self.places[axis]
        return 1 if place is None else bounds[place]

    def padded(self, new: int, shape: Sequence[int], low: Sequence[int], bounds: Sequence[int]) -> Windows | None:
        """The windows where the operand pads value `new`; None where some window has no point of it."""
        ends = [self.count(a, bounds) * n - before for a, (n, before) in enumerate(zip(self.sizes, low, strict=True))]
        extents = tuple(min(end, extent) for end, extent in zip(ends, shape, strict=True))
        empty = any(end - n >= extent for end, n, extent in zip(ends, self.sizes, shape, strict=True))
        if empty or any(before >= n for before, n in zip(low, self.sizes, strict=True)):
            return None
        return replace(self, value=new, extents=extents, low=tuple(low))


def windows_of(nest: Nest) -> Windows | None:
    """The windows of a nest that is a contraction and then a reduction over windows of what it computes.

    None where there is no such reduction, or where windows overlap, leave gaps or do not begin with the first point.
    """
    if [need.loop.contraction for need in nest.reductions] != [True, False]:
        return None
    need, own = nest.reductions[1], nest.own_dims[1]
    indices = [_compose(m, need.point, nest.bounds) for m in need.loop.operand_maps]
    read = [n for n, index in enumerate(indices) if any(e.dims() & set(own) for e in index)]
    if len(read) != 1 or len(need.loop.results) != 1:
        return None
    index = indices[read[0]]
    places: list[int | None] = []
    sizes: list[int] = []
    inner: list[int] = []
    for expr in index:
        place = next((d for d in sorted(expr.dims()) if d < nest.n_root), None)
        inside = [d for d in expr.dims() if d in own]
        size = nest.bounds[inside[0]] if inside else 1
        plain = affine.dim(place) * size if place is not None else Expr()
        if expr != (plain + affine.dim(inside[0]) if inside else plain):
            return None
        places.append(place)
        sizes.append(size)
        inner += inside
    outer = [p for p in places if p is not None]
    if sorted(inner) != sorted(own) or sorted(outer) != list(range(nest.n_root)):
        return None
    extents = (s if p is None else s * nest.bounds[p] for s, p in zip(sizes, places, strict=True))
    operand, low = need.loop.operands[read[0]], (0,) * len(sizes)
    return Windows(need, operand, index, operand, tuple(places), tuple(sizes), tuple(extents), low)


def domain(nest: Nest) -> frozenset[int]:
    """Dimensions of the result that all reductions share: one point of the domain computes every reduction once.

    All dimensions when there is no reduction. Reductions may be needed at points that a rotation moves. Raises NestError when
    reductions do not nest that way.
    """
    roots = frozenset(range(nest.n_root))
    if not nest.reductions:
        return roots
    shared: frozenset[int] | None = None
    for need, own in zip(nest.reductions, nest.own_dims, strict=True):
        outer = frozenset[int]().union(*(e.dims() for e in need.point)) - frozenset(own)
        if not outer <= roots:
            raise NestError("a reduction is needed inside the loop of another")
        live = frozenset(d for d in outer if nest.bounds[d] > 1)
        if shared is not None and live != shared:
            raise NestError("reductions run over different dimensions of the result")
        shared = live
        computed = 1
        for d in live:
            computed *= nest.bounds[d]
        if computed > need.loop.points:
            raise NestError("a reduction would be computed more than once")
        if any(isinstance(atom, affine.FloorDiv) for e in need.point for atom, _ in e.terms):
            raise NestError("a reduction is needed at points that a reshape scatters")
    assert shared is not None
    return shared | frozenset(d for d in roots if nest.bounds[d] == 1)
