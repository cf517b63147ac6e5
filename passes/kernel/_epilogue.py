"""What follows a contraction in its kernel: values computed from its result, windows of them reduced, the group's result stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cocomp.dialects import graph as graphs
from cocomp.passes.math import nest

from . import _builder as b
from ._builder import Index
from ._contraction import Contraction, Pool
from ._evaluate import Evaluator
from ._stage import Computed, Stage
from ._values import Memory, Point, Val

Dims = Sequence[Index | None]


@dataclass(frozen=True)
class Epilogue:
    """Evaluates what follows at points of the contraction, or at points of the windows where some are reduced."""

    shape: Contraction
    evaluator: Evaluator
    output: Memory

    @property
    def stored(self) -> tuple[nest.Nest, nest.Index]:
        """The nest of what is stored, and the index of that."""
        shape = self.shape
        return (shape.nest, shape.axes) if shape.pool is None else (shape.group.nest, shape.group.axes)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Extents of the dimensions of what is stored."""
        return tuple(self.stored[0].bounds)

    def place(self, dim: int | None) -> int | None:
        """The dimension of what is stored that a dimension of the contraction becomes; None where there is one window."""
        return dim if self.shape.pool is None or dim is None else self.shape.pool.places.get(dim)

    def places(self, dims: Dims) -> list[Index | None]:
        """Dimensions of what is stored at a point of the contraction, which is the first one of its window."""
        pool = self.shape.pool
        if pool is None:
            return list(dims)
        found: list[Index | None] = [None] * len(self.bounds)
        for dim, place in pool.places.items():
            at = dims[dim]
            shifted = None if at is None else b.add(at, self.shape.before(dim))
            found[place] = None if shifted is None else b.floordiv(shifted, self.shape.window(dim))
        return found

    def digit(self, dim: int, step: int) -> tuple[int, int, int]:
        """(dimension, its extent, step) of what is stored by tasks that take such steps of a dimension of the contraction."""
        place, count = self.place(dim), self.shape.windows(dim)
        whole = dim != self.shape.pixel or self.shape.is_whole(dim)
        return (dim if place is None else place), count, step // self.shape.window(dim) if whole else count

    def result(self, total: Val, point: Point) -> Val:
        """The group's result where that of the contraction, or of the windows, is `total`."""
        pool, group = self.shape.pool, self.shape.group
        root = group.graph.numbers[graphs.computed(group.root)]
        need = self.shape.need if pool is None else pool.windows.need
        return self._value(root, self.stored[1], point, self._stage(need).named([total]))

    def store(self, value: Val, point: Point) -> None:
        """Write the group's result."""
        self.evaluator.store(value, self.output, graphs.shifted(self.shape.group, self.stored[1]), point)

    # Windows ----------------------------------------------------------------------------------------------------------

    def start(self, point: Point) -> Val:
        """What the reduction of a window starts from."""
        return self._stage(self._pool.windows.need).initial(point, {})[0]

    def reduced(self, total: Val, point: Point) -> Val:
        """What windows are windows of, at a point of the contraction where its result is `total`."""
        value, axes = self._pool.windows.value, self.shape.axes
        return self._value(value, axes, point, self._stage(self.shape.need).named([total]))

    def combined(self, carried: Val, values: Sequence[Val], point: Point) -> Val:
        """The reduction of a window, some of its values further."""
        windows = self._pool.windows
        for value in values:
            self.evaluator.fresh()
            self.evaluator.computed = {(windows.operand, windows.index): value}
            (carried,) = self.evaluator.body(windows.need.loop, windows.need.point, point, [carried])
        return carried

    @property
    def _pool(self) -> Pool:
        assert self.shape.pool is not None
        return self.shape.pool

    def _value(self, number: int, index: nest.Index, point: Point, computed: Computed) -> Val:
        self.evaluator.fresh()
        self.evaluator.computed = dict(computed)
        return self.evaluator.value(number, index, point)

    def _stage(self, need: nest.Need) -> Stage:
        inside = need is self.shape.need
        return Stage(self.shape.group, self.evaluator, need, tuple(self.shape.nest.bounds) if inside else self.bounds)
