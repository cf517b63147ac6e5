"""Clamps, minima and maxima that keep what is not a number, as PyTorch's do: torch-mlir's comparisons lose it."""

from __future__ import annotations

from cocomp.support.mlir import arith, ir, ops_in

LESS = (arith.CmpFPredicate.OLT, arith.CmpFPredicate.OLE, arith.CmpFPredicate.ULT, arith.CmpFPredicate.ULE)
GREATER = (arith.CmpFPredicate.OGT, arith.CmpFPredicate.OGE, arith.CmpFPredicate.UGT, arith.CmpFPredicate.UGE)


def keep_not_a_number(function: ir.Operation) -> None:
    """Rewrite `select(a < b, a, b)` and its like in the bodies of `linalg.generic`.

    A comparison and its selection stand in one body only where one operator of PyTorch is both (`torch.where` selects in
    a body of its own). With a constant the comparison is turned so that a false one selects the value; that costs nothing.
    """
    for op in ops_in(function.regions[0].blocks[0]):
        if op.name == "linalg.generic":
            for inner in ops_in(op.regions[0].blocks[0]):
                if inner.name == "arith.select" and isinstance(inner.results[0].type, ir.FloatType):
                    _rewrite(inner)


def _rewrite(select: ir.Operation) -> None:
    condition, chosen, other = select.operands
    owner = condition.owner
    if isinstance(owner, ir.Block) or owner.operation.name != "arith.cmpf":
        return
    left, right = owner.operation.operands
    predicate = arith.CmpFPredicate(ir.IntegerAttr(owner.operation.attributes["predicate"]).value)
    if predicate not in LESS + GREATER or (chosen, other) not in ((left, right), (right, left)):
        return
    is_maximum = (predicate in GREATER) == (chosen == left)
    with ir.InsertionPoint(select), select.location:
        if _is_constant(left) or _is_constant(right):
            value, bound = (right, left) if _is_constant(left) else (left, right)
            beyond = arith.cmpf(arith.CmpFPredicate.OLT if is_maximum else arith.CmpFPredicate.OGT, value, bound)
            found = arith.select(beyond, bound, value)
        else:
            found = arith.maximumf(left, right) if is_maximum else arith.minimumf(left, right)
    select.results[0].replace_all_uses_with(found)
    select.erase()


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.operation.name == "arith.constant"
