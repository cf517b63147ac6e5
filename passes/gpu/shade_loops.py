"""Kernels for GPUs of everything that is not a contraction over channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, structured
from cocomp.dialects.graph import Group
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._reduction import Combiner, combiner_of
from cocomp.passes.kernel._stage import Computed, Stage
from cocomp.passes.kernel._values import Point, Val
from cocomp.passes.math import affine, nest
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, ops_in, vector, where
from cocomp.support.passes import Pass, State

from . import _shader
from ._texels import TEXEL, has_texels, is_aligned

LOOPS = ("linalg.generic", "tensor.pad", "sparse.contract", "arith.constant")


@dataclass(frozen=True)
class ShadeLoopsPass(Pass):
    """Groups without a contraction over channels become kernels with a point of the result for each invocation.

        func @group_7(%x: tensor<1x128x768xf32>) -> tensor<1x128x768xf32> { mean, variance, normalise }
      -->
        func @group_7(%x: memref<98304xf32, storage>, %y: memref<98304xf32, storage>) attributes {kernel.grid = [2, 1, 1]}

    One point of the domain (`nest.domain`) computes all its reductions, then the results that hang on them; four points do so
    together where their results are a texel, else reductions run over four elements at once. Neighbouring invocations have
    neighbours in the memory of the result. Leaves `kernel.grid`, in workgroups, and `kernel.facts` for the report.
    """

    name: ClassVar[str] = "shade-loops"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.root.name not in LOOPS and structured.view_of(group.root) is None:
                raise CompileError(
                    f"operation '{group.root.name}' is not supported on GPUs",
                    where=where(group.root),
                    notes=["compile for a CPU, or leave the operation out of the exported part"],
                )
            with function.location:
                _Lowering(group).run()


@dataclass
class _Lowering:
    group: Group

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
        self.across = next((d for d in self.lanes if self._comes_in_texels(d)), None)
        self.extents = [self.bounds[d] // (TEXEL if d == self.across else 1) for d in self.lanes]
        kind = "depth-wise" if self.group.contraction else "reduction" if self.made.reductions else "pointwise"
        vector = "four points an invocation" if self.across is not None else "a point an invocation"
        _shader.finish(self.shader, self.group, 1, prod(self.extents), self._compute, {"kind": kind, "vector": vector})

    def _store_position(self) -> affine.Expr:
        index = graphs.shifted(self.group, self.axes)
        return affine.substitute(self.shader.outputs[0].position, index, self.made.bounds)

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

    def _compute(self, _block: Index, lane: Index) -> None:
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
        self._write(self.inner, point)

    def _quad(self, point: Point, dim: int, first: Index) -> Point:
        """Four points along a dimension, the first of which is a multiple of four."""
        return Point(point.at(dim, first).dims, self.bounds, TEXEL, dim)

    def _reduce(
        self, stage: Stage, own: Sequence[int], point: Point, computed: Computed
    ) -> dict[tuple[int, nest.Index], Val]:
        combiner = combiner_of(self.group.graph.operations[stage.need.loop.results[0]])
        along = own[-1] if own and combiner is not None and self.bounds[own[-1]] % TEXEL == 0 else None
        initial = stage.initial(point, computed)
        if along is None or combiner is None or point.lanes > 1:
            return stage.named(stage.each(own, [point], [computed], [initial])[0])
        return stage.named([self._reduce_along(stage, own, along, combiner, point, initial[0])])

    def _reduce_along(
        self, stage: Stage, own: Sequence[int], along: int, combiner: Combiner, point: Point, initial: Val
    ) -> Val:
        """Four partial results along the innermost dimension of a reduction, combined at the end."""
        kind = initial.type

        def loops(remaining: Sequence[int], at: Point, total: ir.Value) -> ir.Value:
            if not remaining:
                self.evaluator.fresh()
                (found,) = self.evaluator.body(stage.need.loop, stage.need.point, at, [Val(kind, total, True)])
                return self.evaluator.spread(found, at)
            dim, *rest = remaining
            step = TEXEL if dim == along else 1

            def body(index: Index, value: ir.Value) -> list[ir.Value]:
                there = self._quad(at, dim, index) if dim == along else at.at(dim, index)
                return [loops(rest, there, value)]

            return b.loop(0, self.bounds[dim], step, body, [total])[0]

        total = loops(own, point, combiner.neutral(ir.VectorType.get([TEXEL], kind)))
        parts = [vector.extract(total, [], [i]) for i in range(TEXEL)]
        while len(parts) > 1:
            parts = [combiner.combine(x, y) for x, y in zip(parts[::2], parts[1::2], strict=True)]
        return Val(kind, combiner.combine(self.evaluator.scalar(initial, point), parts[0]))

    def _write(self, inner: Sequence[int], point: Point) -> None:
        """The group's result at one point of the domain, over its other dimensions."""
        if inner:
            dim, *rest = inner
            in_texels = not rest and point.lanes == 1 and self._comes_in_texels(dim)
            at = (lambda i: self._quad(point, dim, i)) if in_texels else (lambda i: point.at(dim, i))
            b.loop(0, self.bounds[dim], TEXEL if in_texels else 1, lambda i: self._write(rest, at(i)))
            return
        self.evaluator.fresh()
        index = graphs.shifted(self.group, self.axes)
        for number, memory in zip(self.group.results, self.shader.outputs, strict=True):
            self.evaluator.store(self.evaluator.value(number, self.axes, point), memory, index, point)
