"""Convolutions with a stride become convolutions of stride one on more channels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import sparse, structured
from cocomp.dialects.structured import Loops
from cocomp.passes._arguments import add_weight
from cocomp.passes.kernel._orientation import channels_last_cycles, planar_cycles, thinned_works
from cocomp.passes.kernel._winograd import FILTERS, WORTH_IT, FilteringWork, schedule_filtering
from cocomp.passes.math import affine
from cocomp.passes.math.encodings import ENCODINGS, NEARLY_DENSE
from cocomp.passes.math.work import VectorUnit
from cocomp.support.mlir import ir, linalg, ops_in, tensor
from cocomp.support.passes import Pass, State

from ._pads import padded, zero_pad

COPIED_PER_CYCLE = 12
"""Bytes that a copy reads or writes in a cycle; measured."""


@dataclass(frozen=True)
class SplitStridesPass(Pass):
    """Pixels of the same place modulo the stride become channels, where that saves time: by minimal filtering, or because the
    kernel of a weight with zeros finds its pixels side by side.

        %p = tensor.pad %x low[0, 0, 3, 3] ..                                   (3 channels, 7x7 taps, stride 2)
        %y = "sparse.contract"(%p, %w) {bounds = [1, 64, 112, 112, 3, 7, 7]}
      -->
        %s = linalg.generic ins(%x) { copy x[n, c, 2 i + a, 2 j + b] to s[n, i, j, c, a, b] }
        %q = tensor.pad (collapse %s) low[0, 2, 2, 0] ..
        %y = "sparse.contract"(%q, %w2) {bounds = [1, 64, 112, 112, 12, 4, 4]}   (12 channels, 4x4 taps, stride 1)

    Taps are added in front where the padding is no multiple of the stride; they are zeros, as those that fill the last
    place. The new weight is marked as dense for that reason, unless it has zeros of its own; then channels come before the
    pixels, in planes, and places that no tap reads are left out. Needs weights that are final (`fold-constants`) and have no
    encoding yet.
    """

    name: ClassVar[str] = "split-strides"

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        for op in ops_in(main.regions[0].blocks[0]):
            if structured.is_contract(op) and (found := _strided(op, state)) is not None:
                _split(op, found, main, state)


@dataclass(frozen=True)
class _Strided:
    """A convolution with one stride and as many taps down as across."""

    stride: int
    taps: int
    """Along each axis, once split."""
    extent: int
    """Taps along each axis before."""
    front: int
    """Taps that are added before the first."""
    windows: tuple[int, int]
    """Axes of the input."""
    source: ir.Value
    """The input without its padding."""
    low: tuple[int, int]
    """Padding before the source, along the windows, once split."""
    channel: int
    """Loop dimension of the channels."""
    kernel: tuple[int, int]
    """Loop dimensions of the taps."""
    weight_axes: tuple[int, ...]
    """Axes of the weight: row, channel, tap down, tap across."""
    planar: bool
    """Pixels are to be contiguous, not channels: the weight has zeros."""

    @property
    def behind(self) -> int:
        """Taps that are added after the last."""
        return self.stride * self.taps - self.front - self.extent

    @property
    def places(self) -> int:
        """Places modulo the stride that a tap reads, along each axis: all of them, unless the kernel is smaller."""
        return min(self.stride, self.front + self.extent)


def _strided(op: ir.Operation, state: State) -> _Strided | None:
    """The convolution that `op` is, where splitting it pays."""
    loops = structured.loops_of(op)
    name = structured.weight_name(op.operands[1])
    windows = [axis for axis, e in enumerate(loops.maps[0]) if len(e.dims()) > 1]
    channels = [e for e in loops.maps[0] if len(e.dims()) == 1 and not loops.parallel[min(e.dims())]]
    if name is None or len(windows) != 2 or len(channels) != 1 or len(loops.maps[1]) != 4:
        return None
    strides, kernel = zip(*(_window(loops, axis) for axis in windows), strict=True)
    channel, rows = structured.dim_of(channels[0]), structured.row_dims(loops.maps[:2], loops.parallel)
    if None in kernel or channel is None or len(rows) != 1 or len(set(strides)) != 1 or strides[0] < 2:
        return None
    weight_dims = [structured.dim_of(e) for e in loops.maps[1]]
    wanted = [rows[0], channel, *kernel]
    if sorted(d for d in weight_dims if d is not None) != sorted(wanted):
        return None
    if str(structured.element_of(op.operands[0])) != "f32":
        return None
    pad = zero_pad(op.operands[0])
    low = [0] * len(loops.maps[0]) if pad is None else list(pad.attributes["static_low"])
    source = op.operands[0] if pad is None else pad.operands[0]
    stride, extent = strides[0], loops.bounds[kernel[0]]
    fronts, extents = {-low[a] % stride for a in windows}, {loops.bounds[k] for k in kernel}
    if len(fronts) != 1 or len(extents) != 1 or any(n for a, n in enumerate(low) if a not in windows):
        return None
    front = fronts.pop()
    found = _Strided(
        stride=stride,
        taps=-(-(extent + front) // stride),
        extent=extent,
        front=front,
        windows=(windows[0], windows[1]),
        source=source,
        low=((low[windows[0]] + front) // stride, (low[windows[1]] + front) // stride),
        channel=channel,
        kernel=kernel,
        weight_axes=tuple(weight_dims.index(d) for d in wanted),
        planar=bool(np.mean(state.weights[name] != 0) <= NEARLY_DENSE),
    )
    if found.planar:
        fits = all(n >= 0 for n in _high(op, found)) and all(
            structured.shape_of(source)[a] % stride == 0 for a in windows
        )
        return found if fits and _pays_in_planes(op, found, state) else None
    return found if _is_bordered(op, found) and _pays(loops, found, state) else None


def _window(loops: Loops, axis: int) -> tuple[int, int | None]:
    """(stride, dimension of the taps) of an axis of the input; None where it is no window of undilated taps."""
    expr = loops.maps[0][axis]
    pixels = [(a.index, step) for a, step in expr.terms if isinstance(a, affine.Dim) and loops.parallel[a.index]]
    taps = [(a.index, step) for a, step in expr.terms if isinstance(a, affine.Dim) and not loops.parallel[a.index]]
    if expr.constant or len(expr.terms) != 2 or len(pixels) != 1 or len(taps) != 1 or taps[0][1] != 1:
        return 0, None
    return pixels[0][1], taps[0][0]


def _high(op: ir.Operation, found: _Strided) -> list[int]:
    """Padding after the source, along the windows, once split."""
    loops, shape = structured.loops_of(op), structured.shape_of(found.source)
    pixels = [next(d for d in loops.maps[0][a].dims() if loops.parallel[d]) for a in found.windows]
    return [
        loops.bounds[p] + found.taps - 1 - low - -(-shape[a] // found.stride)
        for p, low, a in zip(pixels, found.low, found.windows, strict=True)
    ]


def _is_bordered(op: ir.Operation, found: _Strided) -> bool:
    """Whether the split input has a border, which has it written to memory: read in place, it would not be contiguous."""
    return all(n >= 0 for n in _high(op, found)) and any([*found.low, *_high(op, found)])


def _pays(loops: Loops, found: _Strided, state: State) -> bool:
    """Whether minimal filtering of the split convolution takes clearly fewer cycles than the convolution as it is could."""
    if found.taps not in FILTERS:
        return False
    rows = structured.row_dims(loops.maps[:2], loops.parallel)[0]
    points = [loops.bounds[d] for d in range(len(loops.bounds)) if loops.parallel[d] and d != rows]
    windows = [next(d for d in loops.maps[0][a].dims() if loops.parallel[d]) for a in found.windows]
    outputs = FILTERS[found.taps].outputs
    tiles = int(np.prod(points))
    for d in windows:
        tiles = tiles // loops.bounds[d] * -(-loops.bounds[d] // outputs)
    unit = VectorUnit.of(state.target)
    channels = loops.bounds[found.channel]
    work = FilteringWork(loops.bounds[rows], channels * found.stride**2, tiles)
    filtered = schedule_filtering(work, unit, state.target.l1_bytes)
    direct = loops.bounds[rows] * channels * loops.bounds[found.kernel[0]] ** 2 * int(np.prod(points))
    return filtered is not None and filtered[1] < WORTH_IT * direct / (unit.fma_per_cycle(unit.lanes) * unit.lanes)


def _pays_in_planes(op: ir.Operation, found: _Strided, state: State) -> bool:
    """Whether the kernel that leaves zeros out saves more on neighbouring pixels than it takes to make them neighbours."""
    name = structured.weight_name(op.operands[1])
    assert name is not None
    unit = VectorUnit.of(state.target)
    works = thinned_works(structured.loops_of(op), state.weights[name], unit)
    if works is None:
        return False
    channels_last, strided = works
    split = dataclasses.replace(strided, pixel_step=1, line_step=strided.pixels)
    copied = 2 * strided.input_bytes * found.places**2
    cycles = planar_cycles(split, unit) + copied / COPIED_PER_CYCLE
    return cycles < min(planar_cycles(strided, unit), channels_last_cycles(channels_last, unit))


def _split(op: ir.Operation, found: _Strided, main: ir.Operation, state: State) -> None:
    loops = structured.loops_of(op)
    name = structured.weight_name(op.operands[1])
    assert name is not None
    array = _split_weight(state.weights[name], found)
    filled = array.size - state.weights[name].size
    encoding = None if found.planar else sparse.attribute_of(ENCODINGS["dense"]())
    kind = ir.RankedTensorType.get(array.shape, structured.element_of(op.operands[1]), encoding)
    weight = add_weight(main, kind, f"{name}:split", array, state.weights, op.location, filled)
    bounds = list(loops.bounds)
    bounds[found.channel] *= found.places**2
    for d in found.kernel:
        bounds[d] = found.taps
    row = structured.row_dims(loops.maps[:2], loops.parallel)[0]
    dims = [row, found.channel, *found.kernel]
    maps = [_input_map(loops, found), tuple(affine.dim(d) for d in dims), loops.maps[2]]
    with ir.InsertionPoint(op), op.location:
        x = _split_input(op, found)
        affine_maps = [structured.affine_map(m, len(bounds)) for m in maps]
        result = sparse.contract(x, weight, affine_maps, bounds, op.results[0].type, op.location)
    op.results[0].replace_all_uses_with(result)
    op.erase()


def _split_weight(weight: np.ndarray, found: _Strided) -> np.ndarray:
    """[row][channel, place down, place across][tap][tap]."""
    weight = weight.transpose(found.weight_axes)
    rows, channels = weight.shape[:2]
    stride, taps, places = found.stride, found.taps, found.places
    added = (found.front, found.behind)
    whole = np.pad(weight, [(0, 0), (0, 0), added, added])
    parts = whole.reshape(rows, channels, taps, stride, taps, stride)[:, :, :, :places, :, :places]
    return np.ascontiguousarray(parts.transpose(0, 1, 3, 5, 2, 4)).reshape(rows, channels * places**2, taps, taps)


def _order(loops: Loops, found: _Strided) -> list[int]:
    """Axes of the input in the order of the split one: last those that fill registers."""
    channel = next(a for a, e in enumerate(loops.maps[0]) if structured.dim_of(e) == found.channel)
    others = [a for a in range(len(loops.maps[0])) if a not in (*found.windows, channel)]
    return [*others, channel, *found.windows] if found.planar else [*others, *found.windows, channel]


def _input_map(loops: Loops, found: _Strided) -> structured.Map:
    """Index of the split input, over the dimensions of the contraction."""
    index: list[affine.Expr] = []
    for axis in _order(loops, found):
        expr = loops.maps[0][axis]
        if axis in found.windows:
            pixel, tap = sorted(expr.dims(), key=lambda d: not loops.parallel[d])
            expr = affine.dim(pixel) + affine.dim(tap)
        index.append(expr)
    return tuple(index)


def _split_input(op: ir.Operation, found: _Strided) -> ir.Value:
    """The source with its places moved to the channels, and its border; at the current insertion point."""
    loops = structured.loops_of(op)
    order = _order(loops, found)
    stride, places = found.stride, found.places
    shape = structured.shape_of(found.source)
    behind = [-n % stride if a in found.windows else 0 for a, n in enumerate(shape)]
    source = padded(found.source, [0] * len(shape), behind)
    shape = structured.shape_of(source)
    joined = [shape[a] // stride if a in found.windows else shape[a] for a in order]
    channel = next(n for n, a in enumerate(order) if structured.dim_of(loops.maps[0][a]) == found.channel)
    extents = [*joined[: channel + 1], places, places, *joined[channel + 1 :]]
    joined[channel] *= places**2
    index = [affine.Expr()] * len(shape)
    for number, axis in enumerate(order):
        index[axis] = affine.dim(number if number <= channel else number + 2)
    for number, axis in enumerate(found.windows, channel + 1):
        index[axis] = index[axis] * stride + affine.dim(number)
    element = structured.element_of(source)
    rank = len(extents)
    maps = [structured.affine_map(index, rank), ir.AffineMap.get_identity(rank)]
    kinds = [linalg.IteratorType.parallel] * rank
    moved = structured.generic([source], tensor.empty(extents, element), maps, kinds, lambda x, _: x)
    groups = [[a] if a < channel else [a + 2] for a in range(len(joined))]
    groups[channel] = [channel, channel + 1, channel + 2]
    collapsed = tensor.collapse_shape(ir.RankedTensorType.get(joined, element), moved, groups)
    low, high = [0] * len(joined), [0] * len(joined)
    for axis, before, after in zip(found.windows, found.low, _high(op, found), strict=True):
        low[order.index(axis)], high[order.index(axis)] = before, after
    return padded(collapsed, low, high)
