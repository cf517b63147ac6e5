"""The matrices of minimal filtering applied to tiles of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cocomp.passes.math.winograd import Matrix, apply
from cocomp.support.mlir import arith, ir, math

from . import _builder as b


def transform(matrix: Matrix, values: list[list[ir.Value]]) -> list[list[ir.Value]]:
    """matrix @ values @ matrix transposed, on vectors."""
    down = [_apply(matrix, column) for column in zip(*values, strict=True)]
    return [_apply(matrix, row) for row in zip(*down, strict=True)]


def _apply(matrix: Matrix, values: Sequence[ir.Value]) -> list[ir.Value]:
    def scaled(factor: Fraction, x: ir.Value, y: ir.Value | None) -> ir.Value:
        constant = b.constant(x.type, float(factor))
        return arith.mulf(constant, x) if y is None else math.fma(constant, x, y)

    return apply(matrix, list(values), arith.addf, arith.subf, scaled)
