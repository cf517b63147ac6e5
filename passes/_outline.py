"""Moving operations into functions of their own."""

from __future__ import annotations

from collections.abc import Container, Sequence

from cocomp.dialects.graph import captured
from cocomp.support.mlir import func, ir, ops_in, walk


def dependencies(op: ir.Operation) -> list[ir.Value]:
    """Every value from outside that an operation needs: operands, and what its regions capture."""
    return [*op.operands, *captured(op)]


def is_cheap(op: ir.Operation) -> bool:
    """Operations without inputs that every function may have a copy of."""
    return op.name in ("arith.constant", "tensor.empty")


def needed(
    roots: Sequence[ir.Value], inside: set[ir.Operation], outside: Container[ir.Operation] = ()
) -> tuple[list[ir.Operation], list[ir.Value]]:
    """Operations to copy for `roots`, in order, and the values that stay outside (the function's arguments).

    An operation is copied when it is in `inside`, or cheap and not in `outside`.
    """
    order: dict[ir.Operation, None] = {}
    arguments: dict[ir.Value, None] = {}

    def visit(value: ir.Value) -> None:
        owner = None if isinstance(value, ir.BlockArgument) else value.owner.operation
        if owner is None or not (owner in inside or (is_cheap(owner) and owner not in outside)):
            arguments[value] = None
        elif owner not in order:
            for dependency in dependencies(owner):
                visit(dependency)
            order[owner] = None

    for root in roots:
        visit(root)
    return list(order), list(arguments)


def outline(
    name: str,
    operations: Sequence[ir.Operation],
    arguments: Sequence[ir.Value],
    results: Sequence[ir.Value],
    where: ir.Block,
) -> ir.Operation:
    """A private function `name` at the end of block `where`, computing `results` from `arguments`."""
    location = results[0].owner.operation.location
    signature = ir.FunctionType.get([a.type for a in arguments], [r.type for r in results])
    with ir.InsertionPoint(where), location:
        function = func.FuncOp(name, signature, visibility="private")
    block = function.add_entry_block([location] * len(arguments))
    replacement = dict(zip(arguments, block.arguments, strict=True))
    with ir.InsertionPoint(block):
        for op in operations:
            copy(op, replacement)
        with location:
            func.ReturnOp([replacement[r] for r in results])
    return function.operation


def copy(op: ir.Operation, replacement: dict[ir.Value, ir.Value]) -> None:
    """Clone an operation at the current insertion point, reading `replacement` where it has an entry."""
    fresh = op.clone().operation

    def visit(inner: ir.Operation) -> None:
        for position, value in enumerate(inner.operands):
            if value in replacement:
                inner.operands[position] = replacement[value]

    walk(fresh, visit)
    for old, new in zip(op.results, fresh.results, strict=True):
        replacement[old] = new


def erase_dead(block: ir.Block) -> None:
    """Erase operations without uses or effects, last first."""
    for op in reversed(ops_in(block)):
        if op.results and not any(list(r.uses) for r in op.results) and op.name != "func.call":
            op.erase()
