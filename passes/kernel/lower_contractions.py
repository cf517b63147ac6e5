"""The gather-GEMM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.passes.math.chains import Digit, exact_digits
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.mlir import ir
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._accumulators import Accumulators
from ._ahead import MIN_BYTES
from ._border import with_border
from ._builder import Index
from ._contraction import Contraction, Pool, encoding_of
from ._epilogue import Epilogue
from ._products import Products, entry_of
from ._registers import Registers, Totals, registers_of
from ._scheduled import scheduled
from ._write_tile import Rows, TileWriter

Columns = tuple[Index, Index, Index] | tuple[Index, Index]
"""What a row group has to multiply: (first, last) entry of its column list and the start of its values, or of a band (first,
last) piece."""


@dataclass(frozen=True)
class LowerContractionsPass(Pass):
    """Contractions become the gather-GEMM, with everything that follows applied to the registers.

        func @group_3(%x: tensor<..>, %w: tensor<..>, %b: tensor<..>) -> tensor<..> { contract, add, max }
      -->
        func @group_3(%x: memref<..>, %packed: memref<..>, %b: memref<..>, %y: memref<..>,
                      %offsets: memref<..xi32>, %spans: memref<..xi32>, %first: index, %last: index)

    A task is a block of pixels and a block of row groups. Its inner loop runs over a row group's columns. With registers
    along rows: one load of each weight register, one broadcast of each pixel's value, and their products.

        for group in row groups:  for tile in tiles of pixels:
          acc[v][p] = 0
          for c in columns of group:
            acc[v][p] += values[c][v] * x[base(p) + offsets[c]]
          y[tile] = epilogue(acc)

    A result with contiguous pixels gets such a tile turned, by shuffles. With registers along pixels v counts registers of pixels and p rows; operands
    change places. A band of rows is computed piece by piece (`passes.math.pieces`), its accumulators in memory in between:

          acc[..][..] = 0
          for piece in pieces of band:
            rows = piece's rows, total = acc[rows]
            for c in columns of piece:
              total[r][v] += values[c][r] * x[base(v) + offsets[c]]
            acc[rows] = total

    Where windows of the result are reduced, a tile has whole windows of a line of pixels and takes their lines one after the other:

          pooled = start
          for line in lines of the windows:
            acc = ...
            pooled = max(pooled, what follows(acc))
          y[windows] = epilogue(pooled)

    Tiles at the end of a row of pixels overlap their neighbours instead of having a code of their own. With `prefetch`
    the next tile's input is asked for on the way. Needs `schedule-contractions` and the arguments that `pack-weights` passes.
    """

    name: ClassVar[str] = "lower-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        for contraction, schedule in scheduled(module):
            _Lowering(contraction, schedule).run()


@dataclass
class _Lowering:
    shape: Contraction
    schedule: TileSchedule
    kernel: _function.Kernel = field(init=False)
    products: Products = field(init=False)
    writer: TileWriter = field(init=False)

    def run(self) -> None:
        shape = self.shape
        group = shape.group
        element = structured.element_of(group.arguments[shape.x_argument])
        i32 = ir.IntegerType.get_signless(32)
        lists = shape.extent(shape.columns) * shape.extent(shape.outer_rows)
        replaced = {}
        extra = [ir.MemRefType.get([max(1, lists * self._table_entries())], i32)] * (3 if self.schedule.band else 2)
        if shape.constant_weight:
            size = lists * max(self.schedule.padded_rows, self._table_entries())
            replaced = {shape.w_argument: _function.memory_type(element, size)}
        self.kernel = _function.begin(group, replaced, extra, self._scratch(element))
        self.products = Products(shape, self.schedule, self.kernel, self.schedule.pixel_block * self._visits)
        self.writer = TileWriter(Epilogue(shape, self.kernel.evaluator, self.kernel.outputs[0]), element)
        blocks, row_blocks = self._block_counts()
        tasks = shape.extent(shape.batches) * blocks * row_blocks
        task, at = _function.task_loop(self.kernel)
        with at:
            tasks = with_border(group, self.kernel, self.schedule.lanes, task, tasks, lambda: self._task(task))
        _function.describe_walks(self.kernel, group, *self.writer.epilogue.stored, self._digits())
        _function.finish(self.kernel, group, tasks, self._facts())

    def _table_entries(self) -> int:
        """Entries that a table has for each column at most: one for each row group, or a piece for each set of rows of a band."""
        schedule = self.schedule
        if not schedule.band:
            return schedule.groups
        height = schedule.segments[0].vectors
        return schedule.groups * -(-schedule.band // height) * (2 + height)

    def _scratch(self, element: ir.Type) -> ir.MemRefType | None:
        """Memory for the accumulators of a band, and of one row more for what fills up its pieces."""
        schedule = self.schedule
        if not schedule.band:
            return None
        return _function.memory_type(element, (schedule.band + 1) * self._tile_pixels * schedule.lines)

    def _facts(self) -> dict[str, str]:
        lanes, pixels = self.schedule.lanes, self.schedule.pixels
        rows = [s.vectors for s in self.schedule.segments]
        if self.schedule.along_pixels:
            lines = f"{self.schedule.lines}x" if self.schedule.lines > 1 else ""
            tile = f"{'+'.join(map(str, rows))} rows, {lines}{pixels}x{lanes} pixels"
        else:
            tile = f"{'+'.join(f'{r}x{lanes}' for r in rows)} rows, {pixels} pixels"
        facts = {"kind": "gather-gemm", "vector": f"{lanes} lanes", "tile": tile}
        if not self.schedule.along_pixels and self.shape.writes_along_pixels:
            facts["stores"] = "transposed"
        if self.schedule.band:
            facts["packing"] = f"blocks of {self.schedule.band} rows"
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
    def _tile_pixels(self) -> int:
        return self.schedule.pixels * self.schedule.pixel_unit

    @property
    def _tile_steps(self) -> dict[int, int]:
        """Pixel dimensions in the order in which tiles follow each other, and what a tile takes of each."""
        shape = self.shape
        steps = {d: shape.window(d) for d in shape.outer_pixels}
        if shape.line is not None:
            steps[shape.line] *= self.schedule.lines
        return steps if shape.pixel is None else {**steps, shape.pixel: self._tile_pixels}

    @property
    def _tile_extents(self) -> list[int]:
        """Tiles along each pixel dimension."""
        return [-(-self._extent(d) // step) for d, step in self._tile_steps.items()]

    def _extent(self, dim: int) -> int:
        """Points along a pixel dimension: those of all windows, but along a line of pixels those that there are."""
        shape = self.shape
        return shape.extent(dim) if dim == shape.pixel else shape.windows(dim) * shape.window(dim)

    def _block_counts(self) -> tuple[int, int]:
        groups = self.schedule.groups * self.shape.extent(self.shape.outer_rows)
        return -(-prod(self._tile_extents) // self.schedule.pixel_block), -(-groups // self.schedule.row_block)

    def _digits(self) -> tuple[Digit, ...]:
        """Leading digits of a task's number: batches, then the tiles of pixels that blocks divide evenly."""
        bounds, together = self.shape.nest.bounds, self.schedule.pixel_block
        inner, loops = prod(self._tile_extents), list[tuple[int, int, int]]()
        for (dim, step), count in zip(self._tile_steps.items(), self._tile_extents, strict=True):
            inner //= count
            taken = max(1, together // inner)
            if inner % together and (together % inner or count % taken):
                break
            loops.append(self.writer.epilogue.digit(dim, taken * step))
            if inner % together:
                break
        return exact_digits([*((d, bounds[d], 1) for d in self.shape.batches), *loops])

    def _task(self, task: ir.Value) -> None:
        shape, schedule = self.shape, self.schedule
        blocks, row_blocks = self._block_counts()
        batch, block, row_block = b.decode(task, [shape.extent(shape.batches), blocks, row_blocks])
        dims: list[Index | None] = [None] * len(shape.nest.bounds)
        for dim, index in zip(
            shape.batches, b.decode(batch, [shape.nest.bounds[d] for d in shape.batches]), strict=True
        ):
            dims[dim] = index
        first_tile = b.mul(block, schedule.pixel_block)
        last_tile = b.minimum(b.add(first_tile, schedule.pixel_block), prod(self._tile_extents))
        first_group = b.mul(row_block, schedule.row_block)
        all_groups = schedule.groups * shape.extent(shape.outer_rows)
        last_group = b.minimum(b.add(first_group, schedule.row_block), all_groups)
        start = row = 0
        for segment in schedule.segments:
            stop = start + segment.groups * shape.extent(shape.outer_rows)
            low, high = b.maximum(first_group, start), b.minimum(last_group, stop)
            self._segment(segment, start, row, (low, high), (first_tile, last_tile), tuple(dims))
            start, row = stop, row + segment.groups * schedule.group_rows(segment)

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
        width = self.schedule.group_rows(segment)

        def group_body(number: Index) -> None:
            *outer, inner = b.decode(b.add(number, -start), extents)
            at = list(dims)
            for dim, index in zip(shape.outer_rows, outer, strict=True):
                at[dim] = index
            row = b.add(b.mul(inner, width), first_row)
            if shape.row is not None:
                at[shape.row] = row
            columns = self._pieces(number) if self.schedule.band else self._columns(number)
            is_last = segment is self.schedule.segments[-1]

            def tile_body(tile: Index) -> None:
                turn = b.mul(b.subtract(tile, tiles[0]), self._visits) if self._asks_ahead else None
                self._tile(segment, tuple(at), tile, columns, is_last, turn)

            b.loop(tiles[0], tiles[1], 1, tile_body)

        b.loop(groups[0], groups[1], 1, group_body)

    def _columns(self, number: Index) -> tuple[Index, Index, Index]:
        """(first, last) entry of a row group's column list and the start of its values."""
        if not self.shape.constant_weight:
            return 0, self.shape.extent(self.shape.columns), 0
        spans = self.kernel.extra[1]
        base = b.mul(number, 3)
        first, last, values = (entry_of(spans, b.add(base, i)) for i in range(3))
        return first, last, values

    @property
    def _asks_ahead(self) -> bool:
        """Whether weights are asked for before they are needed: they come from beyond the L1 cache."""
        shape, schedule = self.shape, self.schedule
        if not shape.constant_weight or schedule.band:
            return False
        bytes_ = (
            schedule.padded_rows * shape.extent(shape.outer_rows) * shape.extent(shape.columns) * shape.element_bytes
        )
        return bytes_ >= MIN_BYTES

    @property
    def _visits(self) -> int:
        """Passes over the columns that a tile takes."""
        return prod(self.shape.window(d) for d in self.shape.outer_pixels)

    def _pieces(self, number: Index) -> tuple[Index, Index]:
        """(first, last) piece of a band."""
        base = b.mul(number, 2)
        return entry_of(self.kernel.extra[1], base), entry_of(self.kernel.extra[1], b.add(base, 1))

    # The register tile ------------------------------------------------------------------------------------------------

    def _tile(
        self,
        segment: Segment,
        at: tuple[Index | None, ...],
        tile: Index,
        columns: Columns,
        is_last: bool,
        turn: Index | None,
    ) -> None:
        dims = list(at)
        for (dim, step), number in zip(self._tile_steps.items(), b.decode(tile, self._tile_extents), strict=True):
            last = max(0, self._extent(dim) - step)
            first = number if step == 1 else b.minimum(b.mul(number, step), last)
            dims[dim] = first if dim == self.shape.pixel else b.add(first, -self.shape.before(dim))
        registers = registers_of(self.shape, self.schedule, segment, is_last)
        if self.shape.pool is not None:
            self._windows(self.shape.pool, registers, dims, columns, turn)
            return
        rows, count = self._sums(registers, dims, columns, turn)
        if isinstance(rows, Totals):
            self.writer.write(registers, dims, rows.values)
        else:
            self.writer.write_rows(registers, dims, rows, count)

    def _windows(
        self, pool: Pool, registers: Registers, dims: list[Index | None], columns: Columns, turn: Index | None
    ) -> None:
        """A tile of windows: of the points of the contraction that they have beside those of the tile, one after the other."""
        after, places = self.writer.windows(registers), self.writer.epilogue.places(dims)
        height = self.schedule.band or after.scalars
        begun = self.writer.start(after, places, height)

        def visit(remaining: Sequence[int], at: list[Index | None], number: Index) -> None:
            if not remaining:
                rows, count = self._sums(registers, at, columns, None if turn is None else b.add(turn, number))
                count = count if self.schedule.band else height
                self.writer.reduce(registers, at, rows, count, (after, places, begun))
                return
            dim, *rest = remaining
            size = pool.sizes[dim]

            def point(index: Index) -> None:
                moved = [b.add(b.known(i), index) if d == dim else i for d, i in enumerate(at)]
                visit(rest, moved, b.add(b.mul(number, size), index))

            low, high = (0, size) if self.shape.is_whole(dim) else self._inside(dim, b.known(at[dim]))
            b.loop(low, high, 1, point)

        visit([d for d in pool.sizes if d != self.shape.pixel], dims, 0)
        if self.schedule.band:
            self.writer.write_rows(after, places, begun, self._rows_of_band(dims))
        else:
            rows = [begun.load(s) for s in range(height)]
            self.writer.write(after, places, [row[v] for v in range(len(after.parts)) for row in rows])

    def _inside(self, dim: int, first: Index) -> tuple[Index, Index]:
        """(first, last) point that there is of a window that begins at point `first`, which may be before the first one."""
        before, left = b.mul(first, -1), b.add(self.shape.nest.bounds[dim], b.mul(first, -1))
        return b.maximum(before, 0), b.minimum(left, self.shape.window(dim))

    def _sums(
        self, registers: Registers, dims: list[Index | None], columns: Columns, turn: Index | None
    ) -> tuple[Rows, Index]:
        """The contraction at a tile, and how many of its rows or pixels there are."""
        if len(columns) == 2:
            return self._band(registers, dims, columns), self._rows_of_band(dims)
        kind = ir.VectorType.get([self.schedule.lanes], self.writer.element)
        zero = self.kernel.evaluator.once.get(("zero", str(kind)), lambda: b.zero(kind))
        start = [zero] * (len(registers.parts) * registers.scalars)
        return Totals(self.products.add(registers, dims, columns, start, turn), registers.scalars), registers.scalars

    def _rows_of_band(self, dims: list[Index | None]) -> Index:
        row = _known_dim(self.shape.row)
        return b.minimum(b.add(self.shape.nest.bounds[row], b.mul(b.known(dims[row]), -1)), self.schedule.band)

    def _band(self, registers: Registers, dims: list[Index | None], pieces: tuple[Index, Index]) -> Accumulators:
        """A band of rows, piece by piece; its accumulators are in memory in between."""
        rows, band = registers.scalars, self.schedule.band
        assert self.kernel.scratch is not None
        memory = Accumulators(self.kernel.scratch, len(registers.parts), self.schedule.lanes)
        memory.clear(band + 1)

        def piece(number: Index) -> None:
            base = b.mul(number, 2 + rows)
            first, last, *places = (entry_of(self.kernel.extra[2], b.add(base, i)) for i in range(2 + rows))
            loaded = [memory.load(place) for place in places]
            start = [row[v] for v in range(memory.registers) for row in loaded]
            totals = self.products.add(registers, dims, (first, last, b.mul(first, rows)), start)
            for s, place in enumerate(places):
                memory.store(place, totals[s::rows])

        b.loop(*pieces, 1, piece)
        return memory


def _known_dim(dim: int | None) -> int:
    assert dim is not None
    return dim
