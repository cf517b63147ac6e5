"""The walk over a quantised graph: which tensors are stored, and what computes each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator import IntegerType, points
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers.rows import Mixture
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import func, ir, ops_in, where
from cocomp.support.passes import State

from ._atoms import Array, Atom, Condition, Factor, Form, multiplied, scaled, settle, type_for, width
from ._bodies import Number, apply, constant
from ._matrices import Weight, weights_of
from ._products import Product, Sums, match, read_weights
from ._reading import combined, constant_of, fill_of, name_of, number_of, readers, rounding_of, said, trimmed
from ._stage import Emitter, Map, Stage, Stored

LEAST = -3e38
"""What maxima begin with: the smallest number of single precision, or less."""
REMEDY = "give the accelerator the part of the model before or after it, with -target=fpga-hls for that alone"


def lower(module: ir.Module, mixture: Mixture, state: State) -> None:
    """Replace `@main` by its integers."""
    old = module.body.operations[0].operation
    with module.context, ir.InsertionPoint.at_block_begin(module.body), old.location:
        _Lowering(old, mixture, state).run()
    old.erase()


@dataclass(eq=False)
class _Reading:
    """A stage that is being read, and what may be read as the sums of a product."""

    stage: Stage
    sums: bool
    memo: dict[tuple[ir.Value, Map], Number]


class _Lowering:
    def __init__(self, main: ir.Operation, mixture: Mixture, state: State) -> None:
        self.main, self.mixture, self.state = main, mixture, state
        self.block = main.regions[0].blocks[0]
        self.stored: dict[ir.Value, Stored] = {}
        self.weights: dict[ir.Operation, Weight] = {w.op: w for w in weights_of(self.block)}
        self.sums: dict[ir.Operation, Sums] = {}
        self.changing: dict[ir.Value, bool] = {}

    def run(self) -> None:
        """The integers' function beside the old one."""
        inputs = [a for a in self.block.arguments if structured.weight_name(a) is None]
        if len(inputs) != len(self.state.examples):
            raise CompileError("expected example inputs to measure activations with; export the model with some")
        operations = ops_in(self.block)
        given = [self._input(a, np.asarray(x)) for a, x in zip(inputs, self.state.examples, strict=True)]
        kinds = [hls.tensor_type(structured.shape_of(a), kind) for a, (kind, _, _) in zip(inputs, given, strict=True)]
        made = func.FuncOp("main", (kinds, []), loc=self.main.location)
        body = made.add_entry_block()
        for argument, value, (kind, scale, array) in zip(inputs, body.arguments, given, strict=True):
            self.stored[argument] = Stored(value, array, kind, scale)
            rounding = rounding_of(argument)
            if rounding is not None:
                self.stored[rounding.results[0]] = self.stored[argument]
        with ir.InsertionPoint(body):
            for op in operations[:-1]:
                with op.location:
                    self._visit(op)
            results = [self._result(v) for v in operations[-1].operands]
            func.ReturnOp([r.value for r in results], loc=operations[-1].location)
        self._sign(made, inputs, given, results)

    def _sign(
        self,
        made: func.FuncOp,
        inputs: list[ir.Value],
        given: list[tuple[IntegerType, float, Array]],
        results: list[Stored],
    ) -> None:
        """The function's type, and what is said of what it takes and gives."""
        made.attributes["function_type"] = ir.TypeAttr.get(
            ir.FunctionType.get([v.type for v in made.arguments], [r.value.type for r in results])
        )
        old = self.main.attributes
        arguments = [
            said(old["arg_attrs"][a.arg_number] if "arg_attrs" in old else None, scale)
            for a, (_, scale, _) in zip(inputs, given, strict=True)
        ]
        outputs = [
            said(old["res_attrs"][i] if "res_attrs" in old else None, float(r.scale)) for i, r in enumerate(results)
        ]
        made.attributes["arg_attrs"] = ir.ArrayAttr.get(arguments)
        made.attributes["res_attrs"] = ir.ArrayAttr.get(outputs)

    def _input(self, argument: ir.Value, x: Array) -> tuple[IntegerType, float, Array]:
        """Integers of an input, their scale, and the example's: those that the model rounds it to, or as many as 16 bits allow."""
        if not np.issubdtype(x.dtype, np.floating):
            raise CompileError(
                f"input {argument.arg_number}: expected floating point numbers, got {x.dtype}",
                notes=[
                    "tables that are read at positions, such as embeddings, are not computed by the accelerator: "
                    + REMEDY
                ],
            )
        rounding = rounding_of(argument)
        if rounding is None:
            kind = IntegerType(16, bool(x.min(initial=0) < 0))
            scale = float(np.abs(x).max(initial=0)) / kind.high or 1.0
        else:
            stage = Stage(structured.shape_of(argument))
            atom = Atom("load", np.zeros([1] * x.ndim, np.int64), -(1 << 31), 1 << 31)
            found = self._body(rounding, lambda _: Form({atom: 1.0}), _Reading(stage, False, {}))
            assert isinstance(found, Form)
            ((_, scale),) = found.terms.items()
            scale = float(scale)
            kind = type_for(round(found.low / scale), round(found.high / scale))
        return kind, scale, np.clip(np.rint(x.astype(np.float64) / scale), kind.low, kind.high).astype(np.int64)

    def _visit(self, op: ir.Operation) -> None:
        if not op.results or op.results[0] in self.stored:
            return
        try:
            if structured.is_contract(op):
                self._contract(op)
            elif op.name == "tensor.concat":
                self._concat(op)
            elif structured.is_generic(op) and self._is_stored(op):
                self._generic(op)
            elif not structured.is_generic(op) and not structured.moves_values(op):
                raise ValueError(f"'{op.name}' is nothing that the accelerator computes")
        except ValueError as error:
            raise CompileError(str(error), where=where(op), notes=[REMEDY]) from None

    def _is_stored(self, op: ir.Operation) -> bool:
        """Whether what loops compute is kept: what others than one element-wise operation read, where an input changes it."""
        if not self._changes(op.results[0]):
            return False
        if len(op.results) != 1:
            raise ValueError("loops with several results are nothing that the accelerator computes")
        if not all(structured.loops_of(op).parallel):
            return True
        users = list(readers(op.results[0]))
        return len(users) != 1 or not self._is_elementwise(users[0])

    @staticmethod
    def _is_elementwise(op: ir.Operation) -> bool:
        return structured.is_generic(op) and all(structured.loops_of(op).parallel)

    def _changes(self, value: ir.Value) -> bool:
        """Whether a value depends on an input."""
        if value not in self.changing:
            if isinstance(value, ir.BlockArgument):
                self.changing[value] = structured.weight_name(value) is None
            else:
                self.changing[value] = any(self._changes(v) for v in value.owner.operation.operands)
        return self.changing[value]

    def _read(self, value: ir.Value, index: Map, reading: _Reading) -> Number:
        """`value[index]` at every point of a stage."""
        key = (value, index)
        if key not in reading.memo:
            reading.memo[key] = self._found(value, index, reading)
        return reading.memo[key]

    def _found(self, value: ir.Value, index: Map, reading: _Reading) -> Number:
        fill: float | None = None
        while value not in self.stored:
            if isinstance(value, ir.BlockArgument):
                name = structured.weight_name(value)
                assert name is not None
                return constant(trimmed(reading.stage.gather(self.state.weights[name].astype(np.float64), index)))
            op = value.owner.operation
            view = structured.view_of(op)
            if view is not None:
                index = tuple(affine.substitute(e, index, reading.stage.bounds) for e in view)
            elif op.name == "tensor.pad":
                fill = fill_of(op)
                index = tuple(e - low for e, low in zip(index, op.attributes["static_low"], strict=True))
                if not self._changes(value):
                    raise ValueError("a border around constants that are not computed")
            elif op.name == "arith.constant":
                return constant(constant_of(op, index, reading.stage))
            elif structured.is_contract(op) and reading.sums and fill is None and op in self.sums:
                return self._sums_at(op, index, reading)
            elif structured.is_generic(op) and fill is None:
                return self._inlined(op, index, reading)
            else:
                raise ValueError(f"'{op.name}' is nothing that the accelerator reads")
            value = op.operands[0]
        return reading.stage.load(self.stored[value], index, fill)

    def _inlined(self, op: ir.Operation, index: Map, reading: _Reading) -> Number:
        loops = structured.loops_of(op)
        output = loops.output_maps[0]
        if not structured.is_permutation(output, len(loops.bounds)):
            raise ValueError("loops whose result is no permutation of them are nothing that the accelerator computes")
        dims = tuple(affine.substitute(e, index, reading.stage.bounds) for e in structured.invert_permutation(output))

        def operand(number: int) -> Number:
            place = tuple(affine.substitute(e, dims, reading.stage.bounds) for e in loops.maps[number])
            return self._read(op.operands[number], place, reading)

        found = self._body(op, operand, reading)
        assert not isinstance(found, Condition)
        return found

    def _body(self, op: ir.Operation, operand, reading: _Reading, stop: ir.Value | None = None) -> Number | Condition:  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]
        """What a body makes of its operands: what it yields, or the value `stop` of it."""
        block = op.regions[0].blocks[0]
        known: dict[ir.Value, Number | Condition] = {}

        def value_of(value: ir.Value) -> Number | Condition:
            if value not in known:
                if isinstance(value, ir.BlockArgument):
                    assert value.owner == block
                    known[value] = operand(value.arg_number)
                else:
                    inner = value.owner.operation
                    if inner.name == "arith.constant":
                        known[value] = constant(number_of(inner))
                    else:
                        predicate = inner.attributes["predicate"].value if inner.name == "arith.cmpf" else 0
                        known[value] = apply(inner.name, [value_of(v) for v in inner.operands], predicate)
            return known[value]

        return value_of(stop if stop is not None else structured.body_ops(op)[-1].operands[0])

    def _generic(self, op: ir.Operation) -> None:
        loops = structured.loops_of(op)
        if not all(loops.parallel):
            self._reduction(op)
            return
        index = loops.output_maps[0]
        for sums in (True, False):
            reading = _Reading(Stage(loops.bounds), sums, {})
            form = self._body(op, lambda n: self._read(op.operands[n], loops.maps[n], reading), reading)  # noqa: B023
            read = [s for s in self.sums.values() if s.atom is not None]
            found = match(form, read[0], op, index) if len(read) == 1 and not isinstance(form, Condition) else None
            if found is not None:
                self._product(read[0], found, op.results[0])
                return
            for each in read:
                each.atom = None
                self._store_sums(each)
            if not read:
                break
        assert not isinstance(form, Condition)
        atom, scale = settle(form)
        self._keep(op.results[0], reading.stage, atom, scale, index)

    def _keep(
        self,
        value: ir.Value,
        stage: Stage,
        atom: Atom,
        scale: float,
        index: Map,
        combine: str = "none",
        kind: IntegerType | None = None,
    ) -> None:
        """Compute an atom at all points and store it."""
        shape = structured.shape_of(value)
        kind = kind or type_for(atom.low, atom.high)
        made = Emitter(stage, name_of(value), self.state).sweep(atom, index, shape, combine, kind)
        array = points.place(atom.array, index, shape, stage.bounds, combine)
        self.stored[value] = Stored(made, array, kind, scale)

    def _reduction(self, op: ir.Operation) -> None:
        loops = structured.loops_of(op)
        reading = _Reading(Stage(loops.bounds), False, {})
        combine, inner = combined(op)
        number = self._body(op, lambda n: self._read(op.operands[n], loops.maps[n], reading), reading, inner)
        if isinstance(number, Condition):
            raise ValueError("a sum of truth values")
        start = self._read(op.operands[len(op.operands) - 1], loops.output_maps[0], _Reading(reading.stage, False, {}))
        if not isinstance(start, Form) or not start.is_constant or not _begins(np.asarray(start.const), combine):
            raise ValueError("a sum or maximum that does not begin with nothing")
        count = math.prod(loops.bounds[d] for d in loops.reductions)
        bits = 16 if combine == "max" else min(16, 31 - (count - 1).bit_length())
        atom, scale = settle(number, bits=bits)
        kind = (
            type_for(atom.low, atom.high)
            if combine == "max"
            else type_for(min(atom.low * count, 0), max(atom.high * count, 0))
        )
        self._keep(op.results[0], reading.stage, atom, scale, loops.output_maps[0], combine, kind)

    def _concat(self, op: ir.Operation) -> None:
        """Parts are read where they are and added to zeros elsewhere."""
        if not self._changes(op.results[0]):
            raise ValueError("constants that are joined and not computed")
        stage, at, dim = Stage(structured.shape_of(op.results[0])), 0, op.attributes["dim"].value
        whole = structured.identity(len(stage.bounds))
        parts: list[tuple[Atom, float]] = []
        for part in op.operands:
            stored, index = self._whole(part)
            place = tuple(e - at if d == dim else e for d, e in enumerate(whole))
            form = stage.load(stored, tuple(affine.substitute(e, place, stage.bounds) for e in index), 0.0)
            parts.append(settle(form))
            at += structured.shape_of(part)[dim]
        scale = max(factor for _, factor in parts)
        terms: dict[Atom, Factor] = dict(parts)
        atom = scaled(Form(terms), scale)
        atom.low = min(math.floor(a.low * f / scale) for a, f in parts)
        atom.high = max(math.ceil(a.high * f / scale) for a, f in parts)
        self._keep(op.results[0], stage, atom, scale, whole)

    def _whole(self, value: ir.Value) -> tuple[Stored, Map]:
        """A tensor that is stored, seen through views; what is not is stored first."""
        found, index = structured.through_views(
            value, structured.identity(len(structured.shape_of(value))), structured.shape_of(value)
        )
        if found not in self.stored:
            shape = structured.shape_of(found)
            reading = _Reading(Stage(shape), False, {})
            for sums in self.sums.values():
                if sums.op.results[0] == found:
                    self._store_sums(sums)
            if found not in self.stored:
                number = self._read(found, structured.identity(len(shape)), reading)
                atom, scale = settle(number)
                self._keep(found, reading.stage, atom, scale, structured.identity(len(shape)))
        return self.stored[found], index

    def _contract(self, op: ir.Operation) -> None:
        """Sums of a product, which wait for what is done to them; or a sweep."""
        loops = structured.loops_of(op)
        weight = self.weights.get(op)
        reading = _Reading(Stage(loops.bounds), False, {})
        if weight is not None:
            numbers = read_weights(weight, self.state.weights[weight.name], self.mixture)
            x = self._operand(op.operands[0], loops.maps[0], reading)
            if numbers.is_product and weight.row_dims:
                self.sums[op] = Sums(op, weight, numbers, x, loops)
                users = list(readers(op.results[0]))
                if len(users) != 1 or not self._is_elementwise(users[0]):
                    self._store_sums(self.sums[op])
                return
            atom, scale = numbers.as_operand(weight, reading.stage, self.state)
        else:
            x = self._operand(op.operands[0], loops.maps[0], reading)
            other = self._operand(op.operands[1], loops.maps[1], reading)
            atom, scale = next(iter(other.terms)), float(next(iter(other.terms.values())))
        ((first, factor),) = x.terms.items()
        made = multiplied(first, atom)
        count = math.prod(loops.bounds[d] for d in loops.reductions)
        ends = min(made.low * count, 0), max(made.high * count, 0)
        if width(*ends) > ACCUMULATOR_BITS:
            raise ValueError(
                f"sums of {count} products of {width(first.low, first.high)} and {width(atom.low, atom.high)} bits are beyond "
                f"{ACCUMULATOR_BITS} bits"
            )
        kind = type_for(*ends)
        self._keep(op.results[0], reading.stage, made, 1.0, loops.output_maps[0], "add", kind)
        self.stored[op.results[0]].scale = (
            float(factor) * scale if np.ndim(scale) == 0 else float(factor) * np.asarray(scale)
        )

    def _operand(self, value: ir.Value, index: Map, reading: _Reading) -> Form:
        """An activation that a contraction reads: an atom times a factor."""
        form = self._read(value, index, reading)
        if isinstance(form, Form) and len(form.terms) == 1:
            ((atom, factor),) = form.terms.items()
            if atom.kind == "load" and np.ndim(factor) == 0 and width(atom.low, atom.high) <= 8:
                return form
        raise ValueError("a contraction reads an activation that is not on at most 256 levels")

    def _sums_at(self, op: ir.Operation, index: Map, reading: _Reading) -> Form:
        """The sums of a product, as numbers."""
        sums = self.sums[op]
        whole = structured.identity(len(reading.stage.bounds))
        if index != whole:
            self._store_sums(sums)
            return reading.stage.load(self.stored[op.results[0]], index, None)
        return sums.read(reading.stage)

    def _store_sums(self, sums: Sums) -> None:
        """Sums that nothing is done to but scaling."""
        value = sums.op.results[0]
        if value in self.stored:
            return
        form = sums.read(Stage(structured.shape_of(value)))
        found = match(form, sums, sums.op, structured.identity(len(structured.shape_of(value))))
        sums.atom = None
        assert found is not None
        self._product(sums, found, value)

    def _product(self, sums: Sums, found: Product, value: ir.Value) -> None:
        sums.atom = None
        del self.sums[sums.op]
        made, array = sums.emit(found, name_of(sums.op.results[0]), self.state)
        self.stored[value] = Stored(made, array, found.kind, found.scale)

    def _result(self, value: ir.Value) -> Stored:
        stored, index = self._whole(value)
        shape = structured.shape_of(value)
        if index != structured.identity(len(shape)) or np.ndim(stored.scale):
            stage = Stage(shape)
            form = stage.load(stored, index, None)
            atom, scale = settle(form)
            self._keep(value, stage, atom, scale, structured.identity(len(shape)))
            stored = self.stored[value]
        return stored


def _begins(start: Array, combine: str) -> bool:
    """Whether sums begin with zero, maxima with less than any number."""
    return bool((start <= LEAST).all() if combine == "max" else (start == 0).all())
