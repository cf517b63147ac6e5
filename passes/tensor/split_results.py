"""Loops with several results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.support.mlir import ir, linalg, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class SplitResultsPass(Pass):
    """One `linalg.generic` for each result that does not need the others; none for results that nobody reads.

        %m:2 = linalg.generic .. outs(%max, %argmax) {..}     (only %m#0 used)
      -->
        %m = linalg.generic .. outs(%max) {..}

    The maximum of a softmax arrives with its position, which would keep it from being computed in any order.
    """

    name: ClassVar[str] = "split-results"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if structured.is_generic(op) and len(op.results) > 1:
                    _split(op)


def _split(op: ir.Operation) -> None:
    n_inputs = len(op.operands) - len(op.results)
    outs = list(op.regions[0].blocks[0].arguments)[n_inputs:]
    yielded = list(structured.body_ops(op)[-1].operands)
    parts: list[list[int]] = []
    for number, result in enumerate(op.results):
        if list(result.uses):
            behind = _arguments_behind([yielded[number]])
            needed = {i for i, out in enumerate(outs) if out in behind} | {number}
            parts.append(sorted(needed))
    together = sorted({i for part in parts if len(part) > 1 for i in part})
    groups = [part for part in parts if len(part) == 1 and part[0] not in together]
    if together:
        groups.append(together)
    if groups == [list(range(len(op.results)))]:
        return
    for group in groups:
        fresh = _narrow(op, n_inputs, group)
        for new, old in zip(fresh.results, group, strict=True):
            op.results[old].replace_all_uses_with(new)
    op.erase()


def _narrow(op: ir.Operation, n_inputs: int, used: list[int]) -> linalg.GenericOp:
    """A copy of the operation with some of its results only."""
    arguments = list(op.regions[0].blocks[0].arguments)
    yielded = list(structured.body_ops(op)[-1].operands)
    maps, kept = list(op.attributes["indexing_maps"]), [*range(n_inputs), *(n_inputs + i for i in used)]
    with ir.InsertionPoint(op), op.location:
        fresh = linalg.GenericOp(
            [op.results[i].type for i in used],
            [op.operands[i] for i in range(n_inputs)],
            [op.operands[n_inputs + i] for i in used],
            ir.ArrayAttr.get([maps[i] for i in kept]),
            op.attributes["iterator_types"],
        )
        block = fresh.regions[0].blocks.append(*[arguments[i].type for i in kept], arg_locs=[op.location] * len(kept))
        values = {arguments[i]: block.arguments[n] for n, i in enumerate(kept)}
        with ir.InsertionPoint(block):
            for inner in _operations_behind([yielded[i] for i in used]):
                copy = inner.clone().operation
                for position, value in enumerate(copy.operands):
                    if value in values:
                        copy.operands[position] = values[value]
                values.update(zip(inner.results, copy.results, strict=True))
            linalg.yield_([values.get(yielded[i], yielded[i]) for i in used])
    return fresh


def _operations_behind(values: list[ir.Value]) -> list[ir.Operation]:
    """Operations of the body that `values` depend on, in order."""
    found: dict[ir.Value, ir.Operation] = {}

    def visit(value: ir.Value, block: ir.Block) -> None:
        if isinstance(value.owner, ir.Block) or value in found:
            return
        op = value.owner.operation
        if op.block != block:
            return
        for operand in op.operands:
            visit(operand, block)
        found[value] = op

    for value in values:
        if not isinstance(value.owner, ir.Block):
            visit(value, value.owner.operation.block)
    return list(found.values())


def _arguments_behind(values: list[ir.Value]) -> set[ir.Value]:
    """Block arguments that `values` depend on."""
    found = {v for v in values if isinstance(v, ir.BlockArgument)}
    for op in _operations_behind(values):
        found.update(v for v in op.operands if isinstance(v, ir.BlockArgument))
    return found
