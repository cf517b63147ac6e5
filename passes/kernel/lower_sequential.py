"""Operations whose steps depend on one another: scans, sorts, scatters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects.graph import Group
from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ir, memref, ops_in, run_upstream
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._values import Memory


@dataclass(frozen=True)
class LowerSequentialPass(Pass):
    """Groups of one `tm_tensor` operation become scalar loops in a single task; the report calls them scalar.

        func @group_2(%x: tensor<3x14xf32>, %init: tensor<3x14xf32>) -> tensor<3x14xf32> { tm_tensor.scan }
      -->
        func @group_2(%x: memref<42xf32>, %init: memref<42xf32>, %y: memref<42xf32>, %first: index, %last: index)

    The results start as copies of the operation's `outs`, which it then updates in place.
    """

    name: ClassVar[str] = "lower-sequential"

    def run(self, module: ir.Module, state: State) -> None:
        lowered = False
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.root.name.startswith("tm_tensor."):
                with function.location:
                    _lower(group)
                lowered = True
        if lowered:
            run_upstream(module, "func.func(tm-tensor-to-loops)")


def _lower(group: Group) -> None:
    kernel = _function.begin(group)
    root = group.root
    _, at = _function.task_loop(kernel)
    n_outs = len(root.results)
    memories = [kernel.evaluator.memories[group.graph.numbers[v]] for v in root.operands]
    with at:
        for init, out in zip(memories[-n_outs:], kernel.outputs, strict=True):
            _copy(init, out)
        operands = [_shaped(m) for m in [*memories[:-n_outs], *kernel.outputs]]
        attributes = {name: root.attributes[name] for name in root.attributes}
        fresh = ir.Operation.create(
            root.name, results=[], operands=operands, attributes=attributes, regions=len(root.regions)
        )
        for old, new in zip(root.regions, fresh.regions, strict=True):
            for block in list(old.blocks):
                block.append_to(new)
    _function.finish(kernel, group, 1, {"kind": root.name.removeprefix("tm_tensor."), "vector": "scalar"})


def _copy(source: Memory, target: Memory) -> None:
    """Element by element; both hold the same logical tensor."""

    def loops(index: list[b.Index]) -> None:
        axis = len(index)
        if axis < len(source.shape):
            b.loop(0, source.shape[axis], 1, lambda i: loops([*index, i]))
            return
        value = memref.load(source.buffer, [b.value(b.evaluate(source.position, index))])
        memref.store(value, target.buffer, [b.value(b.evaluate(target.position, index))])

    loops([])


def _shaped(memory: Memory) -> ir.Value:
    """The buffer as a strided view with the tensor's shape."""
    strides = [memory.position.coefficient(axis) for axis in range(len(memory.shape))]
    offset = memory.position.constant
    assert memory.position == sum((affine.dim(a) * s for a, s in enumerate(strides)), Expr((), offset))
    kind = ir.MemRefType.get(memory.shape, memory.buffer.type.element_type, ir.StridedLayoutAttr.get(offset, strides))
    return memref.ReinterpretCastOp(kind, memory.buffer, [], [], [], [offset], list(memory.shape), strides).result
