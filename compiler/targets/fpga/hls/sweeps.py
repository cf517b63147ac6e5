"""Sweeps of a network in HLS C++: a function of nested loops for each, with integers as wide as they have to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Dim, Expr, FloorDiv
from cocomp.support.mlir import ir, ops_in

from .network import Array, Network, Sweep, Tensor, index_of

SIGNED = {8: "signed char", 16: "short", 32: "int"}
UNSIGNED = {8: "unsigned char", 16: "unsigned short", 32: "unsigned"}
NONE = {"add": "0", "max": "-(1LL << 62)"}
PORTS = "const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32"
Interval = tuple[int, int]


def header(sweeps: Sequence[Sweep]) -> str:
    """`sweeps.h`."""
    functions = "".join(f"void {s.name}({PORTS});\n" for s in sweeps)
    return f'#pragma once\n#include "types.h"\n\n{functions}'


def tables(network: Network) -> str:
    """`tables.h`: constants and tables."""
    parts = ["// Numbers that sweeps read.\n#pragma once\n"]
    for name, array in network.numbers.items():
        flat = np.asarray(array, np.int64).reshape(-1)
        rows = (", ".join(map(str, flat[i : i + 16].tolist())) for i in range(0, len(flat), 16))
        parts.append(f"static const {_number_type(flat)} {word(name)}[{len(flat)}] = {{\n" + ",\n".join(rows) + "};\n")
    return "\n".join(parts)


def _number_type(flat: Array) -> str:
    low, high = int(flat.min(initial=0)), int(flat.max(initial=0))
    for bits in (8, 16):
        if -(1 << bits - 1) <= low and high < 1 << bits - 1:
            return SIGNED[bits]
    return "int"


def word(name: str) -> str:
    """A name of the store as one of C++."""
    return "n_" + "".join(c if c.isalnum() else "_" for c in name)


def source(network: Network, unroll: int) -> str:
    """`sweeps.cpp`."""
    sweeps = [s for s in network.stages if isinstance(s, Sweep)]
    functions = "\n".join(function(s, network, unroll) for s in sweeps)
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

{functions}"""


def function(sweep: Sweep, network: Network, unroll: int) -> str:
    """A sweep."""
    outer = [d for d in range(len(sweep.bounds)) if d not in sweep.reductions]
    body = _Body(sweep, network)
    lines, result = body.lines()
    shape = " x ".join(map(str, sweep.bounds)) or "1"
    factor = f"#pragma HLS UNROLL factor={unroll}\n" if unroll > 1 else ""
    pipeline = f"#pragma HLS PIPELINE II=1\n{factor}"
    store = _stored(sweep.y, affine.linearize, sweep)
    opened = [_loop(d, sweep.bounds[d]) for d in outer]
    if not sweep.reductions:
        last = opened.pop() if opened else "{\n"
        inner = last + pipeline + "".join(lines) + store(result)
        text = "".join(opened) + inner + "}\n" * (len(opened) + 1)
    else:
        nested = [_loop(d, sweep.bounds[d]) for d in sweep.reductions]
        update = f"total = total + {result};\n" if sweep.combine == "add" else f"if ({result} > total)\ntotal = {result};\n"
        text = (
            "".join(opened)
            + f"long long total = {NONE[sweep.combine]};\n"
            + "".join(nested)
            + pipeline
            + "".join(lines)
            + update
            + "}\n" * len(nested)
            + store("total")
            + "}\n" * len(opened)
        )
    return f"// {sweep.where or sweep.name}: {shape} points.\nvoid {sweep.name}({PORTS}) {{\n" + _indented(text) + "}\n"


def _loop(dim: int, extent: int) -> str:
    return f"for (int d{dim} = 0; d{dim} < {extent}; d{dim}++) {{\n"


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


def _stored(y: Tensor, _linearize: object, sweep: Sweep):  # noqa: ANN202  # pyright: ignore[reportUnknownParameterType]
    at = y.offset + sum((e * s for e, s in zip(sweep.written, y.strides, strict=True)), Expr())
    place = c_expr(at, sweep.bounds)

    def store(result: str) -> str:
        if y.width == 8:
            return f"out8[{place}] = (byte_t)({result} & 255);\n"
        return f"out{y.width}[{place}] = ({SIGNED[y.width]})(long long){result};\n"

    return store


def c_expr(expr: Expr, bounds: Sequence[int]) -> str:
    """An index in C++."""
    parts: list[str] = []
    for atom, coefficient in expr.terms:
        if isinstance(atom, Dim):
            if bounds[atom.index] == 1:
                continue
            text = f"d{atom.index}"
        else:
            inner, negative = c_expr(atom.operand, bounds), affine.interval(atom.operand, bounds)[0] < 0
            divides = isinstance(atom, FloorDiv)
            if negative:
                text = f"{'quotient' if divides else 'rest'}({inner}, {atom.divisor})"
            else:
                text = f"({inner}) {'/' if divides else '%'} {atom.divisor}"
            text = f"({text})"
        parts.append(text if coefficient == 1 else f"{text} * {coefficient}")
    if expr.constant or not parts:
        parts.append(str(expr.constant))
    return " + ".join(parts)


class _Body:
    """The statements of a body, with the smallest and largest value of each number."""

    def __init__(self, sweep: Sweep, network: Network) -> None:
        self.sweep, self.network = sweep, network
        self.names: dict[ir.Value, str] = {}
        self.ends: dict[ir.Value, Interval] = {}

    def lines(self) -> tuple[list[str], str]:
        """Statements, and the name of what they yield."""
        found: list[str] = []
        for number, (argument, (tensor, index, fill)) in enumerate(zip(self.sweep.body.arguments, self.sweep.reads, strict=True)):
            self.names[argument] = f"a{number}"
            low, high = tensor.kind.low, tensor.kind.high
            self.ends[argument] = min(low, fill), max(high, fill)
            found.append(f"{self._type(argument)} a{number} = {self._read(tensor, index, fill)};\n")
        for number, op in enumerate(ops_in(self.sweep.body)):
            if op.name == "hls.yield":
                return found, self.names[op.operands[0]]
            value = op.results[0]
            text, self.ends[value] = self._computed(op)
            if op.name == "arith.constant":
                self.names[value] = text
            elif op.name == "arith.cmpi":
                self.names[value] = f"({text})"
            else:
                self.names[value] = f"v{number}"
                found.append(f"{self._type(value)} v{number}({text});\n")
        raise AssertionError("a body without an end")

    def _type(self, value: ir.Value) -> str:
        low, high = self.ends[value]
        return f"ap_int<{max((~low).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1}>"

    def _read(self, tensor: Tensor, index: tuple[Expr, ...], fill: int) -> str:
        bounds = self.sweep.bounds
        at = sum((e * s for e, s in zip(index, tensor.strides, strict=True)), Expr((), max(tensor.offset, 0)))
        place = c_expr(at, bounds)
        if tensor.name:
            text = f"{word(tensor.name)}[{place}]"
        else:
            kind = SIGNED if tensor.kind.signed else UNSIGNED
            text = f"({kind[tensor.width]})in{tensor.width}[{place}]"
        tests: list[str] = []
        for expr, extent in zip(index, tensor.shape, strict=True):
            low, high = affine.interval(expr, bounds)
            if low < 0:
                tests.append(f"{c_expr(expr, bounds)} >= 0")
            if high >= extent:
                tests.append(f"{c_expr(expr, bounds)} < {extent}")
        return f"{' && '.join(tests)} ? {text} : {fill}" if tests else text

    def _computed(self, op: ir.Operation) -> tuple[str, Interval]:
        operands = list(op.operands)
        names, ends = [self.names[v] for v in operands], [self.ends[v] for v in operands]
        if op.name == "arith.constant":
            number = op.attributes["value"].value
            return _literal(number), (number, number)
        if op.name == "hls.table":
            return self._table(op, names[0])
        if op.name == "arith.cmpi":
            sign = ("==", "!=", "<", "<=", ">", ">=")[op.attributes["predicate"].value]
            return f"{names[0]} {sign} {names[1]}", (0, 1)
        if op.name == "arith.select":
            return self._choice(names[0], names[1:], ends[1:])
        (a, b), (p, q) = names, ends
        if op.name == "arith.addi":
            return f"{a} + {b}", (p[0] + q[0], p[1] + q[1])
        if op.name == "arith.muli":
            corners = [x * y for x in p for y in q]
            width = max(abs(c) for c in corners).bit_length() + 1
            return f"(ap_int<{width}>){a} * (ap_int<{width}>){b}", (min(corners), max(corners))
        if op.name == "arith.shrsi":
            return f"{a} >> {b}", (p[0] >> q[0], p[1] >> q[0])
        choose = max if op.name == "arith.maxsi" else min
        sign = ">" if op.name == "arith.maxsi" else "<"
        text, _ = self._choice(f"{a} {sign} {b}", [a, b], [p, q])
        return text, (choose(p[0], q[0]), choose(p[1], q[1]))

    @staticmethod
    def _choice(test: str, names: Sequence[str], ends: Sequence[Interval]) -> tuple[str, Interval]:
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        width = max((~low).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1
        cast = f"(ap_int<{width}>)"
        return f"{test} ? {cast}{names[0]} : {cast}{names[1]}", (low, high)

    def _table(self, op: ir.Operation, index: str) -> tuple[str, Interval]:
        name = op.attributes["values"].value
        table = self.network.numbers[name]
        ends = int(table.min()), int(table.max())
        made = index_of(op, len(table))
        number = f"(long long){index}"
        if not made.mantissa:
            return f"{word(name)}[{number} - {_literal(made.first)}]", ends
        if made.first >= 0:
            return f"{word(name)}[magnitude({number}, {made.mantissa})]", ends
        negative = f"{made.half} + magnitude(-{number}, {made.mantissa})"
        return f"{word(name)}[{index} < 0 ? {negative} : magnitude({number}, {made.mantissa})]", ends


def _literal(number: int) -> str:
    text = str(number) if abs(number) < 1 << 31 else f"{number}LL"
    return f"({text})" if number < 0 else text
