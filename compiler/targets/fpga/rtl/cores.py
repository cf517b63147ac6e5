"""Cores in Verilog: what multiplies activations with the codes of a quantiser and adds up.

In a lane a code meets an activation. `dsp` cores multiply. `fabric` cores shift and add, and negate by inverting bits: the one that is
still missing then is the carry into an adder of the tree, where it costs next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers import Apot, Esb, Fixed, Pot, Quantiser, Sp2
from cocomp.passes.math.quantisers.apot import TERMS

HIGH_SHIFT = 11
"""Where the second product of a packed one begins: beyond 4 by 5 bits, with their sign."""


@dataclass(frozen=True)
class Term:
    """A part of a numerator: `bits` bits of the code from `first` on choose one of `shifts`, None for zero."""

    first: int
    shifts: tuple[int | None, ...]

    @property
    def bits(self) -> int:
        return (len(self.shifts) - 1).bit_length()


def terms(quantiser: Quantiser) -> list[Term]:
    """The powers of two that numerators are sums of, for quantisers that are that."""
    if isinstance(quantiser, Pot):
        return [Term(0, (None, *range((1 << quantiser.bits - 1) - 1)))]
    if isinstance(quantiser, Sp2):
        first, second = quantiser.split
        deepest = (1 << first) - 1
        return [
            Term(low, (None, *(deepest - e for e in range(1, 1 << bits))))
            for low, bits in ((second, first), (0, second))
            if bits
        ]
    assert isinstance(quantiser, Apot)
    found, low = [], quantiser.bits - 1
    deepest = max(max(term) for term in TERMS[quantiser.bits])
    for exponents in TERMS[quantiser.bits]:
        low -= len(exponents).bit_length()
        found.append(Term(low, (None, *(deepest - e for e in exponents))))
    return found


def product_bits(quantiser: Quantiser, activation: IntegerType) -> int:
    """Of a product in a lane, as far as the accumulator has them: what a multiplier gives, or what the largest product needs."""
    if isinstance(quantiser, Fixed):
        return quantiser.bits + activation.bits + (not activation.signed)
    largest = quantiser.most * max(activation.high, -activation.low)
    return min(largest.bit_length() + 1, ACCUMULATOR_BITS)


def core(quantiser: Quantiser, activation: IntegerType, lanes: int) -> str:
    """A module `core_..`: in every cycle `lanes` activations and codes. A sum is in `acc` 2 + ceil(log2 lanes) cycles after them;
    with `first` in the cycle before, it begins anew at `bias`."""
    name, bits, width = quantiser.identifier, quantiser.bits, product_bits(quantiser, activation)
    levels = (lanes - 1).bit_length()
    leaves = 1 << levels
    body = _multiply(width, bits) if isinstance(quantiser, Fixed) else _shift_and_add(quantiser, width)
    parts = [
        f"""
// {lanes} products of activations {activation} and codes of {quantiser}, and their sum.
module core_{name} (
  input wire clk,
  input wire [{lanes * activation.bits - 1}:0] x,
  input wire [{lanes * bits - 1}:0] w,
  input wire first,
  input wire signed [{ACCUMULATOR_BITS - 1}:0] bias,
  output reg signed [{ACCUMULATOR_BITS - 1}:0] acc
);
{body}
  genvar i;
  reg [{leaves * width - 1}:0] sums0;
  reg [{leaves - 1}:0] ones0;
  generate for (i = 0; i < {leaves}; i = i + 1) begin : lane
    if (i < {lanes}) begin : used
      wire signed [{width - 1}:0] a = {_extended(activation)};
      wire [{bits - 1}:0] code = w[i * {bits} +: {bits}];
      always @(posedge clk) begin
        sums0[i * {width} +: {width}] <= product(a, code);
        ones0[i] <= {"1'b0" if isinstance(quantiser, Fixed) else f"code[{bits - 1}]"};
      end
    end else begin : unused
      always @(posedge clk) begin
        sums0[i * {width} +: {width}] <= {width}'d0;
        ones0[i] <= 1'b0;
      end
    end
  end endgenerate
"""
    ]
    for level in range(1, levels + 1):
        parts.append(_level(level, leaves >> level, width, min(width + 1, ACCUMULATOR_BITS)))
        width = min(width + 1, ACCUMULATOR_BITS)
    parts.append(f"""
  wire signed [{width - 1}:0] sum = sums{levels};
  wire signed [{ACCUMULATOR_BITS - 1}:0] start = first ? bias : acc;
  wire signed [{ACCUMULATOR_BITS}:0] left = {{start, 1'b1}};
  wire signed [{width}:0] right = {{sum, ones{levels}}};
  wire signed [{ACCUMULATOR_BITS}:0] both = left + right;
  always @(posedge clk) acc <= both[{ACCUMULATOR_BITS}:1];
endmodule
""")
    return "".join(parts)


def _extended(activation: IntegerType) -> str:
    """The activation of lane i, with its sign."""
    value = f"x[i * {activation.bits} +: {activation.bits}]"
    return f"$signed({value})" if activation.signed else f"$signed({{1'b0, {value}}})"


def _level(level: int, nodes: int, width: int, next_width: int) -> str:
    """Pairs of sums become one. Of the ones of a pair one is the carry, the other waits."""
    before, after = f"{level - 1}", f"{level}"
    return f"""
  reg [{nodes * next_width - 1}:0] sums{after};
  reg [{nodes - 1}:0] ones{after};
  generate for (i = 0; i < {nodes}; i = i + 1) begin : level{level}
    wire signed [{width}:0] left = {{sums{before}[2 * i * {width} +: {width}], 1'b1}};
    wire signed [{width}:0] right = {{sums{before}[(2 * i + 1) * {width} +: {width}], ones{before}[2 * i]}};
    wire signed [{next_width}:0] both = left + right;
    always @(posedge clk) begin
      sums{after}[i * {next_width} +: {next_width}] <= both[{next_width}:1];
      ones{after}[i] <= ones{before}[2 * i + 1];
    end
  end endgenerate
"""


def _multiply(width: int, bits: int) -> str:
    """Two's complement, but that the lowest code stands for the next."""
    return f"""
  function signed [{width - 1}:0] product(input signed [{width - 1}:0] a, input [{bits - 1}:0] code);
    reg signed [{bits - 1}:0] number;
    begin
      number = {{code[{bits - 1}:1], code[0] | (code == {bits}'d{1 << bits - 1})}};
      product = a * number;
    end
  endfunction
"""


def _shift_and_add(quantiser: Quantiser, width: int) -> str:
    """Magnitudes by shifts and sums, all their bits inverted where the sign is set."""
    bits = quantiser.bits
    head = f"  function signed [{width - 1}:0] product(input signed [{width - 1}:0] a, input [{bits - 1}:0] code);"
    sign = f"{{{width}{{code[{bits - 1}]}}}}"
    if isinstance(quantiser, Esb):
        fractions = [f"(code[{j}] ? a <<< {j} : {width}'sd0)" for j in range(quantiser.k)]
        return f"""
{head}
    reg signed [{width - 1}:0] significand;
    begin
      significand = {" + ".join([f"(code[{bits - 2}:{quantiser.k}] != 0 ? a <<< {quantiser.k} : {width}'sd0)", *fractions])};
{_choose("product", "significand", Term(quantiser.k, (0, *range((1 << quantiser.exponent_bits) - 1))), width)}
      product = product ^ {sign};
    end
  endfunction
"""
    chosen = terms(quantiser)
    names = [f"term{i}" for i in range(len(chosen))]
    declared = "".join(f"    reg signed [{width - 1}:0] {name};\n" for name in names)
    choices = "\n".join(_choose(name, "a", term, width) for name, term in zip(names, chosen, strict=True))
    total = f"{names[0]} ^ {sign}"
    for name in names[1:]:
        total = f"add({total}, {name} ^ {sign}, code[{bits - 1}])"
    adder = f"""
  function signed [{width - 1}:0] add(input signed [{width - 1}:0] a, input signed [{width - 1}:0] b, input carry);
    reg signed [{width}:0] both;
    begin
      both = {{a, 1'b1}} + {{b, carry}};
      add = both[{width}:1];
    end
  endfunction
"""
    return f"""{adder if len(chosen) > 1 else ""}
{head}
{declared}    begin
{choices}
      product = {total};
    end
  endfunction
"""


def _choose(target: str, source: str, term: Term, width: int) -> str:
    """`target` becomes `source`, shifted as the code says."""
    last, bits = term.first + term.bits - 1, term.bits
    field = f"code[{last}:{term.first}]" if bits > 1 else f"code[{last}]"
    cases = "\n".join(
        f"        {bits}'d{value}: {target} = {f'{width}{chr(39)}sd0' if shift is None else f'{source} <<< {shift}'};"
        for value, shift in enumerate(term.shifts)
    )
    return f"      case ({field})\n{cases}\n      endcase"


def packed_products(activation: IntegerType) -> str:
    """A module that multiplies two weights of four bits with one activation of four, in one multiplier of a DSP48: the weights stand
    side by side, and where the lower product is negative the upper one lacks a one."""
    extended = "$signed(x)" if activation.signed else "$signed({1'b0, x})"
    return f"""
module packed_products (
  input wire [3:0] x,
  input wire signed [3:0] w0,
  input wire signed [3:0] w1,
  output wire signed [8:0] p0,
  output wire signed [8:0] p1
);
  wire signed [4:0] a = {extended};
  wire signed [15:0] both = (w1 <<< {HIGH_SHIFT}) + w0;
  wire signed [20:0] product = both * a;
  assign p0 = product[8:0];
  assign p1 = product[19:{HIGH_SHIFT}] + product[{HIGH_SHIFT - 1}];
endmodule
"""
