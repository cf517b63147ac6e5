"""Contractions of every kind become one operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import sparse, structured
from cocomp.support.mlir import arith, ir, linalg, ops_in, tensor
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class RaiseContractionsPass(Pass):
    """Multiply-accumulate loops become `sparse.contract`.

        %y = linalg.generic {..} ins(%x, %w) outs(%init) { out + x * w }
      -->
        %c = "sparse.contract"(%x, %w) {maps, bounds}
        %y = linalg.generic ins(%c, %init) { c + init }        (dropped when %init is zero)

    Needs named operations generalised. Convolutions of any rank, matrix products and depth-wise convolutions differ in
    their maps only. Views between a weight and its use move into the weight's map, so that transposing a weight costs
    nothing. Leaves multiply-accumulates on integers alone.
    """

    name: ClassVar[str] = "raise-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if structured.is_generic(op) and (order := _multiply_accumulate(op)):
                    _raise(op, order)


def _multiply_accumulate(op: ir.Operation) -> tuple[int, int] | None:
    """Operand numbers (activation, weight) when the body is `out + a * b` on floats, else None."""
    if len(op.results) != 1 or not isinstance(structured.element_of(op.results[0]), ir.FloatType):
        return None
    body = structured.body_ops(op)
    if [o.name for o in body] != ["arith.mulf", "arith.addf", "linalg.yield"]:
        return None
    multiply, add, done = body
    arguments = list(op.regions[0].blocks[0].arguments)
    first, second = (_argument_number(v, arguments) for v in multiply.operands)
    out = arguments[-1]
    if first is None or second is None or first == second or len(arguments) - 1 in (first, second):
        return None
    if set(map(_identity, add.operands)) != {_identity(multiply.results[0]), _identity(out)}:
        return None
    if done.operands[0] != add.results[0] or not structured.loops_of(op).reductions:
        return None
    if _is_weight(op.operands[first]) and not _is_weight(op.operands[second]):
        return second, first
    return first, second


def _identity(value: ir.Value) -> int:
    return hash(value)


def _argument_number(value: ir.Value, arguments: list[ir.Value]) -> int | None:
    return next((i for i, a in enumerate(arguments) if a == value), None)


def _is_weight(value: ir.Value) -> bool:
    root, _ = structured.through_views(
        value, structured.identity(len(structured.shape_of(value))), structured.shape_of(value)
    )
    return structured.weight_name(root) is not None


def _raise(op: ir.Operation, order: tuple[int, int]) -> None:
    loops = structured.loops_of(op)
    x, weight = (op.operands[i] for i in order)
    maps = [loops.maps[order[0]], loops.maps[order[1]], loops.output_maps[0]]
    root, index = structured.through_views(weight, maps[1], loops.bounds)
    if structured.weight_name(root) is not None:
        weight, maps[1] = root, index
    init = op.operands[len(op.operands) - 1]
    with ir.InsertionPoint(op), op.location:
        affine_maps = [structured.affine_map(m, len(loops.bounds)) for m in maps]
        result = sparse.contract(x, weight, affine_maps, list(loops.bounds), op.results[0].type, op.location)
        if not _is_zero(init):
            result = _add(result, init)
    op.results[0].replace_all_uses_with(result)
    op.erase()


def _is_zero(value: ir.Value) -> bool:
    """A tensor filled with the constant zero."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return False
    op = owner.operation
    if op.name == "arith.constant":
        attribute = op.attributes["value"]
        if isinstance(attribute, ir.DenseElementsAttr):
            return attribute.is_splat and attribute.get_splat_value().value == 0
        return isinstance(attribute, ir.FloatAttr) and attribute.value == 0
    return structured.is_copy(op) and _is_zero(op.operands[0])


def _add(a: ir.Value, b: ir.Value) -> ir.Value:
    shape = structured.shape_of(a)
    maps = [ir.AffineMap.get_identity(len(shape))] * 3
    kinds = [linalg.IteratorType.parallel] * len(shape)
    out = tensor.empty(shape, structured.element_of(a))
    return structured.generic([a, b], out, maps, kinds, lambda x, y, _: arith.addf(x, y))
