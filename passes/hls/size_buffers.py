"""Where the tensors of an accelerator lie in its memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cocomp.dialects import hls, structured
from cocomp.passes.math.arena import Lifetime, pack
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

ALIGNMENT = 64
"""Elements: bursts begin on lines of the memory."""


@dataclass(frozen=True)
class SizeBuffersPass(Pass):
    """Give every tensor a place in memory, and an order of its axes there.

        %y = hls.product(%x) .. : tensor<1x64x56x56xui4>
      -->
        %y = hls.product(%x) {buffer = {width = 8, offset = 4096, strides = [200704, 1, 3584, 64]}} ..

    Numbers take 8, 16 or 32 bits, in a memory of each width; offsets and strides count numbers. What products read has its channels last,
    filled to a multiple of `lanes`; everything else is row-major. Tensors that never live at the same time share memory. The function's
    attribute `hls.memory` has the sizes of the three. Needs `unfold-inputs`.
    """

    name: ClassVar[str] = "size-buffers"
    lanes: int = 16

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        order = ops_in(block)
        numbers = {op: i for i, op in enumerate(order)}
        tensors = [*block.arguments, *(op.results[0] for op in order if hls.is_product(op) or hls.is_sweep(op))]
        returned = {*block.arguments, *order[-1].operands}
        sizes: list[int] = []
        found: list[tuple[int, list[int]]] = []
        lives: list[Lifetime] = []
        for tensor in tensors:
            width, strides, size = self._shape(tensor)
            first = 0 if isinstance(tensor, ir.BlockArgument) else numbers[tensor.owner.operation]
            last = len(order) if tensor in returned else max(_last(tensor, numbers), first)
            found.append((width, strides))
            sizes.append(size)
            lives.append(Lifetime(size, first, last))
        memory: dict[int, int] = {}
        offsets = [0] * len(tensors)
        for width in (8, 16, 32):
            members = [i for i, (w, _) in enumerate(found) if w == width]
            placed, memory[width] = pack([lives[i] for i in members], ALIGNMENT)
            for i, offset in zip(members, placed, strict=True):
                offsets[i] = offset
        buffers = [_buffer(w, o, s) for (w, s), o in zip(found, offsets, strict=True)]
        for tensor, buffer in zip(tensors, buffers, strict=True):
            if not isinstance(tensor, ir.BlockArgument):
                tensor.owner.operation.attributes["buffer"] = buffer
        main.attributes["hls.inputs"] = ir.ArrayAttr.get(buffers[: len(block.arguments)])
        main.attributes["hls.memory"] = ir.DenseI64ArrayAttr.get([memory[w] for w in (8, 16, 32)])

    def _shape(self, tensor: ir.Value) -> tuple[int, list[int], int]:
        """Width of a tensor's numbers, strides of its axes, and how many numbers it takes."""
        kind, shape = hls.type_of(tensor), structured.shape_of(tensor)
        width = next(w for w in (8, 16, 32) if kind.bits <= w)
        readers = [use.owner.operation for use in tensor.uses]
        windows = next((hls.windows_of(op) for op in readers if hls.is_product(op)), None)
        if windows is None:
            return width, [prod(shape[a + 1 :]) for a in range(len(shape))], prod(shape)
        channels = -(-shape[windows.axis] // self.lanes) * self.lanes
        others = [a for a in range(len(shape)) if a != windows.axis]
        strides = [0] * len(shape)
        strides[windows.axis] = 1
        at = channels
        for a in reversed(others):
            strides[a] = at
            at *= shape[a]
        return width, strides, at


def _last(tensor: ir.Value, numbers: dict[ir.Operation, int]) -> int:
    """The last operation that reads a tensor; a stream is read where it is used."""
    found = 0
    for use in tensor.uses:
        op = use.owner.operation
        found = max(found, numbers[op], *(_last(r, numbers) for r in op.results if op.name == "hls.read"))
    return found


def _buffer(width: int, offset: int, strides: list[int]) -> ir.Attribute:
    wide = ir.IntegerType.get_signless(64)
    return ir.DictAttr.get(
        {
            "width": ir.IntegerAttr.get(wide, width),
            "offset": ir.IntegerAttr.get(wide, offset),
            "strides": ir.DenseI64ArrayAttr.get(strides),
        }
    )
