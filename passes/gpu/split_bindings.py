"""Buffers larger than a kernel is certain to see through one binding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import arith, ir, memref, ops_in, scf
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class SplitBindingsPass(Pass):
    """Buffers beyond the target's `buffer_bytes` are seen through several windows, one behind the other.

        func @group_3(%x: memref<50331648xf32, storage>) attributes {kernel.operands = [0], ..} {
          %v = memref.load %x[%i]
      -->
        func @group_3(%x0: memref<33554432xf32, storage>, %x1: memref<16777216xf32, storage>)
            attributes {kernel.operands = [0, 0], kernel.windows = [0, 134217728], ..} {
          %v = if %i < 33554432 { memref.load %x0[%i] } else { memref.load %x1[%i - 33554432] }

    Leaves `kernel.windows`, the byte of its operand at which every binding begins. Views through the texture units have a limit of
    their own. Needs `bind-texels`.
    """

    name: ClassVar[str] = "split-bindings"

    def run(self, module: ir.Module, state: State) -> None:
        assert isinstance(state.target, GpuTarget)
        for function in ops_in(module.body):
            if "kernel.grid" in function.attributes:
                with function.location:
                    _split(function, state.target.buffer_bytes)


def _split(function: ir.Operation, most: int) -> None:
    """Give a kernel windows of at most so many bytes."""
    attributes, block = function.attributes, function.regions[0].blocks[0]
    arguments = list(block.arguments)
    sizes = [_windows(argument.type, most) for argument in arguments]
    if any(len(windows) > 1 for windows in sizes):
        made = [[block.add_argument(kind, function.location) for kind in windows] for windows in sizes]
        for argument, windows in zip(arguments, made, strict=True):
            if len(windows) > 1:
                _divide(argument, windows)
            argument.replace_all_uses_with(windows[0])
        for _ in arguments:
            block.erase_argument(0)
        attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get([a.type for a in block.arguments], []))
        operands, bindings = list(attributes["kernel.operands"]), list(attributes["kernel.bindings"])
        origins = [number for number, windows in enumerate(sizes) for _ in windows]
        attributes["kernel.operands"] = ir.DenseI64ArrayAttr.get([operands[n] for n in origins])
        attributes["kernel.bindings"] = ir.ArrayAttr.get([bindings[n] for n in origins])
    starts = [number * most for windows in sizes for number in range(len(windows))]
    attributes["kernel.windows"] = ir.DenseI64ArrayAttr.get(starts)


def _windows(kind: ir.Type, most: int) -> list[ir.Type]:
    """The types of the windows of an argument: itself where one is enough."""
    if not isinstance(kind, ir.MemRefType):
        return [kind]
    size, each = kind.shape[0], most // structured.bytes_of(kind.element_type)
    if size <= each:
        return [kind]
    lengths = [min(each, size - start) for start in range(0, size, each)]
    return [ir.MemRefType.get([n], kind.element_type, memory_space=kind.memory_space) for n in lengths]


def _divide(buffer: ir.Value, windows: Sequence[ir.Value]) -> None:
    """Find the window of everything that a buffer is read and written at."""
    for op in [use.owner.operation for use in buffer.uses]:
        with ir.InsertionPoint(op), op.location:
            if op.name == "memref.store":
                _among(windows, op.operands[2], partial(_store, op.operands[0]), [])
            else:
                found = _among(windows, op.operands[1], _load, [op.results[0].type])
                op.results[0].replace_all_uses_with(found[0])
        op.erase()


def _load(window: ir.Value, at: Index) -> list[ir.Value]:
    return [memref.load(window, [b.value(at)])]


def _store(value: ir.Value, window: ir.Value, at: Index) -> list[ir.Value]:
    memref.store(value, window, [b.value(at)])
    return []


def _among(
    windows: Sequence[ir.Value], at: Index, access: Callable[[ir.Value, Index], list[ir.Value]], kinds: list[ir.Type]
) -> list[ir.Value]:
    """`access` to the one of some windows, all but the last of the same size, that a position counted from the first is in."""
    if len(windows) == 1:
        return access(windows[0], at)
    half = len(windows) // 2
    border = half * windows[0].type.shape[0]
    below = arith.cmpi(arith.CmpIPredicate.ult, b.value(at), b.value(border))
    op = scf.IfOp(below, kinds, has_else=True)
    for block, part, place in (
        (op.then_block, windows[:half], lambda: at),
        (op.else_block, windows[half:], lambda: b.subtract(at, border)),
    ):
        with ir.InsertionPoint(block):
            scf.yield_(_among(part, place(), access, kinds))
    return list(op.results)
