"""Dense convolutions of stride one with a fraction of the multiplications."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.passes.math.work import Segment
from cocomp.support.mlir import ir, math, memref, ops_in, scf, vector
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._ahead import MIN_BYTES, prefetch_following
from ._border import with_border
from ._builder import Index
from ._contraction import Contraction, read_contraction
from ._epilogue import Epilogue
from ._transform import transform
from ._values import Point, Val
from ._winograd import POINTS, SIZE, Roles, WinogradSchedule, roles_of, tile_counts, winograd_of


@dataclass(frozen=True)
class LowerWinogradPass(Pass):
    """Contractions with a `kernel.winograd` become minimal filtering, epilogue included.

        func @group_4(%x: tensor<..>, %w: tensor<..>, %b: tensor<..>) -> tensor<..> { contract, add, max }
      -->
        func @group_4(%x: memref<..>, %u: memref<..>, %b: memref<..>, %y: memref<..>, %scratch: memref<..>,
                      %first: index, %last: index)

    A task takes a block of tiles (6x6 inputs each, and 4x4 outputs of a 3x3 kernel, 3x3 of a 4x4 one):

        V[point][tile][channel] = B_t d B               (scratch memory, in the L2 cache)
        for group in row groups:
          for point in 36:  M[point][tile][row] = sum over channels of V[point][tile][channel] * U[point][channel][row]
          y[outputs of tile][row] = epilogue(A_t M A)

    A pool in the group reduces each window of a tile's outputs before it is stored: the convolution's result never is.
    %u is the transformed weight that `prepare-winograd` has computed when the model was created.
    """

    name: ClassVar[str] = "lower-winograd"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            schedule = winograd_of(function)
            if schedule is not None and graphs.is_group(function):
                contraction = read_contraction(graphs.read_group(function))
                roles = roles_of(contraction)
                assert roles is not None
                with function.location:
                    _Lowering(contraction, roles, schedule).run()


@dataclass
class _Lowering:
    shape: Contraction
    roles: Roles
    schedule: WinogradSchedule
    kernel: _function.Kernel = field(init=False)

    def run(self) -> None:
        shape, schedule, group = self.shape, self.schedule, self.shape.group
        self.element = structured.element_of(group.arguments[shape.x_argument])
        self.channels = shape.nest.bounds[self.roles.channel]
        self.pitch = self.channels + (schedule.lanes if self.channels * 4 % 1024 == 0 else 0)
        self.width = max(s.vectors for s in schedule.segments) * schedule.lanes
        self.kind = ir.VectorType.get([schedule.lanes], self.element)
        inputs, products = POINTS * schedule.tiles * self.pitch, POINTS * schedule.tiles * self.width
        self.products_at, self.results_at = inputs, inputs + products
        size = inputs + products + self.roles.filter.outputs**2 * self.width
        padded = sum(s.vectors * s.groups for s in schedule.segments) * schedule.lanes
        replaced = {shape.w_argument: _function.memory_type(self.element, POINTS * self.channels * padded)}
        self.kernel = _function.begin(group, replaced, scratch=_function.memory_type(self.element, size))
        down, across = tile_counts(shape, self.roles)
        self.count = shape.extent(self.roles.outer) * down * across
        blocks = -(-self.count // schedule.tiles)
        row_blocks = -(-schedule.groups // schedule.row_block)
        task, at = _function.task_loop(self.kernel)
        with at:
            tasks = with_border(
                group,
                self.kernel,
                schedule.lanes,
                task,
                blocks * row_blocks,
                lambda: self._task(task, blocks, row_blocks),
            )
        widths = "+".join(f"{s.vectors}x{schedule.lanes}" for s in schedule.segments)
        tile = f"{widths} rows, {schedule.pixels} of {schedule.tiles} tiles"
        outputs = self.roles.filter.outputs
        _function.finish(
            self.kernel,
            group,
            tasks,
            {"kind": f"winograd {outputs}x{outputs}", "vector": f"{schedule.lanes} lanes", "tile": tile},
        )

    def _task(self, task: ir.Value, blocks: int, row_blocks: int) -> None:
        block, row_block = b.decode(task, [blocks, row_blocks])
        first_tile = b.minimum(b.mul(block, self.schedule.tiles), self.count - self.schedule.tiles)
        b.loop(0, self.schedule.tiles, 1, lambda t: self._input_tile(b.add(first_tile, t), t))
        first_group = b.mul(row_block, self.schedule.row_block)
        last_group = b.minimum(b.add(first_group, self.schedule.row_block), self.schedule.groups)
        start = row = 0
        for segment in self.schedule.segments:
            low, high = b.maximum(first_group, start), b.minimum(last_group, start + segment.groups)
            self._segment(segment, start, row, (low, high), first_tile)
            start, row = start + segment.groups, row + segment.groups * segment.vectors * self.schedule.lanes

    # Input tiles ------------------------------------------------------------------------------------------------------

    def _tile_dims(self, tile: Index) -> tuple[list[Index | None], Index, Index]:
        """(nest dimensions with the batch set, first output row, first output column) of a tile."""
        shape, roles = self.shape, self.roles
        down, across = tile_counts(shape, roles)
        *outer, ty, tx = b.decode(tile, [*(shape.nest.bounds[d] for d in roles.outer), down, across])
        dims: list[Index | None] = [None] * len(shape.nest.bounds)
        for dim, index in zip(roles.outer, outer, strict=True):
            dims[dim] = index
        return dims, b.mul(ty, self.roles.filter.outputs), b.mul(tx, self.roles.filter.outputs)

    def _input_tile(self, tile: Index, slot: Index) -> None:
        """V[..][slot][..] of one tile. Rows and columns past the input repeat its last: only outputs that are not stored
        depend on them."""
        roles, bounds, lanes = self.roles, self.shape.nest.bounds, self.schedule.lanes
        dims, top, left = self._tile_dims(tile)
        taps = self.roles.filter.taps - 1
        rows = [b.minimum(b.add(top, i), bounds[roles.rows[0]] - 1 + taps) for i in range(SIZE)]
        columns = [b.minimum(b.add(left, i), bounds[roles.columns[0]] - 1 + taps) for i in range(SIZE)]
        for dim in (roles.rows[1], roles.columns[1], roles.channel):
            dims[dim] = 0
        places = []
        for y in rows:
            dims[roles.rows[0]] = y
            places.append(
                [
                    b.evaluate(self.shape.x_position, [*dims[: roles.columns[0]], x, *dims[roles.columns[0] + 1 :]])
                    for x in columns
                ]
            )
        x_buffer = list(self.kernel.body.arguments)[self.shape.x_argument]
        scratch = self.kernel.scratch
        assert scratch is not None

        def channels(c: Index, count: int | None) -> None:
            loaded = [[self._load(x_buffer, b.add(place, c), count) for place in row] for row in places]
            transformed = transform(self.roles.filter.input_transform, loaded)
            for point, value in enumerate(v for row in transformed for v in row):
                at = b.add(b.mul(slot, self.pitch), b.add(c, point * self.schedule.tiles * self.pitch))
                self._store(value, scratch, at, count)

        full = self.channels - self.channels % lanes
        b.loop(0, full, lanes, lambda c: channels(c, None))
        if self.channels % lanes:
            channels(full, self.channels % lanes)

    def _load(self, buffer: ir.Value, at: Index, count: int | None) -> ir.Value:
        if count is None:
            return vector.load(self.kind, buffer, [b.value(at)])
        once = self.kernel.evaluator.once
        mask = once.get(("mask", count, self.schedule.lanes), lambda: b.tail_mask(count, self.schedule.lanes))
        nothing = once.get(("zero", str(self.kind)), lambda: b.zero(self.kind))
        return vector.maskedload(self.kind, buffer, [b.value(at)], mask, nothing)

    def _store(self, value: ir.Value, buffer: ir.Value, at: Index, count: int | None) -> None:
        if count is None:
            vector.store(value, buffer, [b.value(at)])
            return
        once = self.kernel.evaluator.once
        mask = once.get(("mask", count, self.schedule.lanes), lambda: b.tail_mask(count, self.schedule.lanes))
        vector.maskedstore(buffer, [b.value(at)], mask, value)

    # Products ---------------------------------------------------------------------------------------------------------

    def _segment(
        self, segment: Segment, start: int, first_row: int, groups: tuple[Index, Index], first_tile: Index
    ) -> None:
        size = segment.vectors * self.schedule.lanes

        def group_body(number: Index) -> None:
            row = b.add(b.mul(b.add(number, -start), size), first_row)
            weights = b.mul(row, POINTS * self.channels)
            self._products(segment, weights)
            is_last = segment is self.schedule.segments[-1]
            b.loop(
                0, self.schedule.tiles, 1, lambda t: self._output_tile(segment, row, b.add(first_tile, t), t, is_last)
            )

        b.loop(groups[0], groups[1], 1, group_body)

    def _products(self, segment: Segment, weights: Index) -> None:
        """M = V * U for all points and tiles of the block, one row group."""
        pixels = self.schedule.pixels
        size = segment.vectors * self.schedule.lanes

        def point(number: Index) -> None:
            u = b.add(weights, b.mul(number, self.channels * size))

            def tiles(first: Index) -> None:
                slot = b.add(b.mul(number, self.schedule.tiles), first)
                totals = self._multiply(segment, b.mul(slot, self.pitch), u, b.floordiv(first, pixels))
                for p in range(pixels):
                    for v in range(segment.vectors):
                        at = b.add(b.mul(b.add(slot, p), self.width), self.products_at + v * self.schedule.lanes)
                        vector.store(totals[v * pixels + p], self.kernel.scratch, [b.value(at)])

            b.loop(0, self.schedule.tiles, pixels, tiles)

        b.loop(0, POINTS, 1, point)

    @property
    def _asks_ahead(self) -> bool:
        """Whether the weights of the next point are asked for: passes share them, and they come from afar."""
        size = POINTS * self.channels * self.shape.extent(self.shape.row) * self.shape.element_bytes
        return self.schedule.tiles >= 2 * self.schedule.pixels and size >= MIN_BYTES

    def _multiply(self, segment: Segment, v_at: Index, u_at: Index, turn: Index) -> list[ir.Value]:
        lanes, pixels, size = self.schedule.lanes, self.schedule.pixels, segment.vectors * self.schedule.lanes
        u_buffer = list(self.kernel.body.arguments)[self.shape.w_argument]
        zero = self.kernel.evaluator.once.get(("zero", str(self.kind)), lambda: b.zero(self.kind))
        op = scf.ForOp(b.value(0), b.value(self.channels), b.value(1), [zero] * (segment.vectors * pixels))
        with ir.InsertionPoint(op.body):
            channel, after = op.induction_variable, list(op.inner_iter_args)
            place = b.add(u_at, b.mul(channel, size))
            registers = [
                vector.load(self.kind, u_buffer, [b.value(b.add(place, v * lanes))]) for v in range(segment.vectors)
            ]
            if self._asks_ahead:
                turns = self.schedule.tiles // pixels
                prefetch_following(
                    u_buffer, b.add(u_at, self.channels * size), self.channels, size, turn, turns, channel
                )
            source = b.add(v_at, channel)
            for p in range(pixels):
                scalar = memref.load(self.kernel.scratch, [b.value(b.add(source, p * self.pitch))])
                spread = b.splat(scalar, lanes)
                for v, register in enumerate(registers):
                    after[v * pixels + p] = math.fma(spread, register, after[v * pixels + p])
            scf.yield_(after)
        return list(op.results)

    # Output tiles -----------------------------------------------------------------------------------------------------

    def _output_tile(self, segment: Segment, row: Index, tile: Index, slot: Index, is_last: bool) -> None:
        """Transform back, apply the epilogue, store the outputs that exist, or what their windows reduce to."""
        lanes, scratch, m = self.schedule.lanes, self.kernel.scratch, self.roles.filter.outputs
        for v in range(segment.vectors):
            points = []
            for i in range(POINTS):
                place = b.add(b.mul(b.add(slot, i * self.schedule.tiles), self.width), self.products_at + v * lanes)
                points.append(vector.load(self.kind, scratch, [b.value(place)]))
            results = transform(
                self.roles.filter.output_transform, [points[i * SIZE : (i + 1) * SIZE] for i in range(SIZE)]
            )
            for i, value in enumerate(v_ for row_ in results for v_ in row_):
                vector.store(value, scratch, [b.value(self.results_at + i * self.width + v * lanes)])
        dims, top, left = self._tile_dims(tile)
        bounds = self.shape.nest.bounds
        bottom = b.minimum(m, b.add(bounds[self.roles.rows[0]], b.mul(top, -1)))
        right = b.minimum(m, b.add(bounds[self.roles.columns[0]], b.mul(left, -1)))
        parts = self._parts(segment, is_last)
        high, wide = (self.shape.window(d) for d in (self.roles.rows[0], self.roles.columns[0]))

        def window(i: Index, j: Index) -> None:
            places = [(b.add(i, y), b.add(j, x)) for y in range(high) for x in range(wide)]
            for v, part in enumerate(parts):
                found: list[tuple[Val, Point]] = []
                for y, x in places:
                    at = b.add(b.mul(b.add(b.mul(y, m), x), self.width), self.results_at + v * lanes)
                    dims[self.roles.rows[0]], dims[self.roles.columns[0]] = b.add(top, y), b.add(left, x)
                    register = vector.load(self.kind, scratch, [b.value(at)])
                    found.append((Val(self.element, register, True), self._point(dims, b.add(row, v * lanes), part)))
                self._write(found)

        b.loop(0, bottom, high, lambda i: _nothing(b.loop(0, right, wide, lambda j: window(i, j))))

    def _parts(self, segment: Segment, is_last: bool) -> list[int | None]:
        """Rows that count in each register; only the last group has fewer than all."""
        padded = sum(s.vectors * s.groups for s in self.schedule.segments) * self.schedule.lanes
        parts: list[int | None] = [None] * segment.vectors
        if is_last and padded > self.shape.extent(self.shape.row):
            parts[-1] = self.schedule.lanes - (padded - self.shape.extent(self.shape.row))
        return parts

    def _point(self, dims: list[Index | None], row: Index, part: int | None) -> Point:
        shape = self.shape
        assert shape.row is not None
        at = list(dims)
        at[shape.row] = row
        return Point(tuple(at), tuple(shape.nest.bounds), self.schedule.lanes, shape.row, part)

    def _write(self, found: list[tuple[Val, Point]]) -> None:
        """Store what follows from one output, or from those of a window."""
        epilogue = Epilogue(self.shape, self.kernel.evaluator, self.kernel.outputs[0])
        total, point = found[0]
        if self.shape.pool is not None:
            place = epilogue.place(point.vector_dim)
            point = replace(point, dims=tuple(epilogue.places(point.dims)), bounds=epilogue.bounds, vector_dim=place)
            values = [epilogue.reduced(value, at) for value, at in found]
            total = epilogue.combined(epilogue.start(point), values, point)
        epilogue.store(epilogue.result(total, point), point)


def _nothing(_: object) -> None:
    return None
