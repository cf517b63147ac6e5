"""What is known at compile time."""

from __future__ import annotations

from cocomp.dialects import structured
from cocomp.passes._outline import dependencies
from cocomp.support.mlir import ir, ops_in

PURE = ("linalg.", "tensor.", "arith.", "math.", "sparse.", "tm_tensor.")
"""Operations whose results depend on their operands alone."""


def constants_of(block: ir.Block) -> set[ir.Value]:
    """Values of a block that depend on weights and constants alone."""
    known = {a for a in block.arguments if structured.weight_name(a) is not None}
    for op in ops_in(block):
        if op.name.startswith(PURE) and all(v in known for v in dependencies(op)):
            known.update(op.results)
    return known
