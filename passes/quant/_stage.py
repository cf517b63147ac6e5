"""The loops of a stage: what they read, and the sweep that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cocomp.dialects import hls
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator import IntegerType, points
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import arith, ir
from cocomp.support.passes import State

from ._atoms import Array, Atom, Factor, Form, Scaling, type_for

Map = tuple[Expr, ...]


@dataclass(eq=False)
class Stored:
    """A tensor of integers: what it is for the examples, and what one stands for."""

    value: ir.Value
    array: Array
    kind: IntegerType
    scale: Factor
    """A number, or one for each element, of the tensor's rank."""


@dataclass(eq=False)
class Stage:
    """Loops of some bounds, and what has been read in them so far."""

    bounds: tuple[int, ...]
    loads: dict[tuple[int, Map, int], Form] = field(default_factory=dict[tuple[int, Map, int], Form])

    def gather(self, array: Array, index: Map, fill: float = 0) -> Array:
        """`array[index]` at all points (`points.gather`)."""
        return points.gather(array, index, self.bounds, fill)

    def load(self, stored: Stored, index: Map, fill: float | None) -> Form:
        """An element of a tensor; `fill` is what there is outside of it, None where nothing outside is read."""
        code = _code(stored, fill)
        key = (id(stored), index, code)
        if key not in self.loads:
            array = self.gather(stored.array, index, code)
            low, high = min(stored.kind.low, code), max(stored.kind.high, code)
            atom = Atom("load", array, low, high, data=(stored.value, index, code))
            scale = (
                self.gather(np.broadcast_to(stored.scale, stored.array.shape), index)
                if np.ndim(stored.scale)
                else stored.scale
            )
            self.loads[key] = Form({atom: _narrow(scale)})
        return self.loads[key]


def _narrow(factor: Factor) -> Factor:
    """One number where all are alike; an extent of one where nothing changes along an axis."""
    if np.ndim(factor) == 0:
        return float(factor)
    array = np.asarray(factor)
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if array.shape[axis] > 1 and (array == first).all():
            array = first
    return float(array.reshape(-1)[0]) if array.size == 1 else array


def _code(stored: Stored, fill: float | None) -> int:
    """The integer that stands for what is outside of a tensor."""
    if not fill:
        return 0
    if np.isneginf(fill):
        return stored.kind.low
    if np.ndim(stored.scale):
        raise ValueError(f"a border of {fill:g} around a tensor whose rows have scales of their own")
    return round(fill / float(stored.scale))


class Emitter:
    """The sweep of an atom."""

    def __init__(self, stage: Stage, name: str, state: State) -> None:
        self.stage, self.name, self.state = stage, name, state
        self.inputs: list[tuple[ir.Value, Map, int]] = []
        self.arrays: dict[int, int] = {}
        self.loads: dict[Atom, int] = {}
        self.made: dict[Atom, ir.Value] = {}
        self.arguments: Sequence[ir.Value] = ()

    def sweep(self, atom: Atom, index: Map, shape: Sequence[int], combine: str, kind: IntegerType) -> ir.Value:
        """What is at each point goes to `index` of a tensor of a shape."""
        self._collect(atom, set())

        def body(*arguments: ir.Value) -> ir.Value:
            self.arguments = arguments
            return self._build(atom)

        return hls.sweep(self.inputs, index, self.stage.bounds, combine, hls.tensor_type(shape, kind), body)

    def _collect(self, atom: Atom, seen: set[Atom]) -> None:
        if atom in seen:
            return
        seen.add(atom)
        if atom.kind == "load":
            self.loads[atom] = len(self.inputs)
            self.inputs.append(atom.data)  # pyright: ignore[reportArgumentType]
        for operand in atom.operands:
            self._collect(operand, seen)
        if atom.kind == "scaled":
            scaling = _scaling(atom)
            for array in (*scaling.multipliers, scaling.offset):
                if array.size > 1:
                    self.arrays[id(array)] = len(self.inputs)
                    self.inputs.append(self._numbers(array))

    def _numbers(self, array: Array) -> tuple[ir.Value, Map, int]:
        """Numbers that change along some loops, as a constant tensor."""
        axes = [axis for axis, extent in enumerate(array.shape) if extent > 1]
        shape = [array.shape[axis] for axis in axes]
        name = self.state.weights.add(f"{self.name}:numbers", array.reshape(shape))
        kind = type_for(int(array.min()), int(array.max()))
        return hls.constant(name, shape, kind), tuple(affine.dim(axis) for axis in axes), 0

    def _build(self, atom: Atom) -> ir.Value:
        if atom not in self.made:
            self.made[atom] = self._built(atom)
        return self.made[atom]

    def _built(self, atom: Atom) -> ir.Value:
        if atom.kind == "load":
            return self.arguments[self.loads[atom]]
        operands = [self._build(a) for a in atom.operands]
        if atom.kind == "scaled":
            return self._scaled(_scaling(atom), operands)
        if atom.kind == "product":
            return arith.muli(*operands)
        if atom.kind in ("max", "min"):
            if isinstance(atom.data, int):
                operands.append(_integer(atom.data))
            return (arith.maxsi if atom.kind == "max" else arith.minsi)(*operands)
        if atom.kind == "select":
            predicate = {"eq": 0, "ne": 1, "slt": 2, "sle": 3, "sgt": 4, "sge": 5}[str(atom.data)]
            return arith.select(arith.cmpi(predicate, operands[0], operands[1]), operands[2], operands[3])
        assert atom.kind == "table", atom.kind
        index, table = atom.data  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        name = self.state.weights.add(f"{self.name}:table", table)  # pyright: ignore[reportUnknownArgumentType]
        return hls.table(operands[0], name, index.first, index.mantissa)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def _scaled(self, scaling: Scaling, operands: Sequence[ir.Value]) -> ir.Value:
        total: ir.Value | None = None
        for operand, multiplier in zip(operands, scaling.multipliers, strict=True):
            term = operand if _is(multiplier, 1) else arith.muli(operand, self._number(multiplier))
            total = term if total is None else arith.addi(total, term)
        if total is None or not _is(scaling.offset, 0):
            offset = self._number(scaling.offset)
            total = offset if total is None else arith.addi(total, offset)
        return arith.shrsi(total, _integer(scaling.shift)) if scaling.shift else total

    def _number(self, array: Array) -> ir.Value:
        if array.size > 1:
            return self.arguments[self.arrays[id(array)]]
        return _integer(int(array.reshape(-1)[0]))


def _scaling(atom: Atom) -> Scaling:
    return atom.data[0]  # pyright: ignore[reportIndexIssue, reportUnknownVariableType]


def _is(array: Array, number: int) -> bool:
    return array.size == 1 and int(array.reshape(-1)[0]) == number


def _integer(number: int) -> ir.Value:
    wide = ir.IntegerType.get_signless(64)
    return arith.constant(wide, ir.IntegerAttr.get(wide, number))
