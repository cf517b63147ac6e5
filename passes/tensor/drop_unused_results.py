"""Results that nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.support.mlir import ir, linalg, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class DropUnusedResultsPass(Pass):
    """Narrow `linalg.generic` to the results that are used.

        %m:2 = linalg.generic .. outs(%max, %argmax) {..}     (only %m#0 used)
      -->
        %m = linalg.generic .. outs(%max) {..}

    The maximum of a softmax arrives with its position, which would keep it from being computed in any order. A result
    is dropped when the others do not depend on it.
    """

    name: ClassVar[str] = "drop-unused-results"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if structured.is_generic(op) and len(op.results) > 1:
                    _narrow(op)


def _narrow(op: ir.Operation) -> None:
    n_inputs = len(op.operands) - len(op.results)
    arguments = list(op.regions[0].blocks[0].arguments)
    yielded = list(structured.body_ops(op)[-1].operands)
    used = [i for i, r in enumerate(op.results) if list(r.uses)]
    needed = _arguments_behind([yielded[i] for i in used])
    if not used or len(used) == len(op.results):
        return
    if any(arguments[n_inputs + i] in needed for i in range(len(op.results)) if i not in used):
        return
    maps = list(op.attributes["indexing_maps"])
    kept = [*range(n_inputs), *(n_inputs + i for i in used)]
    kinds = ["parallel" in str(k) for k in op.attributes["iterator_types"]]
    with ir.InsertionPoint(op), op.location:
        fresh = linalg.GenericOp(
            [op.results[i].type for i in used],
            [op.operands[i] for i in range(n_inputs)],
            [op.operands[n_inputs + i] for i in used],
            ir.ArrayAttr.get([maps[i] for i in kept]),
            ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{'parallel' if p else 'reduction'}>") for p in kinds]),
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
    for new, old in zip(fresh.results, used, strict=True):
        op.results[old].replace_all_uses_with(new)
    op.erase()


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
