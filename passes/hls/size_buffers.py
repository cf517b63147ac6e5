"""Where the tensors of an accelerator lie in its memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import Design
from cocomp.passes.math.arena import Lifetime, pack
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._layouts import Layout, is_large_constant, layouts_of, tensors_of

ALIGNMENT = 64
"""Numbers: bursts begin on lines of the memory."""


@dataclass(frozen=True)
class _Room:
    """`axis` is innermost, with room for `extent` elements, element i at `order`[i] (a name of the store, "" where at i). Without an axis (-1) a
    tensor is row-major."""

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
    memory; constants that have no room on chip have memory of their own. The function's attribute `hls.memory` has the sizes of the three. Needs `tile-to-device`.
    """

    name: ClassVar[str] = "size-buffers"

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        order = ops_in(block)
        numbers = {op: i for i, op in enumerate(order)}
        tensors = tensors_of(block)
        kept = {*block.arguments, *order[-1].operands, *(t for t in tensors if _is_constant(t))}
        design = hls.design_of(main)
        layouts = {tensor: _room(tensor, layout, design, state) for tensor, layout in layouts_of(block).items()}
        shapes = [_strides(tensor, layouts[tensor], design.tiles.lanes) for tensor in tensors]
        widths = [next(w for w in (8, 16, 32) if hls.type_of(t).bits <= w) for t in tensors]
        lives = [
            _life(t, size, numbers, len(order) if t in kept else -1)
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


def _room(tensor: ir.Value, layout: Layout, design: Design, state: State) -> _Room:
    if layout.axis < 0 or layout.product is None:
        return _Room(layout.axis, structured.shape_of(tensor)[layout.axis] if layout.axis >= 0 else 0)
    name = layout.product.attributes["weights"].value
    order, extent = design.order(state.weights[f"{name}:places"])
    return _Room(layout.axis, extent, _stored(f"{name}:order", order, state))


def _stored(name: str, order: np.ndarray, state: State) -> str:
    """The name of an order; equal ones have one."""
    for other in state.weights:
        if ":order" in other and np.array_equal(state.weights[other], order):
            return other
    return state.weights.add(name, order)


def _strides(tensor: ir.Value, layout: _Room, lanes: int) -> tuple[list[int], int]:
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
    is_given = isinstance(tensor, ir.BlockArgument) or _is_constant(tensor)
    first = 0 if is_given else numbers[tensor.owner.operation]
    return Lifetime(size, first, max(_last(tensor, numbers), first, end))


def _is_constant(tensor: ir.Value) -> bool:
    return not isinstance(tensor, ir.BlockArgument) and is_large_constant(tensor.owner.operation)


def _last(tensor: ir.Value, numbers: dict[ir.Operation, int]) -> int:
    """The last operation that reads a tensor; a stream is read where it is used."""
    found = 0
    for use in tensor.uses:
        op = use.owner.operation
        found = max(found, numbers[op], *(_last(r, numbers) for r in op.results if op.name == "hls.read"))
    return found


def _buffer(width: int, offset: int, strides: list[int], layout: _Room) -> ir.Attribute:
    wide = ir.IntegerType.get_signless(64)
    numbers = {"width": width, "offset": offset, "axis": layout.axis, "extent": layout.extent}
    return ir.DictAttr.get(
        {name: ir.IntegerAttr.get(wide, n) for name, n in numbers.items()}
        | {"strides": ir.DenseI64ArrayAttr.get(strides), "order": ir.StringAttr.get(layout.order)}
    )
