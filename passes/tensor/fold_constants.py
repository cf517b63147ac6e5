"""Whatever hangs on weights alone is computed now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import structured
from cocomp.passes import _outline
from cocomp.passes._arguments import add_weight
from cocomp.support.diagnostics import InternalError
from cocomp.support.mlir import ir, linalg, ops_in
from cocomp.support.passes import Pass, State
from cocomp.support.weights import WeightStore

from ._constants import constants_of

FREE_ELEMENTS = 1 << 18
"""A constant of this size is stored even where computing it would take less memory."""


@dataclass(frozen=True)
class FoldConstantsPass(Pass):
    """Replace values that depend on weights and constants alone by new weights.

        %s = linalg.generic ins(%variance) {..}       -->     func @main(.., %s: tensor<64xf32> {sparse.name = "bn1.weight:folded"})
        %w2 = linalg.generic ins(%w, %s) {..}

    The constant part is cut out as a function of its own, compiled for the host and run (`State.evaluate`): there is no
    second interpreter. Views and splats stay, they cost nothing at run time; so do values much larger than what they
    are made of. Conditions that turn out the same everywhere, of masks that hide nothing, are decided. Constants written in the text
    become weights. Weights that nothing uses are dropped.
    """

    name: ClassVar[str] = "fold-constants"

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        _name_literals(main, state)
        _drop_unused(main, state)
        frontier = _frontier(block)
        if frontier:
            if state.evaluate is None:
                raise InternalError("fold-constants needs something to evaluate constants with")
            cut, names = _cut_out(module, frontier)
            used = WeightStore({n: state.weights[n] for n in names})
            results, constants = state.evaluate(cut, used), constants_of(block)
            for value, array in zip(frontier, results, strict=True):
                if array.dtype == np.bool_ and array.size and array.all() == array.any():
                    _decide(value, bool(array.all()), constants)
                else:
                    _replace(main, value, array, state)
            _outline.erase_dead(block)
            _drop_unused(main, state)


def _name_literals(main: ir.Operation, state: State) -> None:
    """`arith.constant` tensors that are not splats become weights."""
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name != "arith.constant" or not isinstance(op.results[0].type, ir.RankedTensorType):
            continue
        attribute = op.attributes["value"]
        if isinstance(attribute, ir.DenseElementsAttr | ir.DenseIntElementsAttr | ir.DenseFPElementsAttr):
            if not attribute.is_splat:
                _replace(main, op.results[0], np.array(attribute).reshape(structured.shape_of(op.results[0])), state)
        else:
            raise InternalError(f"constants of the form '{str(attribute)[:40]}' are not supported")


def _frontier(block: ir.Block) -> list[ir.Value]:
    """Constant values that something not constant reads, as far up as views allow."""
    constants = constants_of(block)
    found: dict[ir.Value, None] = {}
    for op in ops_in(block):
        if op.results and all(r in constants for r in op.results):
            continue
        for value in _outline.dependencies(op):
            if value in constants:
                source = _worth_folding(value)
                if source is not None:
                    found[source] = None
    return list(found)


def _worth_folding(value: ir.Value) -> ir.Value | None:
    """The value behind views, unless it is a weight already, a splat, or better computed at run time."""
    shape = structured.shape_of(value)
    source, _ = structured.through_views(value, structured.identity(len(shape)), shape)
    if isinstance(source, ir.BlockArgument) or not isinstance(source.type, ir.RankedTensorType):
        return None
    op = source.owner.operation
    if op.name in ("arith.constant", "tensor.empty") or _is_splat(op):
        return None
    size = _elements(source)
    return source if size <= max(FREE_ELEMENTS, 2 * _leaf_elements(source)) else None


def _is_splat(op: ir.Operation) -> bool:
    """Filled with one constant."""
    if not structured.is_generic(op) or len(op.results) != 1:
        return False
    inputs = list(op.operands)[:-1]
    plain = all(not isinstance(v.type, ir.RankedTensorType) for v in inputs)
    return plain and all(o.name in ("linalg.yield", "arith.constant") for o in structured.body_ops(op))


def _elements(value: ir.Value) -> int:
    return int(np.prod(structured.shape_of(value), dtype=np.int64))


def _leaf_elements(value: ir.Value) -> int:
    """Elements of all the weights that a value is made of."""
    leaves: set[ir.Value] = set()
    seen: set[ir.Value] = set()

    def visit(current: ir.Value) -> None:
        if current in seen:
            return
        seen.add(current)
        if isinstance(current, ir.BlockArgument):
            leaves.add(current)
        else:
            for operand in _outline.dependencies(current.owner.operation):
                visit(operand)

    visit(value)
    return sum(_elements(v) for v in leaves)


def _cut_out(module: ir.Module, frontier: list[ir.Value]) -> tuple[ir.Module, list[str]]:
    """A module whose main function computes the frontier, and the weights it takes, in order."""
    inside = _constant_operations(frontier)
    operations, arguments = _outline.needed(frontier, inside)
    cut = ir.Module.create(loc=ir.Location.unknown(module.context))
    _outline.outline("main", operations, arguments, frontier, cut.body)
    main = cut.body.operations[0].operation
    names = [structured.weight_name(a) for a in arguments]
    known = [n for n in names if n is not None]
    main.attributes["sym_visibility"] = ir.StringAttr.get("public")
    main.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [ir.DictAttr.get({"sparse.name": ir.StringAttr.get(n)}) for n in known]
    )
    return cut, known


def _constant_operations(frontier: list[ir.Value]) -> set[ir.Operation]:
    found: set[ir.Operation] = set()
    seen: set[ir.Value] = set()

    def visit(value: ir.Value) -> None:
        if value in seen or isinstance(value, ir.BlockArgument):
            return
        seen.add(value)
        op = value.owner.operation
        found.add(op)
        for operand in _outline.dependencies(op):
            visit(operand)

    for value in frontier:
        visit(value)
    return found


def _replace(main: ir.Operation, value: ir.Value, array: np.ndarray, state: State) -> None:
    """A new argument of `main` in place of a value."""
    base = _first_weight(value) or "constant"
    name = base if base == "constant" else f"{base}:folded"
    location = value.owner.operation.location
    value.replace_all_uses_with(add_weight(main, value.type, name, array, state.weights, location))


def _decide(value: ir.Value, is_true: bool, constants: Collection[ir.Value]) -> None:
    """Give bodies that select by a condition the side that is left, and a splat to whatever else reads it. What computes `constants` goes as
    a whole, later."""
    for op in {use.owner.operation for use in value.uses}:
        if structured.is_generic(op) and not any(r in constants for r in op.results):
            _choose(op, value, is_true)
    if not list(value.uses):
        return
    with ir.InsertionPoint(value.owner), value.owner.operation.location:
        bit = ir.IntegerAttr.get(ir.IntegerType.get_signless(1), int(is_true))
        splat = ir.DenseElementsAttr.get_splat(value.type, bit)
        made = ir.Operation.create("arith.constant", results=[value.type], attributes={"value": splat})
    value.replace_all_uses_with(made.results[0])


def _choose(op: ir.Operation, value: ir.Value, is_true: bool) -> None:
    """A generic without an operand, where its body does nothing else with it than to select."""
    inputs = len(op.operands) - len(op.results)
    block = op.regions[0].blocks[0]
    numbers = [n for n in range(inputs) if op.operands[n] == value]
    for number in numbers:
        condition = block.arguments[number]
        for use in list(condition.uses):
            inner = use.owner.operation
            if inner.name == "arith.select" and inner.operands[0] == condition:
                inner.results[0].replace_all_uses_with(inner.operands[1 if is_true else 2])
                inner.erase()
    unused = [n for n in numbers if not list(block.arguments[n].uses)]
    kept = [n for n in range(len(op.operands)) if n not in unused]
    maps = list(op.attributes["indexing_maps"])
    if not unused or not _know_their_loops([maps[n].value for n in kept]):
        return
    with ir.InsertionPoint(op), op.location:
        made = linalg.GenericOp(
            [r.type for r in op.results],
            [op.operands[n] for n in kept if n < inputs],
            list(op.operands)[inputs:],
            ir.ArrayAttr.get([maps[n] for n in kept]),
            op.attributes["iterator_types"],
        )
    for number in reversed(unused):
        block.erase_argument(number)
    block.append_to(made.regions[0])
    for old, new in zip(op.results, made.results, strict=True):
        old.replace_all_uses_with(new)
    op.erase()


def _know_their_loops(maps: Sequence[ir.AffineMap]) -> bool:
    """Whether operands read in this way say how long every loop is."""
    dims = {e.position for m in maps for e in m.results if isinstance(e, ir.AffineDimExpr)}
    return len(dims) == maps[0].n_dims


def _first_weight(value: ir.Value) -> str | None:
    """Name of the largest weight that a value is made of."""
    best: tuple[int, str] | None = None
    pending, seen = [value], set[ir.Value]()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if isinstance(current, ir.BlockArgument):
            name = structured.weight_name(current)
            if name is not None and (best is None or _elements(current) > best[0]):
                best = (_elements(current), name)
        else:
            pending += _outline.dependencies(current.owner.operation)
    return best[1].removesuffix(":folded") if best else None


def _drop_unused(main: ir.Operation, state: State) -> None:
    """Erase arguments that are weights and have no uses."""
    block = main.regions[0].blocks[0]
    kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
    inputs, marks = list(kind.inputs), list(main.attributes["arg_attrs"]) if "arg_attrs" in main.attributes else []
    for number in range(len(marks) - 1, -1, -1):
        argument = block.arguments[number]
        name = structured.weight_name(argument)
        if name is not None and not list(argument.uses):
            block.erase_argument(number)
            del inputs[number], marks[number]
            state.weights.discard(name)
            main.attributes["arg_attrs"] = ir.ArrayAttr.get(marks)
    main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(inputs, kind.results))
