"""Layers of one structure share one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import fusion, layout
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class MergeFunctionsPass(Pass):
    """Keep one of several groups that are the same but for their name.

        call @group_3(..)  ..  call @group_7(..)      -->      call @group_3(..)  ..  call @group_3(..)

    Weights are arguments, so layers with the same shapes, layouts and operations are the same function. Needs
    `select-layout`: where tensors lie is part of what a kernel is.
    """

    name: ClassVar[str] = "merge-functions"

    def run(self, module: ir.Module, state: State) -> None:
        first: dict[str, str] = {}
        replaced: dict[str, str] = {}
        for function in ops_in(module.body):
            name = function.attributes["sym_name"].value
            if name == "main":
                continue
            # Whether an operand is a weight changes a mapping type, but not a kernel; nor does the reason for one.
            for op in (function, *ops_in(function.regions[0].blocks[0])):
                fusion.set_mapping_of(op, None)
                layout.set_copy_reason(op, None)
            text = function.get_asm(enable_debug_info=False, use_local_scope=True).replace(f"@{name}(", "@(", 1)
            if text in first:
                replaced[name] = first[text]
                function.erase()
            else:
                first[text] = name
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if op.name == "func.call" and op.attributes["callee"].value in replaced:
                    op.attributes["callee"] = ir.FlatSymbolRefAttr.get(replaced[op.attributes["callee"].value])
