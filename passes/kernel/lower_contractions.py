"""The gather-GEMM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.dialects.graph import Group
from cocomp.passes.math import affine
from cocomp.passes.math.tiles import Segment, TileSchedule
from cocomp.support.mlir import arith, ir, math, memref, ops_in, vector
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._border import with_border
from ._builder import Index
from ._contraction import Contraction, encoding_of, read_contraction, schedule_of
from ._evaluate import Point, Val


@dataclass(frozen=True)
class LowerContractionsPass(Pass):
    """Contractions become the gather-GEMM, with everything that follows applied to the registers.

        func @group_3(%x: tensor<..>, %w: tensor<..>, %b: tensor<..>) -> tensor<..> { contract, add, max }
      -->
        func @group_3(%x: memref<..>, %packed: memref<..>, %b: memref<..>, %y: memref<..>,
                      %offsets: memref<..xi32>, %spans: memref<..xi32>, %first: index, %last: index)

    A task is a block of pixels and a block of row groups. Its inner loop runs over a row group's columns: one load of
    each weight register, one broadcast of each pixel's value, `vectors * pixels` multiply-adds into registers.

        for group in row groups:  for tile in tiles of pixels:
          acc[v][p] = 0
          for c in columns of group:
            acc[v][p] += values[c][v] * x[base(p) + offsets[c]]
          y[tile] = epilogue(acc)

    Tiles at the end of a row of pixels overlap their neighbours instead of having a code of their own. Needs
    `schedule-contractions` and the arguments that `pack-weights` passes.
    """

    name: ClassVar[str] = "lower-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            schedule = schedule_of(function)
            if schedule is None or not graphs.is_group(function):
                continue
            with function.location:
                _Lowering(read_contraction(graphs.read_group(function)), schedule).run()


@dataclass
class _Lowering:
    shape: Contraction
    schedule: TileSchedule
    kernel: _function.Kernel = field(init=False)

    def run(self) -> None:
        shape = self.shape
        group = shape.group
        element = structured.element_of(group.arguments[shape.x_argument])
        i32 = ir.IntegerType.get_signless(32)
        padded = self.schedule.groups * 8 * self.schedule.lanes
        columns = shape.extent(shape.columns)
        replaced = {}
        extra = [ir.MemRefType.get([max(1, columns * shape.extent(shape.outer_rows) * self.schedule.groups)], i32)] * 2
        if shape.constant_weight:
            size = padded * columns * shape.extent(shape.outer_rows)
            replaced = {shape.w_argument: _function.memory_type(element, size)}
        self.kernel = _function.begin(group, replaced, extra)
        self.element = element
        blocks, row_blocks = self._block_counts()
        tasks = shape.extent(shape.batches) * blocks * row_blocks
        task, at = _function.task_loop(self.kernel)
        with at:
            tasks = with_border(group, self.kernel, self.schedule.lanes, task, tasks, lambda: self._task(task))
        _function.finish(self.kernel, group, tasks, self._facts())

    def _facts(self) -> dict[str, str]:
        widths = "+".join(f"{s.vectors}x{self.schedule.lanes}" for s in self.schedule.segments)
        facts = {"kind": "gather-gemm", "vector": f"{self.schedule.lanes} lanes", "tile": f"{widths} rows, {self.schedule.pixels} pixels"}
        if self.shape.constant_weight:
            encoding = encoding_of(self.shape)
            facts["encoding"] = "dense" if self.schedule.keep_zeros else encoding
            if self.schedule.keep_zeros and encoding != "dense":
                facts["zeros"] = f"kept: leaving out those of {encoding} would take longer"
        if self.kernel.evaluator.statistics.gathered:
            facts["gathers"] = str(self.kernel.evaluator.statistics.gathered)
        return facts

    # Blocks -----------------------------------------------------------------------------------------------------------

    @property
    def _pixel_tiles(self) -> int:
        return -(-self.shape.extent(self.shape.pixel) // self.schedule.pixels)

    def _block_counts(self) -> tuple[int, int]:
        tiles = self.shape.extent(self.shape.outer_pixels) * self._pixel_tiles
        groups = self.schedule.groups * self.shape.extent(self.shape.outer_rows)
        return -(-tiles // self.schedule.pixel_block), -(-groups // self.schedule.row_block)

    def _task(self, task: ir.Value) -> None:
        shape, schedule = self.shape, self.schedule
        blocks, row_blocks = self._block_counts()
        batch, block, row_block = b.decode(task, [shape.extent(shape.batches), blocks, row_blocks])
        dims: list[Index | None] = [None] * len(shape.nest.bounds)
        for dim, index in zip(shape.batches, b.decode(batch, [shape.nest.bounds[d] for d in shape.batches]), strict=True):
            dims[dim] = index
        tiles = shape.extent(shape.outer_pixels) * self._pixel_tiles
        first_tile = b.mul(block, schedule.pixel_block)
        last_tile = b.minimum(b.add(first_tile, schedule.pixel_block), tiles)
        first_group = b.mul(row_block, schedule.row_block)
        all_groups = schedule.groups * shape.extent(shape.outer_rows)
        last_group = b.minimum(b.add(first_group, schedule.row_block), all_groups)
        start = row = 0
        for segment in schedule.segments:
            stop = start + segment.groups * shape.extent(shape.outer_rows)
            low, high = b.maximum(first_group, start), b.minimum(last_group, stop)
            self._segment(segment, start, row, (low, high), (first_tile, last_tile), tuple(dims))
            start, row = stop, row + segment.groups * segment.vectors * schedule.lanes

    def _segment(
        self,
        segment: Segment,
        start: int,
        first_row: int,
        groups: tuple[Index, Index],
        tiles: tuple[Index, Index],
        dims: tuple[Index | None, ...],
    ) -> None:
        """Row groups of one width. `start` is the number of the segment's first group, `first_row` its first row."""
        shape = self.shape
        extents = [*(shape.nest.bounds[d] for d in shape.outer_rows), segment.groups]
        width = segment.vectors * self.schedule.lanes

        def group_body(number: Index) -> None:
            *outer, inner = b.decode(b.add(number, -start), extents)
            at = list(dims)
            for dim, index in zip(shape.outer_rows, outer, strict=True):
                at[dim] = index
            row = b.add(b.mul(inner, width), first_row)
            if shape.row is not None:
                at[shape.row] = row
            columns = self._columns(number)
            is_last = segment is self.schedule.segments[-1]
            b.loop(tiles[0], tiles[1], 1, lambda tile: self._tile(segment, tuple(at), tile, columns, is_last))

        b.loop(groups[0], groups[1], 1, group_body)

    def _columns(self, number: Index) -> tuple[Index, Index, Index]:
        """(first, last) entry of a row group's column list and the start of its values."""
        if not self.shape.constant_weight:
            return 0, self.shape.extent(self.shape.columns), 0
        spans = self.kernel.extra[1]
        base = b.mul(number, 3)
        first, last, values = (self._table(spans, b.add(base, i)) for i in range(3))
        return first, last, values

    def _table(self, table: ir.Value, index: Index) -> ir.Value:
        return arith.index_cast(b.index_type(), memref.load(table, [b.value(index)]))

    # The register tile ------------------------------------------------------------------------------------------------

    def _tile(
        self,
        segment: Segment,
        at: tuple[Index | None, ...],
        tile: Index,
        columns: tuple[Index, Index, Index],
        is_last: bool,
    ) -> None:
        shape, schedule = self.shape, self.schedule
        extents = [*(shape.nest.bounds[d] for d in shape.outer_pixels), self._pixel_tiles]
        *outer, number = b.decode(tile, extents)
        dims = list(at)
        for dim, index in zip(shape.outer_pixels, outer, strict=True):
            dims[dim] = index
        if shape.pixel is not None:
            dims[shape.pixel] = b.minimum(b.mul(number, schedule.pixels), shape.nest.bounds[shape.pixel] - schedule.pixels)
        parts = self._row_parts(segment, is_last)
        self._write(segment, dims, self._multiply(segment, dims, columns, parts), parts)

    def _multiply(
        self, segment: Segment, dims: list[Index | None], columns: tuple[Index, Index, Index], parts: Sequence[int | None]
    ) -> list[ir.Value]:
        """Accumulators [register][pixel] over all columns."""
        shape, lanes = self.shape, self.schedule.lanes
        kind = ir.VectorType.get([lanes], self.element)
        x = self._buffer(shape.x_argument)
        w = self._buffer(shape.w_argument)
        zeros = {d: 0 for d in shape.columns}
        base = b.evaluate(shape.x_position, [zeros.get(i, v) for i, v in enumerate(dims)])
        step = shape.x_position.coefficient(shape.pixel) if shape.pixel is not None else 0
        count = segment.vectors * self.schedule.pixels
        zero = self.kernel.evaluator.once.get(("zero", str(kind)), lambda: b.zero(kind))
        first, last, values = columns
        weight_at = self._weight_address(segment, dims, first, values)

        def body(column: ir.Value, *totals: ir.Value) -> list[ir.Value]:
            place = b.add(base, self._table(self.kernel.extra[0], column))
            address = weight_at(column)
            registers = [self._weights(kind, w, b.add(address, v * lanes), parts[v]) for v in range(segment.vectors)]
            after = list(totals)
            for p in range(self.schedule.pixels):
                scalar = memref.load(x, [b.value(b.add(place, p * step))])
                spread = b.splat(scalar, lanes)
                for v, register in enumerate(registers):
                    number = v * self.schedule.pixels + p
                    after[number] = math.fma(spread, register, after[number])
            return after

        from cocomp.support.mlir import scf

        op = scf.ForOp(b.value(first), b.value(last), b.value(1), [zero] * count)
        with ir.InsertionPoint(op.body):
            scf.yield_(body(op.induction_variable, *op.inner_iter_args))
        return list(op.results)

    def _weights(self, kind: ir.Type, w: ir.Value, at: Index, part: int | None) -> ir.Value:
        """One register of weights. Packed ones are padded to whole registers, an activation ends where it ends."""
        if part is None or self.shape.constant_weight:
            return vector.load(kind, w, [b.value(at)])
        once, lanes = self.kernel.evaluator.once, self.schedule.lanes
        mask = once.get(("mask", part, lanes), lambda: b.tail_mask(part, lanes))
        nothing = once.get(("zero", str(kind)), lambda: b.zero(kind))
        return vector.maskedload(kind, w, [b.value(at)], mask, nothing)

    def _weight_address(
        self, segment: Segment, dims: list[Index | None], first: Index, values: Index
    ) -> Callable[[ir.Value], Index]:
        """Where the weights of a column begin."""
        if self.shape.constant_weight:
            width = segment.vectors * self.schedule.lanes

            def packed(column: ir.Value) -> Index:
                return b.add(values, b.mul(_subtract(column, first), width))

            return packed
        position = self.shape.w_position()
        zeros = {d: 0 for d in self.shape.columns}
        base = b.evaluate(position, [zeros.get(i, v) for i, v in enumerate(dims)])

        def direct(column: ir.Value) -> Index:
            return b.add(base, self._table(self.kernel.extra[1], column))

        return direct

    def _buffer(self, argument: int) -> ir.Value:
        return list(self.kernel.body.arguments)[argument]

    # What follows -----------------------------------------------------------------------------------------------------

    def _row_parts(self, segment: Segment, is_last: bool) -> list[int | None]:
        """Rows that count in each register: None for all of them. Only the last group, alone in its segment, has fewer."""
        lanes = self.schedule.lanes
        padded = sum(s.vectors * s.groups for s in self.schedule.segments) * lanes
        parts: list[int | None] = [None] * segment.vectors
        if is_last and padded > self.shape.extent(self.shape.row):
            parts[-1] = lanes - (padded - self.shape.extent(self.shape.row))
        return parts

    def _write(
        self, segment: Segment, dims: list[Index | None], totals: Sequence[ir.Value], parts: Sequence[int | None]
    ) -> None:
        """Evaluate the group's result on the accumulators and store it.

        A dear epilogue runs as a loop over pixels, the accumulators in memory: unrolled, its values would not fit the
        registers beside them.
        """
        pixels = self.schedule.pixels
        if pixels == 1 or not any(structured.is_expensive(op) for op in self.shape.group.graph.operations.values()):
            for p in range(pixels):
                self._write_pixel(dims, p, [totals[v * pixels + p] for v in range(segment.vectors)], parts)
            return
        lanes = self.schedule.lanes
        kind = ir.MemRefType.get([pixels * segment.vectors * lanes], self.element)
        spilled = self.kernel.evaluator.once.get(("spilled", str(kind)), lambda: memref.alloca(kind, [], []))
        for v in range(segment.vectors):
            for p in range(pixels):
                vector.store(totals[v * pixels + p], spilled, [b.value((p * segment.vectors + v) * lanes)])

        def pixel(p: Index) -> None:
            at = b.mul(p, segment.vectors * lanes)
            register = ir.VectorType.get([lanes], self.element)
            loaded = [vector.load(register, spilled, [b.value(b.add(at, v * lanes))]) for v in range(segment.vectors)]
            self._write_pixel(dims, p, loaded, parts)

        b.loop(0, pixels, 1, pixel)

    def _write_pixel(
        self, dims: list[Index | None], p: Index, registers: Sequence[ir.Value], parts: Sequence[int | None]
    ) -> None:
        """The result at pixel `p` of the tile, for each register of rows."""
        shape, evaluator = self.shape, self.kernel.evaluator
        number = shape.need.loop.results[0]
        index = tuple(affine.substitute(e, shape.need.point, shape.nest.bounds) for e in shape.need.loop.result_maps[0])
        root = shape.group.graph.numbers[graphs.computed(shape.group.root)]
        for v, (register, part) in enumerate(zip(registers, parts, strict=True)):
            at = list(dims)
            if shape.pixel is not None:
                at[shape.pixel] = b.add(_known(dims[shape.pixel]), p)
            if shape.row is not None:
                at[shape.row] = b.add(_known(dims[shape.row]), v * self.schedule.lanes)
            point = Point(tuple(at), tuple(shape.nest.bounds), self.schedule.lanes, shape.row, part)
            evaluator.fresh()
            evaluator.computed = {(number, index): self._total(register, point)}
            stored = graphs.shifted(shape.group, shape.axes)
            evaluator.store(evaluator.value(root, shape.axes, point), self.kernel.outputs[0], stored, point)

    def _total(self, register: ir.Value, point: Point) -> Val:
        if point.vector_dim is None:
            return Val(self.element, vector.extract(register, [], [0]))
        return Val(self.element, register, True)


def _known(index: Index | None) -> Index:
    assert index is not None
    return index


def _subtract(a: Index, c: Index) -> Index:
    if isinstance(c, int) and c == 0:
        return a
    return arith.subi(b.value(a), b.value(c))


