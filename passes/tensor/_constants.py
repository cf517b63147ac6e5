"""What is known at compile time."""

from __future__ import annotations

from cocomp.dialects import structured
from cocomp.dialects.graph import captured
from cocomp.support.mlir import ir

PURE = ("linalg.", "tensor.", "arith.", "math.", "sparse.")
"""Operations whose results depend on their operands alone."""


def is_constant(value: ir.Value, known: dict[ir.Value, bool] | None = None) -> bool:
    """Whether a value depends on weights and constants alone. `known` remembers answers between calls."""
    known = {} if known is None else known
    if value not in known:
        if isinstance(value, ir.BlockArgument):
            known[value] = structured.weight_name(value) is not None
        else:
            op = value.owner.operation
            pure = op.name.startswith(PURE) or op.name.startswith("tm_tensor.")
            known[value] = pure and all(is_constant(v, known) for v in [*op.operands, *captured(op)])
    return known[value]
