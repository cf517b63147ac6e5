"""The bodies of sweeps in HLS C++, with integers as wide as they have to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator.memories import Memory, bits_of
from cocomp.passes.math.affine import Dim, Expr, FloorDiv

from .lanes import Lanes, in_place
from .network import Array, Map, Network, Step, Sweep, Tensor
from .sharing import array, factor, number, summand, width

SIGNED = {8: "signed char", 16: "short", 32: "int"}
UNSIGNED = {8: "unsigned char", 16: "unsigned short", 32: "unsigned"}
Interval = tuple[int, int]


@dataclass(frozen=True)
class Stored:
    """Integers that sweeps read on chip: anywhere, as tables, or in order, neighbours at once."""

    values: Array
    anywhere: bool

    @property
    def memory(self) -> Memory:
        return Memory("", len(self.values), bits_of(self.values), self.anywhere)


def channels_of(order: Array, extent: int) -> Array:
    """The channel at each place of an order; the first one where there is none."""
    found = np.zeros(extent, np.int64)
    found[order] = np.arange(len(order))
    return found


def c_expr(expr: Expr, bounds: Sequence[int], vector: int = -1, name: str = "") -> str:
    """An index in C++, marked; `name` is what the loop `vector` counts, d3 and such without one. Divisors are not marked."""
    parts: list[str] = []
    for atom, coefficient in expr.terms:
        if isinstance(atom, Dim):
            if bounds[atom.index] == 1 and atom.index != vector:
                continue
            text = name if atom.index == vector and name else f"d{atom.index}"
        else:
            inner, negative = c_expr(atom.operand, bounds, vector, name), affine.interval(atom.operand, bounds)[0] < 0
            divides = isinstance(atom, FloorDiv)
            if negative:
                text = f"{'quotient' if divides else 'rest'}({inner}, {atom.divisor})"
            else:
                text = f"({inner}) {'/' if divides else '%'} {atom.divisor}"
            text = f"({text})"
        parts.append(text + factor(coefficient))
    return " + ".join(parts) + summand(expr.constant) if parts else number(expr.constant)


def _type(ends: Interval) -> str:
    low, high = ends
    return f"ap_int<{width(max((~low).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1)}>"


class Body:
    """The statements of a body, with the smallest and largest value of each number."""

    def __init__(self, sweep: Sweep, network: Network, lanes: Lanes, arrays: dict[str, Stored]) -> None:
        self.sweep, self.network, self.lanes, self.arrays = sweep, network, lanes, arrays
        self.vector = lanes.vector
        self.name = "channel" if lanes.order else ""
        """What the channel of the model is called where the loop counts places of an order."""
        self.names: list[str] = []
        self.ends: list[Interval] = []

    def lines(self) -> tuple[list[str], str]:
        """Statements, and the name of what they yield."""
        found: list[str] = []
        for place, (tensor, index, fill) in enumerate(self.sweep.reads):
            self.names.append(f"a{place}")
            self.ends.append((min(tensor.kind.low, fill), max(tensor.kind.high, fill)))
            found.append(f"{_type(self.ends[-1])} a{place} = {self._read(tensor, index, fill)};\n")
        for place, step in enumerate(self.sweep.steps):
            text, ends = self._computed(step)
            if step.name == "arith.constant":
                name = text
            elif step.name == "arith.cmpi":
                name = f"({text})"
            else:
                name = f"v{place}"
                found.append(f"{_type(ends)} v{place}({text});\n")
            self.names.append(name)
            self.ends.append(ends)
        return found, self.names[self.sweep.result]

    def channel(self) -> str:
        """The statement that finds the channel, where something needs it."""
        if not self.name or all(self._in_place(t, i) for t, i, _ in self.sweep.reads):
            return ""
        return f"const int channel = {self.stored(self.lanes.order + ':channels')}[d{self.vector}];\n"

    def stored(self, name: str) -> str:
        """What an order has at its places, marked: `channels`, or whether these are `used`."""
        order, _, what = name.rpartition(":")
        places = self.network.orders[order]
        values = channels_of(places, self.lanes.extent)
        if what == "used":
            values = np.isin(np.arange(self.lanes.extent), places).astype(np.int64)
        self.arrays[name] = Stored(values, False)
        return array(name)

    def _in_place(self, tensor: Tensor, index: Map) -> bool:
        if tensor.offset < 0 and self._has_order(index):
            return True
        return in_place(tensor, index, self.vector, self.lanes.order)

    def _has_order(self, index: Map) -> bool:
        """Whether a constant is stored with channels where the result has them, beside which it is read."""
        axis = hls.constant_axis(index, self.vector)
        return self.lanes.order != "" and axis >= 0 and structured.dim_of(index[axis]) == self.vector

    def _laid(self, tensor: Tensor, index: Map) -> Tensor:
        """A constant as it is stored: what neighbours read lies side by side, in whole words."""
        axis, order = hls.constant_axis(index, self.vector), self.lanes.order if self._has_order(index) else ""
        values = self.network.numbers[tensor.name].reshape(tensor.shape)
        anywhere = axis < 0 and any(self.vector in e.dims() for e in index)
        axes = [*(a for a in range(values.ndim) if a != axis), *([axis] if axis >= 0 else [])]
        values = values.transpose(axes)
        if order:
            places = self.network.orders[order]
            placed = np.zeros((*values.shape[:-1], self.lanes.extent), values.dtype)
            placed[..., places] = values
            values = placed
        if axis >= 0 and values.size > values.shape[-1]:
            words = -values.shape[-1] % self.lanes.wide
            values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, words)])
        strides = {a: prod(values.shape[n + 1 :]) for n, a in enumerate(axes)}
        is_same = not order and values.shape == tensor.shape
        name = tensor.name if is_same and axes == sorted(axes) else f"{tensor.name}|{axis}|{order}|{values.shape[-1]}"
        self.arrays[name] = Stored(values.reshape(-1), anywhere)
        return replace(tensor, name=name, strides=tuple(strides[a] for a in range(len(axes))))

    def _read(self, tensor: Tensor, index: Map, fill: int) -> str:
        bounds, name = self.sweep.bounds, self.name
        if tensor.offset < 0:
            is_in_place, tensor = self._in_place(tensor, index), self._laid(tensor, index)
        else:
            is_in_place = self._in_place(tensor, index)
        if is_in_place:
            name = ""
            terms = list(zip(index, tensor.strides, strict=True))
            axis = -1
        else:
            axis = tensor.axis if tensor.order else -1
            terms = [(e, s) for a, (e, s) in enumerate(zip(index, tensor.strides, strict=True)) if a != axis]
        at = sum((e * s for e, s in terms), Expr((), max(tensor.offset, 0)))
        place = c_expr(at, bounds, self.vector, name)
        if axis >= 0:
            channel = c_expr(index[axis], bounds, self.vector, name)
            ends = affine.interval(index[axis], bounds)
            if ends[0] < 0 or ends[1] >= tensor.shape[axis]:
                channel = f"({channel}) < 0 || ({channel}) >= {number(tensor.shape[axis])} ? 0 : {channel}"
            self.arrays[tensor.order] = Stored(self.network.orders[tensor.order], True)
            place += f" + {array(tensor.order)}[{channel}]"
        if tensor.offset < 0:
            text = f"{array(tensor.name)}[{place}]"
        else:
            kind = SIGNED if tensor.kind.signed else UNSIGNED
            text = f"({kind[tensor.width]})in{tensor.width}[{place}]"
        tests: list[str] = []
        for expr, extent in zip(index, tensor.shape, strict=True):
            low, high = affine.interval(expr, bounds)
            if low < 0:
                tests.append(f"{c_expr(expr, bounds, self.vector, name)} >= 0")
            if high >= extent:
                tests.append(f"{c_expr(expr, bounds, self.vector, name)} < {number(extent)}")
        return f"{' && '.join(tests)} ? {text} : {number(fill)}" if tests else text

    def _computed(self, step: Step) -> tuple[str, Interval]:
        names, ends = [self.names[n] for n in step.operands], [self.ends[n] for n in step.operands]
        if step.name == "arith.constant":
            return number(step.number), (step.number, step.number)
        if step.name == "hls.table":
            return self._table(step, names[0])
        if step.name == "arith.cmpi":
            return f"{names[0]} {('==', '!=', '<', '<=', '>', '>=')[step.number]} {names[1]}", (0, 1)
        if step.name == "arith.select":
            return self._choice(names[0], names[1:], ends[1:])
        (a, b), (p, q) = names, ends
        if step.name == "arith.addi":
            return f"{a} + {b}", (p[0] + q[0], p[1] + q[1])
        if step.name == "arith.muli":
            corners = [x * y for x in p for y in q]
            cast = f"(ap_int<{width(max(abs(c) for c in corners).bit_length() + 1)}>)"
            return f"{cast}{a} * {cast}{b}", (min(corners), max(corners))
        if step.name == "arith.shrsi":
            return f"{a} >> {b}", (p[0] >> q[0], p[1] >> q[0])
        choose = max if step.name == "arith.maxsi" else min
        sign = ">" if step.name == "arith.maxsi" else "<"
        text, _ = self._choice(f"{a} {sign} {b}", [a, b], [p, q])
        return text, (choose(p[0], q[0]), choose(p[1], q[1]))

    @staticmethod
    def _choice(test: str, names: Sequence[str], ends: Sequence[Interval]) -> tuple[str, Interval]:
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        cast = f"({_type((low, high))})"
        return f"{test} ? {cast}{names[0]} : {cast}{names[1]}", (low, high)

    def _table(self, step: Step, index: str) -> tuple[str, Interval]:
        name = step.table
        table = self.network.numbers[name]
        self.arrays[name] = Stored(table, True)
        ends = int(table.min()), int(table.max())
        made = step.index(len(table))
        wide = f"(long long){index}"
        if not made.mantissa:
            return f"{array(name)}[{wide} - {number(made.first)}]", ends
        if made.first >= 0:
            return f"{array(name)}[magnitude({wide}, {number(made.mantissa)})]", ends
        negative = f"{number(made.half)} + magnitude(-{wide}, {number(made.mantissa)})"
        return f"{array(name)}[{index} < 0 ? {negative} : magnitude({wide}, {number(made.mantissa)})]", ends
