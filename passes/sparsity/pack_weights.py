"""Weights as the kernels want them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, plan, structured
from cocomp.passes.kernel._contraction import Contraction, matrix_of, read_contraction
from cocomp.passes.kernel._scheduled import schedule_of
from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.work import TileSchedule
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._pack import Packed, pack

Array = np.ndarray


@dataclass(frozen=True)
class PackWeightsPass(Pass):
    """Put every constant into the order in which its kernel reads it, and give contractions their column lists.

        "plan.dispatch"(%x, %w, %y) {kernel = @group_3}
      -->
        "plan.dispatch"(%x, %packed, %y, %offsets, %spans) {kernel = @group_3}

    A contraction's weight becomes row groups (`_pack.Packed`); columns that a whole row group does not use are left out
    where the schedule says so. Where it has bands they become pieces, with a third table. Any other constant is written in its `layout.map`. Needs `build-plan` and
    `schedule-contractions`; leaves new names in the weight store. A kernel that reads a matrix which a contraction has packed
    (an embedding that is the output layer too) gets the layout of the packed form, and nothing is stored twice.
    """

    name: ClassVar[str] = "pack-weights"

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        main = functions["main"]
        operations = ops_in(main.regions[0].blocks[0])
        dispatches = [op for op in operations if op.name == "plan.dispatch" and "once" not in op.attributes]
        called = {op.attributes["kernel"].value for op in dispatches}
        contractions = {
            name: read_contraction(graphs.read_group(functions[name]))
            for name in called
            if schedule_of(functions[name]) is not None
        }
        packer = _Packer(state, _only_weights(dispatches))
        # Contractions first: who else reads a weight takes it as they have it.
        for op in sorted(dispatches, key=lambda op: op.attributes["kernel"].value not in contractions):
            name = op.attributes["kernel"].value
            with ir.InsertionPoint(op), op.location:
                packer.dispatch(op, functions[name], contractions.get(name))
        _drop_unused(main.regions[0].blocks[0], state)


@dataclass
class _Packer:
    state: State
    alone: dict[tuple[str, int], str]
    """The weight that an argument of a kernel stands for, where it is the same in every dispatch."""
    made: dict[object, str] = field(default_factory=dict[object, str])
    """What was packed already: two layers that share a weight share its packed form."""
    packed: dict[str, tuple[str, layout.MapAttr]] = field(default_factory=dict[str, tuple[str, layout.MapAttr]])
    """Weight -> its packed form and where the weight's elements lie in it, for those that others can read there."""

    def dispatch(self, op: ir.Operation, function: ir.Operation, contraction: Contraction | None) -> None:
        operands = list(op.operands)
        extra: list[ir.Value] = []
        skipped = added = 0
        for number, argument in enumerate(function.regions[0].blocks[0].arguments):
            if contraction is not None and number == contraction.w_argument:
                continue
            if _is_constant(operands[number]):
                operands[number] = self._in_layout(operands[number], function, number, structured.shape_of(argument))
        if contraction is not None:
            schedule = schedule_of(function)
            assert schedule is not None
            if contraction.constant_weight:
                weight = operands[contraction.w_argument]
                added = 2 * contraction.points * self.state.weights.filled(_weight(weight))
                operands[contraction.w_argument], extra, skipped = self._packed(weight, contraction)
            else:
                extra = self._tables(contraction)
        for position, value in enumerate(operands):
            op.operands[position] = value
        if extra:
            packed = plan.dispatch(
                op.attributes["kernel"].value, [*operands, *extra], op.attributes["writes"], op.location
            )
            packed.attributes["skipped_flops"], packed.attributes["added_flops"] = plan.i64(skipped), plan.i64(added)
            op.erase()

    def _constant(self, key: object, name: str, array: Array) -> ir.Value:
        if key not in self.made:
            self.made[key] = self.state.weights.add(name, array)
        return plan.constant(self.made[key])

    def _in_layout(self, buffer: ir.Value, function: ir.Operation, number: int, shape: tuple[int, ...]) -> ir.Value:
        name = _weight(buffer)
        if name in self.packed and (function.attributes["sym_name"].value, number) in self.alone:
            shared, attribute = self.packed[name]
            layout.set_of_argument(function, number, attribute)
            return plan.constant(shared)
        attribute = layout.of_argument(function, number)
        position = layout.position_of(attribute, shape)
        if position == affine.linearize(structured.identity(len(shape)), shape):
            return buffer
        array = self.state.weights[name]
        moved = np.zeros(layout.size_of(attribute), array.dtype)
        axes = [(n, position.coefficient(a)) for a, n in enumerate(shape)]
        strides = [step * moved.itemsize for _, step in axes]
        np.lib.stride_tricks.as_strided(moved[position.constant :], shape, strides)[...] = array
        return self._constant((name, str(attribute)), f"{name}:moved", moved)

    def _packed(self, buffer: ir.Value, contraction: Contraction) -> tuple[ir.Value, list[ir.Value], int]:
        """(values, tables, arithmetic operations that zeros save)."""
        name = _weight(buffer)
        schedule = schedule_of(contraction.group.function)
        assert schedule is not None
        offsets = contraction.offsets()
        key = (
            name,
            str(contraction.group.function.attributes["kernel.schedule"]),
            tuple(map(str, contraction.w_index)),
        )
        packed = pack(matrix_of(name, self.state.weights[name], contraction), offsets, schedule)
        made = self._constant((*key, "values"), f"{name}:packed", packed.values)
        position = _packed_position(contraction, schedule)
        if position is not None:
            self.packed[name] = (_weight(made), layout.strided(position, 2, len(packed.values)))
        rows, columns = ([*contraction.outer_rows, contraction.row], contraction.columns)
        whole = math.prod(contraction.extent(d) for d in (*rows, columns))
        return made, self._table_constants(packed, f"{name}:"), 2 * contraction.points * (whole - packed.products)

    def _table_constants(self, packed: Packed, name: str) -> list[ir.Value]:
        tables = [("offsets", packed.offsets), ("spans", packed.spans.ravel())]
        if packed.pieces is not None:
            tables.append(("pieces", packed.pieces.ravel()))
        return [self._constant((n, t.tobytes()), f"{name}{n}", t) for n, t in tables]

    def _tables(self, contraction: Contraction) -> list[ir.Value]:
        """Positions of the columns in both operands, for a weight that is an activation."""
        x, w = contraction.offsets(), contraction.w_offsets()
        tables = (("offsets", x.astype(np.int32)), ("steps", w.astype(np.int32)))
        return [self._constant((n, t.tobytes()), f":{n}", t) for n, t in tables]


def _only_weights(dispatches: Sequence[ir.Operation]) -> dict[tuple[str, int], str]:
    """(kernel, argument) -> the one weight that it is in all dispatches."""
    found: dict[tuple[str, int], set[str]] = {}
    for op in dispatches:
        for number, value in enumerate(op.operands):
            if _is_constant(value):
                found.setdefault((op.attributes["kernel"].value, number), set()).add(_weight(value))
    return {key: next(iter(names)) for key, names in found.items() if len(names) == 1}


def _packed_position(contraction: Contraction, schedule: TileSchedule) -> Expr | None:
    """Where element (row, column) of a matrix lies in its packed form, over the weight's dimensions; None where that is no
    formula. An embedding that is also the output layer is stored once for this."""
    sizes = {s.vectors * schedule.row_unit for s in schedule.segments}
    is_matrix = len(contraction.w_index) == 2 and len(contraction.columns) == 1 and not contraction.outer_rows
    plain = is_matrix and contraction.w_index == (affine.dim(contraction.row or 0), affine.dim(contraction.columns[0]))
    if not plain or contraction.row is None or len(sizes) != 1 or not schedule.keep_zeros:
        return None
    size, bounds = sizes.pop(), (contraction.extent(contraction.row), contraction.extent(contraction.columns))
    row, column = affine.dim(0), affine.dim(1)
    group = affine.floordiv(row, size, bounds)
    return group * (size * bounds[1]) + column * size + affine.mod(row, size, bounds)


def _is_constant(buffer: ir.Value) -> bool:
    return buffer.owner.operation.name == "plan.constant"


def _weight(buffer: ir.Value) -> str:
    return buffer.owner.operation.attributes["weight"].value


def _drop_unused(block: ir.Block, state: State) -> None:
    """Forget constants that no dispatch reads any more."""
    used: set[str] = set()
    for op in ops_in(block):
        if op.name == "plan.constant":
            if list(op.results[0].uses):
                used.add(op.attributes["weight"].value)
            else:
                op.erase()
    for name in list(state.weights):
        if name not in used:
            state.weights.discard(name)
