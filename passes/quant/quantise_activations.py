"""Activations on evenly spaced levels, where contractions read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import structured
from cocomp.passes import _outline
from cocomp.passes.math.quantisers.scales import fit_activation
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import arith, ir, linalg, math, ops_in, tensor, where
from cocomp.support.passes import Pass, State
from cocomp.support.weights import WeightStore

STEADY = {
    "arith.constant", "arith.truncf", "arith.extf", "arith.mulf", "arith.addf", "arith.subf", "arith.cmpf", "arith.select",
    "arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf", "linalg.yield",
}  # fmt: skip
"""What may follow rounding in an element-wise operation of one tensor: levels stay levels."""


@dataclass(frozen=True)
class QuantiseActivationsPass(Pass):
    """Round what contractions read to evenly spaced levels.

        %y = sparse.contract(%x, %w)
      -->
        %q = linalg.generic ins(%x) { clamp(roundeven(x * (1 / s)), 0, 15) * s }
        %y = sparse.contract(%q, %w)

    Levels are 0 to 2 ** bits - 1, or of both signs where there are negative values; scales have the least squared error on the example
    inputs, for which the model is compiled for the host and run. What hangs on no contraction, such as an input, has `input-bits`. Activations that
    are on levels already, of a model that was trained so, stay as they are. Needs `fold-constants`.
    """

    name: ClassVar[str] = "quantise-activations"
    bits: int = 4
    input_bits: int = 8

    def run(self, module: ir.Module, state: State) -> None:
        for what, bits in (("bits", self.bits), ("input-bits", self.input_bits)):
            if not 2 <= bits <= 16:
                raise UsageError(f"pass 'quantise-activations': expected {what} from 2 to 16, got {bits}")
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        sources = [value for value in dict.fromkeys(_read(block)) if not _is_on_levels(value)]
        if not sources:
            return
        seen = _values(module, sources, state)
        for value in sources:
            array = seen[value]
            if not np.isfinite(array).all():
                raise CompileError(
                    "an activation is not finite on the example inputs: it cannot be quantised",
                    where="" if isinstance(value, ir.BlockArgument) else where(value.owner.operation),
                )
            bits = self.bits if _hangs_on_contraction(value) else self.input_bits
            _round(value, *fit_activation(array, bits))


def _read(block: ir.Block) -> Iterator[ir.Value]:
    """Activations that contractions read, before views and borders."""
    for op in ops_in(block):
        for value in list(op.operands)[:2] if structured.is_contract(op) else ():
            source = _source(value)
            if structured.weight_name(source) is None and not _is_constant(source):
                yield source


def _source(value: ir.Value) -> ir.Value:
    while not isinstance(value, ir.BlockArgument):
        op = value.owner.operation
        if structured.view_of(op) is None and op.name != "tensor.pad":
            break
        value = op.operands[0]
    return value


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value, ir.BlockArgument) and value.owner.operation.name == "arith.constant"


def _is_on_levels(value: ir.Value) -> bool:
    """Whether a value was rounded, and only scaled, shifted or clamped since, or taken the maximum of."""
    value = _source(value)
    if isinstance(value, ir.BlockArgument):
        return False
    op = value.owner.operation
    if op.name == "tensor.concat":
        return all(_is_on_levels(v) for v in op.operands)
    tensors = [v for v in list(op.operands)[:-1] if isinstance(v.type, ir.RankedTensorType)]
    if not structured.is_generic(op) or len(op.results) != 1:
        return False
    names = {o.name for o in structured.body_ops(op)}
    if "math.roundeven" in names:
        return True
    is_reduction = not all(structured.loops_of(op).parallel)
    if is_reduction and not names <= {"arith.maximumf", "arith.maxnumf", "arith.cmpf", "arith.select", "linalg.yield"}:
        return False
    moving = [v for v in tensors if not _is_empty(v)]
    return names <= STEADY and len(moving) == 1 and _is_on_levels(moving[0])


def _is_empty(value: ir.Value) -> bool:
    """The window of a pool, which says how large it is and nothing else."""
    return not isinstance(value, ir.BlockArgument) and value.owner.operation.name == "tensor.empty"


def _hangs_on_contraction(value: ir.Value) -> bool:
    pending, seen = [value], set[ir.Value]()
    while pending:
        current = pending.pop()
        if current in seen or isinstance(current, ir.BlockArgument):
            continue
        seen.add(current)
        if structured.is_contract(current.owner.operation):
            return True
        pending += _outline.dependencies(current.owner.operation)
    return False


def _values(module: ir.Module, values: list[ir.Value], state: State) -> dict[ir.Value, np.ndarray]:
    """What values are for the example inputs."""
    main = module.body.operations[0].operation
    block = main.regions[0].blocks[0]
    inputs = [a for a in block.arguments if structured.weight_name(a) is None]
    if len(state.examples) != len(inputs):
        raise UsageError(
            "pass 'quantise-activations': expected example inputs to measure activations with; export the model with some"
        )
    assert state.evaluate is not None
    given = dict(zip(inputs, map(np.asarray, state.examples), strict=True))
    computed = [value for value in values if value not in given]
    if not computed:
        return given
    named = {a: f"input:{number}" for number, a in enumerate(inputs)}
    arrays = {named[a]: array for a, array in given.items()}
    operations, arguments = _outline.needed(computed, set(ops_in(block)))
    made = ir.Module.create(loc=ir.Location.unknown(module.context))
    _outline.outline("main", operations, arguments, computed, made.body)
    function = made.body.operations[0].operation
    names = [structured.weight_name(a) or named[a] for a in arguments]
    function.attributes["sym_visibility"] = ir.StringAttr.get("public")
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [ir.DictAttr.get({"sparse.name": ir.StringAttr.get(n)}) for n in names]
    )
    used = WeightStore({n: arrays[n] if n in arrays else state.weights[n] for n in names})
    return given | dict(zip(computed, state.evaluate(made, used), strict=True))


def _round(value: ir.Value, scale: float, low: int, high: int) -> None:
    """Put rounded values in the place of a value."""
    uses = [(use.owner, use.operand_number) for use in value.uses]
    if isinstance(value, ir.BlockArgument):
        point = ir.InsertionPoint.at_block_begin(value.owner)
        location = ir.Location.unknown(value.context)
    else:
        point, location = ir.InsertionPoint.after(value.owner), value.owner.location
    rank, element = len(structured.shape_of(value)), structured.element_of(value)
    maps = [structured.affine_map(structured.identity(rank), rank)] * 2

    def body(x: ir.Value, _out: ir.Value) -> ir.Value:
        def number(n: float) -> ir.Value:
            return arith.constant(element, ir.FloatAttr.get(element, n))

        levels = math.roundeven(arith.mulf(x, number(1 / scale)))
        inside = arith.minimumf(arith.maximumf(levels, number(low)), number(high))
        return arith.mulf(inside, number(scale))

    with point, location:
        empty = tensor.empty(structured.shape_of(value), element)
        made = structured.generic([value], empty, maps, [linalg.IteratorType.parallel] * rank, body)
    for owner, number in uses:
        owner.operands[number] = made
