"""Loop nests ask for exactly the memory that the operations they stand for ask for.

Random graphs of element-wise operations, reductions, contractions and views are run twice: operation by operation on
numpy arrays whose elements are *sets of memory cells*, and through the nest that `demand` makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_trees import grid_of, values_of

from cocomp.passes.math import affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.nest import Definition, Leaf, Loop, NestError, View

Cells = np.ndarray
"""Elements are frozensets of (leaf, row-major position)."""


def dims(count: int) -> tuple[Expr, ...]:
    return tuple(affine.dim(i) for i in range(count))


@dataclass
class Graph:
    """Values under construction, with the cells that each element hangs on."""

    values: dict[int, Definition] = field(default_factory=dict)
    cells: dict[int, Cells] = field(default_factory=dict)

    def add(self, definition: Definition, cells: Cells) -> int:
        number = len(self.values)
        self.values[number] = definition
        self.cells[number] = cells
        return number

    def leaf(self, shape: tuple[int, ...]) -> int:
        number = len(self.values)
        cells = np.empty(shape, object)
        for position, index in enumerate(np.ndindex(*shape)):
            cells[index] = frozenset({(number, position)})
        return self.add(Leaf(shape), cells)

    def view(self, source: int, move: Callable[[np.ndarray], np.ndarray], index: tuple[Expr, ...]) -> int:
        cells = move(self.cells[source])
        return self.add(View(cells.shape, source, index), cells)

    def transpose(self, source: int, order: list[int]) -> int:
        return self.view(
            source, lambda a: a.transpose(order), tuple(affine.dim(order.index(i)) for i in range(len(order)))
        )

    def reshape(self, source: int, shape: tuple[int, ...]) -> int:
        old = self.cells[source].shape
        index = affine.delinearize(affine.linearize(dims(len(shape)), shape), old, shape)
        return self.view(source, lambda a: a.reshape(shape), index)

    def slice(self, source: int, axis: int, start: int, step: int) -> int:
        rank = self.cells[source].ndim
        index = tuple(affine.dim(i) * step + start if i == axis else affine.dim(i) for i in range(rank))
        return self.view(source, lambda a: a[(slice(None),) * axis + (slice(start, None, step),)], index)

    def repeat(self, source: int, axis: int) -> int:
        """Every element along one axis twice, as in nearest upsampling."""
        shape = tuple(2 * n if i == axis else n for i, n in enumerate(self.cells[source].shape))
        index = tuple(affine.floordiv(e, 2, shape) if i == axis else e for i, e in enumerate(dims(len(shape))))
        return self.view(source, lambda a: a.repeat(2, axis), index)

    def combine(self, a: int, b: int) -> int:
        """Element-wise, `b` broadcast where its extent is one."""
        shape = self.cells[a].shape
        maps = tuple(
            tuple(Expr() if extent == 1 else affine.dim(i) for i, extent in enumerate(self.cells[v].shape))
            for v in (a, b)
        )
        cells = unite(self.cells[a], np.broadcast_to(self.cells[b], shape))
        number = len(self.values)
        loop = Loop(shape, (True,) * len(shape), (a, b), maps, (number,), (dims(len(shape)),))
        return self.add(loop, cells)

    def reduce(self, source: int, axis: int) -> int:
        """Over one axis, which is kept with extent one."""
        shape = self.cells[source].shape
        kept = tuple(Expr() if i == axis else affine.dim(i) for i in range(len(shape)))
        cells = (
            np.apply_along_axis(lambda row: frozenset().union(*row), axis, self.cells[source])
            if self.cells[source].size
            else None
        )
        out = np.empty(tuple(1 if i == axis else n for i, n in enumerate(shape)), object)
        out[...] = np.expand_dims(cells, axis) if cells is not None else frozenset()
        number = len(self.values)
        parallel = tuple(i != axis for i in range(len(shape)))
        return self.add(Loop(shape, parallel, (source,), (dims(len(shape)),), (number,), (kept,)), out)

    def contract(self, x: int, w: int) -> int:
        """Matrix product of two values of rank two."""
        (rows, inner), (_, columns) = self.cells[x].shape, self.cells[w].shape
        out = np.empty((rows, columns), object)
        for i, j in product(range(rows), range(columns)):
            out[i, j] = frozenset().union(*self.cells[x][i, :], *self.cells[w][:, j])
        i, j, k = dims(3)
        number = len(self.values)
        loop = Loop((rows, columns, inner), (True, True, False), (x, w), ((i, k), (k, j)), (number,), ((i, j),), True)
        return self.add(loop, out)


def unite(a: Cells, b: Cells) -> Cells:
    out = np.empty(a.shape, object)
    for index in np.ndindex(*a.shape):
        out[index] = a[index] | b[index]
    return out


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, int]:
    """A graph of up to six operations over tiny tensors, and its last value."""
    graph = Graph()
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    current = graph.leaf(shape)
    for _ in range(draw(st.integers(1, 6))):
        shape = graph.cells[current].shape
        kind = draw(
            st.sampled_from(["transpose", "reshape", "slice", "repeat", "fresh", "earlier", "reduce", "contract"])
        )
        axis = draw(st.integers(0, len(shape) - 1))
        if kind == "transpose":
            current = graph.transpose(current, list(draw(st.permutations(range(len(shape))))))
        elif kind == "reshape":
            current = graph.reshape(current, _regrouped(draw, shape))
        elif kind == "slice":
            current = graph.slice(current, axis, draw(st.integers(0, shape[axis] - 1)), draw(st.integers(1, 2)))
        elif kind == "repeat" and shape[axis] < 5:
            current = graph.repeat(current, axis)
        elif kind == "fresh":
            extents = tuple(n if draw(st.booleans()) else 1 for n in shape)
            current = graph.combine(current, graph.leaf(extents))
        elif kind == "earlier":
            fits = [
                v
                for v, c in graph.cells.items()
                if c.ndim == len(shape) and all(n in (1, m) for n, m in zip(c.shape, shape, strict=True))
            ]
            current = graph.combine(current, draw(st.sampled_from(fits)))
        elif kind == "reduce":
            current = graph.reduce(current, axis)
        elif len(shape) == 2:
            current = graph.contract(current, graph.leaf((shape[1], draw(st.integers(1, 3)))))
    return graph, current


def _regrouped(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) > 1 and draw(st.booleans()):
        return (shape[0] * shape[1], *shape[2:])
    if shape and shape[-1] == 4:
        return (*shape[:-1], 2, 2)
    return (1, *shape)


def cells_of(made: nest.Nest, root_index: tuple[Expr, ...], graph: Graph, shape: tuple[int, ...]) -> Cells:
    """Cells that each element of the result hangs on, by the nest's accesses."""
    found = np.empty(shape, object)
    for index in np.ndindex(*shape):
        found[index] = frozenset()
    for leaf, index in made.accesses:
        used = frozenset().union(*(e.dims() for e in index)) | set(range(made.n_root))
        bounds = [n if d in used else 1 for d, n in enumerate(made.bounds)] or [1]
        roots = [values_of(e, bounds) for e in root_index]
        position = values_of(affine.linearize(index, graph.cells[leaf].shape), bounds)
        inside = [values_of(e, bounds) for e in index]
        for axis, extent in enumerate(graph.cells[leaf].shape):
            assert inside[axis].min() >= 0 and inside[axis].max() < extent
        for number, cell in enumerate(position.tolist()):
            at = tuple(int(r[number]) for r in roots)
            found[at] = found[at] | {(leaf, cell)}
    return found


def same(a: Cells, b: Cells) -> bool:
    return a.shape == b.shape and all(a[i] == b[i] for i in np.ndindex(*a.shape))


@given(graphs())
def test_a_nest_reads_what_its_operations_read(case: tuple[Graph, int]) -> None:
    graph, root = case
    shape = graph.cells[root].shape
    made = nest.demand(root, dims(len(shape)), shape, graph.values)
    assert same(cells_of(made, dims(len(shape)), graph, shape), graph.cells[root])


@given(graphs())
def test_cutting_dimensions_changes_nothing(case: tuple[Graph, int]) -> None:
    graph, root = case
    shape = graph.cells[root].shape
    made, cut = nest.split(nest.demand(root, dims(len(shape)), shape, graph.values))
    assert same(cells_of(made, cut.values[: len(shape)], graph, shape), graph.cells[root])
    covered = sorted(d for own in made.own_dims for d in own)
    assert set(range(made.n_root)) | set(covered) == set(range(len(made.bounds)))


@given(graphs())
def test_reductions_come_after_what_they_use(case: tuple[Graph, int]) -> None:
    graph, root = case
    shape = graph.cells[root].shape
    made = nest.demand(root, dims(len(shape)), shape, graph.values)

    def below(value: int) -> set[int]:
        """Reductions that a value hangs on directly."""
        definition = graph.values[value]
        if isinstance(definition, Leaf):
            return set()
        if isinstance(definition, View):
            return below(definition.source)
        if definition.reduction_dims or definition.contraction:
            return {id(definition)}
        return set().union(*(below(v) for v in definition.operands))

    done: set[int] = set()
    for need in made.reductions:
        assert set().union(*(below(v) for v in need.loop.operands)) <= done
        done.add(id(need.loop))


@given(graphs())
def test_each_point_of_the_domain_computes_a_reduction_once(case: tuple[Graph, int]) -> None:
    graph, root = case
    shape = graph.cells[root].shape
    made, _ = nest.split(nest.demand(root, dims(len(shape)), shape, graph.values))
    try:
        domain = nest.domain(made)
    except NestError:
        return
    points = int(np.prod([made.bounds[d] for d in domain], dtype=np.int64))
    for need in made.reductions:
        outer = [e for e, parallel in zip(need.point, need.loop.parallel, strict=True) if parallel]
        bounds = [n if d in domain else 1 for d, n in enumerate(made.bounds)] or [1]
        table = {
            tuple(int(c[i]) for c in [values_of(e, bounds) for e in outer]) for i in range(len(grid_of(bounds)[0]))
        }
        assert len(table) == points


def pooled(extent: int, window: int, stride: int) -> nest.Nest:
    """One row of a contraction with three taps, windows of whose result are reduced."""
    i, (n, c, k) = affine.dim(0), dims(3)
    outputs = (extent - window) // stride + 1
    taps = Loop((extent, 3), (True, False), (0, 1), ((i + affine.dim(1),), (affine.dim(1),)), (2,), ((i,),), True)
    pool = Loop((1, outputs, window), (True, True, False), (2,), ((c * stride + k,),), (3,), ((n, c),))
    values: dict[int, Definition] = {0: Leaf((extent + 2,)), 1: Leaf((3,)), 2: taps, 3: pool}
    made, _ = nest.split(nest.demand(3, dims(2), (1, outputs), values))
    return made


@pytest.mark.parametrize(("extent", "window"), [(8, 2), (9, 2), (11, 4), (6, 3), (9, 9)])
def test_windows_side_by_side(extent: int, window: int) -> None:
    """Of what the contraction computes, as far as whole windows reach; the last case has a single one."""
    made = pooled(extent, window, window)
    found = nest.windows_of(made)
    assert found is not None
    assert found.value == 2
    assert found.sizes == (window,)
    assert found.extents == (extent // window * window,)
    assert found.places == (0 if extent >= 2 * window else None,)
    assert found.need == made.reductions[1]


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (2, 3), (1, 1), (1, 2)])
def test_windows_that_overlap_or_leave_gaps_and_single_points_are_none(window: int, stride: int) -> None:
    assert nest.windows_of(pooled(9, window, stride)) is None


@pytest.mark.parametrize("shift", [0, 1])
def test_windows_begin_with_the_first_point(shift: int) -> None:
    i, (c, k) = affine.dim(0), dims(2)
    taps = Loop((9, 3), (True, False), (0, 1), ((i + affine.dim(1),), (affine.dim(1),)), (2,), ((i,),), True)
    pool = Loop((4, 2), (True, False), (3,), ((c * 2 + k,),), (4,), ((c,),))
    part = nest.View((8,), 2, (i + shift,))
    values: dict[int, Definition] = {0: Leaf((11,)), 1: Leaf((3,)), 2: taps, 3: part, 4: pool}
    made, _ = nest.split(nest.demand(4, dims(1), (4,), values))
    found = nest.windows_of(made)
    assert found is not None
    assert (found.value, found.extents) == (3, (8,))  # of the part: where it begins is how the contraction is needed
    assert made.reductions[0].point[0].constant == shift


@pytest.mark.parametrize(("extent", "window", "low", "reached"), [
    (7, 2, 1, 7), (8, 2, 1, 7), (9, 3, 1, 8), (7, 3, 0, 6), (4, 2, 2, None), (3, 4, 3, 1),
])  # fmt: skip
def test_windows_of_a_padded_value(extent: int, window: int, low: int, reached: int | None) -> None:
    """They have the points that there are, each at least one: `low` are missing before, others behind."""
    made = pooled((extent + low) // window * window, window, window)
    found = nest.windows_of(made)
    assert found is not None
    inside = found.padded(7, (extent,), (low,), made.bounds)
    assert (None if inside is None else inside.extents) == (None if reached is None else (reached,))
    if inside is not None:
        assert (inside.operand, inside.value, inside.low) == (found.operand, 7, (low,))


def test_a_softmax_is_one_nest() -> None:
    graph = Graph()
    x = graph.leaf((3, 8))
    largest = graph.reduce(x, 1)
    shifted = graph.combine(x, largest)
    total = graph.reduce(shifted, 1)
    made, _ = nest.split(nest.demand(graph.combine(shifted, total), dims(2), (3, 8), graph.values))
    assert nest.domain(made) == {0}
    assert [made.bounds[d] for own in made.own_dims for d in own] == [8, 8]


def test_a_reduction_inside_another_is_refused() -> None:
    graph = Graph()
    inner = graph.combine(graph.leaf((3, 4)), graph.reduce(graph.leaf((3, 4)), 1))
    outer = graph.reduce(inner, 0)
    with pytest.raises(NestError, match="inside the loop of another"):
        nest.domain(nest.demand(outer, dims(2), (1, 4), graph.values))


def test_reductions_over_different_dimensions_are_refused() -> None:
    graph = Graph()
    x = graph.leaf((3, 4))
    both = graph.combine(graph.combine(x, graph.reduce(x, 0)), graph.reduce(x, 1))
    with pytest.raises(NestError, match="different dimensions"):
        nest.domain(nest.demand(both, dims(2), (3, 4), graph.values))


def test_a_reduction_is_not_repeated_for_its_neighbours() -> None:
    graph = Graph()
    twice = graph.repeat(graph.reduce(graph.leaf((3, 4)), 1), 0)
    with pytest.raises(NestError, match="computed more than once|a reshape scatters"):
        nest.domain(nest.demand(twice, dims(2), (6, 1), graph.values))


def test_results_must_show_where_they_are_written() -> None:
    i, j = dims(2)
    skewed = Loop((3, 3), (True, True), (0,), ((i, j),), (1,), ((i + j,),))
    with pytest.raises(NestError, match="cannot be inverted"):
        nest.point_of(skewed, 0, dims(1))
    hidden = Loop((3, 3), (True, True), (0,), ((i, j),), (1,), ((i,),))
    with pytest.raises(NestError, match="its result does not show"):
        nest.point_of(hidden, 0, dims(1))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False), st.integers(0, 3))
def test_merged_dimensions_walk_the_same_memory(bounds: list[int], random: object, gap: int) -> None:
    """Positions over a pitched buffer: dimensions are joined as far as memory is contiguous, and no further."""
    position, stride = Expr(), 1
    for axis in reversed(range(len(bounds))):
        position = position + affine.dim(axis) * stride
        stride = stride * bounds[axis] + (gap if axis == 1 else 0)
    merged = nest.merge_dims(bounds, list(range(len(bounds))), [position])
    assert int(np.prod(merged.bounds)) == int(np.prod(bounds))
    found = values_of(merged.apply(position), merged.bounds)
    assert sorted(found.tolist()) == sorted(values_of(position, bounds).tolist())
    old = np.stack([values_of(v, merged.bounds) for v in merged.values])
    assert len({tuple(c) for c in old.T.tolist()}) == int(np.prod(bounds))
    if gap == 0 or len(bounds) == 1:
        assert len(merged.bounds) == 1
