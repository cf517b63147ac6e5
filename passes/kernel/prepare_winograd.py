"""Weights of minimal filtering, transformed when the model is created."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import plan
from cocomp.passes.math.work import Segment
from cocomp.support.mlir import func, ir, ops_in, scf, vector
from cocomp.support.passes import Pass, State

from . import _builder as b
from . import _function
from ._contraction import Contraction, matrix_of, read_contraction
from ._transform import transform
from ._winograd import FILTERS, POINTS, Roles, WinogradSchedule, roles_of, winograd_of


@dataclass(frozen=True)
class PrepareWinogradPass(Pass):
    """Dispatches of Winograd kernels read transformed weights, which a kernel of their own computes once.

        "plan.dispatch"(%x, %w, %y) {kernel = @group_4}
      -->
        "plan.dispatch"(%rows, %u) {kernel = @winograd_weights_0, once}        (first in the plan)
        "plan.dispatch"(%x, %u, %y) {kernel = @group_4}

    %u is persistent memory: transformed weights are a few times as large, so they are not stored in the artefact. The
    weight itself is stored in the order in which the transformation reads it, in pages that are given back afterwards.
    Needs `build-plan`.
    """

    name: ClassVar[str] = "prepare-winograd"

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        preparer = _Preparer(module, state)
        for op in ops_in(functions["main"].regions[0].blocks[0]):
            if op.name == "plan.dispatch" and (schedule := winograd_of(functions[op.attributes["kernel"].value])):
                preparer.dispatch(op, functions[op.attributes["kernel"].value], schedule)


@dataclass(frozen=True)
class _Shape:
    """What a kernel that transforms weights depends on."""

    taps: int
    channels: int
    segments: tuple[Segment, ...]
    lanes: int

    @property
    def rows(self) -> int:
        """With those that fill the last registers."""
        return sum(s.vectors * s.groups for s in self.segments) * self.lanes


@dataclass
class _Preparer:
    module: ir.Module
    state: State
    kernels: dict[_Shape, str] = field(default_factory=dict["_Shape", str])
    weights: dict[object, ir.Value] = field(default_factory=dict[object, ir.Value])

    def dispatch(self, op: ir.Operation, function: ir.Operation, schedule: WinogradSchedule) -> None:
        contraction = read_contraction(graphs.read_group(function))
        roles = roles_of(contraction)
        assert roles is not None
        name = op.operands[contraction.w_argument].owner.operation.attributes["weight"].value
        key = (name, schedule.segments, schedule.lanes)
        if key not in self.weights:
            self.weights[key] = self._transformed(name, contraction, roles, schedule, op)
        op.operands[contraction.w_argument] = self.weights[key]
        empty = ~matrix_of(name, self.state.weights[name], contraction).any(axis=(0, 1))
        skipped = 2 * int(empty.sum()) * contraction.extent(contraction.row) * contraction.points
        op.attributes["skipped_flops"] = plan.i64(skipped)  # taps that `split-strides` filled a window with
        op.attributes["added_flops"] = plan.i64(2 * contraction.points * self.state.weights.filled(name))

    def _transformed(
        self, name: str, contraction: Contraction, roles: Roles, schedule: WinogradSchedule, op: ir.Operation
    ) -> ir.Value:
        packed = _packed(matrix_of(name, self.state.weights[name], contraction), contraction, roles, schedule)
        stored = self.state.weights.add(f"{name}:winograd", packed)
        channels = contraction.nest.bounds[roles.channel]
        shape = _Shape(roles.filter.taps, channels, schedule.segments, schedule.lanes)
        if shape not in self.kernels:
            self.kernels[shape] = _weights_kernel(self.module, len(self.kernels), shape)
        block = op.block
        size = packed.nbytes // shape.taps**2 * POINTS
        with ir.InsertionPoint.at_block_begin(block), op.location:
            source, target = plan.constant(stored), plan.persistent(size)
            plan.dispatch(self.kernels[shape], [source, target], ir.ArrayAttr.get([]), op.location, once=True)
        return target


def _packed(matrix: np.ndarray, contraction: Contraction, roles: Roles, schedule: WinogradSchedule) -> np.ndarray:
    """[group][channel][tap][row], rows padded to whole registers."""
    rows = contraction.extent(contraction.row)
    extents = [contraction.nest.bounds[d] for d in contraction.columns]
    order = [contraction.columns.index(d) for d in (roles.rows[1], roles.columns[1], roles.channel)]
    weight = matrix.reshape(rows, *extents).transpose(0, *(1 + i for i in order))
    taps = roles.filter.taps**2
    parts: list[np.ndarray] = []
    first = 0
    for segment in schedule.segments:
        size = segment.vectors * schedule.lanes
        for _ in range(segment.groups):
            part = np.zeros((weight.shape[3], taps, size), matrix.dtype)
            chosen = weight[first : first + size]
            part[:, :, : len(chosen)] = chosen.reshape(len(chosen), taps, -1).transpose(2, 1, 0)
            parts.append(part.ravel())
            first += size
    return np.concatenate(parts)


def _weights_kernel(module: ir.Module, number: int, shape: _Shape) -> str:
    """A kernel that transforms the weights of one shape; a task is a channel."""
    name = f"winograd_weights_{number}"
    index = ir.IndexType.get()
    sizes = (n * shape.channels * shape.rows for n in (shape.taps**2, POINTS))
    buffers = [_function.memory_type(ir.F32Type.get(), size) for size in sizes]
    with ir.InsertionPoint(module.body):
        function = func.FuncOp(name, ir.FunctionType.get([*buffers, index, index], []), visibility="private")
    _function.mark_arguments(function, 2)
    with ir.InsertionPoint(function.add_entry_block()):
        source, target, first, last = function.arguments
        op = scf.ForOp(first, last, b.value(1), [])
        func.ReturnOp([])
    with ir.InsertionPoint(op.body):
        start = 0
        for segment in shape.segments:
            _segment(shape, segment, start, op.induction_variable, (source, target))
            start += segment.groups * segment.vectors * shape.lanes
        scf.yield_([])
    function.attributes["kernel.tasks"] = _function.i64(shape.channels)
    function.attributes["kernel.flops"] = _function.i64(0)
    function.attributes["kernel.facts"] = ir.DictAttr.get({"kind": ir.StringAttr.get("winograd weights")})
    return name


def _segment(shape: _Shape, segment: Segment, start: int, channel: b.Index, buffers: tuple[ir.Value, ir.Value]) -> None:
    """Transform the weights of one channel for a segment's rows, from the first buffer to the second."""
    source, target = buffers
    size, count = segment.vectors * shape.lanes, shape.taps**2
    kind = ir.VectorType.get([shape.lanes], source.type.element_type)

    def group(number: b.Index) -> None:
        row = b.add(b.mul(number, size), start)
        taps = b.add(b.mul(row, count * shape.channels), b.mul(channel, count * size))
        points = b.add(b.mul(row, POINTS * shape.channels), b.mul(channel, size))
        for v in range(segment.vectors):
            places = [b.value(b.add(taps, i * size + v * shape.lanes)) for i in range(count)]
            g = [vector.load(kind, source, [place]) for place in places]
            u = transform(
                FILTERS[shape.taps].filter_transform, [g[i : i + shape.taps] for i in range(0, count, shape.taps)]
            )
            for i, value in enumerate(x for row_ in u for x in row_):
                at = b.add(points, i * shape.channels * size + v * shape.lanes)
                vector.store(value, target, [b.value(at)])

    b.loop(0, segment.groups, 1, group)
