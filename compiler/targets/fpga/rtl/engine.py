"""The engine in Verilog: cores of all quantisers work on the same activations, in the same cycles.

A step is a tile of columns of one pixel. Steps go through the columns, then the pixels, then the tiles of rows; every one reads a word
of activations, and for every quantiser a word of weights. What is read from files is what `files` writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocomp.passes.math.accelerator import Gemm, Tiles
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers.dyadic import MOST_SHIFT, MULTIPLIER_BITS

from .cores import core

GROUPS = ("coarse", "fine", "wide")
"""Names of the places of quantisers."""
FACTOR_BITS = MULTIPLIER_BITS + 1
SHIFT_BITS = MOST_SHIFT.bit_length()


@dataclass(frozen=True)
class Shape:
    """A product, how it is tiled, and of how many pixels."""

    gemm: Gemm
    tiles: Tiles
    pixels: int

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ValueError("expected at least one pixel")

    @property
    def places(self) -> list[int]:
        """Quantisers that have rows, and so cores."""
        return [place for place in range(3) if self.gemm.counts[place]]

    @property
    def row_tiles(self) -> int:
        return self.tiles.steps(self.gemm)[0]

    @property
    def column_tiles(self) -> int:
        return self.tiles.steps(self.gemm)[1]

    @property
    def slots(self) -> int:
        """Rows that are computed at once."""
        return sum(self.tiles.rows[place] for place in self.places)


def design(shape: Shape) -> str:
    """All modules; the top one is `engine`."""
    gemm = shape.gemm
    used = dict.fromkeys(gemm.quantisers[place].identifier for place in shape.places)
    for place in shape.places:
        quantiser = gemm.quantisers[place]
        used[quantiser.identifier] = core(quantiser, gemm.activation, shape.tiles.lanes)
    return "".join(
        [
            MEMORY,
            *map(str, used.values()),
            requantiser(gemm.output.bits, gemm.output.low, gemm.output.high),
            _engine(shape),
        ]
    )


MEMORY = """\
// Words that are read a cycle after their address.
module memory #(parameter WIDTH = 1, parameter WORDS = 1, parameter ADDRESS = 1, parameter FILE = "") (
  input wire clk,
  input wire [ADDRESS - 1:0] address,
  output reg [WIDTH - 1:0] word
);
  reg [WIDTH - 1:0] words [0:WORDS - 1];
  initial $readmemh(FILE, words);
  always @(posedge clk) word <= words[address];
endmodule
"""


def requantiser(bits: int, low: int, high: int) -> str:
    """A module that scales sums to outputs, halves up, and saturates, in three cycles."""
    product = ACCUMULATOR_BITS + FACTOR_BITS
    total = product + 1
    return f"""
module requantise (
  input wire clk,
  input wire signed [{ACCUMULATOR_BITS - 1}:0] acc,
  input wire signed [{FACTOR_BITS - 1}:0] multiplier,
  input wire [{SHIFT_BITS - 1}:0] shift,
  output reg [{bits - 1}:0] out
);
  reg signed [{product - 1}:0] product;
  reg signed [{total - 1}:0] rounded;
  reg [{SHIFT_BITS - 1}:0] shift1, shift2;
  wire signed [{total - 1}:0] half = {total}'sd1 <<< (shift1 - {SHIFT_BITS}'d1);
  wire signed [{total - 1}:0] shifted = rounded >>> shift2;
  always @(posedge clk) begin
    product <= acc * multiplier;
    shift1 <= shift;
    rounded <= product + (shift1 == {SHIFT_BITS}'d0 ? {total}'sd0 : half);
    shift2 <= shift1;
    if (shifted < {_signed(low, total)}) out <= {_bits(low, bits)};
    else if (shifted > {_signed(high, total)}) out <= {_bits(high, bits)};
    else out <= shifted[{bits - 1}:0];
  end
endmodule
"""


def _engine(shape: Shape) -> str:
    gemm, lanes = shape.gemm, shape.tiles.lanes
    acc, out = shape.slots * ACCUMULATOR_BITS, shape.slots * gemm.output.bits
    summed = 2 + (lanes - 1).bit_length()
    columns, pixels, row_tiles = shape.column_tiles, shape.pixels, shape.row_tiles
    column_bits, pixel_bits, tile_bits = address_bits(columns), address_bits(pixels), address_bits(row_tiles)
    x_bits, w_bits = address_bits(columns * pixels), address_bits(columns * row_tiles)
    stages = summed + 4
    groups, slot = [], 0
    for place in shape.places:
        groups.append(_group(shape, place, slot, summed, tile_bits, w_bits))
        slot += shape.tiles.rows[place]
    return f"""
// {gemm.rows} rows, {gemm.columns} columns, {pixels} pixels: {row_tiles} x {columns} x {pixels} steps.
module engine (
  input wire clk,
  input wire rst,
  output wire acc_valid,
  output wire [{acc - 1}:0] acc,
  output wire out_valid,
  output wire [{out - 1}:0] out,
  output reg [31:0] cycles
);
  reg running;
  reg [{column_bits - 1}:0] column;
  reg [{pixel_bits - 1}:0] pixel;
  reg [{tile_bits - 1}:0] tile;
  reg [{x_bits - 1}:0] x_address;
  reg [{w_bits - 1}:0] w_address, w_first;
  wire last_column = column == {column_bits}'d{columns - 1};
  wire last_pixel = last_column && pixel == {pixel_bits}'d{pixels - 1};
  wire last_tile = last_pixel && tile == {tile_bits}'d{row_tiles - 1};
  always @(posedge clk) begin
    if (rst) begin
      running <= 1'b1;
      column <= {column_bits}'d0;
      pixel <= {pixel_bits}'d0;
      tile <= {tile_bits}'d0;
      x_address <= {x_bits}'d0;
      w_address <= {w_bits}'d0;
      w_first <= {w_bits}'d0;
    end else if (running) begin
      running <= !last_tile;
      column <= last_column ? {column_bits}'d0 : column + {column_bits}'d1;
      pixel <= last_pixel ? {pixel_bits}'d0 : last_column ? pixel + {pixel_bits}'d1 : pixel;
      tile <= last_pixel ? tile + {tile_bits}'d1 : tile;
      x_address <= last_pixel ? {x_bits}'d0 : x_address + {x_bits}'d1;
      w_address <= last_column && !last_pixel ? w_first : w_address + {w_bits}'d1;
      if (last_pixel) w_first <= w_address + {w_bits}'d1;
    end
  end

  // What goes with a step through the pipeline: bit or field i is what it was i + 1 cycles ago.
  reg [{stages - 1}:0] firsts, lasts, finals;
  reg [{summed * tile_bits - 1}:0] tiles;
  always @(posedge clk) begin
    firsts <= {{firsts[{stages - 2}:0], column == {column_bits}'d0}};
    lasts <= rst ? {stages}'d0 : {{lasts[{stages - 2}:0], running && last_column}};
    finals <= rst ? {stages}'d0 : {{finals[{stages - 2}:0], running && last_tile}};
    tiles <= {{tiles[{(summed - 1) * tile_bits - 1}:0], tile}};
  end
  assign acc_valid = lasts[{summed}];
  assign out_valid = lasts[{summed + 3}];
  reg finished;
  always @(posedge clk) begin
    finished <= !rst && (finished || finals[{summed + 2}]);
    if (rst) cycles <= 32'd0;
    else if (!finished) cycles <= cycles + 32'd1;
  end

  wire [{lanes * gemm.activation.bits - 1}:0] x;
  memory #(.WIDTH({lanes * gemm.activation.bits}), .WORDS({columns * pixels}), .ADDRESS({x_bits}), .FILE("x.hex"))
    activations (.clk(clk), .address(x_address), .word(x));
{"".join(groups)}endmodule
"""


def _group(shape: Shape, place: int, slot: int, summed: int, tile_bits: int, w_bits: int) -> str:
    """Memories, cores and requantisers of one quantiser, whose rows begin at a slot."""
    name, quantiser, rows = GROUPS[place], shape.gemm.quantisers[place], shape.tiles.rows[place]
    word = shape.tiles.lanes * quantiser.bits
    out = shape.gemm.output.bits
    factor = FACTOR_BITS + SHIFT_BITS
    words = shape.row_tiles
    acc_slice = f"acc[({slot} + {name}_row) * {ACCUMULATOR_BITS} +: {ACCUMULATOR_BITS}]"
    return f"""
  wire [{rows * word - 1}:0] {name}_w;
  wire [{rows * ACCUMULATOR_BITS - 1}:0] {name}_bias;
  wire [{rows * factor - 1}:0] {name}_factor;
  memory #(.WIDTH({rows * word}), .WORDS({words * shape.column_tiles}), .ADDRESS({w_bits}), .FILE("{name}_weights.hex"))
    {name}_weights (.clk(clk), .address(w_address), .word({name}_w));
  memory #(.WIDTH({rows * ACCUMULATOR_BITS}), .WORDS({words}), .ADDRESS({tile_bits}), .FILE("{name}_bias.hex"))
    {name}_biases (.clk(clk), .address(tiles[{summed - 2} * {tile_bits} +: {tile_bits}]), .word({name}_bias));
  memory #(.WIDTH({rows * factor}), .WORDS({words}), .ADDRESS({tile_bits}), .FILE("{name}_factors.hex"))
    {name}_factors (.clk(clk), .address(tiles[{summed - 1} * {tile_bits} +: {tile_bits}]), .word({name}_factor));
  genvar {name}_row;
  generate for ({name}_row = 0; {name}_row < {rows}; {name}_row = {name}_row + 1) begin : {name}
    core_{quantiser.identifier} mac (
      .clk(clk), .x(x), .w({name}_w[{name}_row * {word} +: {word}]), .first(firsts[{summed - 1}]),
      .bias({name}_bias[{name}_row * {ACCUMULATOR_BITS} +: {ACCUMULATOR_BITS}]), .acc({acc_slice})
    );
    requantise scale (
      .clk(clk), .acc({acc_slice}),
      .multiplier({name}_factor[{name}_row * {factor} + {SHIFT_BITS} +: {FACTOR_BITS}]),
      .shift({name}_factor[{name}_row * {factor} +: {SHIFT_BITS}]), .out(out[({slot} + {name}_row) * {out} +: {out}])
    );
  end endgenerate
"""


def address_bits(words: int) -> int:
    """Of the address of a memory."""
    return max(1, (words - 1).bit_length())


def _signed(value: int, bits: int) -> str:
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


def _bits(value: int, bits: int) -> str:
    return f"{bits}'d{value % (1 << bits)}"
