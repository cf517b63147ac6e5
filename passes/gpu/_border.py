"""Groups that end in `tensor.pad`: the border around what is computed."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._border import boxes_of, pad_value
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._values import Memory
from cocomp.support.mlir import arith, ir, memref

from ._texels import TEXEL, Texels, has_texels, is_aligned

Box = list[tuple[int, int]]


def fill_border(pad: ir.Operation, out: Memory, texels: Texels, invocation: Index, invocations: int) -> None:
    """Write the constant of a `tensor.pad` around the inside, every invocation a few cells."""
    value = pad_value(pad)
    scalar = arith.constant(value.type, value)
    for box in boxes_of(pad, out.shape):
        along = _along_texels(out, box)
        starts = [range(lo, hi, TEXEL if axis == along else 1) for axis, (lo, hi) in enumerate(box)]
        cells = prod(len(r) for r in starts)

        def write(cell: Index, along: int | None = along, starts: list[range] = starts) -> None:
            numbers = b.decode(cell, [len(r) for r in starts])
            index = [b.add(b.mul(n, r.step), r.start) for n, r in zip(numbers, starts, strict=True)]
            place = texels.place(out.buffer, out.position, index, out.shape)
            if along is None:
                memref.store(scalar, out.buffer, [b.value(place.position)])
            else:
                texels.write(out.buffer, place, b.splat(scalar, TEXEL))

        def turn(number: Index, cells: int = cells, write: Callable[[Index], None] = write) -> None:
            cell = b.add(b.mul(number, invocations), invocation)
            inside = arith.cmpi(arith.CmpIPredicate.ult, b.value(cell), b.value(cells))
            b.when(inside, lambda: write(cell))

        b.loop(0, -(-cells // invocations), 1, turn)


def _along_texels(out: Memory, box: Box) -> int | None:
    """The axis along which a box is made of texels, if there is one."""
    if not has_texels(out.buffer):
        return None
    axis = next((a for a in range(len(box)) if out.position.coefficient(a) == 1), None)
    if axis is None or any(bound % TEXEL for bound in box[axis]) or not is_aligned(out.position, axis):
        return None
    return axis
