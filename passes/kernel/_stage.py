"""One reduction of a group: what it starts from, its loops, and the values that it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cocomp.dialects import structured
from cocomp.dialects.graph import Group
from cocomp.passes.math import affine, nest
from cocomp.support.mlir import ir

from . import _builder as b
from ._evaluate import Evaluator
from ._values import Point, Val

Computed = Mapping[tuple[int, nest.Index], Val]
"""Results of reductions, by value number and index."""


@dataclass(frozen=True)
class Stage:
    """A reduction of a group whose nest has dimensions of extents `bounds`."""

    group: Group
    evaluator: Evaluator
    need: nest.Need
    bounds: tuple[int, ...]

    def named(self, values: Sequence[Val]) -> dict[tuple[int, nest.Index], Val]:
        """The results under the names by which the evaluator looks for them."""
        loop = self.need.loop
        named: dict[tuple[int, nest.Index], Val] = {}
        for number, result_map, val in zip(loop.results, loop.result_maps, values, strict=True):
            named[number, self._index(result_map)] = val
        return named

    def initial(self, point: Point, computed: Computed) -> list[Val]:
        """What the reduction starts from: the values of its `outs`."""
        self.evaluator.fresh()
        self.evaluator.computed = dict(computed)
        op = self.group.graph.operations[self.need.loop.results[0]]
        if self.need.loop.contraction:
            kind = structured.element_of(op.results[0])
            return [self.evaluator.constant(ir.FloatAttr.get(kind, 0.0))]
        n_inputs = len(op.operands) - len(op.results)
        found = []
        for position, result_map in enumerate(self.need.loop.result_maps):
            number = self.group.graph.numbers[op.operands[n_inputs + position]]
            found.append(self.evaluator.value(number, self._index(result_map), point))
        return found

    def each(
        self,
        own: Sequence[int],
        points: Sequence[Point],
        computed: Sequence[Computed],
        initial: Sequence[Sequence[Val]],
        unroll: bool = False,
    ) -> list[list[Val]]:
        """Reduce over the dimensions `own` at several points together: every one (and every lane of it) for itself."""
        kinds = [v.type for v in initial[0]]
        width = len(kinds)
        start = [self._carry(v, p) for values, p in zip(initial, points, strict=True) for v in values]

        def step(remaining: Sequence[int], at: Sequence[Point], carried: Sequence[ir.Value]) -> list[ir.Value]:
            if remaining:
                dim, *rest = remaining

                def body(index: b.Index, *values: ir.Value) -> list[ir.Value]:
                    return step(rest, [p.at(dim, index) for p in at], values)

                extent = self.bounds[dim]
                return b.unrolled(extent, body, carried) if unroll else b.loop(0, extent, 1, body, carried)
            after: list[ir.Value] = []
            for number, point in enumerate(at):
                values = carried[number * width : (number + 1) * width]
                vals = [Val(k, v, point.vector_dim is not None) for k, v in zip(kinds, values, strict=True)]
                self.evaluator.fresh()
                self.evaluator.computed = dict(computed[number])
                results = self.evaluator.body(self.need.loop, self.need.point, point, vals)
                after += [self._carry(v, point) for v in results]
            return after

        ends = step(own, points, start)
        return [
            [Val(k, ends[n * width + i], p.vector_dim is not None) for i, k in enumerate(kinds)]
            for n, p in enumerate(points)
        ]

    def _index(self, result_map: nest.Index) -> nest.Index:
        return tuple(affine.substitute(e, self.need.point, self.bounds) for e in result_map)

    def _carry(self, val: Val, point: Point) -> ir.Value:
        if point.vector_dim is None:
            return self.evaluator.scalar(val, point)
        return self.evaluator.spread(val, point)
