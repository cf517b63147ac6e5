"""Pools in the kernel of a convolution: windows of a convolution's result, reduced inside a tile of minimal filtering."""

from __future__ import annotations

from math import prod

from cocomp.dialects import sparse, structured
from cocomp.dialects.graph import Graph, Group
from cocomp.passes.math import affine, nest
from cocomp.passes.math.encodings import Dense
from cocomp.passes.math.nest import Nest
from cocomp.passes.math.tiles import choose_tiles, estimate
from cocomp.passes.math.work import VectorUnit, Work
from cocomp.support.mlir import ir

from ._contraction import source_of
from ._winograd import WORTH_IT, FilteringWork, Roles, roles_among, schedule_filtering


def taps_of(window: nest.Need) -> dict[int, int]:
    """Pixel dimension -> extent of the window along it. A place in the window is the remainder of the pixel."""
    return {d: window.loop.bounds[axis] for axis in window.loop.reduction_dims for d in window.point[axis].dims()}


def pools_in_tiles(graph: Graph, made: Nest, unit: VectorUnit) -> bool:
    """Whether minimal filtering surely serves the contraction of a nest with joined windows (`nest.join_windows`), is predicted to
    be faster than a direct kernel, and has whole windows in its tiles.

    Asked before layouts are known: `select-layout` then has to keep the channels of the input contiguous, and
    `schedule-contractions` to choose minimal filtering.
    """
    if not unit.filters:
        return False
    need, window = made.reductions
    weight = graph.values[need.loop.operands[1]]
    if structured.weight_name(graph.values[graph.root_of(graph.numbers[weight])]) is None:
        return False
    if not isinstance(sparse.encoding_of(weight.type.encoding), Dense) or len(window.loop.results) > 1:
        return False
    number, _ = source_of(graph, made.bounds, need, 0)
    found = _row_and_roles(graph, made)
    if found is None or not isinstance(structured.element_of(graph.values[number]), ir.F32Type):
        return False
    row, roles = found
    taps = taps_of(window)
    if not set(taps) <= {roles.rows[0], roles.columns[0]} or any(roles.filter.outputs % n for n in taps.values()):
        return False
    return _is_worth_it(graph, made, number, row, roles, unit)


def channels_of_pooled(group: Group) -> tuple[int, int] | None:
    """(argument, axis) of the input's channels, which have to be contiguous, in a group whose kernel pools."""
    cut = nest.join_windows(group.nest)
    if cut is None or group.contraction is None:
        return None
    made = nest.refine(group.nest, cut)
    found = _row_and_roles(group.graph, made)
    if found is None:
        return None
    number, x = source_of(group.graph, made.bounds, made.reductions[0], 0)
    return ir.BlockArgument(group.graph.values[number]).arg_number, x.index(affine.dim(found[1].channel))


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
