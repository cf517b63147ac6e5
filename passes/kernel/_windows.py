"""Pools in the kernel of a convolution: windows of its result, reduced inside a tile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod

from cocomp.dialects import sparse, structured
from cocomp.dialects.graph import Graph
from cocomp.passes.math import affine
from cocomp.passes.math.encodings import Dense
from cocomp.passes.math.nest import Nest
from cocomp.passes.math.tiles import choose_tiles, estimate, fits_line
from cocomp.passes.math.work import VectorUnit, Work
from cocomp.support.mlir import ir

from ._contraction import source_of
from ._winograd import WORTH_IT, FilteringWork, Roles, has_windows, roles_among, schedule_filtering


def pools_in_tiles(graph: Graph, made: Nest, sizes: Mapping[int, int], cut: Collection[int], unit: VectorUnit) -> bool:
    """Whether the tiles of a contraction hold whole windows, of extents `sizes` along pixel dimensions of its nest `made`; along
    those in `cut` some have fewer points.

    Those of the gather-GEMM always do, but where windows of a line are cut the tile has to be the line. Those of minimal filtering
    have four or three outputs down and across; where it is predicted to be faster than a direct kernel and has no whole windows,
    they are better reduced on their own. Asked before layouts are known: channels of the input are taken to be contiguous.
    """
    roles = _filtered(graph, made, unit)
    if roles is not None:
        return not cut and has_windows(roles, sizes)
    pixels = [d for d in range(made.n_root) if d not in _rows(made)]
    likely = {pixels[-1], max(pixels, key=lambda d: made.bounds[d])} if pixels else set[int]()
    return all(_has_lines(graph, made, dim, dim in likely, unit) for dim in cut)


def _rows(made: Nest) -> set[int]:
    need = made.reductions[0]
    rows = structured.row_dims(need.loop.operand_maps, need.loop.parallel)
    return {d for r in rows for d in need.point[r].dims()}


def _has_lines(graph: Graph, made: Nest, line: int, likely: bool, unit: VectorUnit) -> bool:
    """Whether tiles can be whole lines of pixels, and where that is `likely` what will be tiled, are as fast as others in a direct
    kernel on channels-last images."""
    need, extent = made.reductions[0], made.bounds[line]
    (number, x), own = source_of(graph, made.bounds, need, 0), made.own_dims[0]
    channels = max((made.bounds[d] for e in x for d in own if e == affine.dim(d)), default=1)
    height, columns = prod(made.bounds[d] for d in _rows(made)), prod(made.bounds[d] for d in own)
    work = Work(
        rows=height,
        outer_rows=1,
        batches=1,
        pixels=extent,
        outer_pixels=prod(made.bounds[: made.n_root]) // (height * extent),
        columns=columns,
        input_bytes=prod(structured.shape_of(graph.values[number])) * unit.element_bytes,
        weight_bytes=height * columns * unit.element_bytes,
        pixel_step=channels,
    )
    if not likely or not fits_line(work, unit):
        return fits_line(work, unit)
    lines = replace(work, window=extent)
    return estimate(lines, choose_tiles(lines, unit), unit) <= estimate(work, choose_tiles(work, unit), unit)


def _filtered(graph: Graph, made: Nest, unit: VectorUnit) -> Roles | None:
    """The roles of the dimensions where minimal filtering is predicted to be faster than a direct kernel."""
    if not unit.filters:
        return None
    need = made.reductions[0]
    if not isinstance(sparse.encoding_of(graph.values[need.loop.operands[1]].type.encoding), Dense):
        return None
    number, _ = source_of(graph, made.bounds, need, 0)
    found = _row_and_roles(graph, made)
    if found is None or not isinstance(structured.element_of(graph.values[number]), ir.F32Type):
        return None
    row, roles = found
    return roles if _is_worth_it(graph, made, number, row, roles, unit) else None


def _row_and_roles(graph: Graph, made: Nest) -> tuple[int, Roles] | None:
    """The roles of the dimensions, were the channels of the input contiguous."""
    (number, x), (_, w) = (source_of(graph, made.bounds, made.reductions[0], operand) for operand in (0, 1))
    in_x, in_w = (frozenset[int]().union(*(e.dims() for e in index)) for index in (x, w))
    rows = [d for d in range(made.n_root) if d in in_w]
    own = made.own_dims[0]
    if len(rows) != 1 or rows[0] in in_x or not all(e.is_linear for e in (*x, *w)):
        return None
    channels = [a for a, e in enumerate(x) if any(e == affine.dim(d) for d in own)]
    if len(channels) != 1:
        return None
    shape = structured.shape_of(graph.values[number])
    order = [*(a for a in range(len(shape)) if a != channels[0]), channels[0]]
    position = affine.linearize([x[a] for a in order], [shape[a] for a in order])
    columns = sorted(own, key=lambda d: -abs(position.coefficient(d)))
    roles = roles_among(made.bounds, columns, [d for d in range(made.n_root) if d not in in_w], position)
    if roles is None or x[channels[0]] != affine.dim(roles.channel) or position.coefficient(roles.channel) != 1:
        return None
    return rows[0], roles


def _is_worth_it(graph: Graph, made: Nest, number: int, row: int, roles: Roles, unit: VectorUnit) -> bool:
    """Whether minimal filtering is possible and predicted to be clearly faster than a direct kernel on channels-last images."""
    bounds, outputs = made.bounds, roles.filter.outputs
    images, channels = prod(bounds[d] for d in roles.outer), bounds[roles.channel]
    down, across = bounds[roles.rows[0]], bounds[roles.columns[0]]
    tiles = images * -(-down // outputs) * -(-across // outputs)
    filtered = schedule_filtering(FilteringWork(bounds[row], channels, tiles), unit, unit.l1_bytes)
    columns = channels * roles.filter.taps**2
    direct = Work(
        rows=bounds[row],
        outer_rows=1,
        batches=1,
        pixels=across,
        outer_pixels=images * down,
        columns=columns,
        input_bytes=prod(structured.shape_of(graph.values[number])) * unit.element_bytes,
        weight_bytes=bounds[row] * columns * unit.element_bytes,
        pixel_step=channels,
        lines=down,
        line_step=across * channels,
        line_taps=roles.filter.taps,
    )
    return filtered is not None and filtered[1] < WORTH_IT * estimate(direct, choose_tiles(direct, unit), unit)
