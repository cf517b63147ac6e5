"""Half precision: what is stored, and what is computed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import structured
from cocomp.support.mlir import arith, ir, linalg, ops_in, tensor
from cocomp.support.passes import Pass, State

LARGEST = 65504.0
"""Largest finite number of half precision; larger constants, such as those that mask attention, are clipped to it."""
NARROW = (
    "arith.addf", "arith.subf", "arith.mulf", "arith.negf", "arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf",
    "arith.cmpf", "arith.select", "math.absf", "linalg.yield",
)  # fmt: skip
"""Operations that are computed in half precision. Everything else in a body would lose more than a rounding."""
SELECTIVE = (
    "arith.maximumf",
    "arith.minimumf",
    "arith.maxnumf",
    "arith.minnumf",
    "arith.cmpf",
    "arith.select",
    "linalg.yield",
)
"""Operations that round nothing: a reduction of these alone gives half precision."""
FOLLOWING = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice", "tensor.pad", "tensor.cast")


@dataclass(frozen=True)
class NarrowFloatsPass(Pass):
    """Store tensors in half precision, and multiply-accumulate in it.

        %y = "sparse.contract"(%x, %w) : (tensor<1x64xf32>, tensor<8x64xf32>) -> tensor<1x8xf32>
      -->
        %h = linalg.generic ins(%x) { arith.truncf }
        %y = "sparse.contract"(%h, %w) : (tensor<1x64xf16>, tensor<8x64xf16>) -> tensor<1x8xf16>

    Sums (means, variances, softmax denominators) and functions keep single precision inside: their bodies extend what
    they read, and a sum's result stays single until an element-wise operation stores what becomes of it. The model's
    inputs and outputs keep their types, and so does what is in double precision. Needs constants folded; leaves weights in half precision in the store.
    """

    name: ClassVar[str] = "narrow-floats"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            _Narrowing(function, state).run()


class _Narrowing:
    def __init__(self, function: ir.Operation, state: State) -> None:
        self.function, self.state = function, state
        self.block = function.regions[0].blocks[0]
        self.single, self.half = ir.F32Type.get(), ir.F16Type.get()

    def run(self) -> None:
        outputs = [v.type for v in ops_in(self.block)[-1].operands]
        operations = ops_in(self.block)
        self._arguments()
        for op in operations[:-1]:
            with ir.InsertionPoint(op), op.location:
                self._operation(op)
        done = operations[-1]
        with ir.InsertionPoint(done), done.location:
            for number, kind in enumerate(outputs):
                done.operands[number] = self._as(done.operands[number], ir.RankedTensorType(kind).element_type)
        kinds = ir.FunctionType.get([a.type for a in self.block.arguments], outputs)
        self.function.attributes["function_type"] = ir.TypeAttr.get(kinds)

    def _arguments(self) -> None:
        """Weights are stored in half precision; inputs are converted where they enter."""
        attributes = list(self.function.attributes["arg_attrs"]) if "arg_attrs" in self.function.attributes else []
        for number, argument in enumerate(self.block.arguments):
            if structured.element_of(argument) != self.single:
                continue
            name = structured.weight_name(argument)
            if name is None:
                users = [(use.owner.operation, use.operand_number) for use in argument.uses]
                with ir.InsertionPoint.at_block_begin(self.block), self.function.location:
                    converted = self._as(argument, self.half)
                for user, position in users:
                    user.operands[position] = converted
                continue
            derived = self.state.weights.add(f"{name}:f16", _half(self.state.weights[name]))
            self.state.weights.discard(name)
            old = attributes[number]
            attributes[number] = ir.DictAttr.get(
                {**{n.name: n.attr for n in old}, "sparse.name": ir.StringAttr.get(derived)}
            )
            argument.set_type(self._narrowed(argument.type))
        if attributes:
            self.function.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)

    def _narrowed(self, kind: ir.Type) -> ir.Type:
        """The type with single precision replaced by half."""
        if isinstance(kind, ir.RankedTensorType):
            return ir.RankedTensorType.get(kind.shape, self._narrowed(kind.element_type), kind.encoding)
        return self.half if kind == self.single else kind

    def _as(self, value: ir.Value, element: ir.Type) -> ir.Value:
        """`value` with elements of another float type; doubles are what the model asks for."""
        found = structured.element_of(value)
        if found == element or found == ir.F64Type.get() or not isinstance(found, ir.FloatType):
            return value
        shape = structured.shape_of(value)
        maps = [ir.AffineMap.get_identity(len(shape))] * 2
        kinds = [linalg.IteratorType.parallel] * len(shape)
        return structured.generic(
            [value], tensor.empty(shape, element), maps, kinds, lambda x, _: self._cast(x, element)
        )

    def _cast(self, scalar: ir.Value, element: ir.Type) -> ir.Value:
        if scalar.type == element:
            return scalar
        return arith.truncf(element, scalar) if element == self.half else arith.extf(element, scalar)

    # Operations -------------------------------------------------------------------------------------------------------

    def _operation(self, op: ir.Operation) -> None:
        if structured.is_generic(op):
            self._generic(op)
        elif op.name == "arith.constant":
            self._constant(op)
        elif op.name == "tensor.empty":
            op.results[0].set_type(self._narrowed(op.results[0].type))
        elif op.name.startswith("tm_tensor."):
            for number, value in enumerate(op.operands):
                op.operands[number] = self._as(value, self.single)
        elif op.name in FOLLOWING:
            self._follow(op)
        else:  # contractions, concatenations, insertions
            for number, value in enumerate(op.operands):
                op.operands[number] = self._as(value, self.half)
            for result in op.results:
                result.set_type(self._narrowed(result.type))

    def _follow(self, op: ir.Operation) -> None:
        """The result has the element type of the operand."""
        kind = op.results[0].type
        element = structured.element_of(op.operands[0])
        op.results[0].set_type(ir.RankedTensorType.get(kind.shape, element))
        for block in (b for region in op.regions for b in region.blocks):
            for number, value in enumerate(ops_in(block)[-1].operands):
                if value.type == self.single and element == self.half:
                    ops_in(block)[-1].operands[number] = self._scalar_constant(value)

    def _constant(self, op: ir.Operation) -> None:
        attribute, kind = op.attributes["value"], op.results[0].type
        if not isinstance(kind, ir.RankedTensorType) or kind.element_type != self.single:
            return
        value = ir.FloatAttr.get(self.half, _clipped(attribute.get_splat_value().value))
        narrow = arith.constant(self._narrowed(kind), ir.DenseElementsAttr.get_splat(self._narrowed(kind), value))
        op.results[0].replace_all_uses_with(narrow)

    def _generic(self, op: ir.Operation) -> None:
        body = structured.body_ops(op)
        floats = [o for o in body if any(v.type == self.single for v in (*o.operands, *o.results))]
        is_reduction = bool(structured.loops_of(op).reductions)
        wide_operand = any(structured.element_of(v) == self.single for v in list(op.operands)[: -len(op.results)])
        names = {o.name for o in floats} - {"arith.constant", "tensor.extract"}
        narrow = names <= set(SELECTIVE if is_reduction else NARROW) and not wide_operand
        stored = self.single if is_reduction and not narrow else self.half
        inputs = len(op.operands) - len(op.results)
        for number, result in enumerate(op.results):
            if structured.element_of(result) != self.single:
                continue
            op.operands[inputs + number] = self._destination(op.operands[inputs + number], stored)
            result.set_type(op.operands[inputs + number].type)
        self._body(op, self.half if narrow else self.single)

    def _destination(self, value: ir.Value, element: ir.Type) -> ir.Value:
        """The initial value of a result; memory of one's own where it is undefined."""
        owner = value.owner
        if not isinstance(owner, ir.Block) and owner.operation.name == "tensor.empty":
            return tensor.empty(structured.shape_of(value), element)
        return self._as(value, element)

    def _body(self, op: ir.Operation, computed: ir.Type) -> None:
        """Retype the body: computed in one precision, cast where values come in and go out."""
        block = op.regions[0].blocks[0]
        operations = ops_in(block)
        for argument, operand in zip(block.arguments, op.operands, strict=True):
            element = structured.element_of(operand)
            if argument.type != self.single:
                continue
            argument.set_type(element)
            if element != computed and list(argument.uses):
                self._spread_cast(argument, computed, ir.InsertionPoint.at_block_begin(block), op)
        for inner in operations[:-1]:
            with ir.InsertionPoint(inner), inner.location:
                self._inner(inner, computed)
        done = operations[-1]
        with ir.InsertionPoint(done), op.location:
            for number, value in enumerate(done.operands):
                element = structured.element_of(op.results[number])
                if isinstance(value.type, ir.FloatType) and value.type != element:
                    is_outer = computed == self.half and value.type == self.single
                    done.operands[number] = self._scalar_constant(value) if is_outer else self._cast(value, element)

    def _inner(self, inner: ir.Operation, computed: ir.Type) -> None:
        if inner.name == "tensor.extract" and inner.results[0].type == self.single:
            element = structured.element_of(inner.operands[0])
            inner.results[0].set_type(element)
            if element != computed:
                self._spread_cast(inner.results[0], computed, None, inner)
            return
        if computed == self.single:
            return
        for number, value in enumerate(inner.operands):
            if value.type == self.single:
                inner.operands[number] = self._scalar_constant(value)
        for result in inner.results:
            if result.type == self.single and inner.name != "arith.constant":
                result.set_type(self.half)

    def _spread_cast(self, value: ir.Value, element: ir.Type, at: ir.InsertionPoint | None, near: ir.Operation) -> None:
        """Everybody who read `value` reads it converted."""
        users = [(use.owner.operation, use.operand_number) for use in value.uses]
        with at or ir.InsertionPoint.after(near), near.location:
            converted = self._cast(value, element)
        for user, position in users:
            user.operands[position] = converted

    def _scalar_constant(self, value: ir.Value) -> ir.Value:
        """A constant of single precision in half precision."""
        number = ir.FloatAttr(value.owner.operation.attributes["value"]).value
        return arith.constant(self.half, ir.FloatAttr.get(self.half, _clipped(number)))


def _half(array: np.ndarray) -> np.ndarray:
    """An array in half precision; finite numbers stay finite."""
    return np.where(np.isfinite(array), np.clip(array, -LARGEST, LARGEST), array).astype(np.float16)


def _clipped(number: float) -> float:
    return number if not np.isfinite(number) else float(np.clip(number, -LARGEST, LARGEST))
