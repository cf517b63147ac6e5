"""Casts to dynamic shapes, which the importer leaves around operations whose operands are all static."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class DropCastsPass(Pass):
    """Let operations read static tensors directly.

    %c = tensor.cast %x : tensor<1x3xf32> to tensor<1x?xf32>
    %y = tensor.concat dim(1) %c, %d        -->      %y = tensor.concat dim(1) %x, %e
    """

    name: ClassVar[str] = "drop-casts"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            for op in ops_in(block):
                if op.name == "tensor.concat":
                    for position, value in enumerate(op.operands):
                        op.operands[position] = _static(value)
            for op in reversed(ops_in(block)):
                if op.name == "tensor.cast" and not list(op.results[0].uses):
                    op.erase()


def _static(value: ir.Value) -> ir.Value:
    while not isinstance(value, ir.BlockArgument) and value.owner.operation.name == "tensor.cast":
        source = value.owner.operation.operands[0]
        if not source.type.has_static_shape:
            break
        value = source
    return value
