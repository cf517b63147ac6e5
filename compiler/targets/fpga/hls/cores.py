"""Cores in HLS C++: what multiplies an activation with codes of a quantiser.

Fixed numbers are multiplied, in a DSP, in LUTs (`fabric`), or two of them at once in one DSP (`packed`). Cores of the others choose among
sums of shifted activations, and negate.
"""

from __future__ import annotations

import numpy as np

from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.quantisers import Fixed, Quantiser

PACKED_SHIFT = 11
"""Bits that two packed weights are apart: products of the lower one take 8, with their sign."""


def product_bits(quantiser: Quantiser, activation: IntegerType) -> int:
    """Of the widest product, with its sign."""
    largest = quantiser.most * max(activation.high, -activation.low)
    return largest.bit_length() + 1


def core(quantiser: Quantiser, activation: IntegerType, where: str, name: str) -> str:
    """A function `multiply_NAME(code, x)`, which `packed` cores have as `multiply_NAME(first, second, x, low, high)`. Raises ValueError for
    products that cannot be made there."""
    if isinstance(quantiser, Fixed):
        number = _number(quantiser, name)
        if where == "packed":
            return number + _packed(quantiser, activation, name)
        return number + _multiplier(quantiser, activation, where, name)
    if where != "fabric":
        raise ValueError(f"expected products of {quantiser} in fabric, got {where}")
    return _shifts(quantiser, activation, name)


def _number(quantiser: Fixed, name: str) -> str:
    bits = quantiser.bits
    return f"""// {quantiser}: the lowest code stands for the next, as the set is symmetric.
static inline ap_int<{bits}> number_{name}(ap_uint<{bits}> code) {{
#pragma HLS INLINE
  return code == {1 << bits - 1} ? {1 - (1 << bits - 1)} : (int)code;
}}

"""


def _multiplier(quantiser: Fixed, activation: IntegerType, where: str, name: str) -> str:
    width = product_bits(quantiser, activation)
    return f"""static inline ap_int<{width}> multiply_{name}(ap_uint<{quantiser.bits}> code, activation_t x) {{
#pragma HLS INLINE
  ap_int<{width}> product = number_{name}(code) * x;
#pragma HLS BIND_OP variable=product op=mul impl={where}
  return product;
}}
"""


def _packed(quantiser: Fixed, activation: IntegerType, name: str) -> str:
    width = product_bits(quantiser, activation)
    if activation.signed or width >= PACKED_SHIFT:
        raise ValueError(
            f"expected packed products of at most {PACKED_SHIFT - 1} bits, got {width} of {quantiser} with {activation}"
        )
    weights, both = quantiser.bits + PACKED_SHIFT, width + PACKED_SHIFT
    return f"""// Two products in one multiplier: the lower one is the lowest bits with their sign, which the higher one has one too few of where it is negative.
static inline void multiply_{name}(ap_uint<{quantiser.bits}> first, ap_uint<{quantiser.bits}> second, activation_t x, ap_int<{width}> &low, ap_int<{width}> &high) {{
#pragma HLS INLINE
  ap_int<{weights}> numbers = (int)number_{name}(second) * {1 << PACKED_SHIFT} + (int)number_{name}(first);
  ap_int<{both}> product = numbers * x;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
  ap_int<{PACKED_SHIFT}> lowest(product);
  low = ap_int<{width}>(lowest);
  high = ap_int<{width}>((product >> {PACKED_SHIFT}) + (lowest < 0 ? 1 : 0));
}}
"""


def _shifts(quantiser: Quantiser, activation: IntegerType, name: str) -> str:
    width = product_bits(quantiser, activation)
    return f"""// {quantiser}: shifts and adders.
static inline ap_int<{width}> multiply_{name}(ap_uint<{quantiser.bits}> code, activation_t x) {{
#pragma HLS INLINE
  ap_int<{width}> product = 0;
#pragma HLS BIND_OP variable=product op=add impl=fabric
  switch ((int)code & {(1 << quantiser.bits - 1) - 1}) {{
{_cases(quantiser)}  default: break;
  }}
  return (int)code >> {quantiser.bits - 1} ? ap_int<{width}>(-product) : product;
}}
"""


def _cases(quantiser: Quantiser) -> str:
    """A case for each magnitude that is not zero."""
    table: np.ndarray = quantiser.table[: 1 << quantiser.bits - 1]
    lines: list[str] = []
    for code, numerator in enumerate(table.tolist()):
        bits = [e for e in range(numerator.bit_length()) if numerator >> e & 1]
        if bits:
            shifted = " + ".join(f"(int)x * {1 << e}" if e else "(int)x" for e in bits)  # C++14 shifts nothing negative
            lines.append(f"  case {code}: product = {shifted}; break;\n")
    return "".join(lines)
