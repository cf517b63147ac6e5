"""Where the tensors of an accelerator lie in its memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import Tiles
from cocomp.passes.math.arena import Lifetime, pack
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

ALIGNMENT = 64
"""Numbers: bursts begin on lines of the memory."""


@dataclass(frozen=True)
class Layout:
    """How a tensor lies: `axis` is innermost, with room for `extent` elements, element i at `order`[i] (a name of the store, "" where at
    i). Without an axis (-1) it is row-major."""

    axis: int = -1
    extent: int = 0
    order: str = ""


@dataclass(frozen=True)
class SizeBuffersPass(Pass):
    """Give every tensor a place in memory, and an order of its axes and channels there.

        %y = hls.product(%x) .. : tensor<1x64x56x56xui4>
      -->
        %y = hls.product(%x) {buffer = {width = 8, offset = 4096, strides = [200704, 1, 3584, 64], axis = 1, order = "conv1:order"}} ..

    Numbers take 8, 16 or 32 bits, in a memory of each width; offsets and strides count numbers. Channels are innermost. The engine has rows
    of one quantiser side by side, and so have the channels of what it writes: their `order`; what sweeps make of them keeps it, and
    products read it with their columns in that order. What the function returns is row-major. Tensors that never live at the same time share
    memory. The function's attribute `hls.memory` has the sizes of the three. Needs `tile-to-device`.
    """

    name: ClassVar[str] = "size-buffers"

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        order = ops_in(block)
        numbers = {op: i for i, op in enumerate(order)}
        tensors = [*block.arguments, *(op.results[0] for op in order if hls.is_product(op) or hls.is_sweep(op))]
        returned = {*block.arguments, *order[-1].operands}
        design = main.attributes["hls.design"]
        tiles = Tiles(design["lanes"].value, tuple(design["rows"]))
        layouts: dict[ir.Value, Layout] = {}
        for tensor in tensors:
            layouts[tensor] = _layout(tensor, layouts, tensor in returned, tiles, state)
        shapes = [_strides(tensor, layouts[tensor], tiles.lanes) for tensor in tensors]
        widths = [next(w for w in (8, 16, 32) if hls.type_of(t).bits <= w) for t in tensors]
        lives = [
            _life(t, size, numbers, len(order) if t in returned else -1)
            for t, (_, size) in zip(tensors, shapes, strict=True)
        ]
        memory: dict[int, int] = {}
        offsets = [0] * len(tensors)
        for width in (8, 16, 32):
            members = [i for i, w in enumerate(widths) if w == width]
            placed, memory[width] = pack([lives[i] for i in members], ALIGNMENT)
            for i, offset in zip(members, placed, strict=True):
                offsets[i] = offset
        buffers = [
            _buffer(w, o, s, layouts[t]) for t, w, o, (s, _) in zip(tensors, widths, offsets, shapes, strict=True)
        ]
        for tensor, buffer in zip(tensors, buffers, strict=True):
            if not isinstance(tensor, ir.BlockArgument):
                tensor.owner.operation.attributes["buffer"] = buffer
        main.attributes["hls.inputs"] = ir.ArrayAttr.get(buffers[: len(block.arguments)])
        main.attributes["hls.memory"] = ir.DenseI64ArrayAttr.get([memory[w] for w in (8, 16, 32)])


def _layout(tensor: ir.Value, known: dict[ir.Value, Layout], is_returned: bool, tiles: Tiles, state: State) -> Layout:
    """What products read has the axis that they read channels of; otherwise channels are where the maker has them."""
    windows = (hls.windows_of(use.owner.operation) for use in tensor.uses if hls.is_product(use.owner.operation))
    reader = next((w for w in windows if w is not None), None)
    axis = -1 if reader is None else reader.axis
    if isinstance(tensor, ir.BlockArgument) or is_returned:
        return Layout(axis, structured.shape_of(tensor)[axis] if axis >= 0 else 0)
    op = tensor.owner.operation
    made = _of_product(op, tiles, state) if hls.is_product(op) else _of_sweep(op, known)
    if axis < 0 or made.axis == axis:
        return made
    return Layout(axis, structured.shape_of(tensor)[axis])


def _of_product(op: ir.Operation, tiles: Tiles, state: State) -> Layout:
    """Channels in the order of the engine's slots, where they are one axis."""
    rows = list(op.attributes["rows"])
    _, written = hls.maps_of(op)
    axes = [a for a, e in enumerate(written) if structured.dim_of(e) == rows[0]]
    if len(rows) != 1 or len(axes) != 1:
        return Layout()
    places = state.weights[f"{op.attributes['weights'].value}:places"]
    slots = tiles.slots(places)
    order = np.zeros(len(places), np.int64)
    filled = np.flatnonzero(slots.reshape(-1) >= 0)
    order[slots.reshape(-1)[filled]] = filled
    return Layout(axes[0], slots.size, _stored(f"{op.attributes['weights'].value}:order", order, state))


def _stored(name: str, order: np.ndarray, state: State) -> str:
    """The name of an order; equal ones have one."""
    for other in state.weights:
        if ":order" in other and np.array_equal(state.weights[other], order):
            return other
    return state.weights.add(name, order)


def _of_sweep(op: ir.Operation, known: dict[ir.Value, Layout]) -> Layout:
    """Channels where the first tensor has them that is read along with the result's."""
    written = hls.map_of(op)
    for value, index, _ in hls.reads_of(op):
        layout = known.get(value, Layout())
        if layout.axis < 0:
            continue
        dim = structured.dim_of(index[layout.axis])
        axes = [a for a, e in enumerate(written) if dim is not None and structured.dim_of(e) == dim]
        if axes and structured.shape_of(op.results[0])[axes[0]] == structured.shape_of(value)[layout.axis]:
            return Layout(axes[0], layout.extent, layout.order)
    return Layout()


def _strides(tensor: ir.Value, layout: Layout, lanes: int) -> tuple[list[int], int]:
    """Strides of a tensor's axes, and how many numbers it takes."""
    shape = structured.shape_of(tensor)
    if layout.axis < 0:
        return [prod(shape[a + 1 :]) for a in range(len(shape))], prod(shape)
    strides = [0] * len(shape)
    strides[layout.axis] = 1
    at = -(-layout.extent // lanes) * lanes
    for a in reversed(range(len(shape))):
        if a != layout.axis:
            strides[a] = at
            at *= shape[a]
    return strides, at


def _life(tensor: ir.Value, size: int, numbers: dict[ir.Operation, int], end: int) -> Lifetime:
    first = 0 if isinstance(tensor, ir.BlockArgument) else numbers[tensor.owner.operation]
    return Lifetime(size, first, max(_last(tensor, numbers), first, end))


def _last(tensor: ir.Value, numbers: dict[ir.Operation, int]) -> int:
    """The last operation that reads a tensor; a stream is read where it is used."""
    found = 0
    for use in tensor.uses:
        op = use.owner.operation
        found = max(found, numbers[op], *(_last(r, numbers) for r in op.results if op.name == "hls.read"))
    return found


def _buffer(width: int, offset: int, strides: list[int], layout: Layout) -> ir.Attribute:
    wide = ir.IntegerType.get_signless(64)
    numbers = {"width": width, "offset": offset, "axis": layout.axis, "extent": layout.extent}
    return ir.DictAttr.get(
        {name: ir.IntegerAttr.get(wide, n) for name, n in numbers.items()}
        | {"strides": ir.DenseI64ArrayAttr.get(strides), "order": ir.StringAttr.get(layout.order)}
    )
