"""Reductions that may be computed in any order: in the lanes of registers, combined at the end."""

from __future__ import annotations

from dataclasses import dataclass

from cocomp.dialects import structured
from cocomp.support.mlir import ir, vector

from . import _builder as b

INFINITY = float("inf")
KINDS = {
    "arith.addf": ("add", 0.0),
    "arith.mulf": ("mul", 1.0),
    "arith.maximumf": ("maximumf", -INFINITY),
    "arith.minimumf": ("minimumf", INFINITY),
    "arith.maxnumf": ("maxnumf", -INFINITY),
    "arith.minnumf": ("minnumf", INFINITY),
    "arith.addi": ("add", 0),
    "arith.muli": ("mul", 1),
    "arith.andi": ("and", -1),
    "arith.ori": ("or", 0),
    "arith.xori": ("xor", 0),
}
"""Operation -> (name of the vector reduction, neutral element)."""


@dataclass(frozen=True)
class Combiner:
    """How two partial results become one."""

    name: str

    def neutral(self, kind: ir.Type) -> ir.Value:
        """The value that changes nothing."""
        return b.constant(kind, KINDS[self.name][1])

    def is_neutral(self, attribute: ir.Attribute) -> bool:
        """Whether a constant is that value."""
        return attribute.value == KINDS[self.name][1]

    def combine(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return ir.Operation.create(self.name, results=[x.type], operands=[x, y]).results[0]

    def horizontal(self, lanes: ir.Value, kind: ir.Type) -> ir.Value:
        """All lanes combined; in a tree, not one after the other."""
        how = getattr(vector.CombiningKind, KINDS[self.name][0].upper())
        fast = ir.Attribute.parse("#arith.fastmath<reassoc>") if isinstance(kind, ir.FloatType) else None
        return vector.reduction(kind, how, lanes, fastmath=fast)


def combiner_of(op: ir.Operation) -> Combiner | None:
    """The combiner of a reduction whose body ends in `combine(out, f(inputs))`, None for any other body."""
    if structured.is_contract(op):
        return Combiner("arith.addf")
    if not structured.is_generic(op) or len(op.results) != 1:
        return None
    body = structured.body_ops(op)
    out = list(op.regions[0].blocks[0].arguments)[-1]
    result = body[-1].operands[0]
    if isinstance(result, ir.BlockArgument):
        return None
    last = result.owner.operation
    if last.name not in KINDS or len(list(out.uses)) != 1 or out not in list(last.operands):
        return None
    width = getattr(result.type, "width", 0)
    return Combiner(last.name) if width > 1 else None
