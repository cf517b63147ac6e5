"""Building kernels: index arithmetic that folds, loops, vectors. Reads like the code it emits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import arith, ir, scf, vector

Index = int | ir.Value
"""A position or a count: known now, or an SSA value of type `index`."""


def index_type() -> ir.Type:
    return ir.IndexType.get()


def value(index: Index) -> ir.Value:
    """An index as an SSA value."""
    return arith.constant(index_type(), index) if isinstance(index, int) else index


def known(index: Index | None) -> Index:
    """An index that is set."""
    assert index is not None
    return index


def add(a: Index, b: Index) -> Index:
    """Sum; nothing is emitted for numbers known now or for a zero."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if isinstance(a, int) and a == 0:
        return b
    if isinstance(b, int) and b == 0:
        return a
    return arith.addi(value(a), value(b))


def subtract(a: Index, b: Index) -> Index:
    """Difference; nothing is emitted where a zero is taken away."""
    if isinstance(b, int) and b == 0:
        return a
    return arith.subi(value(a), value(b))


def mul(a: Index, b: Index) -> Index:
    """Product; nothing is emitted for numbers known now, zero or one."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    for x, y in ((a, b), (b, a)):
        if isinstance(x, int) and x in (0, 1):
            return 0 if x == 0 else y
    return arith.muli(value(a), value(b))


def floordiv(a: Index, divisor: int) -> Index:
    """Quotient of a non-negative index."""
    if isinstance(a, int):
        return a // divisor
    return a if divisor == 1 else arith.divui(a, value(divisor))


def mod(a: Index, divisor: int) -> Index:
    """Remainder of a non-negative index."""
    if isinstance(a, int):
        return a % divisor
    return 0 if divisor == 1 else arith.remui(a, value(divisor))


def minimum(a: Index, b: Index) -> Index:
    """The smaller one."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return arith.minsi(value(a), value(b))


def maximum(a: Index, b: Index) -> Index:
    """The larger one."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return arith.maxsi(value(a), value(b))


def evaluate(expr: Expr, dims: Sequence[Index | None]) -> Index:
    """Value of an expression whose dimensions have the given values."""
    total: Index = expr.constant
    for atom, coefficient in expr.terms:
        if isinstance(atom, affine.Dim):
            term = dims[atom.index]
            assert term is not None, f"dimension d{atom.index} has no value here"
        elif isinstance(atom, affine.FloorDiv):
            term = floordiv(evaluate(atom.operand, dims), atom.divisor)
        else:
            term = mod(evaluate(atom.operand, dims), atom.divisor)
        total = add(total, mul(term, coefficient))
    return total


def loop(
    low: Index, high: Index, step: int, body: Callable[..., Sequence[ir.Value] | None], carried: Sequence[ir.Value] = ()
) -> list[ir.Value]:
    """`for i = low to high step`: `body(i, *carried)` returns the new carried values; no loop for a single iteration."""
    if isinstance(low, int) and isinstance(high, int) and high - low <= step:
        return list(body(low, *carried) or ()) if high > low else list(carried)
    op = scf.ForOp(value(low), value(high), value(step), list(carried))
    with ir.InsertionPoint(op.body):
        results = body(op.induction_variable, *op.inner_iter_args)
        scf.yield_(list(results or ()))
    return list(op.results)


def unrolled(count: int, body: Callable[..., Sequence[ir.Value]], carried: Sequence[ir.Value]) -> list[ir.Value]:
    """`count` copies of `body(i, *carried)` with i known."""
    current = list(carried)
    for i in range(count):
        current = list(body(i, *current))
    return current


def when(condition: ir.Value, body: Callable[[], None]) -> None:
    """`if condition`."""
    op = scf.IfOp(condition)
    with ir.InsertionPoint(op.then_block):
        body()
        scf.yield_([])


def decode(position: Index, extents: Sequence[int]) -> list[Index]:
    """Multi-dimensional index of a row-major position."""
    indices: list[Index] = []
    for axis in range(len(extents) - 1, -1, -1):
        if axis == 0:
            indices.append(position)
        else:
            indices.append(mod(position, extents[axis]))
            position = floordiv(position, extents[axis])
    return list(reversed(indices))


def splat(scalar: ir.Value, lanes: int) -> ir.Value:
    """A vector with `scalar` in every lane."""
    return vector.broadcast(ir.VectorType.get([lanes], scalar.type), scalar)


def tail_mask(count: int, lanes: int) -> ir.Value:
    """Mask of the first `count` lanes."""
    kind = ir.VectorType.get([lanes], ir.IntegerType.get_signless(1))
    bits = [ir.BoolAttr.get(i < count) for i in range(lanes)]
    return arith.constant(kind, ir.DenseElementsAttr.get(bits, kind))


def zero(kind: ir.Type) -> ir.Value:
    """Zero of a scalar or vector type."""
    return constant(kind, 0)


def constant(kind: ir.Type, number: float) -> ir.Value:
    """A constant of a scalar or vector type."""
    element = kind.element_type if isinstance(kind, ir.VectorType) else kind
    if isinstance(element, ir.FloatType):
        attribute: ir.Attribute = ir.FloatAttr.get(element, float(number))
    else:
        attribute = ir.IntegerAttr.get(element, int(number))
    if isinstance(kind, ir.VectorType):
        attribute = ir.DenseElementsAttr.get_splat(kind, attribute)
    return arith.constant(kind, attribute)


@dataclass
class Once:
    """Values made once and kept, such as masks and constants at the top of a function."""

    point: ir.InsertionPoint
    made: dict[object, ir.Value] = field(default_factory=dict[object, ir.Value])

    def get(self, key: object, make: Callable[[], ir.Value]) -> ir.Value:
        if key not in self.made:
            with self.point:
                self.made[key] = make()
        return self.made[key]
