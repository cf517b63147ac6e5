"""The gather-GEMM on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import ClassVar

from cocomp.dialects import places, structured
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._contraction import Contraction, Pool, encoding_of
from cocomp.passes.kernel._epilogue import Dims, Epilogue
from cocomp.passes.kernel._scheduled import scheduled
from cocomp.passes.kernel._values import Point, Val
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.work import TileSchedule
from cocomp.support.mlir import arith, ir, vector
from cocomp.support.passes import Pass, State

from . import _shader
from ._columns import texel_columns
from ._texels import TEXEL, Place, has_texels, is_aligned, narrowed
from ._tiles import ENOUGH_LANES, extents

COLUMNS_A_TURN = 4
"""Of a list: accumulators that go round a loop cost as much as a column."""


@dataclass(frozen=True)
class ShadeContractionsPass(Pass):
    """Contractions become the gather-GEMM, with everything that follows applied to the accumulators.

        func @group_3(%x: tensor<..>, %w: tensor<..>, %b: tensor<..>) -> tensor<..> { contract, add, max }
      -->
        func @group_3(%b: memref<..>, %x: !spirv.image<..>, %packed: !spirv.image<..>, %y: !spirv.image<..>)
            attributes {kernel.grid = [13, 32, 1], kernel.operands = [2, 0, 1, 3], ..}

    An invocation computes a tile of pixels for a row group, four rows in a vector:

        acc[v][p] = 0
        for c in columns of group:
          acc[v][p] += values[c][v] * x[base(p) + offset(c)]
        y[tile] = epilogue(acc)

    Where four columns are neighbours in memory they are read together, as a texel; so are four rows of the weight. Zeros that are
    left out make a list of columns, which the row group has in memory: `offset(c)` then is read, else it is computed. The
    invocations of a workgroup have neighbouring tiles of pixels of one row group; where there are few pixels, of several; or what
    `workgroup` of the schedule says. Tiles at the end of a line overlap their neighbours. Where windows of the result are reduced, a tile has whole windows of a line of pixels
    and takes their lines one after the other. Needs the attributes that `schedule-shades` leaves and the arguments that
    `pack-weights` passes.
    """

    name: ClassVar[str] = "shade-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        for contraction, schedule in scheduled(module):
            if not places.on_cpu(contraction.group.function):
                _Lowering(contraction, schedule).run()


@dataclass
class _Lowering:
    shape: Contraction
    schedule: TileSchedule
    shader: _shader.Shader = field(init=False)
    epilogue: Epilogue = field(init=False)

    def run(self) -> None:
        shape, schedule = self.shape, self.schedule
        self.element = structured.element_of(shape.group.arguments[shape.x_argument])
        self.rows = schedule.segments[0].vectors * schedule.lanes
        i32 = ir.IntegerType.get_signless(32)
        lists = shape.extent(shape.columns) * shape.extent(shape.outer_rows)
        replaced = {}
        if shape.constant_weight:
            replaced = {shape.w_argument: ir.MemRefType.get([lists * schedule.padded_rows], self.element)}
        tables = [ir.MemRefType.get([max(1, lists * schedule.groups)], i32)] * 2
        self.shader = _shader.begin(shape.group, replaced, tables)
        self.tiles, self.groups = extents(shape, schedule)
        self.epilogue = Epilogue(shape, self.shader.evaluator, self.shader.outputs[0])
        groups, tiles = (prod(n for _, n in part) for part in (self.groups, self.tiles))
        self.shared = bool(schedule.workgroup) or tiles >= ENOUGH_LANES
        blocks, lanes = (groups, tiles) if self.shared else (1, groups * tiles)
        _shader.finish(self.shader, shape.group, blocks, lanes, self._compute, self._facts(), schedule.workgroup)

    def _facts(self) -> dict[str, str]:
        along = "along pixels" if self.shared else "along rows and pixels"
        if self.schedule.workgroup:
            along = "of {} tiles of pixels, {} of rows".format(*self.schedule.workgroup)
        facts = {
            "kind": "gather-gemm",
            "vector": f"workgroups {along}",
            "tile": f"{self.rows} rows, {self.schedule.pixels} pixels",
        }
        if self.shape.constant_weight:
            encoding = encoding_of(self.shape)
            facts["encoding"] = "dense" if self.schedule.keep_zeros else encoding
            if self.schedule.keep_zeros and encoding != "dense":
                facts["zeros"] = f"kept: leaving out those of {encoding} would take longer"
        return facts

    def _compute(self, block: Index, lane: Index) -> None:
        shape = self.shape
        group, tile = block, lane
        if not self.shared:
            count = prod(n for _, n in self.tiles)
            group, tile = b.floordiv(lane, count), b.mod(lane, count)
        dims: list[Index | None] = [None] * len(shape.nest.bounds)
        numbers = b.decode(group, [n for _, n in self.groups])
        for (dim, _), index in zip(self.groups[:-1], numbers, strict=False):
            dims[dim] = index
        _shader.decode_dims(tile, [d for d, _ in self.tiles], [n for _, n in self.tiles], dims)
        for dim in shape.outer_pixels:
            dims[dim] = b.mul(b.known(dims[dim]), shape.window(dim))
        if shape.pixel is not None:
            last = max(0, shape.nest.bounds[shape.pixel] - self.schedule.pixels)
            dims[shape.pixel] = b.minimum(b.mul(b.known(dims[shape.pixel]), self.schedule.pixels), last)
        if shape.row is not None:
            dims[shape.row] = b.mul(numbers[-1], self.rows)
        if shape.pool is None:
            self._write(dims, self._values(self._multiply(dims, self._list_number(numbers))))
        else:
            self._write(self.epilogue.places(dims), self._windows(shape.pool, dims, self._list_number(numbers)))

    def _list_number(self, numbers: Sequence[Index]) -> Index:
        """Number of a row group among those of the packed weight, which batches share."""
        batches = len(self.shape.batches)
        place: Index = 0
        for (_, extent), index in zip(self.groups[batches:], numbers[batches:], strict=True):
            place = b.add(b.mul(place, extent), index)
        return place

    # Columns ----------------------------------------------------------------------------------------------------------

    def _multiply(self, dims: list[Index | None], number: Index) -> list[ir.Value]:
        """Accumulators [vector of rows][pixel] over all columns."""
        zero = b.zero(ir.VectorType.get([TEXEL], ir.F32Type.get()))
        start = [zero] * (self.rows // TEXEL * self.schedule.pixels)
        zeros = dict.fromkeys(self.shape.columns, 0)
        at = [zeros.get(i, v) for i, v in enumerate(dims)]
        if self.schedule.keep_zeros:
            return self._all_columns(list(self.shape.columns), at, number, start)
        return self._listed_columns(at, number, start)

    def _all_columns(
        self, loops: list[int], at: list[Index | None], number: Index, totals: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """A loop for every dimension of the columns; the last one takes four at a time where they are neighbours."""
        shape = self.shape
        if not loops:
            return self._column(at, number, totals)
        dim, *rest = loops
        step = 1 if rest else texel_columns(shape, shape.x_argument, shape.x_position)

        def body(index: Index, *values: ir.Value) -> list[ir.Value]:
            return self._all_columns(rest, [index if d == dim else v for d, v in enumerate(at)], number, values)

        return b.loop(0, shape.nest.bounds[dim], step, body, totals)

    def _column(self, at: list[Index | None], number: Index, totals: Sequence[ir.Value]) -> list[ir.Value]:
        """One column, or those that are read together."""
        shape = self.shape
        places = [self._x_place(self._at_pixel(at, p)) for p in range(self.schedule.pixels)]
        pixels = self._pixels(places, texel_columns(shape, shape.x_argument, shape.x_position))
        rows = self._packed_rows(at, number, len(pixels)) if shape.constant_weight else self._rows(at, len(pixels))
        current = list(totals)
        for values, weights in zip(pixels, rows, strict=True):
            current = _multiply_add(weights, values, current)
        return current

    def _x_place(self, at: Sequence[Index | None]) -> Place:
        x, shape = self.shader.arguments[self.shape.x_argument], self.shape
        return self.shader.evaluator.texels.place(x, shape.x_position, at, shape.nest.bounds)

    def _w_place(self, position: Expr, at: Sequence[Index | None]) -> Place:
        w, shape = self.shader.arguments[self.shape.w_argument], self.shape
        return self.shader.evaluator.texels.place(w, position, at, shape.nest.bounds)

    def _pixels(self, places: Sequence[Place], count: int) -> list[list[ir.Value]]:
        """The pixels at the places of one column, or of each of some that are read together."""
        x, evaluator = self.shader.arguments[self.shape.x_argument], self.shader.evaluator
        if count == 1:
            return [[_widened(evaluator.element(x, place, self.element)) for place in places]]
        texels = [evaluator.texels.fetch(x, place) for place in places]
        return [[vector.extract(texel, [], [c]) for texel in texels] for c in range(count)]

    def _packed_rows(self, at: Sequence[Index | None], number: Index, count: int) -> list[list[ir.Value]]:
        """Vectors of rows of `count` columns of a packed weight."""
        column: Index = 0
        for dim in self.shape.columns:
            column = b.add(b.mul(column, self.shape.nest.bounds[dim]), b.known(at[dim]))
        first = b.mul(b.add(b.mul(number, self.shape.extent(self.shape.columns)), column), self.rows)
        return [self._packed_column(b.add(first, c * self.rows)) for c in range(count)]

    def _packed_column(self, first: Index) -> list[ir.Value]:
        w, texels = self.shader.arguments[self.shape.w_argument], self.shader.evaluator.texels
        return [texels.fetch(w, b.add(first, r)) for r in range(0, self.rows, TEXEL)]

    def _rows(self, at: list[Index | None], count: int) -> list[list[ir.Value]]:
        """The same of an activation in the place of the weight; rows past the last are that one again."""
        shape, evaluator = self.shape, self.shader.evaluator
        w, position = self.shader.arguments[shape.w_argument], shape.w_position()
        kind = ir.VectorType.get([TEXEL], ir.F32Type.get())
        inner = shape.columns[-1] if shape.columns else None
        if count == TEXEL == texel_columns(shape, shape.w_argument, position):
            rows = [self._w_place(position, self._at_valid_row(at, r)) for r in range(self.rows)]
            texels = [evaluator.texels.fetch(w, place) for place in rows]
            turned = [[vector.extract(texel, [], [c]) for texel in texels] for c in range(TEXEL)]
            return [[vector.from_elements(kind, q[r : r + TEXEL]) for r in range(0, self.rows, TEXEL)] for q in turned]
        found: list[list[ir.Value]] = []
        for c in range(count):
            moved = [b.add(b.known(v), c) if d == inner else v for d, v in enumerate(at)]
            found.append(self._activation_rows(w, position, moved))
        return found

    def _activation_rows(self, w: ir.Value, position: Expr, at: Sequence[Index | None]) -> list[ir.Value]:
        """Vectors of rows of one column: texels, where rows are neighbours in memory."""
        evaluator, row = self.shader.evaluator, self.shape.row
        is_whole = row is not None and not self._is_padded and position.coefficient(row) == 1
        if is_whole and has_texels(w) and is_aligned(position, row):
            starts = [self._w_place(position, self._at_row(at, r)) for r in range(0, self.rows, TEXEL)]
            return [evaluator.texels.fetch(w, place) for place in starts]
        places = [self._w_place(position, self._at_valid_row(at, r)) for r in range(self.rows)]
        values = [_widened(evaluator.element(w, place, self.element)) for place in places]
        kind = ir.VectorType.get([TEXEL], ir.F32Type.get())
        return [vector.from_elements(kind, values[r : r + TEXEL]) for r in range(0, self.rows, TEXEL)]

    def _listed_columns(self, at: list[Index | None], number: Index, totals: Sequence[ir.Value]) -> list[ir.Value]:
        """The columns that a row group keeps, as many together as an entry of its list stands for."""
        texels, unit = self.shader.evaluator.texels, self.schedule.unit
        offsets, spans = self.shader.extra
        x = self.shader.arguments[self.shape.x_argument]
        bases = [self._x_place(self._at_pixel(at, p)) for p in range(self.schedule.pixels)]
        if any(self.shape.x_position.coefficient(c) < 0 for c in self.shape.columns):
            bases = [Place(base.position) for base in bases]  # a list that goes back leaves the line
        place = b.mul(number, 3)
        first, last = (texels.number(spans, b.add(place, i)) for i in range(2))
        values = texels.number(spans, b.add(place, 2), TEXEL)

        def body(entry: Index, *current: ir.Value) -> list[ir.Value]:
            offset = texels.number(offsets, entry, TEXEL if unit > 1 else 1)
            column = b.mul(arith.subi(b.value(entry), b.value(first)), unit)
            totals = list(current)
            for c, pixels in enumerate(self._pixels([texels.moved(x, base, offset) for base in bases], unit)):
                weights = self._packed_column(b.add(values, b.mul(b.add(column, c), self.rows)))
                totals = _multiply_add(weights, pixels, totals)
            return totals

        def turn(entry: Index, *current: ir.Value) -> list[ir.Value]:
            return b.unrolled(several, lambda i, *values: body(b.add(entry, i), *values), current)

        several = max(1, COLUMNS_A_TURN // unit)
        if several == 1:
            return b.loop(first, last, 1, body, totals)
        whole = b.add(first, b.mul(b.floordiv(arith.subi(b.value(last), b.value(first)), several), several))
        return b.loop(whole, last, 1, body, b.loop(first, whole, several, turn, totals))

    def _at_pixel(self, dims: Sequence[Index | None], number: int) -> list[Index | None]:
        at = list(dims)
        if self.shape.pixel is not None:
            at[self.shape.pixel] = b.add(b.known(at[self.shape.pixel]), number)
        return at

    def _at_row(self, dims: Sequence[Index | None], number: int) -> list[Index | None]:
        at = list(dims)
        if self.shape.row is not None:
            at[self.shape.row] = b.add(b.known(at[self.shape.row]), number)
        return at

    def _at_valid_row(self, dims: Sequence[Index | None], number: int) -> list[Index | None]:
        """The same, or the last row where there is no such row."""
        at = self._at_row(dims, number)
        if self.shape.row is not None and self._is_padded:
            at[self.shape.row] = b.minimum(b.known(at[self.shape.row]), self.shape.extent(self.shape.row) - 1)
        return at

    @property
    def _is_padded(self) -> bool:
        return self.schedule.padded_rows > self.shape.extent(self.shape.row)

    # What follows -----------------------------------------------------------------------------------------------------

    @property
    def _lanes(self) -> int:
        """Rows that are written together: a vector of them where there are only whole ones."""
        return TEXEL if self.shape.row is not None and self.shape.extent(self.shape.row) % TEXEL == 0 else 1

    @property
    def _starts(self) -> range:
        """First rows of what is written together."""
        return range(0, self.rows if self.shape.row is not None else 1, self._lanes)

    def _values(self, totals: Sequence[ir.Value]) -> list[Val]:
        """Accumulators [vector of rows][pixel] as what is written together, each with all pixels."""
        pixels, found = self.schedule.pixels, list[Val]()
        for number in self._starts:
            for total in totals[number // TEXEL * pixels :][:pixels]:
                own = total if self._lanes == TEXEL else vector.extract(total, [], [number % TEXEL])
                found.append(Val(self.element, narrowed(own, self.element), self._lanes == TEXEL))
        return found

    def _windows(self, pool: Pool, dims: list[Index | None], number: Index) -> list[Val]:
        """The tile's windows reduced: all points that they have beside those of the tile, one after the other."""
        shape, epilogue, size = self.shape, self.epilogue, self.shape.window(self.shape.pixel)
        ends = self._points(epilogue.places(dims), self.schedule.pixels // size, epilogue.place, epilogue.bounds)

        def values(carried: Sequence[ir.Value]) -> list[Val]:
            return [Val(self.element, v, self._lanes == TEXEL) for v in carried]

        def visit(remaining: Sequence[int], at: list[Index | None], carried: Sequence[ir.Value]) -> list[ir.Value]:
            if remaining:
                dim, *rest = remaining

                def body(index: Index, *current: ir.Value) -> list[ir.Value]:
                    moved = [b.add(b.known(v), index) if d == dim else v for d, v in enumerate(at)]
                    return visit(rest, moved, current)

                return b.loop(0, pool.sizes[dim], 1, body, carried)
            inside = self._points(at, self.schedule.pixels, lambda dim: dim, tuple(shape.nest.bounds))
            totals = zip(self._values(self._multiply(at, number)), inside, strict=True)
            reduced = [epilogue.reduced(total, point) for total, point in totals]
            of_windows = [reduced[i : i + size] for i in range(0, len(reduced), size)]
            found = zip(values(carried), of_windows, ends, strict=True)
            return [self._built(epilogue.combined(*window), window[-1]) for window in found]

        start = [self._built(epilogue.start(point), point) for point in ends]
        return values(visit([d for d in pool.sizes if d != shape.pixel], dims, start))

    def _built(self, value: Val, point: Point) -> ir.Value:
        evaluator = self.shader.evaluator
        return (evaluator.spread if point.vector_dim is not None else evaluator.scalar)(value, point)

    def _points(
        self, dims: Dims, pixels: int, place: Callable[[int | None], int | None], bounds: tuple[int, ...]
    ) -> list[Point]:
        """Where the values of a tile are; rows past the last are the last ones again."""
        row, pixel, found = place(self.shape.row), place(self.shape.pixel), list[Point]()
        for number in self._starts:
            at = list(dims)
            if row is not None:
                at[row] = b.add(b.known(at[row]), number)
                if self._is_padded:
                    at[row] = b.minimum(b.known(at[row]), bounds[row] - self._lanes)
            for p in range(pixels):
                moved = [b.add(b.known(v), p) if d == pixel else v for d, v in enumerate(at)]
                found.append(Point(tuple(moved), bounds, self._lanes, row if self._lanes > 1 else None))
        return found

    def _write(self, dims: list[Index | None], totals: Sequence[Val]) -> None:
        """The group's result at every point of the tile. `dims` are those of what is stored."""
        row, bound = self.epilogue.place(self.shape.row), self.shape.extent(self.shape.row)
        pixels = len(totals) // len(self._starts)
        for n, number in enumerate(self._starts):
            at = list(dims)
            if row is not None:
                at[row] = b.add(b.known(at[row]), number)
            write = partial(self._write_rows, at, totals[n * pixels : (n + 1) * pixels])
            if row is None or not self._is_padded:
                write()
            else:
                b.when(arith.cmpi(arith.CmpIPredicate.ult, b.value(b.known(at[row])), b.value(bound)), write)

    def _write_rows(self, dims: list[Index | None], totals: Sequence[Val]) -> None:
        epilogue, lanes = self.epilogue, self._lanes
        row, pixel = epilogue.place(self.shape.row), epilogue.place(self.shape.pixel)
        points: list[Point] = []
        for p in range(len(totals)):
            at = tuple(b.add(b.known(v), p) if d == pixel else v for d, v in enumerate(dims))
            points.append(Point(at, epilogue.bounds, lanes, row if lanes > 1 else None))
        found = [epilogue.result(*at) for at in zip(totals, points, strict=True)]  # all are loaded before any is stored
        for point, value in zip(points, found, strict=True):
            epilogue.store(value, point)


def _multiply_add(
    weights: Sequence[ir.Value], pixels: Sequence[ir.Value], totals: Sequence[ir.Value]
) -> list[ir.Value]:
    """Products of vectors of rows and pixels, added to their accumulators: drivers make one operation of the two."""
    spread = [b.splat(pixel, TEXEL) for pixel in pixels]
    products = [arith.mulf(row, pixel) for row in weights for pixel in spread]
    return [arith.addf(total, product) for total, product in zip(totals, products, strict=True)]


def _widened(value: ir.Value) -> ir.Value:
    """Halves are multiplied and added in single precision."""
    single = ir.F32Type.get()
    return value if value.type == single else arith.extf(single, value)
