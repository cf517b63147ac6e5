"""The inner loop of a gather-GEMM: products of the weights and the pixels of a column, added to accumulators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cocomp.passes.math.tiles import LINE_BYTES
from cocomp.passes.math.work import TileSchedule
from cocomp.support.mlir import arith, ir, math, memref, scf

from . import _builder as b
from ._ahead import STREAM_AHEAD, prefetch_following
from ._builder import Index
from ._contraction import Contraction
from ._function import Kernel
from ._registers import Registers
from ._strided import load_strided


@dataclass(frozen=True)
class Products:
    """Multiplies the columns of a row group by a tile of pixels."""

    shape: Contraction
    schedule: TileSchedule
    kernel: Kernel
    turns: int
    """Passes over the columns of a row group that a task takes."""

    def add(
        self,
        registers: Registers,
        dims: list[Index | None],
        columns: tuple[Index, Index, Index],
        start: Sequence[ir.Value],
        turn: Index | None = None,
    ) -> list[ir.Value]:
        """Accumulators [register][scalar] over all columns, added to what they start with. `turn` counts the tiles that
        read the same weights, where the weights of the next ones are to be asked for."""
        shape, lanes = self.shape, self.schedule.lanes
        x, w = self._x, self._w
        zeros = dict.fromkeys(shape.columns, 0)
        base = b.evaluate(shape.x_position, [zeros.get(i, v) for i, v in enumerate(dims)])
        step = shape.x_position.coefficient(shape.pixel) if shape.pixel is not None else 0
        first, last, values = columns
        weight_at = self._weight_address(registers.rows, dims, first, values)

        def body(column: ir.Value, *totals: ir.Value) -> list[ir.Value]:
            place, address = b.add(base, entry_of(self.kernel.extra[0], column)), weight_at(column)
            if self.schedule.along_pixels:
                loaded = self._load_pixels(registers, place, step)
                scalars, scalar_at, scalar_step = w, address, 1
            else:
                loaded = [self._load_rows(b.add(address, v * lanes), part) for v, part in enumerate(registers.parts)]
                scalars, scalar_at, scalar_step = x, place, step
            if self.schedule.prefetch:
                self._prefetch(place, step)
            if turn is not None:
                done, count = b.subtract(column, first), b.subtract(last, first)
                ahead = count if self.turns > 1 else STREAM_AHEAD
                end = b.add(values, b.mul(ahead, registers.rows))
                prefetch_following(w, end, count, registers.rows, turn, self.turns, done)
            after = list(totals)
            for s in range(registers.scalars):
                spread = b.splat(memref.load(scalars, [b.value(b.add(scalar_at, s * scalar_step))]), lanes)
                for v, register in enumerate(loaded):
                    number = v * registers.scalars + s
                    after[number] = math.fma(spread, register, after[number])
            return after

        op = scf.ForOp(b.value(first), b.value(last), b.value(1), list(start))
        with ir.InsertionPoint(op.body):
            scf.yield_(body(op.induction_variable, *op.inner_iter_args))
        return list(op.results)

    def _prefetch(self, place: Index, step: int) -> None:
        """Ask for what the next tile reads of this column: kept columns lie too far apart for the processor to foresee it."""
        elements = self.schedule.pixels * self.schedule.pixel_unit * step
        line = LINE_BYTES // self.shape.element_bytes
        for number in range(self.schedule.lines):
            for start in range(0, elements, line):
                at = b.value(b.add(place, number * self.shape.line_step + elements + start))
                memref.PrefetchOp(self._x, [at], False, 3, True)

    def _load_rows(self, at: Index, part: int | None) -> ir.Value:
        """A register of weights. Packed ones are padded to whole registers, activations end where they end."""
        count = part if part is not None and not self.shape.constant_weight else self.schedule.lanes
        return load_strided(self._w, at, self.schedule.lanes, count, 1, self.kernel.evaluator.once)

    def _load_pixels(self, tile: Registers, place: Index, step: int) -> list[ir.Value]:
        """The pixels of a column, all registers of the tile."""
        lanes, once = self.schedule.lanes, self.kernel.evaluator.once
        loaded: list[ir.Value] = []
        for number, part in enumerate(tile.parts):
            line, v = divmod(number, tile.of_line)
            at = b.add(place, line * self.shape.line_step + v * lanes * step)
            loaded.append(load_strided(self._x, at, lanes, lanes if part is None else part, step, once))
        return loaded

    def _weight_address(
        self, width: int, dims: list[Index | None], first: Index, values: Index
    ) -> Callable[[ir.Value], Index]:
        """Where the weights of a column begin; `width` of them in packed form."""
        if self.shape.constant_weight:

            def packed(column: ir.Value) -> Index:
                return b.add(values, b.mul(b.subtract(column, first), width))

            return packed
        position = self.shape.w_position()
        zeros = dict.fromkeys(self.shape.columns, 0)
        base = b.evaluate(position, [zeros.get(i, v) for i, v in enumerate(dims)])

        def direct(column: ir.Value) -> Index:
            return b.add(base, entry_of(self.kernel.extra[1], column))

        return direct

    @property
    def _x(self) -> ir.Value:
        return list(self.kernel.body.arguments)[self.shape.x_argument]

    @property
    def _w(self) -> ir.Value:
        return list(self.kernel.body.arguments)[self.shape.w_argument]


def entry_of(table: ir.Value, index: Index) -> ir.Value:
    """A number in a table of the kernel's."""
    return arith.index_cast(b.index_type(), memref.load(table, [b.value(index)]))
