"""Sweeps of a network in HLS C++: functions of nested loops, one for those that differ in numbers alone, with integers as wide as they have to
be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm, prod

import numpy as np

from cocomp.passes.math.accelerator.memories import LOADED_AT_ONCE, bits_of, is_loaded, stored_bits
from cocomp.passes.math.affine import Expr

from .bodies import SIGNED, Body, Stored, c_expr
from .lanes import Lanes
from .network import Array, Network, Sweep
from .packing import Packed
from .sharing import Shared, number, share

NONE = {"add": "0", "max": "-(1LL << 62)"}
PORTS = "const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32"


@dataclass(frozen=True)
class Functions:
    """Of all sweeps, and the arrays that these read, by their names."""

    shared: list[Shared]
    arrays: dict[str, Stored]


def functions(network: Network, packed: Packed) -> Functions:
    """Of all sweeps; arrays that are loaded are added to the parameters."""
    arrays: dict[str, Stored] = {}
    sweeps = {s.name: s for s in network.stages if isinstance(s, Sweep)}
    texts = [(name, function(sweep, network, arrays)) for name, sweep in sweeps.items()]
    places: dict[tuple[str, int], int] = {}

    def load(names: Sequence[str], members: Sequence[str]) -> dict[str, int] | None:
        memories = [arrays[n].memory for n in names]
        if not is_loaded(memories, min(prod(sweeps[m].bounds) for m in members)):
            return None
        length = -(-max(m.entries for m in memories) // LOADED_AT_ONCE) * LOADED_AT_ONCE
        for name in names:
            if (name, length) not in places:
                places[name, length] = packed.add(arrays[name].values, length)
        return {name: places[name, length] for name in names}

    return Functions(share(texts, load), arrays)


def header(found: Functions) -> str:
    """`sweeps.h`."""
    lines = "".join(f"void {f.name}({PORTS}{f.parameters});\n" for f in found.shared)
    return f'#pragma once\n#include "types.h"\n\n{lines}'


def tables(found: Functions) -> str:
    """`tables.h`: arrays that are on chip all the time."""
    parts = ["// Numbers that sweeps read.\n#pragma once\n"]
    for name, stored in {n: stored for f in found.shared for n, stored in f.arrays.items() if n not in f.loads}.items():
        arrays = [found.arrays[n].values for n in stored]
        length = max(map(len, arrays))
        flat = np.concatenate([np.pad(a, (0, length - len(a))) for a in arrays])
        rows = (", ".join(map(str, flat[i : i + 16].tolist())) for i in range(0, len(flat), 16))
        extents = f"[{length}]" if len(arrays) == 1 else f"[{len(arrays)}][{length}]"
        parts.append(f"static const {_number_type(flat)} {name}{extents} = {{\n" + ",\n".join(rows) + "};\n")
    return "\n".join(parts)


def _number_type(flat: Array) -> str:
    return SIGNED[stored_bits(bits_of(flat))]


def source(found: Functions, network: Network) -> str:
    """`sweeps.cpp`."""
    texts = "\n".join(_function(f, found, network) for f in found.shared)
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


def _function(shared: Shared, found: Functions, network: Network) -> str:
    """With what it is for."""
    members = [s for s in network.stages if isinstance(s, Sweep) and s.name in shared.calls]
    told = "".join(f"// {s.where or s.name}: {' x '.join(map(str, s.bounds)) or '1'} points.\n" for s in members)
    wide = Lanes.of(members[0], network).wide
    arrays = "".join(_array(name, shared, found, wide) for name in shared.arrays)
    head = f"void {shared.name}({PORTS}{shared.parameters}) {{\n#pragma HLS INLINE off\n"
    return f"{told}{head}{_indented(arrays) if arrays else ''}{shared.text}}}\n"


def _array(name: str, shared: Shared, found: Functions, wide: int) -> str:
    """What a function says of an array: neighbours that are read at once are a word of its memory, and those that are loaded at once."""
    stored = [found.arrays[n] for n in shared.arrays[name]]
    at_once = 1 if stored[0].anywhere else wide
    if name not in shared.loads:
        dim = 2 if len(stored) > 1 else 1
        return f"#pragma HLS ARRAY_RESHAPE variable={name} cyclic factor={at_once} dim={dim}\n" if at_once > 1 else ""
    at_once = lcm(at_once, LOADED_AT_ONCE)
    quads = -(-max(len(s.values) for s in stored) // LOADED_AT_ONCE)
    bits = max(bits_of(s.values) for s in stored)
    return f"""ap_int<{bits}> {name}[{quads * LOADED_AT_ONCE}];
#pragma HLS ARRAY_RESHAPE variable={name} cyclic factor={at_once} dim=1
for (int n = 0; n < {quads}; n++) {{
#pragma HLS PIPELINE II=1
const four_t four = parameters[{shared.loads[name]} + n];
for (int u = 0; u < {LOADED_AT_ONCE}; u++) {{
#pragma HLS UNROLL
{name}[{LOADED_AT_ONCE} * n + u] = four.at[u];
}}
}}
"""


def function(sweep: Sweep, network: Network, arrays: dict[str, Stored]) -> str:
    """The marked body of a sweep: one nest of loops, whose innermost computes `wide` points at once. Adds the arrays that it reads."""
    lanes = Lanes.of(sweep, network)
    body = Body(sweep, network, lanes, arrays)
    lines, result = body.lines()
    vector, wide, extent = lanes.vector, lanes.wide, lanes.extent
    outer = [d for d in range(len(sweep.bounds)) if d not in sweep.reductions and d != vector]
    nested = [d for d in sweep.reductions if d != vector]
    chunk = f"for (int first = 0; first < {number(extent)}; first += {wide}) {{\n"
    loops = [_loop(d, sweep.bounds[d]) for d in outer]
    inner = [_loop(d, sweep.bounds[d]) for d in nested]
    loops += [*inner, chunk] if lanes.is_folded else [chunk, *inner]
    start = "" if vector < 0 else f"const int d{vector} = first + u;\n"
    tests = [f"d{vector} < {number(extent)}"] if extent % wide else []
    if lanes.is_folded and lanes.order:
        tests.append(f"{body.stored(lanes.order + ':used')}[d{vector}]")
    if tests:
        start += f"if ({' && '.join(tests)}) {{\n"
    ends = "}\n" * (2 if tests else 1)
    each = f"for (int u = 0; u < {wide}; u++) {{\n#pragma HLS UNROLL\n"
    store = _stored(sweep, vector)
    inside = start + body.channel() + "".join(lines)
    if not sweep.reductions:
        text = (
            "".join(loops) + "#pragma HLS PIPELINE II=1\n" + each + inside + store(result) + ends + "}\n" * len(loops)
        )
        return _indented(text)
    begins = " && ".join([f"d{d} == 0" for d in nested] + ["first == 0"] * lanes.is_folded) or "true"
    last = [f"d{d} == {number(sweep.bounds[d] - 1)}" for d in nested]
    last += [f"first + {wide} >= {number(extent)}"] * lanes.is_folded
    over = " && ".join(last) or "true"
    text = (
        f"long long total[{wide}];\n#pragma HLS ARRAY_PARTITION variable=total complete\n"
        + "".join(loops)
        + f"#pragma HLS PIPELINE II=1\nconst bool begins = {begins}, ends = {over};\n"
        + each
        + f"if (begins) total[u] = {NONE[sweep.combine]};\n"
        + inside
        + _combined(sweep.combine, "total[u]", result)
    )
    if lanes.is_folded:
        text += (
            ends
            + "if (ends) {\nlong long all = total[0];\n"
            + f"for (int u = 1; u < {wide}; u++) {{\n#pragma HLS UNROLL\n"
        )
        text += _combined(sweep.combine, "all", "total[u]") + "}\n" + store("all") + "}\n"
    else:
        text += "if (ends) {\n" + store("total[u]") + "}\n" + ends
    return _indented(text + "}\n" * len(loops))


def _combined(combine: str, total: str, with_what: str) -> str:
    if combine == "add":
        return f"{total} = {total} + {with_what};\n"
    return f"if ({with_what} > {total}) {total} = {with_what};\n"


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
