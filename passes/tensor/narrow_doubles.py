"""Double precision where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
    outputs of the model in double precision are an error. Needs constants folded.
    """

    name: ClassVar[str] = "narrow-doubles"

    def run(self, module: ir.Module, state: State) -> None:
        double = ir.F64Type.get()
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            _narrow_weights(function, state)
            for value in (*block.arguments, *ops_in(block)[-1].operands):
                if structured.element_of(value) == double and structured.weight_name(value) is None:
                    raise CompileError(
                        f"the model takes or gives tensors in double precision, which {state.target.name} does not have",
                        where=where(ops_in(block)[-1]),
                        notes=["convert them to float32 in the model: x.float()"],
                    )
            for op in _operations(function):
                _narrow(op)
            kinds = ir.FunctionType.get([a.type for a in block.arguments], [v.type for v in ops_in(block)[-1].operands])
            function.attributes["function_type"] = ir.TypeAttr.get(kinds)
            for op in filter(_is_idle, _operations(function)):
                op.results[0].replace_all_uses_with(op.operands[0])
                op.erase()


def _operations(function: ir.Operation) -> list[ir.Operation]:
    """All operations of a function, parents first."""
    found: list[ir.Operation] = []
    walk(function, found.append)
    return found


def _narrow_weights(function: ir.Operation, state: State) -> None:
    attributes = list(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else []
    for number, argument in enumerate(function.regions[0].blocks[0].arguments):
        name = structured.weight_name(argument)
        if name is None or structured.element_of(argument) != ir.F64Type.get():
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
