"""What parts of an accelerator cost, in LUTs and DSPs, and in energy: data.

LUTs and DSPs of cores and of the requantiser are counts of yosys 0.23 for Xilinx's 7 series, of netlists that were simulated
(`benchmarks.fpga_cores`); a LUT of yosys is not one of Vivado. What is called judgement here was not measured.
"""

from __future__ import annotations

import numpy as np

from cocomp.passes.math.quantisers import Fixed, Quantiser

YOSYS = "0.23"
MULTIPLIERS = ("fabric", "dsp", "packed")
"""Where products are made: of LUTs, in a DSP each, or two in one DSP, of two rows that share an activation."""
PACKED_BITS = 4
"""Of the operands, at most, where two products share a DSP."""

CORE_LUTS: dict[tuple[str, str, int], dict[int, int]] = {
    ("fixed<4>", "fabric", 4): {4: 160, 8: 299, 16: 568, 32: 1087, 64: 2113},
    ("fixed<4>", "dsp", 4): {4: 64, 8: 107, 16: 194, 32: 369},
    ("fixed<8>", "fabric", 4): {4: 282, 8: 542, 16: 1047, 32: 2117},
    ("fixed<8>", "dsp", 4): {4: 84, 8: 151, 16: 284, 32: 552},
    ("pot<4>", "fabric", 4): {4: 134, 8: 249, 16: 480, 32: 943},
    ("sp2<4>", "fabric", 4): {4: 105, 8: 188, 16: 355, 32: 690},
    ("apot<4>", "fabric", 4): {4: 116, 8: 211, 16: 402, 32: 785},
    ("esb<4, 1>", "fabric", 4): {4: 128, 8: 235, 16: 450, 32: 881},
    ("fixed<4>", "fabric", 8): {4: 312, 16: 1166},
    ("fixed<4>", "dsp", 8): {4: 76, 16: 254},
    ("fixed<8>", "fabric", 8): {4: 548, 16: 2160},
    ("fixed<8>", "dsp", 8): {4: 96, 16: 344},
    ("pot<4>", "fabric", 8): {4: 218, 16: 827},
    ("sp2<4>", "fabric", 8): {4: 149, 16: 543},
    ("apot<4>", "fabric", 8): {4: 176, 16: 654},
    ("esb<4, 1>", "fabric", 8): {4: 188, 16: 702},
}
"""(quantiser, where its products are, bits of unsigned activations) -> LUTs of the core of one row by lanes: products, the tree that
adds them up, and the accumulator."""
PACKED_LUTS = 5
"""Of two products in a DSP, beside those of `dsp` cores: what puts weights together and products apart."""

REQUANTISER_LUTS, REQUANTISER_DSPS = 262, 2
"""To four bits, unsigned."""
ROW_LUTS, CHOICE_LUTS = 37, 11
"""For each row of a tile: bias and factor, of 55 bits and two tiles, in the LUTs' own memory, 6 bits in 4 LUTs. And for each sum that a
requantiser chooses among, of 32 bits: a LUT puts one of four bits in the place of three. Judgement."""
ROW_BYTES, STEP_BYTES = 16, 48
"""Of a row's bias, factor and place in DDR, and of what a step is."""

MASTERS, MASTER_LUTS = 7, 700
"""Masters of the memory: bundles of ports, each with its bursts. Judgement."""
CONTROL_LUTS, CONTROL_BRAMS = 1000 + MASTERS * MASTER_LUTS, 11
"""Counters, registers for the processor, and the masters, of which four are as wide as a word. Judgement."""
UNIT_LUTS, UNIT_DSPS, ADD_LUTS, MULTIPLY_DSPS = 400, 4, 32, 1
"""Of the hardware of a sweep: its counters and addresses, with strides that layers may differ in; of each addition and multiplication of a
point. Judgement."""
TABLE_BITS_IN_LUTS = 4096
"""Larger tables are in block RAM, which two points share; smaller ones in LUTs of 64 bits."""

LUT_PICOJOULES = 0.05
"""Of a LUT in a cycle. An addition of 8 bits takes 0.03 pJ at 45 nm (Horowitz, ISSCC 2014), logic of an FPGA 14 times as much (Kuon and
Rose, 2007), over 8 LUTs."""
DSP_PICOJOULES = 3.0
"""Of a product. One of 32 bits takes 3.1 pJ at 45 nm (Horowitz); that of a DSP is half as large, its wires longer: judgement."""
BRAM_PICOJOULES = 10.0
"""Of a read of a block RAM of 36 Kbit: that of a cache of 8 kB, 64 bits wide, at 45 nm (Horowitz)."""
DDR_PICOJOULES = 160.0
"""Of a byte: 1.3 nJ for 64 bits (Horowitz)."""


def core_luts(quantiser: Quantiser, multipliers: str, activation_bits: int, lanes: int) -> float:
    """LUTs for one row, on lines between and beyond the lanes that were measured. Raises ValueError for cores that were not, and for
    products that cannot be packed."""
    if multipliers == "packed":
        bits = max(quantiser.bits, activation_bits)
        if not isinstance(quantiser, Fixed) or bits > PACKED_BITS:
            raise ValueError(
                f"expected fixed<{PACKED_BITS}> and activations of {PACKED_BITS} bits at most where products are packed, got "
                f"{quantiser} and {activation_bits}"
            )
        return core_luts(quantiser, "dsp", activation_bits, lanes) + PACKED_LUTS * lanes / 2
    known = CORE_LUTS.get((str(quantiser), multipliers, activation_bits))
    if known is None:
        measured = ", ".join(f"{text} in {where} for {bits}" for text, where, bits in CORE_LUTS)
        raise ValueError(
            f"the cost of {quantiser} with products in {multipliers} for activations of {activation_bits} bits is not known, only "
            f"that of {measured}"
        )
    at = sorted(known)
    first = min(max(int(np.searchsorted(at, lanes)), 1), len(at) - 1) - 1
    low, high = at[first], at[first + 1]
    return known[low] + (known[high] - known[low]) * (lanes - low) / (high - low)


def core_dsps(multipliers: str, lanes: int) -> float:
    """DSPs for one row, of an even number of rows where products are packed."""
    return {"fabric": 0.0, "dsp": float(lanes), "packed": lanes / 2}[multipliers]


def legal_multipliers(quantiser: Quantiser, activation_bits: int) -> list[str]:
    """Where products of a quantiser can be, of what was measured."""
    found = [where for where in MULTIPLIERS if (str(quantiser), where, activation_bits) in CORE_LUTS]
    packable = isinstance(quantiser, Fixed) and max(quantiser.bits, activation_bits) <= PACKED_BITS
    return [*found, "packed"] if packable and "dsp" in found else found


def block_rams(width: np.ndarray | int, depth: np.ndarray | int) -> np.ndarray:
    """Block RAMs of 36 Kbit of a memory that is read word by word, in halves: the shape of the halves that needs fewest."""
    width, depth = np.asarray(width), np.asarray(depth)
    shapes = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
    counts = [-(-width // wide) * -(-depth // deep) for wide, deep in shapes]
    return np.minimum.reduce(counts) / 2
