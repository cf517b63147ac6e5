"""Sweeps of a network in HLS C++: functions of nested loops, one for those that differ in numbers alone, with integers as wide as they have to
be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator.costs import is_narrow
from cocomp.passes.math.accelerator.stages import NARROW
from cocomp.passes.math.affine import Dim, Expr, FloorDiv

from .network import Array, Network, Step, Sweep, Tensor
from .sharing import Shared, array, factor, number, share, summand, width

SIGNED = {8: "signed char", 16: "short", 32: "int"}
UNSIGNED = {8: "unsigned char", 16: "unsigned short", 32: "unsigned"}
NONE = {"add": "0", "max": "-(1LL << 62)"}
PORTS = "const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32"
Interval = tuple[int, int]


def functions(network: Network) -> list[Shared]:
    """Of all sweeps."""
    return share([(s.name, function(s, network)) for s in network.stages if isinstance(s, Sweep)])


def header(found: Sequence[Shared]) -> str:
    """`sweeps.h`."""
    lines = "".join(f"void {f.name}({PORTS}{f.parameters});\n" for f in found)
    return f'#pragma once\n#include "types.h"\n\n{lines}'


def tables(found: Sequence[Shared], network: Network) -> str:
    """`tables.h`: constants and tables."""
    parts = ["// Numbers that sweeps read.\n#pragma once\n"]
    known = {
        name: np.asarray(array, np.int64).reshape(-1) for name, array in (network.numbers | network.orders).items()
    }
    for tensor in (s.y for s in network.stages):
        if tensor.order:
            known[f"{tensor.order}:channels"] = channels_of(network.orders[tensor.order], tensor.extent)
    for name, stored in {name: stored for f in found for name, stored in f.arrays.items()}.items():
        arrays = [known[n] for n in stored]
        length = max(map(len, arrays))
        flat = np.concatenate([np.pad(a, (0, length - len(a))) for a in arrays])
        rows = (", ".join(map(str, flat[i : i + 16].tolist())) for i in range(0, len(flat), 16))
        extents = f"[{length}]" if len(arrays) == 1 else f"[{len(arrays)}][{length}]"
        parts.append(f"static const {_number_type(flat)} {name}{extents} = {{\n" + ",\n".join(rows) + "};\n")
    return "\n".join(parts)


def _number_type(flat: Array) -> str:
    low, high = int(flat.min(initial=0)), int(flat.max(initial=0))
    for bits in (8, 16):
        if -(1 << bits - 1) <= low and high < 1 << bits - 1:
            return SIGNED[bits]
    return "int"


def channels_of(order: Array, extent: int) -> Array:
    """The channel at each place of an order; the first one where there is none."""
    found = np.zeros(extent, np.int64)
    found[order] = np.arange(len(order))
    return found


def source(found: Sequence[Shared], network: Network) -> str:
    """`sweeps.cpp`."""
    texts = "\n".join(_function(f, network) for f in found)
    return f"""#include "sweeps.h"
#include "tables.h"

// The entry of a table for a magnitude: small ones have one each, of larger ones the bits that lead count.
static inline int magnitude(unsigned long long number, int mantissa) {{
#pragma HLS INLINE
  int shift = 0;
  for (int i = 0; i < 48; i++) {{
#pragma HLS UNROLL
    if (number >> (mantissa + 1 + i))
      shift = i + 1;
  }}
  return (int)(number >> shift) + (shift << mantissa);
}}

static inline long long rest(long long number, long long divisor) {{ return (number % divisor + divisor) % divisor; }}
static inline long long quotient(long long number, long long divisor) {{ return (number - rest(number, divisor)) / divisor; }}

{texts}"""


def _function(found: Shared, network: Network) -> str:
    """With what it is for."""
    members = [s for s in network.stages if isinstance(s, Sweep) and s.name in found.calls]
    told = "".join(f"// {s.where or s.name}: {' x '.join(map(str, s.bounds)) or '1'} points.\n" for s in members)
    return f"{told}void {found.name}({PORTS}{found.parameters}) {{\n#pragma HLS INLINE off\n{found.text}}}\n"


def function(sweep: Sweep, network: Network) -> str:
    """The marked body of a sweep: `unroll` neighbouring elements of the result at once, along the axis that is innermost in memory."""
    outer = [d for d in range(len(sweep.bounds)) if d not in sweep.reductions]
    vector = vector_of(sweep)
    body = _Body(sweep, network, vector)
    lines, result = body.lines()
    opened = [_loop(d, sweep.bounds[d]) for d in outer if d != vector]
    nested = [_loop(d, sweep.bounds[d]) for d in sweep.reductions]
    extent = 1 if vector < 0 else sweep.y.extent if sweep.y.order else sweep.bounds[vector]
    is_tabled = is_narrow([len(network.numbers[s.table]) for s in sweep.steps if s.table])
    wide = min(network.design.unroll, extent, NARROW if is_tabled else extent)
    chunk = f"for (int first = 0; first < {number(extent)}; first += {wide}) {{\n"
    lanes = f"for (int u = 0; u < {wide}; u++) {{\n#pragma HLS UNROLL\n"
    start = "" if vector < 0 else f"const int d{vector} = first + u;\n"
    if vector >= 0 and extent % wide:
        start += f"if (d{vector} < {number(extent)}) {{\n"
    inside = start + body.channel()
    ends = "}\n" * (2 if vector >= 0 and extent % wide else 1)
    pipeline = "#pragma HLS PIPELINE II=1\n"
    store = _stored(sweep, vector)
    if not sweep.reductions:
        text = chunk + pipeline + lanes + inside + "".join(lines) + store(result) + ends + "}\n"
    else:
        update = (
            f"total[u] = total[u] + {result};\n"
            if sweep.combine == "add"
            else f"if ({result} > total[u])\ntotal[u] = {result};\n"
        )
        text = (
            chunk
            + f"long long total[{wide}];\n#pragma HLS ARRAY_PARTITION variable=total complete\n"
            + f"for (int u = 0; u < {wide}; u++)\ntotal[u] = {NONE[sweep.combine]};\n"
            + "".join(nested)
            + pipeline
            + lanes
            + inside
            + "".join(lines)
            + update
            + ends
            + "}\n" * len(nested)
            + lanes
            + start
            + store("total[u]")
            + ends
            + "}\n"
        )
    text = "".join(opened) + text + "}\n" * len(opened)
    return _indented(text)


def vector_of(sweep: Sweep) -> int:
    """The loop along which neighbouring elements of the result lie side by side; -1 where there is none."""
    y = sweep.y
    axis = y.axis if y.axis >= 0 else len(y.shape) - 1
    found = hls.line_of(sweep.written, sweep.bounds, axis)
    along = found >= 0 and structured.dim_of(sweep.written[axis]) == found and sweep.bounds[found] == y.shape[axis]
    assert along or not y.order, "what has an order is written along it"
    return found


def _loop(dim: int, extent: int) -> str:
    return f"for (int d{dim} = 0; d{dim} < {number(extent)}; d{dim}++) {{\n"


def _indented(text: str) -> str:
    """Lines with their nesting."""
    depth, found = 1, list[str]()
    for line in text.splitlines():
        if line.startswith("}"):
            depth -= 1
        found.append(line if line.startswith("#") else "  " * depth + line)
        if line.endswith("{"):
            depth += 1
    return "\n".join(found) + "\n"


def _stored(sweep: Sweep, vector: int) -> Callable[[str], str]:
    y = sweep.y
    at = y.offset + sum((e * s for e, s in zip(sweep.written, y.strides, strict=True)), Expr())
    place = c_expr(at, sweep.bounds, vector)

    def store(result: str) -> str:
        if y.width == 8:
            return f"out8[{place}] = (byte_t)({result} & 255);\n"
        return f"out{y.width}[{place}] = ({SIGNED[y.width]})(long long){result};\n"

    return store


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


class _Body:
    """The statements of a body, with the smallest and largest value of each number."""

    def __init__(self, sweep: Sweep, network: Network, vector: int) -> None:
        self.sweep, self.network, self.vector = sweep, network, vector
        self.name = "channel" if sweep.y.order else ""
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
        return f"const int channel = {array(self.sweep.y.order + ':channels')}[d{self.vector}];\n"

    def _in_place(self, tensor: Tensor, index: tuple[Expr, ...]) -> bool:
        """Whether a tensor has its channels where the result has them, or none that change."""
        along = [self.vector in e.dims() for e in index]
        if not tensor.order:
            return not self.sweep.y.order or not any(along)
        same = tensor.order == self.sweep.y.order and sum(along) == 1
        return same and structured.dim_of(index[tensor.axis]) == self.vector

    def _read(self, tensor: Tensor, index: tuple[Expr, ...], fill: int) -> str:
        bounds, name = self.sweep.bounds, self.name
        if self._in_place(tensor, index):
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
            place += f" + {array(tensor.order)}[{channel}]"
        if tensor.name:
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
        ends = int(table.min()), int(table.max())
        made = step.index(len(table))
        wide = f"(long long){index}"
        if not made.mantissa:
            return f"{array(name)}[{wide} - {number(made.first)}]", ends
        if made.first >= 0:
            return f"{array(name)}[magnitude({wide}, {number(made.mantissa)})]", ends
        negative = f"{number(made.half)} + magnitude(-{wide}, {number(made.mantissa)})"
        return f"{array(name)}[{index} < 0 ? {negative} : magnitude({wide}, {number(made.mantissa)})]", ends
