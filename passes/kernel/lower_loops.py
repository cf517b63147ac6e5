"""Kernels for everything that is not a contraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.dialects.graph import Group
from cocomp.passes.math import affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.chains import Digit, exact_digits
from cocomp.passes.math.schedule import Access, LoopSchedule, schedule_loops
from cocomp.support.mlir import arith, ir, memref, ops_in
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._border import with_border
from ._evaluate import Kept
from ._reduction import Combiner, combiner_of
from ._stage import Stage
from ._values import Point, Val, lane_step


@dataclass(frozen=True)
class LowerLoopsPass(Pass):
    """Groups without a contraction become vectorised loops over flat buffers.

        func @group_7(%x: tensor<1x128x768xf32>) -> tensor<1x128x768xf32> { mean, variance, normalise }
      -->
        func @group_7(%x: memref<98304xf32>, %y: memref<98304xf32>, %first: index, %last: index)

    One point of the domain (`nest.domain`) computes all its reductions, then the results that hang on them. The
    registers run along a dimension of the domain (pooling over channels-last images) or along the inner loops (softmax,
    layer norm), whichever reads memory contiguously. Values that are dear and needed in two stages are kept in scratch
    memory. Leaves `kernel.tasks`, the number of independent pieces of work, and `kernel.facts` for the report.
    """

    name: ClassVar[str] = "lower-loops"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if _is_loops(group):
                with function.location:
                    _Lowering(group, state.processor.lanes(_element_bytes(group))).run()


def _element_bytes(group: Group) -> int:
    """Size of the elements that fill a register: halves where the result is made of them."""
    return 2 if isinstance(structured.element_of(group.root.results[0]), ir.F16Type) else 4


def _is_loops(group: Group) -> bool:
    name = group.root.name
    return (
        name in ("linalg.generic", "tensor.pad", "sparse.contract", "arith.constant")
        or structured.view_of(group.root) is not None
    )


@dataclass
class _Lowering:
    group: Group
    lanes: int
    kernel: _function.Kernel = field(init=False)
    schedule: LoopSchedule = field(init=False)
    _pending: dict[int, tuple[Kept, nest.Need]] = field(default_factory=dict[int, tuple[Kept, nest.Need]])

    def run(self) -> None:
        self.kernel = _function.begin(self.group)
        self.evaluator = self.kernel.evaluator
        self.made, self.axes = self._merged()
        self.outer = nest.domain(self.made)
        self.stages = _stage_combiners(self.group)
        self.schedule = schedule_loops(
            bounds=self.made.bounds,
            n_root=self.made.n_root,
            domain=self.outer,
            own=self.made.own_dims,
            accesses=self._accesses(self.made),
            store=self._store_position(),
            lanes=self.lanes,
            inner_vector=[c is not None for c in self.stages],
        )
        tasks = self.schedule.tasks
        task, at = _function.task_loop(self.kernel)
        with at:
            tasks = with_border(self.group, self.kernel, self.lanes, task, tasks, lambda: self._compute(task))
        _function.describe_walks(self.kernel, self.group, self.made, self.axes, self._digits())
        _function.finish(self.kernel, self.group, tasks, self._facts())

    # What the schedule wants to know ----------------------------------------------------------------------------------

    def _accesses(self, made: nest.Nest) -> list[Access]:
        found = []
        for leaf, index in made.accesses:
            memory = self.evaluator.memories[leaf]
            found.append(Access(affine.substitute(memory.position, index, made.bounds)))
        return found

    def _store_position(self) -> Expr:
        out = self.kernel.outputs[0]
        return affine.substitute(out.position, graphs.shifted(self.group, self.axes), self.made.bounds)

    def _merged(self) -> tuple[nest.Nest, nest.Index]:
        """Element-wise groups run over as few, as long dimensions as memory allows."""
        made, group = self.group.nest, self.group
        if made.reductions or graphs.uses_indices(group):
            return made, group.axes
        store = affine.substitute(self.kernel.outputs[0].position, graphs.stored_index(group), made.bounds)
        positions = [store, *(a.position for a in self._accesses(made))]
        order = sorted(range(made.n_root), key=lambda d: -abs(store.coefficient(d)))
        cut = nest.merge_dims(made.bounds, order, positions)
        return nest.refine(made, cut), tuple(cut.apply(e) for e in group.axes)

    def _facts(self) -> dict[str, str]:
        statistics = self.evaluator.statistics
        kind = "depth-wise" if self.group.contraction else "reduction" if self.made.reductions else "pointwise"
        facts = {"kind": kind, "vector": self.schedule.describe()}
        if statistics.gathered:
            facts["gathers"] = str(statistics.gathered)
        return facts

    def _digits(self) -> tuple[Digit, ...]:
        plan = self.schedule
        return exact_digits((d, plan.bounds[d], plan.task_step(d)) for d in plan.task_dims)

    # Loops ------------------------------------------------------------------------------------------------------------

    def _compute(self, task: ir.Value) -> None:
        plan = self.schedule
        dims: list[b.Index | None] = [None] * len(self.made.bounds)
        for dim, index in zip(
            plan.task_dims, b.decode(task, [plan.task_extent(d) for d in plan.task_dims]), strict=True
        ):
            dims[dim] = b.mul(index, plan.task_step(dim))
        base = Point(tuple(dims), tuple(self.made.bounds))
        self._domain_loops(list(plan.loop_dims), base)

    def _domain_loops(self, remaining: list[int], point: Point) -> None:
        if not remaining:
            if self.schedule.across is None:
                self._point([point])
            else:
                self._across(point)
            return
        dim, *rest = remaining
        low, high = self._range(dim, point)

        def body(index: b.Index) -> None:
            self._domain_loops(rest, point.at(dim, index))

        step = self.schedule.tile.get(dim, 1)
        b.loop(low, high, step, body)

    def _range(self, dim: int, point: Point) -> tuple[b.Index, b.Index]:
        """Part of a loop dimension that this task runs over."""
        extent, start = self.made.bounds[dim], point.dims[dim]
        if start is None:
            return 0, extent
        return start, b.minimum(b.add(start, self.schedule.task_step(dim)), extent)

    def _across(self, point: Point) -> None:
        """Registers along a dimension of the domain."""
        dim = self.schedule.across
        assert dim is not None
        extent = self.made.bounds[dim]
        full = extent - extent % self.lanes
        low, high = self._range(dim, point)
        if isinstance(low, int) and isinstance(high, int):
            high = min(high, full)
        else:
            high = b.minimum(high, full)
        unroll = self.schedule.vectors
        step = self.lanes * unroll

        def vectors(count: int) -> Callable[[b.Index], None]:
            def body(index: b.Index) -> None:
                first = point.at(dim, index)
                self._point(self._tiled([self._vector_point(first, dim, i) for i in range(count)]))

            return body

        b.loop(low, high, step, vectors(unroll))
        if extent % self.lanes:
            self._tail(point, dim, full)

    def _vector_point(self, point: Point, dim: int, number: int) -> Point:
        first = point.dims[dim]
        assert first is not None
        moved = point.at(dim, b.add(first, number * self.lanes))
        return Point(moved.dims, moved.bounds, self.lanes, dim)

    def _tail(self, point: Point, dim: int, full: int) -> None:
        count = self.made.bounds[dim] - full
        at = point.at(dim, full)
        tail = Point(at.dims, at.bounds, self.lanes, dim, count)
        start = point.dims[dim]
        if start is None:
            self._point(self._tiled([tail]))
            return
        last = self.schedule.task_extent(dim) - 1
        is_last = arith.cmpi(arith.CmpIPredicate.eq, b.value(start), b.value(last * self.schedule.task_step(dim)))
        b.when(is_last, lambda: self._point(self._tiled([tail])))

    def _tiled(self, points: list[Point]) -> list[Point]:
        """Points of a register tile: neighbours along the tiled dimensions share loads."""
        for dim, count in self.schedule.tile.items():
            tiled = []
            for point in points:
                first = point.dims[dim]
                assert first is not None
                tiled += [point.at(dim, b.add(first, i)) for i in range(count)]
            points = tiled
        return points

    # One point of the domain (or a tile of them) ----------------------------------------------------------------------

    def _point(self, points: list[Point]) -> None:
        self.evaluator.kept = {}
        computed: list[dict[tuple[int, nest.Index], Val]] = [{} for _ in points]
        for stage, need in enumerate(self.made.reductions):
            for results, found in zip(computed, self._reduce(stage, need, points, computed), strict=True):
                results.update(found)
        inner = [d for d in range(self.made.n_root) if d not in self.outer]
        turned = 0 if inner else self._write_turned(points, computed)
        for point, results in list(zip(points, computed, strict=True))[turned:]:
            self.evaluator.computed = results
            self._write(inner, point)

    def _write_turned(self, points: list[Point], computed: list[dict[tuple[int, nest.Index], Val]]) -> int:
        """Store points that are neighbours in memory, as their lanes are not, by turning squares of their registers; how
        many of them."""
        index = graphs.shifted(self.group, self.axes)
        (number,), (memory,) = self.group.results[:1], self.kernel.outputs[:1]
        position = self._store_position()
        neighbours = len(self.schedule.tile) == 1 and position.coefficient(*self.schedule.tile) == 1
        if not neighbours or len(points) == 1 or len(self.group.results) > 1:
            return 0
        if points[0].tail is not None or lane_step(position, points[0]) in (None, 0, 1):
            return 0
        count = min(points[0].lanes, 1 << len(points).bit_length() - 1)
        turned = len(points) - len(points) % count
        for start in range(0, turned, count):
            found: list[Val] = []
            for point, results in zip(points[start : start + count], computed[start : start + count], strict=True):
                self.evaluator.computed = results
                self.evaluator.fresh()
                found.append(self.evaluator.value(number, self.axes, point))
            self.evaluator.store_turned(found, memory, index, points[start : start + count])
        return turned

    def _write(self, inner: Sequence[int], point: Point) -> None:
        """The group's result at one point of the domain, over its other dimensions."""
        along = self.schedule.inside[-1] if inner else None

        def store(at: Point) -> None:
            self.evaluator.fresh()
            for number, memory in zip(self.group.results, self.kernel.outputs, strict=True):
                self.evaluator.store(
                    self.evaluator.value(number, self.axes, at), memory, graphs.shifted(self.group, self.axes), at
                )

        self._inner_loops([d for d in inner if d != along], along, point, store)

    def _inner_loops(
        self, loops: Sequence[int], along: int | None, point: Point, body: Callable[[Point], None]
    ) -> None:
        if loops:
            dim, *rest = loops
            b.loop(0, self.made.bounds[dim], 1, lambda i: self._inner_loops(rest, along, point.at(dim, i), body))
            return
        if along is None:
            body(point)
            return
        extent = self.made.bounds[along]
        full = extent - extent % self.lanes
        b.loop(0, full, self.lanes, lambda i: body(Point(point.at(along, i).dims, point.bounds, self.lanes, along)))
        if extent % self.lanes:
            body(Point(point.at(along, full).dims, point.bounds, self.lanes, along, extent % self.lanes))

    # Reductions -------------------------------------------------------------------------------------------------------

    def _reduce(
        self, stage: int, need: nest.Need, points: list[Point], computed: list[dict[tuple[int, nest.Index], Val]]
    ) -> list[dict[tuple[int, nest.Index], Val]]:
        """Run one reduction for every point of a tile together; its results, by value number and index."""
        own, along = self.made.own_dims[stage], self.schedule.inside[stage]
        at = self._stage(need)
        initial = [at.initial(p, c) for p, c in zip(points, computed, strict=True)]
        if along is None:
            found = at.each(own, points, computed, initial, self.schedule.unroll_reductions)
        else:
            found = [
                self._reduce_along(stage, need, own, along, p, c, i)
                for p, c, i in zip(points, computed, initial, strict=True)
            ]
            self.evaluator.kept.update({n: k for n, (k, _) in self._pending.items()})
        return [at.named(values) for values in found]

    def _stage(self, need: nest.Need) -> Stage:
        return Stage(self.group, self.evaluator, need, tuple(self.made.bounds))

    def _reduce_along(
        self,
        stage: int,
        need: nest.Need,
        own: Sequence[int],
        along: int,
        point: Point,
        computed: dict[tuple[int, nest.Index], Val],
        initial: list[Val],
    ) -> list[Val]:
        """Registers along the reduction itself: partial results in the lanes of several registers, combined at the end."""
        combiner = self.stages[stage]
        assert combiner is not None
        self.evaluator.computed = computed
        keep = self._scratch(stage, need, along)
        kind = initial[0].type
        lanes_kind = ir.VectorType.get([self.lanes], kind)
        extent = self.made.bounds[along]
        full = extent - extent % self.lanes
        count = max(1, min(4, full // self.lanes))
        neutral = self.evaluator.once.get(
            ("neutral", combiner.name, str(lanes_kind)), lambda: combiner.neutral(lanes_kind)
        )

        def update(at: Point, total: ir.Value) -> ir.Value:
            self.evaluator.fresh()
            results = self.evaluator.body(need.loop, need.point, at, [Val(kind, total, True)])
            for kept in keep:
                self._keep(kept, at)
            after = self.evaluator.spread(results[0], at)
            if at.tail is not None:
                after = arith.select(self.evaluator._mask(at), after, total)
            return after

        def row(at: Point, totals: Sequence[ir.Value]) -> list[ir.Value]:
            def block(index: b.Index, *values: ir.Value) -> list[ir.Value]:
                return [
                    update(self._lanes_at(at, along, b.add(index, i * self.lanes)), v) for i, v in enumerate(values)
                ]

            whole = full - full % (count * self.lanes)
            current = b.loop(0, whole, count * self.lanes, block, totals)
            for number, start in enumerate(range(whole, full, self.lanes)):
                current[number] = update(self._lanes_at(at, along, start), current[number])
            if extent % self.lanes:
                tail = Point(at.at(along, full).dims, at.bounds, self.lanes, along, extent % self.lanes)
                current[-1] = update(tail, current[-1])
            return current

        def loops(remaining: Sequence[int], at: Point, totals: Sequence[ir.Value]) -> list[ir.Value]:
            if not remaining:
                return row(at, totals)
            dim, *rest = remaining
            return b.loop(0, self.made.bounds[dim], 1, lambda i, *v: loops(rest, at.at(dim, i), v), totals)

        totals = loops([d for d in own if d != along], point, [neutral] * count)
        total = totals[0]
        for other in totals[1:]:
            total = combiner.combine(total, other)
        across = combiner.horizontal(total, kind)
        return [Val(kind, combiner.combine(self.evaluator.scalar(initial[0], point), across))]

    def _lanes_at(self, point: Point, along: int, index: b.Index) -> Point:
        return Point(point.at(along, index).dims, point.bounds, self.lanes, along)

    # Values kept between stages ---------------------------------------------------------------------------------------

    def _scratch(self, stage: int, need: nest.Need, along: int) -> list[Kept]:
        """Buffers for the dear values of this stage that a later one needs again."""
        made: list[Kept] = []
        inner_dims = frozenset(self.made.own_dims[stage])
        for candidate in self.made.maps:
            op = self.group.graph.operations[candidate.loop.results[0]]
            used = frozenset[int]().union(frozenset(), *(e.dims() for e in candidate.point))
            if not structured.is_expensive(op) or not used & inner_dims or not self._needed_later(candidate, stage):
                continue
            axes = tuple(i for i, e in enumerate(candidate.point) if e.dims() & inner_dims)
            outer = tuple(e for i, e in enumerate(candidate.point) if i not in axes)
            size = 1
            for axis in axes:
                size *= candidate.loop.bounds[axis]
            if size > MAX_SCRATCH or len(op.results) != 1:
                continue
            buffer = self._allocate(candidate.loop.results[0], size, op)
            kept = Kept(candidate.loop, buffer, axes, outer, 0)
            self._pending[candidate.loop.results[0]] = (kept, candidate)
            made.append(kept)
        return made

    def _allocate(self, number: int, size: int, op: ir.Operation) -> ir.Value:
        kind = _function.memory_type(structured.element_of(op.results[0]), size)
        return self.evaluator.once.get(("scratch", number), lambda: memref.alloca(kind, [], []))

    def _needed_later(self, candidate: nest.Need, stage: int) -> bool:
        own = frozenset(self.made.own_dims[stage])
        for other in self.made.maps:
            used = frozenset[int]().union(frozenset(), *(e.dims() for e in other.point))
            if other.loop is candidate.loop and other != candidate and not used & own:
                return True
        return False

    def _keep(self, kept: Kept, at: Point) -> None:
        number = kept.loop.results[0]
        _, candidate = self._pending[number]
        index = tuple(affine.substitute(e, candidate.point, at.bounds) for e in kept.loop.result_maps[0])
        found = self.evaluator.value(number, index, at)
        self.evaluator.store(found, kept.memory(), tuple(candidate.point[a] for a in kept.axes), at)


MAX_SCRATCH = 16384
"""Elements of a value kept between stages."""


def _stage_combiners(group: Group) -> list[Combiner | None]:
    return [combiner_of(group.graph.operations[n.loop.results[0]]) for n in group.nest.reductions]
