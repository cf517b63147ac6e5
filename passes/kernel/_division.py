"""Integer division that never traps: a processor stops the program at 0, and at the smallest number over -1."""

from __future__ import annotations

from cocomp.support.mlir import arith, ir

from ._builder import constant

REMAINDERS = ("arith.remsi", "arith.remui")
DIVISIONS = ("arith.divsi", "arith.divui", *REMAINDERS)


def divide(name: str, x: ir.Value, divisor: ir.Value) -> ir.Value:
    """`x / divisor` (or the remainder) by the operation `name`; by zero it is x (or 0). Lanes past the end hold zeros."""
    kind = x.type
    one, zero, minus = constant(kind, 1), constant(kind, 0), constant(kind, -1)
    unsafe = arith.cmpi(arith.CmpIPredicate.eq, divisor, zero)
    negates = None
    if name in ("arith.divsi", "arith.remsi"):
        negates = arith.cmpi(arith.CmpIPredicate.eq, divisor, minus)
        unsafe = arith.ori(unsafe, negates)
    safe = arith.select(unsafe, one, divisor)
    found = ir.Operation.create(name, results=[kind], operands=[x, safe]).results[0]
    if negates is None or name in REMAINDERS:
        return found
    return arith.select(negates, arith.subi(zero, x), found)
