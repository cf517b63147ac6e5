"""The structure of a group's contraction: which dimensions are rows, pixels, columns, and how memory is walked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, structured
from cocomp.dialects.graph import Graph, Group
from cocomp.passes.math import affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.schedule import MAX_STEP
from cocomp.passes.math.tiles import LINE_BYTES
from cocomp.passes.math.work import MIN_LANES, Work
from cocomp.support.diagnostics import InternalError
from cocomp.support.mlir import ir

Array = np.ndarray


@dataclass(frozen=True)
class Pool:
    """A reduction over windows of what a group's contraction computes."""

    windows: nest.Windows
    sizes: Mapping[int, int]
    """Dimension of the contraction's nest -> extent of a window along it, where that is more than one."""
    low: Mapping[int, int]
    """-> points of the first window along it that lie before the first point."""
    counts: Mapping[int, int]
    """-> windows along it."""
    places: Mapping[int, int]
    """Dimension of the contraction's nest -> that of the group's nest which counts windows along it. Not where there is one."""


@dataclass(frozen=True)
class Contraction:
    """Roles of the nest's dimensions and the positions of the operands over them."""

    group: Group
    nest: nest.Nest
    """The group's. Where windows of the result are reduced that of what they are windows of, as far as they reach."""
    need: nest.Need
    axes: nest.Index
    """Index of the computed value."""
    batches: tuple[int, ...]
    """In input, weight and result, where the weight is an activation."""
    outer_rows: tuple[int, ...]
    """Row dimensions that are loops (groups of a grouped convolution, heads)."""
    row: int | None
    """The row dimension that fills registers; None when there is a single row."""
    outer_pixels: tuple[int, ...]
    pixel: int | None
    """The pixel dimension that is tiled; None when there is a single pixel."""
    columns: tuple[int, ...]
    """Reduction dimensions, outermost in the input's memory first."""
    x_argument: int
    w_argument: int
    x_position: Expr
    w_index: nest.Index
    out_position: Expr
    """Of the result; where windows are reduced its coefficients are the steps from window to window."""
    pool: Pool | None = None

    @property
    def depthwise(self) -> bool:
        """No row dimension and no row group: every channel has its own input."""
        return self.row is None and not self.outer_rows

    def is_whole(self, dim: int | None) -> bool:
        """Whether all windows along a dimension have all their points."""
        if self.pool is None or dim is None or dim not in self.pool.sizes:
            return True
        return self.pool.low[dim] == 0 and self.pool.counts[dim] * self.pool.sizes[dim] == self.nest.bounds[dim]

    def before(self, dim: int | None) -> int:
        """Points of the first window along a dimension that lie before the first point."""
        return 0 if self.pool is None or dim is None else self.pool.low.get(dim, 0)

    def windows(self, dim: int) -> int:
        """Windows along a dimension, its points where none are reduced."""
        return self.nest.bounds[dim] if self.pool is None else self.pool.counts.get(dim, self.nest.bounds[dim])

    def window(self, dim: int | None) -> int:
        """Extent along a dimension of the windows that are reduced, 1 where none are."""
        return 1 if self.pool is None or dim is None else self.pool.sizes.get(dim, 1)

    @property
    def points(self) -> int:
        """How often each element of the weight is multiplied."""
        return self.extent(self.batches) * self.extent(self.outer_pixels) * self.extent(self.pixel)

    @property
    def element_bytes(self) -> int:
        return structured.bytes_of(structured.element_of(self.group.arguments[self.x_argument]))

    @property
    def constant_weight(self) -> bool:
        return is_weight(self.group, self.w_argument)

    @property
    def fills_along_pixels(self) -> bool:
        """Whether registers can run along the pixels of the input: they are neighbours, or near enough to be shuffled."""
        if not self.constant_weight or self.pixel is None or not self.is_whole(self.pixel):
            return False
        return 1 <= self.x_position.coefficient(self.pixel) <= MAX_STEP

    @property
    def line(self) -> int | None:
        """The pixel dimension whose neighbours a tile may have beside `pixel`: lines of an image at one distance, or images
        of a volume. That with the most kernel positions along it, whose columns read each other's lines."""
        bent = {d for a, _ in self.x_position.terms if not isinstance(a, affine.Dim) for d in a.operand.dims()}
        straight = [d for d in self.outer_pixels if d not in bent]
        return max(reversed(straight), key=self._taps_along, default=None)

    def _taps_along(self, pixel: int | None) -> int:
        """Kernel positions at the distance of neighbouring pixels."""
        step = 0 if pixel is None else self.x_position.coefficient(pixel)
        return max((self.nest.bounds[c] for c in self.columns if self.x_position.coefficient(c) == step), default=1)

    @property
    def writes_along_pixels(self) -> bool:
        """Whether neighbouring pixels of the result are neighbours in memory, and neighbouring rows are not."""
        if self.pixel is None or self.row is None:
            return False
        return self.out_position.coefficient(self.pixel) == 1 != self.out_position.coefficient(self.row)

    @property
    def line_step(self) -> int:
        """How far apart the lines of the input are that a tile has: neighbours, or the first ones of neighbouring windows."""
        return 0 if self.line is None else self.x_position.coefficient(self.line) * self.window(self.line)

    def _pixel_taps(self) -> int:
        """Columns whose input lies in the same lines: kernel positions along contiguous pixels."""
        near = LINE_BYTES // self.element_bytes
        taps = (self.nest.bounds[c] for c in self.columns if 0 < self.x_position.coefficient(c) < near)
        return max(taps, default=1)

    def _planes(self) -> int:
        """Planes of the input that a task inside one plane of pixels reads: the kernel's depth in three dimensions."""
        planes = 1
        for pixel in self.outer_pixels[:-1]:
            planes *= self._taps_along(pixel)
        return planes

    def extent(self, dims: tuple[int, ...] | int | None) -> int:
        """Product of the extents of some dimensions."""
        if dims is None:
            return 1
        total = 1
        for d in (dims,) if isinstance(dims, int) else dims:
            total *= self.nest.bounds[d]
        return total

    def offsets(self) -> Array:
        """Position of each column relative to the first, in elements of the input; int64[columns]."""
        return self._walk(self.x_position)

    def _walk(self, position: Expr) -> Array:
        total = np.zeros(1, np.int64)
        for dim in self.columns:
            steps = np.arange(self.nest.bounds[dim], dtype=np.int64) * position.coefficient(dim)
            total = (total[:, None] + steps[None, :]).ravel()
        return total

    def w_position(self) -> Expr:
        """Position of the weight's elements, where it is an activation."""
        return _position(self.group, self.w_argument, self.w_index, self.nest.bounds)

    def w_offsets(self) -> Array:
        """Position of each column of a weight that is an activation, relative to the first; int64[columns]."""
        return self._walk(self.w_position())

    def work(self) -> Work:
        """What the cost model wants to know, with all columns kept."""
        columns = self.extent(self.columns)
        x_bytes = layout.size_of(layout.of_argument(self.group.function, self.x_argument)) * self.element_bytes
        return Work(
            rows=self.extent(self.row),
            outer_rows=self.extent(self.outer_rows),
            batches=self.extent(self.batches),
            pixels=self.extent(self.pixel),
            outer_pixels=prod(self.windows(d) * self.window(d) for d in self.outer_pixels),
            columns=columns,
            input_bytes=x_bytes * self._planes() // self.extent(self.batches),
            weight_bytes=self.extent(self.row) * self.extent(self.outer_rows) * columns * self.element_bytes,
            contiguous_rows=self.row is None or self.out_position.coefficient(self.row) == 1,
            contiguous_pixels=self.pixel is not None and self.out_position.coefficient(self.pixel) == 1,
            pixel_step=self.x_position.coefficient(self.pixel) if self.pixel is not None else 0,
            pixel_taps=self._pixel_taps(),
            lines=1 if self.line is None or not self.is_whole(self.line) else self.windows(self.line),
            line_step=self.line_step,
            line_taps=self._taps_along(self.line) if self.window(self.line) == 1 else 1,
            window=self.window(self.pixel) if self.is_whole(self.pixel) else self.extent(self.pixel),
            window_lines=prod(self.window(d) for d in self.outer_pixels),
        )


def is_weight(group: Group, argument: int) -> bool:
    """Whether an argument of a group is a constant."""
    return "sparse.weight" in group.function.attributes["arg_attrs"][argument]


def read_contraction(group: Group) -> Contraction:
    """Find the roles of the dimensions in a group whose arguments and results have layouts."""
    made, axes, windows = group.nest, group.axes, graphs.windows_of(group.graph, group.nest)
    if windows is not None:
        made, axes = graphs.nest_of_windows(group.graph, windows, None)
    need = next(n for n in made.reductions if n.loop.contraction)
    x_number, x_index = _operand(group, made, need, 0)
    w_number, w_index = _operand(group, made, need, 1)
    x_argument, w_argument = (ir.BlockArgument(group.graph.values[n]).arg_number for n in (x_number, w_number))
    x_position = _position(group, x_argument, x_index, made.bounds)
    out = _result_position(group)
    if windows is not None:
        out = _from_window_to_window(out, windows, axes, group.nest.bounds)
    own = made.own_dims[made.reductions.index(need)]
    in_x, in_w = _dims(x_index), _dims(w_index)
    constant = is_weight(group, w_argument)
    roots = range(made.n_root)
    rows = [d for d in roots if d in in_w and (d not in in_x or constant)]
    batches = [d for d in roots if d in in_w and d in in_x and not constant]
    pixels = [d for d in roots if d not in in_w]
    depthwise = not any(d not in in_x for d in rows)
    merged = _merge_pixels(group, made, pixels if windows is None else (), [x_position, out])
    made, need = nest.refine(made, merged), _apply(need, merged)
    x_position, out = merged.apply(x_position), merged.apply(out)
    moved = {d: next(iter(merged.values[d].dims())) for d in range(len(merged.values))}
    pixels = sorted({moved[d] for d in pixels}, key=lambda d: -abs(out.coefficient(d)))
    alike = {moved[d] for d in rows if d not in in_x}  # rows that read the same input, as those of a register must
    rows = sorted((moved[d] for d in rows), key=lambda d: -abs(out.coefficient(d)))
    own = tuple(moved[d] for d in own)
    pixel = max(pixels, key=lambda d: _tiling(x_position.coefficient(d), made.bounds[d])) if pixels else None
    row = None if depthwise or not rows else _unit_row([d for d in rows if d in alike], out, made.bounds)
    if any(not isinstance(a, affine.Dim) and a.operand.dims() & set(own) for a, _ in x_position.terms):
        raise InternalError("a contraction reads its input through a reshape that its columns cannot follow")
    return Contraction(
        group=group,
        nest=made,
        need=need,
        axes=tuple(merged.apply(e) for e in axes),
        batches=tuple(moved[d] for d in batches),
        outer_rows=() if depthwise else tuple(d for d in rows if d != row),
        row=row,
        outer_pixels=tuple(d for d in pixels if d != pixel),
        pixel=pixel,
        columns=tuple(sorted(own, key=lambda d: -abs(x_position.coefficient(d)))),
        x_argument=x_argument,
        w_argument=w_argument,
        x_position=x_position,
        w_index=tuple(merged.apply(e) for e in w_index),
        out_position=out,
        pool=None if windows is None else _pool(windows, axes, group.nest.bounds),
    )


def matrix_of(name: str, weight: Array, contraction: Contraction) -> Array:
    """A weight as [outer rows, rows, columns], columns in the order of the input's memory. A view where that is possible."""
    bounds = contraction.nest.bounds
    position = affine.linearize(contraction.w_index, weight.shape)
    if not position.is_linear:
        raise InternalError(f"weight '{name}' is read through a reshape that cannot be packed")
    rows = () if contraction.row is None else (contraction.row,)
    dims = [*contraction.outer_rows, *rows, *contraction.columns]
    flat = np.ascontiguousarray(weight).reshape(-1)[position.constant :]
    strides = [position.coefficient(d) * flat.itemsize for d in dims]
    view = np.lib.stride_tricks.as_strided(flat, [bounds[d] for d in dims], strides, writeable=False)
    extents = [contraction.extent(d) for d in (contraction.outer_rows, rows, contraction.columns)]
    return view.reshape(extents)


def encoding_of(contraction: Contraction) -> str:
    """The encoding of the contraction's weight, as the report names it."""
    kind = contraction.group.arguments[contraction.w_argument].type
    return "dense" if kind.encoding is None else str(kind.encoding).removeprefix("#sparse.").replace(" : i64", "")


def _apply(need: nest.Need, cut: affine.Split) -> nest.Need:
    return nest.Need(need.loop, tuple(cut.apply(e) for e in need.point))


def _tiling(step: int, extent: int) -> tuple[bool, int, int]:
    """How well a pixel dimension serves to be tiled: contiguous and wide enough for registers, long, near."""
    return step == 1 and extent >= MIN_LANES, min(extent, 32), -abs(step)


def _unit_row(rows: list[int], out: Expr, bounds: list[int]) -> int:
    """The row dimension along which the result is contiguous, else the longest."""
    return max(rows, key=lambda d: (out.coefficient(d) == 1, bounds[d]))


def _merge_pixels(group: Group, made: nest.Nest, pixels: Sequence[int], positions: list[Expr]) -> affine.Split:
    """Join pixel dimensions that every operand walks as one; `positions` are those of the input and the result."""
    bounds, (x_position, out) = made.bounds, positions
    positions = [x_position, *layout.lines_of(layout.of_result(group.function, 0), out, bounds)]
    for leaf, index in made.accesses:
        number = ir.BlockArgument(group.graph.values[leaf]).arg_number
        if "layout.map" in group.function.attributes["arg_attrs"][number]:
            read = _position(group, number, index, bounds)
            positions += layout.lines_of(layout.of_argument(group.function, number), read, bounds)
    order = sorted(pixels, key=lambda d: -abs(x_position.coefficient(d)))
    if graphs.uses_indices(group):
        order = []
    return nest.merge_dims(bounds, order, positions)


def _pool(windows: nest.Windows, axes: nest.Index, bounds: list[int]) -> Pool:
    """Windows by the dimensions of what they are windows of, whose index is `axes`. The group's have extents `bounds`."""
    dims = {d: axis for axis, e in enumerate(axes) if (d := structured.dim_of(e)) is not None}
    pooled = {d: axis for d, axis in dims.items() if windows.sizes[axis] > 1}
    return Pool(
        windows,
        sizes={d: windows.sizes[axis] for d, axis in pooled.items()},
        low={d: windows.low[axis] for d, axis in pooled.items()},
        counts={d: windows.count(axis, bounds) for d, axis in pooled.items()},
        places={d: place for d, axis in dims.items() if (place := windows.places[axis]) is not None},
    )


def _from_window_to_window(position: Expr, windows: nest.Windows, axes: nest.Index, bounds: list[int]) -> Expr:
    """A position over the dimensions that count windows, over those of what they are windows of: its coefficients are steps from
    window to window."""
    values = [Expr()] * len(bounds)
    for axis, place in zip(axes, windows.places, strict=True):
        if place is not None:
            values[place] = axis
    return affine.substitute(position, values, bounds)


def source_of(graph: Graph, bounds: list[int], need: nest.Need, position: int) -> tuple[int, nest.Index]:
    """(value, index over the nest's dimensions) that an operand of a contraction is read from, through views."""
    number = need.loop.operands[position]
    index = tuple(affine.substitute(e, need.point, bounds) for e in need.loop.operand_maps[position])
    while isinstance(definition := graph.definitions[number], nest.View):
        index = tuple(affine.substitute(e, index, bounds) for e in definition.index)
        number = definition.source
    return number, index


def _operand(group: Group, made: nest.Nest, need: nest.Need, position: int) -> tuple[int, nest.Index]:
    number, index = source_of(group.graph, made.bounds, need, position)
    if not isinstance(group.graph.definitions[number], nest.Leaf):
        raise InternalError("a contraction reads a value that is not in memory")
    return number, index


def _position(group: Group, argument: int, index: nest.Index, bounds: list[int]) -> Expr:
    shape = structured.shape_of(group.arguments[argument])
    attribute = layout.of_argument(group.function, argument)
    return affine.substitute(layout.position_of(attribute, shape), index, bounds)


def _result_position(group: Group) -> Expr:
    result = group.root.results[0]
    attribute = layout.of_result(group.function, 0)
    return affine.substitute(
        layout.position_of(attribute, structured.shape_of(result)), graphs.stored_index(group), group.nest.bounds
    )


def _dims(index: nest.Index) -> frozenset[int]:
    return frozenset[int]().union(frozenset(), *(e.dims() for e in index))
