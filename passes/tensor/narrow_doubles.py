"""Double precision where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import arith, ir, ops_in, walk, where
from cocomp.support.passes import Pass, State

CASTS = ("arith.extf", "arith.truncf")


@dataclass(frozen=True)
class NarrowDoublesPass(Pass):
    """Compute in single precision what the model computes in double, for devices that have no such arithmetic.

        %d = arith.extf %x : f32 to f64
        %y = arith.divf %d, %count : f64          -->      %y = arith.divf %x, %count : f32

    Models that are not of doubles have such operations in variances and in comparisons with Python's numbers. Inputs and
    outputs of the model in double precision are an error; with `fallback=cpu` they stay what they are, and so does what they and other
    doubles are computed from and with. Needs constants folded.
    """

    name: ClassVar[str] = "narrow-doubles"
    fallback: str = "none"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            kept = _around_boundary(block)
            if kept and self.fallback == "none":
                raise CompileError(
                    f"the model takes or gives tensors in double precision, which {state.target.name} does not have",
                    where=where(ops_in(block)[-1]),
                    notes=[
                        "convert them to float32 in the model: x.float(), or compile with --fallback=cpu, which computes what they are part "
                        "of on the CPU and says which kernels those are"
                    ],
                )
            _own_sources(block, kept)
            _narrow_weights(function, kept, state)
            inner = [op for top in ops_in(block) if kept.isdisjoint(_doubles_of(top)) for op in _operations(top)]
            for op in inner:
                _narrow(op)
            kinds = ir.FunctionType.get([a.type for a in block.arguments], [v.type for v in ops_in(block)[-1].operands])
            function.attributes["function_type"] = ir.TypeAttr.get(kinds)
            for op in filter(_is_idle, [op for top in ops_in(block) for op in _operations(top)]):
                op.results[0].replace_all_uses_with(op.operands[0])
                op.erase()


def _operations(operation: ir.Operation) -> list[ir.Operation]:
    """An operation and all in it, parents first."""
    found: list[ir.Operation] = []
    walk(operation, found.append)
    return found


def _doubles_of(op: ir.Operation) -> list[ir.Value]:
    """What an operation of a function reads and makes in double precision."""
    double = ir.F64Type.get()
    return [v for v in (*op.operands, *graphs.captured(op), *op.results) if structured.element_of(v) == double]


def _around_boundary(block: ir.Block) -> set[ir.Value]:
    """Inputs and outputs in double precision, and the doubles that operations connect with them; what has no operands, which many may
    share, connects nothing."""
    *operations, end = ops_in(block)
    neighbours: dict[ir.Value, list[ir.Value]] = {}
    for op in operations:
        found = [v for v in _doubles_of(op) if not _is_source(v)]
        for value in found:
            neighbours.setdefault(value, []).extend(found)
    inputs = (a for a in block.arguments if structured.weight_name(a) is None)
    todo = [v for v in (*inputs, *end.operands) if structured.element_of(v) == ir.F64Type.get()]
    kept: set[ir.Value] = set()
    while todo:
        value = todo.pop()
        if value not in kept:
            kept.add(value)
            todo += neighbours.get(value, [])
    return kept


def _is_source(value: ir.Value) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.operation.name in ("arith.constant", "tensor.empty")


def _own_sources(block: ir.Block, kept: set[ir.Value]) -> None:
    """Give operations whose doubles are kept constants of their own, which are kept too."""
    for op in ops_in(block):
        doubles = _doubles_of(op)
        if kept.isdisjoint(doubles):
            continue
        shared = [v for v in doubles if _is_source(v) and v not in kept]
        for inner in _operations(op):
            for number, value in enumerate(inner.operands):
                if value in shared:
                    with ir.InsertionPoint(op):
                        own = value.owner.operation.clone().results[0]
                    inner.operands[number] = own
                    kept.add(own)


def _narrow_weights(function: ir.Operation, kept: set[ir.Value], state: State) -> None:
    attributes = list(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else []
    for number, argument in enumerate(function.regions[0].blocks[0].arguments):
        name = structured.weight_name(argument)
        if name is None or structured.element_of(argument) != ir.F64Type.get() or argument in kept:
            continue
        derived = state.weights.add(f"{name}:f32", state.weights[name].astype(np.float32))
        state.weights.discard(name)
        old = {n.name: n.attr for n in attributes[number]}
        attributes[number] = ir.DictAttr.get({**old, "sparse.name": ir.StringAttr.get(derived)})
        argument.set_type(_narrowed(argument.type))
    if attributes:
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)


def _narrow(op: ir.Operation) -> None:
    if op.name == "arith.constant":
        _narrow_constant(op)
        return
    for result in op.results:
        result.set_type(_narrowed(result.type))
    for region in op.regions:
        for block in region.blocks:
            for argument in block.arguments:
                argument.set_type(_narrowed(argument.type))


def _narrow_constant(op: ir.Operation) -> None:
    kind, attribute = op.results[0].type, op.attributes["value"]
    if _narrowed(kind) == kind:
        return
    single = ir.F32Type.get()
    is_tensor = isinstance(kind, ir.RankedTensorType)
    number = (attribute.get_splat_value() if is_tensor else attribute).value
    made: ir.Attribute = ir.FloatAttr.get(single, float(np.float32(number)))
    if is_tensor:
        made = ir.DenseElementsAttr.get_splat(_narrowed(kind), made)
    with ir.InsertionPoint(op), op.location:
        op.results[0].replace_all_uses_with(arith.constant(_narrowed(kind), made))
    op.erase()


def _narrowed(kind: ir.Type) -> ir.Type:
    """The type with double precision replaced by single."""
    if isinstance(kind, ir.RankedTensorType):
        return ir.RankedTensorType.get(kind.shape, _narrowed(kind.element_type), kind.encoding)
    return ir.F32Type.get() if isinstance(kind, ir.F64Type) else kind


def _is_idle(op: ir.Operation) -> bool:
    """Whether a cast has become one between the same types."""
    return op.name in CASTS and op.results[0].type == op.operands[0].type
