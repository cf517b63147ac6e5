"""What stands beside the engine: the contents of its memories, what it has to compute, and a test bench that compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator import Gemm, Tiles
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS

from .engine import FACTOR_BITS, GROUPS, SHIFT_BITS, Shape, design

Array = np.ndarray
NO_ROW = (1 << 32) - 1
"""In `rows.hex`: nothing is compared."""
SOURCE, BENCH = "engine.v", "bench.sv"


def write(gemm: Gemm, tiles: Tiles, x: Array, folder: Path) -> None:
    """The engine, its test bench and all files that they read. `x` is int[K, pixels]. Raises ValueError where `Gemm.run` does, and
    without pixels."""
    sums, outputs = gemm.accumulate(x), gemm.run(x)
    shape = Shape(gemm, tiles, x.shape[1])
    rows = slots(shape)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SOURCE).write_text(design(shape))
    (folder / BENCH).write_text(test_bench(shape))
    write_hex(folder / "x.hex", _activations(shape, x), shape.tiles.lanes * gemm.activation.bits)
    for place in shape.places:
        _write_group(shape, place, folder)
    write_hex(folder / "rows.hex", (NO_ROW if row < 0 else row for row in rows.flat), 32)
    write_hex(folder / "golden_acc.hex", _golden(rows, sums, ACCUMULATOR_BITS), ACCUMULATOR_BITS)
    write_hex(folder / "golden_out.hex", _golden(rows, outputs, gemm.output.bits), gemm.output.bits)


def slots(shape: Shape) -> Array:
    """The row of the model that is computed in a slot of a tile of rows, -1 for none: int64[tiles, slots]."""
    return np.concatenate([_rows_of(shape, place) for place in shape.places], axis=1)


def _rows_of(shape: Shape, place: int) -> Array:
    """The same for one quantiser: int64[tiles, its slots]."""
    found = np.full((shape.row_tiles, shape.tiles.rows[place]), -1, np.int64)
    rows = shape.gemm.group(place)
    found.flat[: len(rows)] = rows
    return found


def _activations(shape: Shape, x: Array) -> Iterable[int]:
    """A word for each pixel and tile of columns, padded with zeros."""
    lanes = shape.tiles.lanes
    padded = np.zeros((shape.column_tiles * lanes, shape.pixels), np.int64)
    padded[: shape.gemm.columns] = x
    for words in padded.T.reshape(-1, lanes):
        yield joined(words, shape.gemm.activation.bits)


def _write_group(shape: Shape, place: int, folder: Path) -> None:
    """Weights, a word for each tile of rows and of columns; biases and factors, a word for each tile of rows."""
    gemm, lanes, name, bits = shape.gemm, shape.tiles.lanes, GROUPS[place], shape.gemm.quantisers[place].bits
    rows = _rows_of(shape, place)
    weights, biases, factors = [], [], []
    for tile in rows:
        codes = np.zeros((len(tile), shape.column_tiles * lanes), np.int64)
        codes[tile >= 0, : gemm.columns] = gemm.codes[tile[tile >= 0]]
        by_column = codes.reshape(len(tile), -1, lanes).swapaxes(0, 1)
        weights += [joined(words.ravel(), bits) for words in by_column]
        biases.append(joined([int(gemm.bias[row]) if row >= 0 else 0 for row in tile], ACCUMULATOR_BITS))
        factors.append(joined([_factor(gemm, row) if row >= 0 else 0 for row in tile], FACTOR_BITS + SHIFT_BITS))
    write_hex(folder / f"{name}_weights.hex", weights, len(rows[0]) * lanes * bits)
    write_hex(folder / f"{name}_bias.hex", biases, len(rows[0]) * ACCUMULATOR_BITS)
    write_hex(folder / f"{name}_factors.hex", factors, len(rows[0]) * (FACTOR_BITS + SHIFT_BITS))


def _factor(gemm: Gemm, row: int) -> int:
    """Multiplier above, shift below."""
    factor = gemm.factors[row]
    return factor.multiplier << SHIFT_BITS | factor.shift


def _golden(rows: Array, values: Array, bits: int) -> Iterable[int]:
    """What slots have to compute: by tile of rows, pixel, slot."""
    for tile in rows:
        of_slots = np.where(tile[:, None] >= 0, values[tile], 0)
        yield from (int(value) % (1 << bits) for value in of_slots.T.flat)


def joined(values: Sequence[int] | Array, bits: int) -> int:
    """Numbers side by side in a word, the first one lowest."""
    return sum((int(value) % (1 << bits)) << bits * i for i, value in enumerate(values))


def write_hex(path: Path, words: Iterable[int], bits: int) -> None:
    """A file for $readmemh."""
    digits = -(-bits // 4)
    path.write_text("".join(f"{word:0{digits}x}\n" for word in words))


def test_bench(shape: Shape) -> str:
    """SystemVerilog that compares every sum and every output, ends at the first that is wrong, naming row and pixel of the model, and
    prints the cycles. Also ends, as wrong, where the engine takes too long."""
    slots, output = shape.slots, shape.gemm.output
    words = shape.row_tiles * shape.pixels * slots
    limit = 2 * shape.tiles.cycles(shape.gemm, shape.pixels) + 100
    compared = "".join(
        _compare(name, what, bits, signed, shape.pixels, slots)
        for name, what, bits, signed in (
            ("acc", "sum", ACCUMULATOR_BITS, True),
            ("out", "output", output.bits, output.signed),
        )
    )
    return f"""\
module bench;
  reg clk = 1'b0, rst = 1'b1;
  always #5 clk = !clk;
  wire acc_valid, out_valid;
  wire [{slots * ACCUMULATOR_BITS - 1}:0] acc;
  wire [{slots * output.bits - 1}:0] out;
  wire [31:0] cycles;
  engine dut (
    .clk(clk), .rst(rst), .acc_valid(acc_valid), .acc(acc), .out_valid(out_valid), .out(out), .cycles(cycles)
  );

  reg [31:0] rows [0:{shape.row_tiles * slots - 1}];
  reg [{ACCUMULATOR_BITS - 1}:0] golden_acc [0:{words - 1}];
  reg [{output.bits - 1}:0] golden_out [0:{words - 1}];
  initial begin
    $readmemh("rows.hex", rows);
    $readmemh("golden_acc.hex", golden_acc);
    $readmemh("golden_out.hex", golden_out);
  end
  integer now = 0, slot;
  always @(posedge clk) begin
    now <= now + 1;
    rst <= now < 3;
    if (now > {limit}) $fatal(1, "no output after %0d cycles", now);
  end
{compared}
  always @(posedge clk) if (!rst && out_seen == {shape.row_tiles * shape.pixels}) begin
    if (acc_seen != out_seen) $fatal(1, "%0d sums, %0d outputs", acc_seen, out_seen);
    $display("cycles %0d", cycles);
    $finish;
  end
endmodule
"""


def _compare(name: str, what: str, bits: int, signed: bool, pixels: int, slots: int) -> str:
    """`rows` are by tile of rows and slot, golden words by tile of rows, pixel and slot."""
    found, expected = f"{name}[{name}_slot * {bits} +: {bits}]", f"golden_{name}[{name}_seen * {slots} + {name}_slot]"
    shown = (f"$signed({found})", f"$signed({expected})") if signed else (found, expected)
    row = f"rows[({name}_seen / {pixels}) * {slots} + {name}_slot]"
    return f"""
  integer {name}_seen = 0, {name}_slot;
  always @(posedge clk) if (!rst && {name}_valid) begin
    for ({name}_slot = 0; {name}_slot < {slots}; {name}_slot = {name}_slot + 1)
      if ({row} != 32'h{NO_ROW:x} && {found} !== {expected})
        $fatal(1, "row %0d, pixel %0d: {what} %0d, expected %0d",
          {row}, {name}_seen % {pixels}, {", ".join(shown)});
    {name}_seen <= {name}_seen + 1;
  end
"""
