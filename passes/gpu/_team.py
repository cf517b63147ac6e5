"""Invocations of a workgroup that compute points together: each a part of every loop, results combined in shared memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index, Once
from cocomp.passes.kernel._reduction import Combiner
from cocomp.support.mlir import arith, gpu, ir, memref

SHARED = "#spirv.storage_class<Workgroup>"


@dataclass(frozen=True)
class Member:
    """An invocation among those that compute a point: number `part` of `parts`; their results lie `step` apart in memory that the
    workgroup shares, from `first` on."""

    part: Index
    parts: int
    step: int
    first: Index
    size: int
    """Invocations of the workgroup."""

    def walk(
        self,
        bounds: Sequence[int],
        steps: Sequence[int],
        body: Callable[..., Sequence[ir.Value]],
        carried: Sequence[ir.Value] = (),
    ) -> list[ir.Value]:
        """`body(indices, *carried)` at the member's points of a loop nest: neighbours have neighbouring ones."""
        if self.parts == 1:
            return _nest(bounds, steps, body, carried)
        extents = [-(-bound // step) for bound, step in zip(bounds, steps, strict=True)]

        def turn(number: Index, *values: ir.Value) -> Sequence[ir.Value]:
            found = b.decode(number, extents) if extents else []
            return body([b.mul(index, step) for index, step in zip(found, steps, strict=True)], *values)

        return b.loop(self.part, prod(extents), self.parts, turn, carried)

    def combine(self, combiner: Combiner, value: ir.Value, once: Once) -> ir.Value:
        """What the values of all members are together, added up in the same order every time; known to each. All invocations of the
        workgroup have to come here."""
        if self.parts == 1:
            return value
        kind = ir.MemRefType.get([self.size], value.type, memory_space=ir.Attribute.parse(SHARED))
        shared = once.get(("shared", str(kind)), lambda: memref.alloc(kind, [], []))
        own = b.add(self.first, b.mul(self.part, self.step))
        memref.store(value, shared, [b.value(own)])
        reach = self.parts // 2
        while reach:
            gpu.barrier()
            self._add(combiner, shared, own, reach)
            reach //= 2
        gpu.barrier()
        found = memref.load(shared, [b.value(self.first)])
        gpu.barrier()
        return found

    def _add(self, combiner: Combiner, shared: ir.Value, own: Index, reach: int) -> None:
        """Each of the first `reach` members takes over the result of another."""

        def take() -> None:
            pair = [memref.load(shared, [b.value(b.add(own, n * self.step))]) for n in (0, reach)]
            memref.store(combiner.combine(*pair), shared, [b.value(own)])

        b.when(arith.cmpi(arith.CmpIPredicate.ult, b.value(self.part), b.value(reach)), take)


ALONE = Member(0, 1, 1, 0, 1)
"""An invocation that computes a point of its own."""


def _nest(
    bounds: Sequence[int],
    steps: Sequence[int],
    body: Callable[..., Sequence[ir.Value]],
    carried: Sequence[ir.Value],
    outer: Sequence[Index] = (),
) -> list[ir.Value]:
    if len(outer) == len(bounds):
        return list(body(outer, *carried))
    number = len(outer)

    def inside(index: Index, *values: ir.Value) -> list[ir.Value]:
        return _nest(bounds, steps, body, values, (*outer, index))

    return b.loop(0, bounds[number], steps[number], inside, carried)
