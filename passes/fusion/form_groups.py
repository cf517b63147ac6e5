"""Kernels as functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import fusion, layout, structured
from cocomp.passes import _outline
from cocomp.support.mlir import func, ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class FormGroupsPass(Pass):
    """Make a function of the operations that are planned to share a kernel, and call it.

        %c = "sparse.contract"(%x, %w) {fusion.group = 0 : i64}           %y = call @group_0(%x, %w, %b)
        %d = linalg.generic ins(%c, %b) {fusion.group = 0 : i64} {..} --> func private @group_0(..) { contract, generic, return }

    What is in no group - views, constants - is copied into the groups that read it. Needs `plan-fusion`; leaves `@main` with calls
    and `tensor.concat`, whose operands are all results of calls. A function says of which mapping type it is.
    """

    name: ClassVar[str] = "form-groups"

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        _outline_groups(block, module.body)
        _outline.erase_dead(block)


def _outline_groups(block: ir.Block, functions: ir.Block) -> None:
    """Replace each group by a call of a function that holds its operations and what they read through."""
    members: dict[int, list[ir.Operation]] = {}
    read_through: set[ir.Operation] = set()
    for op in ops_in(block):
        number = fusion.group_of(op)
        if number is not None:
            members.setdefault(number, []).append(op)
        elif structured.is_view(op):
            read_through.add(op)
    roots = {group[-1] for group in members.values()}
    replaced: list[tuple[ir.Value, ir.Value]] = []
    for number, group in sorted(members.items()):
        root = group[-1]
        sequential = root.name.startswith("tm_tensor.")  # writes all its results, used or not
        results = [r for r in root.results if sequential or list(r.uses)]
        operations, arguments = _outline.needed(results, read_through.union(group), roots - {root})
        function = _outline.outline(f"group_{number}", operations, arguments, results, functions)
        fusion.form_group(function, ops_in(function.regions[0].blocks[0]))
        with ir.InsertionPoint(root), _location(group):
            call = func.CallOp([r.type for r in results], f"group_{number}", arguments)
        if all(map(structured.moves_values, operations)):
            layout.set_copy_reason(call.operation, layout.copy_reason(root))
        replaced += zip(results, call.results, strict=True)
    # Only now: an operation's hash covers its operands, so the sets above would not find what was changed before.
    for old, new in replaced:
        old.replace_all_uses_with(new)


def _location(group: Sequence[ir.Operation]) -> ir.Location:
    """Where a kernel comes from: its contraction first (it gives the kernel its name), its result last."""
    ordered = sorted(group, key=lambda op: (not structured.is_contract(op), op == group[-1]))
    return ir.Location.fused([op.location for op in ordered])
