"""Groups that end in `tensor.pad`: the border around what is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cocomp.dialects import structured
from cocomp.dialects.graph import Group
from cocomp.support.mlir import arith, ir, memref, vector

from . import _builder as b
from ._function import Kernel
from ._values import Memory


def with_border(
    group: Group, kernel: Kernel, lanes: int, task: ir.Value, tasks: int, compute: Callable[[], None]
) -> int:
    """Emit `compute` for tasks below `tasks`; a pad has one task more, which writes the border. The number of tasks."""
    if group.root.name != "tensor.pad":
        compute()
        return tasks
    border = arith.cmpi(arith.CmpIPredicate.eq, task, b.value(tasks))
    b.when(border, lambda: _fill_border(group, kernel.outputs[0], kernel.evaluator.once, lanes))
    b.when(arith.cmpi(arith.CmpIPredicate.ult, task, b.value(tasks)), compute)
    return tasks + 1


def _fill_border(group: Group, out: Memory, once: b.Once, lanes: int) -> None:
    """Write the constant of a `tensor.pad` around the inside."""
    for box in boxes_of(group.root, out.shape):
        _fill(out, box, pad_value(group.root), once, lanes)


def boxes_of(pad: ir.Operation, shape: Sequence[int]) -> list[list[tuple[int, int]]]:
    """The border of a `tensor.pad` whose result has `shape`, as boxes of (first, last) that do not overlap: for each axis the slabs
    before and after the inside."""
    low, high = list(pad.attributes["static_low"]), list(pad.attributes["static_high"])
    found: list[list[tuple[int, int]]] = []
    for axis in range(len(shape)):
        for start, stop in ((0, low[axis]), (shape[axis] - high[axis], shape[axis])):
            if start < stop:
                ranges = [(low[a], shape[a] - high[a]) for a in range(axis)]
                found.append([*ranges, (start, stop), *((0, n) for n in shape[axis + 1 :])])
    return found


def pad_value(pad: ir.Operation) -> ir.Attribute:
    """What the border of a `tensor.pad` is filled with."""
    yielded = structured.body_ops(pad)[-1].operands[0]
    return yielded.owner.operation.attributes["value"]


def _fill(out: Memory, ranges: list[tuple[int, int]], value: ir.Attribute, once: b.Once, lanes: int) -> None:
    """Fill a box; the registers run along the contiguous axis."""
    steps = [out.position.coefficient(a) if hi - lo > 1 else 0 for a, (lo, hi) in enumerate(ranges)]
    inner = steps.index(1) if 1 in steps else len(ranges) - 1
    order = sorted((a for a in range(len(ranges)) if a != inner), key=lambda a: -steps[a])
    scalar = once.get(value, lambda: arith.constant(value.type, value))

    def loops(remaining: list[int], index: list[b.Index]) -> None:
        if remaining:
            axis, *rest = remaining
            lo, hi = ranges[axis]
            b.loop(lo, hi, 1, lambda i: loops(rest, [*index[:axis], i, *index[axis + 1 :]]))
            return
        lo, hi = ranges[inner]
        width = lanes if steps[inner] == 1 else 1
        full = lo + (hi - lo) // width * width
        b.loop(lo, full, width, lambda i: write(index, i, width))
        for rest_index in range(full, hi):
            write(index, rest_index, 1)

    def write(index: list[b.Index], at: b.Index, width: int) -> None:
        place = b.evaluate(out.position, [*index[:inner], at, *index[inner + 1 :]])
        if width > 1:
            vector.store(b.splat(scalar, width), out.buffer, [b.value(place)])
        else:
            memref.store(scalar, out.buffer, [b.value(place)])

    loops(order, [0] * len(ranges))
