"""Register tiles of a gather-GEMM: what follows is computed on them, windows of them are reduced, the result is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cocomp.dialects import structured
from cocomp.support.mlir import ir, memref, vector

from . import _builder as b
from ._accumulators import Accumulators
from ._builder import Index
from ._epilogue import Dims, Epilogue
from ._registers import Registers, Totals
from ._strided import pick
from ._transpose import transpose
from ._values import Point, Val

Rows = Totals | Accumulators
"""A tile's registers, row by row: pixel by pixel where they run along rows."""


@dataclass(frozen=True)
class TileWriter:
    """Ends register tiles of elements of type `element`."""

    epilogue: Epilogue
    element: ir.Type

    def write(self, tile: Registers, dims: Dims, totals: Sequence[ir.Value]) -> None:
        """Evaluate the group's result on accumulators [register][scalar] and store it. `dims` are those of what is stored.

        A dear epilogue runs as a loop over scalars, the accumulators in memory: unrolled, its values would not fit the
        registers beside them.
        """
        if not tile.along_pixels and self.epilogue.shape.writes_along_pixels:
            tile, totals = self._turned(tile, totals)
        self.write_rows(tile, dims, self._rows(tile, totals), tile.scalars)

    def write_rows(self, tile: Registers, dims: Dims, rows: Rows, count: Index) -> None:
        """The same of the first `count` rows or pixels."""
        _each(rows, count, lambda s: self._write_registers(tile, dims, s, rows.load(s)))

    def _rows(self, tile: Registers, totals: Sequence[ir.Value]) -> Rows:
        operations = self.epilogue.shape.group.graph.operations.values()
        if tile.scalars == 1 or not any(structured.is_expensive(op) for op in operations):
            return Totals(totals, tile.scalars)
        memory = self._memory("spilled", tile, tile.scalars)
        for s in range(tile.scalars):
            memory.store(s, totals[s :: tile.scalars])
        return memory

    def _memory(self, what: str, tile: Registers, scalars: int) -> Accumulators:
        kind = ir.MemRefType.get([scalars * len(tile.parts) * tile.lanes], self.element)
        made = self.epilogue.evaluator.once.get((what, str(kind)), lambda: memref.alloca(kind, [], []))
        return Accumulators(made, len(tile.parts), tile.lanes)

    def _turned(self, tile: Registers, totals: Sequence[ir.Value]) -> tuple[Registers, list[ir.Value]]:
        """A tile along rows as one along pixels, for a result whose pixels are contiguous."""
        lanes, element_bytes = tile.lanes, structured.bytes_of(self.element)
        nothing = b.zero(ir.VectorType.get([lanes], self.element))
        starts = range(0, tile.scalars, lanes)
        turned: list[ir.Value] = []
        for start in starts:
            for v, part in enumerate(tile.parts):
                square = list(totals[v * tile.scalars : (v + 1) * tile.scalars])[start : start + lanes]
                square += [nothing] * (lanes - len(square))
                turned += transpose(square, element_bytes)[:part]
        parts = (*(None for _ in starts[1:]), tile.scalars % lanes or None)
        return Registers(tile.rows, parts, len(turned) // len(starts), True, lanes), turned

    def _write_registers(self, tile: Registers, dims: Dims, s: Index, registers: Sequence[ir.Value]) -> None:
        """The result at row or pixel `s` of the tile, for each register along the other dimension."""
        for register, point in zip(registers, self._points(tile, dims, s, self.epilogue.place), strict=True):
            self.epilogue.store(self.epilogue.result(self._total(register, point), point), point)

    def _points(
        self, tile: Registers, dims: Dims, s: Index, place: Callable[[int | None], int | None] | None = None
    ) -> Iterator[Point]:
        """Where the registers of row or pixel `s` are: points of the contraction, or with `place` of what is stored."""
        shape = self.epilogue.shape
        pixel, row, line = (d if place is None else place(d) for d in (shape.pixel, shape.row, shape.line))
        bounds = tuple(shape.nest.bounds) if place is None else self.epilogue.bounds
        along, across = (pixel, row) if tile.along_pixels else (row, pixel)
        step = shape.window(shape.line) if place is None else 1
        for number, part in enumerate(tile.parts):
            on_line, v = divmod(number, tile.of_line)
            at = list(dims)
            if on_line and line is not None:
                at[line] = b.add(b.known(at[line]), on_line * step)
            if across is not None:
                at[across] = b.add(b.known(at[across]), s)
            if along is not None:
                at[along] = b.add(b.known(at[along]), v * tile.lanes)
            yield Point(tuple(at), bounds, tile.lanes, along, part)

    def _total(self, register: ir.Value, point: Point) -> Val:
        if point.vector_dim is None:
            return Val(self.element, vector.extract(register, [], [0]))
        return Val(self.element, register, True)

    # Windows ----------------------------------------------------------------------------------------------------------

    def windows(self, tile: Registers) -> Registers:
        """The tile of what is stored that a tile of the contraction becomes."""
        shape = self.epilogue.shape
        return tile.windows(shape.window(shape.pixel), shape.before(shape.pixel))

    def start(self, tile: Registers, dims: Dims, rows: int) -> Accumulators:
        """What the windows of a tile start from, in memory; `rows` of them where registers run along pixels. `tile` and `dims` are
        those of what is stored."""
        memory = self._memory("windows", tile, rows)

        def row(s: Index) -> None:
            points = self._points(tile, dims, s, self.epilogue.place)
            memory.store(s, [self._register(self.epilogue.start(point), point) for point in points])

        b.loop(0, rows, 1, row)
        return memory

    def reduce(
        self, tile: Registers, dims: Dims, rows: Rows, count: Index, windows: tuple[Registers, Dims, Accumulators]
    ) -> None:
        """Reduce the first `count` rows or pixels of a tile of the contraction into the windows that `start` has begun."""
        after, places, memory = windows

        def windows_at(s: Index) -> None:
            if tile.along_pixels:
                found = self._sorted(self._reduced(tile, dims, s, rows), tile, after)
            else:
                found = [self._reduced(tile, dims, pixel, rows) for pixel in self._inside(tile, s)]
            ends: list[ir.Value] = []
            points = self._points(after, places, s, self.epilogue.place)
            for carried, point, *values in zip(memory.load(s), points, *found, strict=True):
                total = self.epilogue.combined(
                    self._total(carried, point), [self._total(v, point) for v in values], point
                )
                ends.append(self._register(total, point))
            memory.store(s, ends)

        _each(rows, count, windows_at)

    def _reduced(self, tile: Registers, dims: Dims, s: Index, rows: Rows) -> list[ir.Value]:
        """What windows are windows of at row or pixel `s`, a register for each of the tile's."""
        found: list[ir.Value] = []
        for register, point in zip(rows.load(s), self._points(tile, dims, s), strict=True):
            found.append(self._register(self.epilogue.reduced(self._total(register, point), point), point))
        return found

    def _inside(self, tile: Registers, s: Index) -> list[Index]:
        """Pixels of window `s` of a line that there are."""
        shape, size = self.epilogue.shape, self._size
        if shape.is_whole(shape.pixel):
            return [b.add(b.mul(s, size), place) for place in range(size)]
        assert isinstance(s, int)
        first = s * size - shape.before(shape.pixel)
        return [place for place in range(first, first + size) if 0 <= place < tile.pixels]

    def _sorted(self, registers: Sequence[ir.Value], tile: Registers, after: Registers) -> list[list[ir.Value]]:
        """Registers of pixels as those of the first pixels of windows, of the second ones, and so on."""
        lanes, size, found = tile.lanes, self._size, list[list[ir.Value]]()
        for place in range(size):
            sorted_: list[ir.Value] = []
            for number, part in enumerate(after.parts):
                line, v = divmod(number, after.of_line)
                near = registers[line * tile.of_line :][: tile.of_line][v * size :][:size]
                wanted = [lane * size + place for lane in range(lanes if part is None else part)]
                sorted_.append(pick(near, range(0, len(near) * lanes, lanes), wanted, lanes))
            found.append(sorted_)
        return found

    @property
    def _size(self) -> int:
        """Pixels of a line that become one."""
        return self.epilogue.shape.window(self.epilogue.shape.pixel)

    def _register(self, value: Val, point: Point) -> ir.Value:
        evaluator = self.epilogue.evaluator
        if point.vector_dim is not None:
            return evaluator.spread(value, point)
        return b.splat(evaluator.scalar(value, point), point.lanes)


def _each(rows: Rows, count: Index, body: Callable[[Index], None]) -> None:
    """`body(row)` for the first `count` rows: a loop where they are in memory."""
    if isinstance(rows, Accumulators):
        b.loop(0, count, 1, body)
        return
    assert isinstance(count, int)
    for row in range(count):
        body(row)
