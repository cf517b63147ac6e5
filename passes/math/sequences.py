"""Numbers in a row as an expression of their place: where the parts of something begin.

Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import affine
from .affine import Expr


def place_of(values: Sequence[int]) -> Expr | None:
    """`first + step * ((d0 floordiv by) mod of)` that is `values[i]` at d0 = i, None where there is none.

    That is what one coordinate does on a walk through the points of a grid, whichever comes first.
    """
    n = len(values)
    number = affine.dim(0)
    if len(set(values)) == 1:
        return Expr((), values[0])
    for by in (size for size in range(1, n) if n % size == 0):
        for of in (size for size in range(2, n // by + 1) if n // by % size == 0):
            step = values[by] - values[0]
            if step and all(v == values[0] + step * (i // by % of) for i, v in enumerate(values)):
                return affine.mod(affine.floordiv(number, by, (n,)), of, (n,)) * step + values[0]
    return None
