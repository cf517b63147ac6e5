"""Cores in HLS C++: what multiplies an activation with a code of a quantiser.

`dsp` cores multiply in a DSP. `fabric` cores choose among sums of shifted activations, and negate.
"""

from __future__ import annotations

import numpy as np

from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.quantisers import Fixed, Quantiser


def product_bits(quantiser: Quantiser, activation: IntegerType) -> int:
    """Of the widest product, with its sign."""
    largest = quantiser.most * max(activation.high, -activation.low)
    return largest.bit_length() + 1


def core(quantiser: Quantiser, activation: IntegerType) -> str:
    """A function `multiply_..(code, x)`."""
    name, width = quantiser.identifier, product_bits(quantiser, activation)
    signature = (
        f"static inline ap_int<{width}> multiply_{name}(ap_uint<{quantiser.bits}> code, activation_t x) {{\n"
        "#pragma HLS INLINE\n"
    )
    if isinstance(quantiser, Fixed):
        return f"""// {quantiser}: a multiplier. The lowest code stands for the next, as the set is symmetric.
{signature}  ap_int<{quantiser.bits}> number = code == {1 << quantiser.bits - 1} ? {1 - (1 << quantiser.bits - 1)} : (int)code;
  ap_int<{width}> product = number * x;
#pragma HLS BIND_OP variable=product op=mul impl={quantiser.core}
  return product;
}}
"""
    return f"""// {quantiser}: shifts and adders.
{signature}  ap_int<{width}> product = 0;
#pragma HLS BIND_OP variable=product op=add impl={quantiser.core}
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
