"""Reading structured operations: indexing maps as expressions, loop bounds, what kind of operation it is.

`Loops` is a snapshot of a `linalg.generic` or `sparse.contract`; it holds no IR handle across a change of the IR by
itself, the caller must not either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ir, linalg, tensor

Map = tuple[Expr, ...]


def expr_of(expr: ir.AffineExpr, bounds: Sequence[int]) -> Expr:
    """An MLIR affine expression without symbols as one of ours."""
    if isinstance(expr, ir.AffineDimExpr):
        return affine.dim(expr.position)
    if isinstance(expr, ir.AffineConstantExpr):
        return Expr((), expr.value)
    if isinstance(expr, ir.AffineAddExpr):
        return expr_of(expr.lhs, bounds) + expr_of(expr.rhs, bounds)
    left, right = expr_of(expr.lhs, bounds), expr_of(expr.rhs, bounds)
    if not right.is_constant:
        left, right = right, left
    if isinstance(expr, ir.AffineMulExpr):
        return left * right.constant
    if isinstance(expr, ir.AffineFloorDivExpr):
        return affine.floordiv(left, right.constant, bounds)
    if isinstance(expr, ir.AffineModExpr):
        return affine.mod(left, right.constant, bounds)
    raise ValueError(f"affine expression '{expr}' is not supported")


def affine_expr(expr: Expr) -> ir.AffineExpr:
    """One of our expressions as MLIR's."""
    total = ir.AffineExpr.get_constant(expr.constant)
    for atom, coefficient in expr.terms:
        if isinstance(atom, affine.Dim):
            term = ir.AffineExpr.get_dim(atom.index)
        elif isinstance(atom, affine.FloorDiv):
            term = ir.AffineExpr.get_floor_div(affine_expr(atom.operand), atom.divisor)
        else:
            term = ir.AffineExpr.get_mod(affine_expr(atom.operand), atom.divisor)
        total = total + term * coefficient
    return total


def map_of(affine_map: ir.AffineMap, bounds: Sequence[int]) -> Map:
    """Results of an MLIR map as expressions."""
    return tuple(expr_of(e, bounds) for e in affine_map.results)


def affine_map(exprs: Sequence[Expr], n_dims: int) -> ir.AffineMap:
    """Expressions as an MLIR map."""
    return ir.AffineMap.get(n_dims, 0, [affine_expr(e) for e in exprs])


def identity(rank: int) -> Map:
    """The map that changes nothing."""
    return tuple(affine.dim(i) for i in range(rank))


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """Static shape of a tensor value; a scalar has the empty shape."""
    return tuple(value.type.shape) if isinstance(value.type, ir.RankedTensorType) else ()


def element_of(value: ir.Value) -> ir.Type:
    """Element type of a tensor value, or the type of a scalar."""
    return value.type.element_type if isinstance(value.type, ir.RankedTensorType) else value.type


@dataclass(frozen=True)
class Loops:
    """Loop structure of an operation: `maps[i]` indexes operand i (inputs first, then outputs)."""

    bounds: tuple[int, ...]
    parallel: tuple[bool, ...]
    maps: tuple[Map, ...]
    n_inputs: int

    @property
    def output_maps(self) -> tuple[Map, ...]:
        return self.maps[self.n_inputs :]

    @property
    def reductions(self) -> tuple[int, ...]:
        return tuple(i for i, p in enumerate(self.parallel) if not p)


def is_generic(op: ir.Operation) -> bool:
    return op.name == "linalg.generic"


def is_contract(op: ir.Operation) -> bool:
    return op.name == "sparse.contract"


def loops_of(op: ir.Operation) -> Loops:
    """Loop structure of a `linalg.generic` or a `sparse.contract`."""
    if is_contract(op):
        bounds = tuple(op.attributes["bounds"])
        maps = tuple(map_of(a.value, bounds) for a in op.attributes["maps"])
        used = frozenset[int]().union(*(e.dims() for e in maps[2]))
        return Loops(bounds, tuple(i in used for i in range(len(bounds))), maps, 2)
    raw = [a.value for a in op.attributes["indexing_maps"]]
    kinds = [str(a) for a in op.attributes["iterator_types"]]
    bounds = _bounds_of(raw, [shape_of(v) for v in op.operands], len(kinds))
    maps = tuple(map_of(m, bounds) for m in raw)
    n_outputs = len(op.results)
    return Loops(bounds, tuple("parallel" in k for k in kinds), maps, len(maps) - n_outputs)


def _bounds_of(maps: Sequence[ir.AffineMap], shapes: Sequence[tuple[int, ...]], n_dims: int) -> tuple[int, ...]:
    bounds = [0] * n_dims
    for affine_map, shape in zip(maps, shapes, strict=True):
        for expr, extent in zip(affine_map.results, shape, strict=True):
            if isinstance(expr, ir.AffineDimExpr):
                bounds[expr.position] = extent
    return tuple(bounds)


def bounds_of(op: ir.Operation) -> tuple[int, ...]:
    """Extents of the loops of a `linalg.generic` or a `sparse.contract`."""
    if is_contract(op):
        return tuple(op.attributes["bounds"])
    raw = [a.value for a in op.attributes["indexing_maps"]]
    return _bounds_of(raw, [shape_of(v) for v in op.operands], len(op.attributes["iterator_types"]))


def body_ops(op: ir.Operation) -> list[ir.Operation]:
    """Operations of the body of a `linalg.generic`, the final yield included."""
    return [o.operation for o in op.regions[0].blocks[0].operations]


def is_copy(op: ir.Operation) -> bool:
    """A `linalg.generic` that only moves values: one input, yielded as it comes."""
    if not is_generic(op) or len(op.operands) != 2 or len(op.results) != 1:
        return False
    block = op.regions[0].blocks[0]
    ops = list(block.operations)
    return len(ops) == 1 and ops[0].operation.operands[0] == block.arguments[0]


def is_permutation(exprs: Sequence[Expr], rank: int) -> bool:
    """True for a map whose results are all the `rank` dimensions in some order."""
    dims = [dim_of(e) for e in exprs if _is_dim(e)]
    return len(dims) == len(exprs) == rank and len(set(dims)) == rank


def _is_dim(expr: Expr) -> bool:
    return (
        len(expr.terms) == 1
        and expr.constant == 0
        and expr.terms[0][1] == 1
        and isinstance(expr.terms[0][0], affine.Dim)
    )


def dim_of(expr: Expr) -> int | None:
    """The dimension that an expression is, if it is one and nothing else."""
    return expr.dims().__iter__().__next__() if _is_dim(expr) else None


def view_of(op: ir.Operation) -> Map | None:
    """For an operation that only moves values: the index into its first operand, in terms of the result's index."""
    if is_copy(op):
        loops = loops_of(op)
        output = loops.output_maps[0]
        if not is_permutation(output, len(loops.bounds)):
            return None
        inverse = invert_permutation(output)
        return tuple(affine.substitute(e, inverse, shape_of(op.results[0])) for e in loops.maps[0])
    if op.name in ("tensor.expand_shape", "tensor.collapse_shape"):
        return _reshape_map(shape_of(op.results[0]), shape_of(op.operands[0]))
    if op.name == "tensor.extract_slice":
        return slice_map(op, shape_of(op.results[0]))
    if op.name == "tensor.cast":
        return identity(len(shape_of(op.results[0])))
    return None


def is_view(op: ir.Operation) -> bool:
    """Whether an operation only moves values, to places that an index tells."""
    return view_of(op) is not None


def moves_values(op: ir.Operation) -> bool:
    """Whether an operation computes no element of its result: a view, a border, a constant, or loops that yield what they read,
    wherever they read it."""
    if is_generic(op):
        yielded = [v.owner for v in body_ops(op)[-1].operands]
        makers = [o.operation.name for o in yielded if isinstance(o, ir.OpView | ir.Operation)]
        return all(name in ("tensor.extract", "arith.constant") for name in makers)
    return op.name in ("tensor.pad", "tensor.empty", "arith.constant", "func.return") or is_view(op)


def _reshape_map(index_shape: Sequence[int], source_shape: Sequence[int]) -> Map:
    """Index into a tensor of `source_shape`, in terms of the index into the same elements seen as `index_shape`."""
    index = tuple(Expr() if extent == 1 else affine.dim(i) for i, extent in enumerate(index_shape))
    return affine.delinearize(affine.linearize(index, index_shape), source_shape, index_shape)


def invert_permutation(exprs: Sequence[Expr]) -> Map:
    """Inverse of a map that is a permutation of its dimensions."""
    inverse: list[Expr] = [Expr()] * len(exprs)
    for position, expr in enumerate(exprs):
        found = dim_of(expr)
        assert found is not None
        inverse[found] = affine.dim(position)
    return tuple(inverse)


def inverse_view_of(op: ir.Operation) -> Map | None:
    """For a view that is a bijection: the index into its result, in terms of the operand's index."""
    if op.name in ("tensor.expand_shape", "tensor.collapse_shape"):
        return _reshape_map(shape_of(op.operands[0]), shape_of(op.results[0]))
    forward = view_of(op)
    if forward is not None and is_permutation(forward, len(shape_of(op.results[0]))):
        return invert_permutation(forward)
    return None


def static_slice(op: ir.Operation) -> tuple[list[int], list[int]]:
    """Offsets and strides of a slice operation; only static ones exist in the compiler."""
    offsets, strides = list(op.attributes["static_offsets"]), list(op.attributes["static_strides"])
    return offsets, strides


def slice_map(op: ir.Operation, part: Sequence[int]) -> Map:
    """Index into the whole of a slice operation, in terms of the index into the part of shape `part`.

    A rank-reducing slice leaves out axes of extent one.
    """
    exprs: list[Expr] = []
    kept = 0
    slices = zip(*static_slice(op), op.attributes["static_sizes"], strict=True)
    for offset, stride, size in slices:
        if kept < len(part) and size == part[kept]:
            exprs.append(affine.dim(kept) * stride + offset)
            kept += 1
        else:
            exprs.append(Expr((), offset))
    return tuple(exprs)


def weight_name(argument: ir.Value) -> str | None:
    """Name of the weight that a function argument is, if it is one."""
    if not isinstance(argument, ir.BlockArgument):
        return None
    owner = argument.owner.owner
    attributes = owner.attributes
    if "arg_attrs" not in attributes:
        return None
    named = attributes["arg_attrs"][argument.arg_number]
    return named["sparse.name"].value if "sparse.name" in named else None


def through_views(value: ir.Value, index: Map, bounds: Sequence[int]) -> tuple[ir.Value, Map]:
    """Follow `value[index]` up through views: the value that is really read, and where."""
    while isinstance(value.owner, ir.OpView | ir.Operation):
        op = value.owner.operation if isinstance(value.owner, ir.OpView) else value.owner
        view = view_of(op)
        if view is None:
            break
        index = tuple(affine.substitute(e, index, bounds) for e in view)
        value = op.operands[0]
    return value, index


def bytes_of(element: ir.Type) -> int:
    """Bytes that an element takes in memory, a number or a vector of such; a boolean takes one."""
    if isinstance(element, ir.VectorType):
        return prod(element.shape) * bytes_of(element.element_type)
    if isinstance(element, ir.FloatType | ir.IntegerType):
        return max(1, element.width // 8)
    if isinstance(element, ir.IndexType):
        return 8
    raise ValueError(f"element type '{element}' is not supported")


def row_dims(operand_maps: Sequence[Map], parallel: Sequence[bool]) -> list[int]:
    """Loop dimensions of a contraction that its weight and result have and its input has not: output channels."""
    in_x, in_w = (frozenset[int]().union(frozenset(), *(e.dims() for e in m)) for m in operand_maps[:2])
    return [d for d, p in enumerate(parallel) if p and d in in_w and d not in in_x]


EXPENSIVE = ("math.", "tensor.extract", "arith.divf", "arith.remf")
"""Body operations that are not repeated for the sake of fusion."""
CHEAP_MATH = ("math.absf", "math.fma", "math.copysign", "math.floor", "math.ceil", "math.sqrt", "math.rsqrt")


def is_expensive(op: ir.Operation) -> bool:
    """Whether the body of a `linalg.generic` holds operations worth computing once."""
    if not is_generic(op):
        return False
    names = [o.name for o in body_ops(op)]
    return any(n.startswith(EXPENSIVE) and n not in CHEAP_MATH for n in names)


def generic(
    inputs: Sequence[ir.Value],
    out: ir.Value,
    maps: Sequence[ir.AffineMap],
    kinds: Sequence[linalg.IteratorType],
    body: Callable[..., ir.Value],
) -> ir.Value:
    """A `linalg.generic` with one result; `body` takes one scalar an input and the one of `out`."""
    op = linalg.GenericOp(
        [out.type],
        list(inputs),
        [out],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{k}>") for k in kinds]),
    )
    types = [element_of(v) for v in [*inputs, out]]
    block = op.regions[0].blocks.append(*types, arg_locs=[ir.Location.current] * len(types))
    with ir.InsertionPoint(block):
        linalg.yield_([body(*block.arguments)])
    return op.results[0]


def read_at(value: ir.Value, index: Sequence[Expr], shape: Sequence[int]) -> ir.Value:
    """A `linalg.generic` of the given shape that yields `value[index(i)]` at i, built at the current insertion point."""
    maps = [affine_map(index, len(shape)), ir.AffineMap.get_identity(len(shape))]
    kinds = [linalg.IteratorType.parallel] * len(shape)
    return generic([value], tensor.empty(shape, element_of(value)), maps, kinds, lambda x, _: x)


def copy_of(value: ir.Value) -> ir.Value:
    """A `linalg.generic` that yields the elements of `value`, built at the current insertion point."""
    return read_at(value, identity(len(shape_of(value))), shape_of(value))
