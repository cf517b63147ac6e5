"""Kernels for GPUs of everything that is not a contraction over channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, structured
from cocomp.dialects.graph import Group
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._reduction import Combiner, combiner_of
from cocomp.passes.kernel._stage import Computed, Stage
from cocomp.passes.kernel._values import Point, Val
from cocomp.passes.math import affine, nest
from cocomp.passes.math.teams import Team, team_of
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import arith, ir, ops_in, vector
from cocomp.support.passes import Pass, State

from . import _shader
from ._team import ALONE, Member
from ._texels import TEXEL, has_texels, is_aligned


@dataclass(frozen=True)
class ShadeLoopsPass(Pass):
    """Groups without a contraction over channels, other than the CPU's, become kernels with a point of the result for each invocation.

        func @group_7(%x: tensor<1x128x768xf32>) -> tensor<1x128x768xf32> { mean, variance, normalise }
      -->
        func @group_7(%x: memref<98304xf32, storage>, %y: memref<98304xf32, storage>) attributes {kernel.grid = [2, 1, 1]}

    One point of the domain (`nest.domain`) computes all its reductions, then the results that hang on them; four points do so
    together where their results are a texel, else reductions run over four elements at once. Neighbouring invocations have
    neighbours in the memory of the result. Where points are few for the target and reductions long, invocations of a workgroup
    share a point: each reads a part of what is reduced, and combines what it found with the others'. Leaves `kernel.grid`, in workgroups, and `kernel.facts` for the report.
    """

    name: ClassVar[str] = "shade-loops"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            if graphs.is_group(function) and not places.on_cpu(function):
                assert isinstance(state.target, GpuTarget)
                with function.location:
                    _Lowering(graphs.read_group(function), state.target.busy_invocations).run()


@dataclass
class _Lowering:
    group: Group
    busy: int
    """Invocations that the target wants."""

    def run(self) -> None:
        self.shader = _shader.begin(self.group)
        self.evaluator = self.shader.evaluator
        self.made, self.axes = self._merged()
        self.bounds = tuple(self.made.bounds)
        domain = nest.domain(self.made)
        self.store = self._store_position()
        step = {d: abs(self.store.coefficient(d)) for d in range(self.made.n_root)}
        self.lanes = sorted(domain, key=lambda d: -(step[d] or self.bounds[d] << 32))
        self.inner = sorted((d for d in range(self.made.n_root) if d not in domain), key=lambda d: -step[d])
        self.across = None if self._reduces_texels() else next(filter(self._comes_in_texels, self.lanes), None)
        self.extents = [self.bounds[d] // (TEXEL if d == self.across else 1) for d in self.lanes]
        self.team = self._team()
        kind = "depth-wise" if self.group.contraction else "reduction" if self.made.reductions else "pointwise"
        vector = "four points" if self.across is not None else "a point"
        points, parts = prod(self.extents), self.team.parts
        facts = {"kind": kind, "vector": f"{vector} {f'for {parts} invocations' if parts > 1 else 'an invocation'}"}
        if parts == 1:
            _shader.finish(self.shader, self.group, 1, points, lambda _, lane: self._compute(lane, ALONE), facts)
        else:
            groups = -(-points // self.team.points)
            _shader.finish(self.shader, self.group, groups, self.team.size, self._compute_together, facts)

    def _team(self) -> Team:
        """A team wherever what its members find can be combined in any order."""
        loops = [self.group.graph.operations[need.loop.results[0]] for need in self.made.reductions]
        lengths = [prod(self.bounds[d] for d in own) for own in self.made.own_dims]
        if any(
            combiner_of(op) is None or structured.bytes_of(structured.element_of(op.results[0])) < 2 for op in loops
        ):
            lengths = []
        each = 1 if self.across is not None else TEXEL
        return team_of(prod(self.extents), max(lengths, default=0) // each, self.busy, _shader.WORKGROUP)

    def _store_position(self) -> affine.Expr:
        index = graphs.shifted(self.group, self.axes)
        return affine.substitute(self.shader.outputs[0].position, index, self.made.bounds)

    def _reduces_texels(self) -> bool:
        """Whether what is reduced lies in texels of the reduced elements."""
        inner = {own[-1] for own in self.made.own_dims if own and self.bounds[own[-1]] % TEXEL == 0}
        for leaf, index in self.made.accesses:
            memory = self.evaluator.memories[leaf]
            position = affine.substitute(memory.position, index, self.bounds)
            if has_texels(memory.buffer) and any(
                position.coefficient(d) == 1 and is_aligned(position, d) for d in inner
            ):
                return True
        return False

    def _comes_in_texels(self, dim: int) -> bool:
        """Whether the result can be written four elements at a time along a dimension."""
        whole = self.bounds[dim] % TEXEL == 0 and self.store.coefficient(dim) == 1
        return whole and has_texels(self.shader.outputs[0].buffer) and is_aligned(self.store, dim)

    def _merged(self) -> tuple[nest.Nest, nest.Index]:
        """Element-wise groups run over as few, as long dimensions as memory allows."""
        made, group = self.group.nest, self.group
        if made.reductions or graphs.uses_indices(group):
            return made, group.axes
        store = affine.substitute(self.shader.outputs[0].position, graphs.stored_index(group), made.bounds)
        walked = layout.lines_of(layout.of_result(group.function, 0), store, made.bounds)
        for leaf, index in made.accesses:
            read = affine.substitute(self.evaluator.memories[leaf].position, index, made.bounds)
            number = ir.BlockArgument(group.graph.values[leaf]).arg_number
            walked += layout.lines_of(layout.of_argument(group.function, number), read, made.bounds)
        order = sorted(range(made.n_root), key=lambda d: -abs(store.coefficient(d)))
        cut = nest.merge_dims(made.bounds, order, walked)
        return nest.refine(made, cut), tuple(cut.apply(e) for e in group.axes)

    def _compute_together(self, block: Index, invocation: Index) -> None:
        """Neighbouring invocations are the members of a team, but where points are texels: there they have neighbouring points."""
        team, size, count = self.team, self.team.size, prod(self.extents)
        if self.across is None:
            point, part = b.floordiv(invocation, team.parts), b.mod(invocation, team.parts)
            member = Member(part, team.parts, 1, b.mul(point, team.parts), size)
        else:
            part, point = b.floordiv(invocation, team.points), b.mod(invocation, team.points)
            member = Member(part, team.parts, team.points, point, size)
        number = b.add(b.mul(block, team.points), point)
        if count % team.points == 0:
            self._compute(number, member)
            return
        inside = arith.cmpi(arith.CmpIPredicate.ult, b.value(number), b.value(count))
        self._compute(b.minimum(number, count - 1), member, inside)

    def _compute(self, lane: Index, member: Member, inside: ir.Value | None = None) -> None:
        """A point, written by those that are `inside`; the others come along because their workgroup waits for them."""
        self.member = member
        dims: list[Index | None] = [None] * len(self.bounds)
        _shader.decode_dims(lane, self.lanes, self.extents, dims)
        point = Point(tuple(dims), self.bounds)
        if self.across is not None:
            point = self._quad(
                point, self.across, b.mul(b.decode(lane, self.extents)[self.lanes.index(self.across)], TEXEL)
            )
        self.evaluator.fresh()
        computed: dict[tuple[int, nest.Index], Val] = {}
        for need, own in zip(self.made.reductions, self.made.own_dims, strict=True):
            computed |= self._reduce(Stage(self.group, self.evaluator, need, self.bounds), own, point, computed)
        self.evaluator.computed = computed
        if inside is None:
            self._write(point)
        else:
            b.when(inside, lambda: self._write(point))

    def _quad(self, point: Point, dim: int, first: Index) -> Point:
        """Four points along a dimension, the first of which is a multiple of four."""
        return Point(point.at(dim, first).dims, self.bounds, TEXEL, dim)

    def _reduce(
        self, stage: Stage, own: Sequence[int], point: Point, computed: Computed
    ) -> dict[tuple[int, nest.Index], Val]:
        combiner = combiner_of(self.group.graph.operations[stage.need.loop.results[0]])
        whole = bool(own) and point.lanes == 1 and self.bounds[own[-1]] % TEXEL == 0
        initial = stage.initial(point, computed)
        if combiner is None or (not whole and self.member.parts == 1):
            return stage.named(stage.each(own, [point], [computed], [initial])[0])
        return stage.named([self._reduce_in_parts(stage, own, own[-1] if whole else None, combiner, point, initial[0])])

    def _reduce_in_parts(
        self, stage: Stage, own: Sequence[int], along: int | None, combiner: Combiner, point: Point, initial: Val
    ) -> Val:
        """Partial results of all members of a team, and four of each along a dimension, combined at the end."""
        kind, is_vector = initial.type, point.lanes > 1

        def body(indices: Sequence[Index], total: ir.Value) -> list[ir.Value]:
            at = point
            for dim, index in zip(own, indices, strict=True):
                at = self._quad(at, dim, index) if dim == along else at.at(dim, index)
            self.evaluator.fresh()
            before = Val(kind, total, at.lanes > 1)
            (found,) = self.evaluator.body(stage.need.loop, stage.need.point, at, [before])
            return [self._built(found, at)]

        lanes = TEXEL if is_vector or along is not None else 1
        neutral = combiner.neutral(ir.VectorType.get([lanes], kind) if lanes > 1 else kind)
        steps = [TEXEL if d == along else 1 for d in own]
        (total,) = self.member.walk([self.bounds[d] for d in own], steps, body, [neutral])
        if along is not None:
            total = _across_lanes(combiner, total)
        total = self.member.combine(combiner, total, self.evaluator.once)
        return Val(kind, combiner.combine(self._built(initial, point), total), is_vector)

    def _built(self, val: Val, point: Point) -> ir.Value:
        return (self.evaluator.spread if point.lanes > 1 else self.evaluator.scalar)(val, point)

    def _write(self, point: Point) -> None:
        """The group's result at one point of the domain, over its other dimensions."""
        if not self.inner and self.member.parts > 1:
            first = arith.cmpi(arith.CmpIPredicate.eq, b.value(self.member.part), b.value(0))
            b.when(first, lambda: self._write_at(point))
            return
        in_texels = bool(self.inner) and point.lanes == 1 and self._comes_in_texels(self.inner[-1])
        steps = [TEXEL if in_texels and d == self.inner[-1] else 1 for d in self.inner]

        def body(indices: Sequence[Index]) -> list[ir.Value]:
            at = point
            for dim, index, step in zip(self.inner, indices, steps, strict=True):
                at = self._quad(at, dim, index) if step == TEXEL else at.at(dim, index)
            self._write_at(at)
            return []

        self.member.walk([self.bounds[d] for d in self.inner], steps, body)

    def _write_at(self, point: Point) -> None:
        self.evaluator.fresh()
        index = graphs.shifted(self.group, self.axes)
        for number, memory in zip(self.group.results, self.shader.outputs, strict=True):
            self.evaluator.store(self.evaluator.value(number, self.axes, point), memory, index, point)


def _across_lanes(combiner: Combiner, total: ir.Value) -> ir.Value:
    """Partial results of four lanes as one, in a tree."""
    parts = [vector.extract(total, [], [i]) for i in range(TEXEL)]
    while len(parts) > 1:
        parts = [combiner.combine(x, y) for x, y in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
