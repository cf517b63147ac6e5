"""A core alone: what it costs, of a netlist that adds up what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers import Quantiser

from .bench import BENCH, SOURCE, joined, write_hex
from .cores import core
from .rungs import Cells, simulate_netlist, synthesise

STEPS = 400
PART = 5
"""Steps of a sum."""


def measure_core(quantiser: Quantiser, activation: IntegerType, lanes: int, folder: Path, multipliers: str) -> Cells:
    """Cells of a core, after its netlist has computed sums of random products, the largest ones among them. Raises CompileError where
    a sum is wrong, or a tool missing."""
    write_core(quantiser, activation, lanes, folder)
    cells = synthesise(folder, SOURCE, f"core_{quantiser.identifier}", multipliers)
    simulate_netlist(folder)
    return cells


def write_core(quantiser: Quantiser, activation: IntegerType, lanes: int, folder: Path) -> None:
    """The core, a test bench, and what goes into it and is to come out in every cycle."""
    rng = np.random.default_rng(0)
    delay = 1 + (lanes - 1).bit_length()
    x = rng.integers(activation.low, activation.high + 1, (STEPS, lanes))
    codes = rng.integers(0, 1 << quantiser.bits, (STEPS, lanes))
    x[:PART], x[PART : 2 * PART] = activation.high, activation.low
    codes[: 2 * PART] = np.argmin(quantiser.table)
    products = (x * quantiser.table[codes]).sum(axis=1)
    biases = np.zeros(STEPS, np.int64)
    biases[delay::PART] = rng.integers(-(2**20), 2**20, len(biases[delay::PART]))
    sums = [
        int(biases[delay + first] + products[first : i + 1].sum())
        for i in range(STEPS - delay - 1)
        for first in [i - i % PART]
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SOURCE).write_text(core(quantiser, activation, lanes))
    (folder / BENCH).write_text(_bench(quantiser.identifier, lanes * activation.bits, lanes * quantiser.bits, delay))
    write_hex(folder / "x.hex", (joined(row, activation.bits) for row in x), lanes * activation.bits)
    write_hex(folder / "w.hex", (joined(row, quantiser.bits) for row in codes), lanes * quantiser.bits)
    write_hex(folder / "bias.hex", (int(b) % 2**ACCUMULATOR_BITS for b in biases), ACCUMULATOR_BITS)
    golden = [0] * (delay + 1) + sums
    write_hex(folder / "golden_acc.hex", (value % 2**ACCUMULATOR_BITS for value in golden), ACCUMULATOR_BITS)


def _bench(name: str, x_bits: int, w_bits: int, delay: int) -> str:
    """Counts steps as pixels of a single row."""
    return f"""\
module bench;
  reg clk = 1'b0;
  always #5 clk = !clk;
  reg [{x_bits - 1}:0] x [0:{STEPS - 1}];
  reg [{w_bits - 1}:0] w [0:{STEPS - 1}];
  reg [{ACCUMULATOR_BITS - 1}:0] bias [0:{STEPS - 1}];
  reg [{ACCUMULATOR_BITS - 1}:0] golden [0:{STEPS - 1}];
  integer now = 0;
  wire first = now % {PART} == {delay % PART};
  wire signed [{ACCUMULATOR_BITS - 1}:0] acc;
  core_{name} dut (.clk(clk), .x(x[now]), .w(w[now]), .first(first), .bias(bias[now]), .acc(acc));
  initial begin
    $readmemh("x.hex", x);
    $readmemh("w.hex", w);
    $readmemh("bias.hex", bias);
    $readmemh("golden_acc.hex", golden);
  end
  always @(posedge clk) begin
    if (now > {delay} && acc !== golden[now])
      $fatal(1, "row 0, pixel %0d: sum %0d, expected %0d", now - {delay + 1}, acc, $signed(golden[now]));
    if (now == {STEPS - 1}) begin
      $display("cycles %0d", now + 1);
      $finish;
    end
    now <= now + 1;
  end
endmodule
"""
