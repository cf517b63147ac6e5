"""What the evaluator handles: tensors in memory, points of a nest, values at a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ir

from ._builder import Index


@dataclass(frozen=True)
class Memory:
    """A flat buffer and where the elements of a tensor lie in it."""

    buffer: ir.Value
    position: Expr
    """Over the tensor's dimensions."""
    shape: tuple[int, ...]
    element: ir.Type


@dataclass(frozen=True)
class Point:
    """Where in the nest we are: the value of each dimension at lane 0, and how lanes advance."""

    dims: tuple[Index | None, ...]
    bounds: tuple[int, ...]
    lanes: int = 1
    vector_dim: int | None = None
    tail: int | None = None
    """Lanes that count, when not all do."""
    varying: frozenset[int] = frozenset()
    """Dimensions that are vectors (computed indices): one value a lane."""

    def at(self, dim: int, index: Index) -> Point:
        """The point with one dimension set."""
        dims = list(self.dims)
        dims[dim] = index
        return replace(self, dims=tuple(dims))


@dataclass(frozen=True)
class Val:
    """A value at a point: a scalar for all lanes, a vector, or an affine integer that has not been built yet."""

    type: ir.Type
    """Element type."""
    built: ir.Value | None = None
    is_vector: bool = False
    expr: Expr | None = None


def lane_step(position: Expr, point: Point) -> int | None:
    """How far apart neighbouring lanes are in memory; 0 when all read one element, None when it is not constant."""
    moving = point.varying | ({point.vector_dim} if point.vector_dim is not None else set())
    if not position.dims() & moving:
        return 0
    if position.dims() & point.varying or point.vector_dim is None:
        return None
    nonlinear = any(not isinstance(a, affine.Dim) and point.vector_dim in a.operand.dims() for a, _ in position.terms)
    return None if nonlinear else position.coefficient(point.vector_dim)


def fold_affine(op: ir.Operation, operands: Sequence[Val], bounds: Sequence[int]) -> Val | None:
    """Affine integers stay affine; comparisons that intervals decide become constants."""
    kind = op.results[0].type
    if op.name == "arith.select" and operands[0].expr is not None and operands[0].expr.is_constant:
        return operands[1] if operands[0].expr.constant else operands[2]
    exprs = [v.expr for v in operands]
    if not exprs or any(e is None for e in exprs):
        return None
    known = [e for e in exprs if e is not None]
    if op.name in ("arith.index_cast", "arith.extsi", "arith.extui", "arith.index_castui"):
        return Val(kind, expr=known[0])
    if op.name == "arith.addi":
        return Val(kind, expr=known[0] + known[1])
    if op.name == "arith.subi":
        return Val(kind, expr=known[0] - known[1])
    if op.name == "arith.muli" and any(e.is_constant for e in known):
        factor, other = known if known[0].is_constant else reversed(known)
        return Val(kind, expr=other * factor.constant)
    if op.name == "arith.cmpi":
        decided = _compare(op.attributes["predicate"].value, affine.interval(known[0] - known[1], bounds))
        return None if decided is None else Val(kind, expr=Expr((), int(decided)))
    return None


def _compare(predicate: int, difference: tuple[int, int]) -> bool | None:
    """Truth of `a <predicate> b` (MLIR's numbering: eq ne slt sle sgt sge) from the interval of a - b, if it is sure."""
    low, high = difference
    sure = {
        0: (low == high == 0, low > 0 or high < 0),
        1: (low > 0 or high < 0, low == high == 0),
        2: (high < 0, low >= 0),
        3: (high <= 0, low > 0),
        4: (low > 0, high <= 0),
        5: (low >= 0, high < 0),
    }.get(predicate)
    if sure is None:
        return None
    return True if sure[0] else False if sure[1] else None
