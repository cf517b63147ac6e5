"""Batch norm and other scales disappear into the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import sparse, structured
from cocomp.passes.math import affine
from cocomp.support.mlir import arith, ir, linalg, ops_in, tensor
from cocomp.support.passes import Pass, State

from ._constants import constants_of

PARALLEL = linalg.IteratorType.parallel


@dataclass(frozen=True)
class FoldScalesPass(Pass):
    """Fold what follows a contraction and is affine with constant coefficients into its weight and one addition.

        %c = "sparse.contract"(%x, %w)                 %w' = %w * scale     (constants: `fold-constants` evaluates them)
        %s = linalg.generic { %c * scale }      -->    %c' = "sparse.contract"(%x, %w')
        %y = linalg.generic { %s + shift }             %y  = linalg.generic { %c' + shift }

    Coefficients may differ from output channel to output channel, and may have been spread over the whole result first, as
    the bias of a convolution is; a whole batch norm in one body is affine too. They are found by evaluating the bodies at 0
    and at 1, in double precision. Needs `raise-contractions`.
    """

    name: ClassVar[str] = "fold-scales"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            constants = constants_of(block)
            for op in ops_in(block):
                if structured.is_contract(op) and op.operands[1] in constants:
                    _fold(op, constants)


@dataclass(frozen=True)
class _Step:
    """An operation that is affine in its operand number `operand`; the others vary with the channel at most."""

    op: ir.Operation
    operand: int
    others: dict[int, tuple[ir.Value, structured.Map]]
    """Operand number -> the constant that is read, and where."""
    scales: bool
    """False for a mere shift."""


def _fold(contract: ir.Operation, constants: set[ir.Value]) -> None:
    channel = _channel(contract)
    steps = _chain(contract, channel[0], constants) if channel else []
    if channel is None or not any(s.scales for s in steps):
        return
    axis, dim, extent = channel
    last = steps[-1].op
    with ir.InsertionPoint(last), last.location:
        scale, shift = _probe(steps[0], axis, extent)
        for step in steps[1:]:
            factor, addend = _probe(step, axis, extent)
            scale = _channels([scale, factor], arith.mulf)
            shift = _channels([_channels([shift, factor], arith.mulf), addend], arith.addf)
        place = ir.Location.fused([contract.location, last.location])  # its value is that of neither until the shift
        result = _add_shift(_scaled(contract, dim, scale, place), shift, axis)
    last.results[0].replace_all_uses_with(result)
    for step in reversed(steps):
        step.op.erase()
    contract.erase()


def _channel(contract: ir.Operation) -> tuple[int, int, int] | None:
    """(axis of the result, loop dimension, extent) of the output channel, which indexes the weight by itself."""
    loops = structured.loops_of(contract)
    in_weight = {structured.dim_of(e) for e in loops.maps[1]}
    rows = structured.row_dims(loops.maps[:2], loops.parallel)
    for axis, expr in enumerate(loops.output_maps[0]):
        dim = structured.dim_of(expr)
        if dim is not None and dim in in_weight and (dim in rows or not rows):
            return axis, dim, loops.bounds[dim]
    return None


def _chain(contract: ir.Operation, axis: int, constants: set[ir.Value]) -> list[_Step]:
    """The affine operations that follow one another, each the only user of the one before."""
    steps: list[_Step] = []
    value = contract.results[0]
    while len(uses := list(value.uses)) == 1:
        step = _affine_step(uses[0].owner.operation, value, axis, constants)
        if step is None:
            break
        steps.append(step)
        value = step.op.results[0]
    return steps


def _affine_step(op: ir.Operation, value: ir.Value, axis: int, constants: set[ir.Value]) -> _Step | None:
    if not structured.is_generic(op) or len(op.results) != 1 or list(op.operands).count(value) != 1:
        return None
    loops = structured.loops_of(op)
    operand = list(op.operands).index(value)
    pointwise = structured.identity(len(loops.bounds))
    if loops.reductions or operand >= loops.n_inputs or {loops.maps[operand], loops.output_maps[0]} != {pointwise}:
        return None
    numbers = [n for n in range(loops.n_inputs) if n != operand]
    others = {n: _unspread(op.operands[n], loops.maps[n], loops.bounds) for n in numbers}
    for source, index in others.values():
        moving = {d for e in index for d in e.dims() if loops.bounds[d] > 1}
        if source not in constants or not moving <= {axis}:
            return None
    degree = _degree(op, operand)
    return None if degree is None else _Step(op, operand, others, degree == 1)


def _unspread(value: ir.Value, index: structured.Map, bounds: Sequence[int]) -> tuple[ir.Value, structured.Map]:
    """What `value[index]` reads, where `value` is a smaller tensor repeated."""
    while isinstance(value.owner, ir.OpView | ir.Operation) and structured.is_copy(op := value.owner.operation):
        loops = structured.loops_of(op)
        if loops.output_maps[0] != structured.identity(len(loops.bounds)):
            break
        index = tuple(affine.substitute(e, index, bounds) for e in loops.maps[0])
        value = op.operands[0]
    return value, index


def _degree(op: ir.Operation, operand: int) -> int | None:
    """0 when the body is x plus something, 1 when it is affine in x, None otherwise."""
    arguments = list(op.regions[0].blocks[0].arguments)
    if list(arguments[-1].uses) or not isinstance(arguments[operand].type, ir.FloatType):
        return None
    shifted: dict[ir.Value, bool] = {arguments[operand]: False}
    """Values that depend on x; True when x was scaled on the way."""
    for inner in structured.body_ops(op):
        moving = [v for v in inner.operands if v in shifted]
        if inner.name == "linalg.yield":
            return int(shifted[moving[0]]) if moving else None
        if not moving:
            continue
        is_left = inner.operands[0] in shifted
        if inner.name not in ("arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.negf"):
            return None
        if (inner.name == "arith.mulf" and len(moving) > 1) or (
            inner.name == "arith.divf" and inner.operands[1] in shifted
        ):
            return None
        only_shifts = (inner.name == "arith.addf" and len(moving) == 1) or (
            inner.name == "arith.subf" and is_left and len(moving) == 1
        )
        shifted[inner.results[0]] = not only_shifts or any(shifted[v] for v in moving)
    return None


def _probe(step: _Step, axis: int, extent: int) -> tuple[ir.Value, ir.Value]:
    """(scale, shift) of a step, f64[extent] each."""
    zero, one = (_body_at(step, axis, extent, x) for x in (0.0, 1.0))
    return _channels([one, zero], arith.subf), zero


def _body_at(step: _Step, axis: int, extent: int, x: float) -> ir.Value:
    """The step's body with its operand set to `x`, for every channel."""
    op = step.op
    loops = structured.loops_of(op)
    substitution = [affine.dim(0) if d == axis else affine.Expr() for d in range(len(loops.bounds))]
    maps = [
        structured.affine_map([affine.substitute(e, substitution, [extent]) for e in index], 1)
        for _, index in step.others.values()
    ]
    f64 = ir.F64Type.get()

    def body(*arguments: ir.Value) -> ir.Value:
        block = list(op.regions[0].blocks[0].arguments)
        values = {block[i]: _widen(a) for i, a in zip(step.others, arguments, strict=False)}
        values[block[step.operand]] = arith.constant(f64, x)
        for inner in structured.body_ops(op):
            operands = [values[v] if v in values else _widen(v) for v in inner.operands]
            if inner.name == "linalg.yield":
                return operands[0]
            values[inner.results[0]] = _repeat(inner, operands)
        raise AssertionError("a body without linalg.yield")

    return _generic([source for source, _ in step.others.values()], maps, [extent], f64, body)


def _widen(value: ir.Value) -> ir.Value:
    """A float as a double."""
    narrow = isinstance(value.type, ir.FloatType) and value.type.width < 64
    return arith.extf(ir.F64Type.get(), value) if narrow else value


def _repeat(op: ir.Operation, operands: Sequence[ir.Value]) -> ir.Value:
    """An operation of a body, on doubles where it was on floats."""
    if op.name in ("arith.extf", "arith.truncf"):
        return operands[0]
    kind = op.results[0].type
    if isinstance(kind, ir.FloatType):
        kind = ir.F64Type.get()
    attributes = {name: op.attributes[name] for name in op.attributes}
    if op.name == "arith.constant" and isinstance(kind, ir.FloatType):
        attributes["value"] = ir.FloatAttr.get(kind, op.attributes["value"].value)
    return ir.Operation.create(op.name, results=[kind], operands=list(operands), attributes=attributes).results[0]


def _channels(values: Sequence[ir.Value], combine: Callable[..., ir.Value]) -> ir.Value:
    """Element-wise on vectors over the channels."""
    shape = structured.shape_of(values[0])
    maps = [ir.AffineMap.get_identity(1)] * len(values)
    return _generic(values, maps, shape, ir.F64Type.get(), lambda *a: combine(*a[: len(values)]))


def _scaled(contract: ir.Operation, dim: int, scale: ir.Value, place: ir.Location) -> ir.Value:
    """The contraction with its weight scaled channel by channel."""
    loops = structured.loops_of(contract)
    weight = contract.operands[1]
    shape, element = structured.shape_of(weight), structured.element_of(weight)
    axis = [structured.dim_of(e) for e in loops.maps[1]].index(dim)
    maps = [ir.AffineMap.get_identity(len(shape)), structured.affine_map([affine.dim(axis)], len(shape))]

    def body(w: ir.Value, factor: ir.Value, _: ir.Value) -> ir.Value:
        product = arith.mulf(_widen(w), factor)
        return product if element == product.type else arith.truncf(element, product)

    scaled = _generic([weight, scale], maps, shape, element, body)
    affine_maps = [a.value for a in contract.attributes["maps"]]
    return sparse.contract(
        contract.operands[0], scaled, affine_maps, list(loops.bounds), contract.results[0].type, place
    )


def _add_shift(value: ir.Value, shift: ir.Value, axis: int) -> ir.Value:
    shape, element = structured.shape_of(value), structured.element_of(value)
    rank = len(shape)
    narrow = shift
    if element != structured.element_of(shift):
        one = [ir.AffineMap.get_identity(1)]
        narrow = _generic([shift], one, structured.shape_of(shift), element, lambda a, _: arith.truncf(element, a))
    maps = [ir.AffineMap.get_identity(rank), structured.affine_map([affine.dim(axis)], rank)]
    return _generic([value, narrow], maps, shape, element, lambda a, b, _: arith.addf(a, b))


def _generic(
    inputs: Sequence[ir.Value],
    maps: Sequence[ir.AffineMap],
    shape: Sequence[int],
    element: ir.Type,
    body: Callable[..., ir.Value],
) -> ir.Value:
    """An element-wise `linalg.generic` whose result has the given shape."""
    rank = len(shape)
    out = tensor.empty(shape, element)
    return structured.generic(inputs, out, [*maps, ir.AffineMap.get_identity(rank)], [PARALLEL] * rank, body)
