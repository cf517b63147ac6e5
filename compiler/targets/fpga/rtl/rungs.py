"""Rungs of the ladder: the engine, simulated, against numpy.

A rung writes a folder, runs tools in it and gives what they found. It raises CompileError where a tool is not installed or fails, and
where one number differs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator import Gemm, Tiles
from cocomp.support.diagnostics import CompileError

from .bench import BENCH, SOURCE, write

PACKAGES = {"iverilog": "iverilog", "vvp": "iverilog", "verilator": "verilator g++ make", "yosys": "yosys"}
"""Tool -> what to install of Debian."""
SIMULATORS = ("icarus", "verilator")
NETLIST = "netlist.v"
DSP_SETTINGS = {"fabric": "-nodsp", "dsp": ""}
"""What multiplies in a netlist -> options of synth_xilinx. Products of less than nine bits are in LUTs in any case."""
MULTIPLY_ONLY = "scratchpad -set xilinx_dsp.multonly 1"
"""DSPs do not add: where they did, yosys 0.23 has made netlists with wrong sums, though not of these cores."""


@dataclass(frozen=True)
class Cells:
    """What a netlist has of each kind."""

    lut: int
    dsp: int
    ff: int
    carry: int


@dataclass(frozen=True)
class Netlist:
    """A netlist that computes what it should: cycles of the simulation, and its cells."""

    cycles: int
    cells: Cells


def verify_rtl(gemm: Gemm, x: np.ndarray, folder: Path, tiles: Tiles, tool: str = "icarus") -> int:
    """The cycles in which the engine computes `gemm.run(x)`, all sums and outputs as they should be."""
    write(gemm, tiles, x, folder)
    return simulate(folder, tool)


def verify_netlist(gemm: Gemm, x: np.ndarray, folder: Path, tiles: Tiles, multipliers: str = "fabric") -> Netlist:
    """The same of what yosys makes of the engine for Xilinx's 7 series, with products in `fabric` or in a `dsp`."""
    write(gemm, tiles, x, folder)
    cells = synthesise(folder, SOURCE, "engine", multipliers)
    return Netlist(simulate_netlist(folder), cells)


def simulate(folder: Path, tool: str) -> int:
    """Cycles of a folder that `bench.write` wrote."""
    if tool not in SIMULATORS:
        raise ValueError(f"expected one of {', '.join(SIMULATORS)}, got '{tool}'")
    if tool == "icarus":
        return run_icarus(folder, [SOURCE, BENCH])
    build_verilated(folder)
    return run_verilated(folder)


def run_icarus(folder: Path, sources: Sequence[str]) -> int:
    """Cycles that a test bench prints."""
    run_tool("iverilog", ["-g2012", "-s", "bench", "-o", "bench.vvp", *sources], folder)
    return _cycles("vvp", run_tool("vvp", ["-n", "bench.vvp"], folder))


def build_verilated(folder: Path) -> None:
    """The engine and its test bench as a program, without the optimisation that takes longer than small products do."""
    options = ["--binary", "--timing", "-Wno-WIDTH", "--top-module", "bench", "--Mdir", "verilated"]
    run_tool("verilator", [*options, "-MAKEFLAGS", "OPT_FAST=-O0 OPT_GLOBAL=-O0", SOURCE, BENCH], folder)


def run_verilated(folder: Path) -> int:
    """Cycles of that program, which reads all files anew."""
    return _cycles("verilator", _run("verilator", [str(folder.resolve() / "verilated" / "Vbench")], folder))


def simulate_netlist(folder: Path) -> int:
    """Cycles of a folder in which the engine was synthesised."""
    return run_icarus(folder, [NETLIST, BENCH, str(cell_models())])


def cell_models() -> Path:
    """Xilinx's cells as yosys describes them, in Verilog."""
    return find_tool("yosys").parents[1] / "share" / "yosys" / "xilinx" / "cells_sim.v"


def synthesise(folder: Path, source: str, top: str, multipliers: str) -> Cells:
    """Writes the netlist of a module. Of memories nothing is in block RAM, for which yosys has no models. Wide multiplexers beside the
    LUTs are left unused, so that LUTs say all that there is."""
    if multipliers not in DSP_SETTINGS:
        raise ValueError(f"expected one of {', '.join(DSP_SETTINGS)}, got '{multipliers}'")
    steps = [
        f"read_verilog -defer {source}", MULTIPLY_ONLY,
        f"synth_xilinx -top {top} -flatten -nobram -nolutram -nosrl -nowidelut -noiopad -noclkbuf {DSP_SETTINGS[multipliers]}",
        f"write_verilog -noattr {NETLIST}", "tee -q -o cells.json stat -json",
    ]  # fmt: skip
    run_tool("yosys", ["-q", "-p", "; ".join(steps)], folder)
    return count_cells(json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"])


def count_cells(kinds: dict[str, int]) -> Cells:
    """From the names of cells: LUT1 to LUT6, an inverter being one; DSP48E1; FDRE and the like; CARRY4."""

    def count(pattern: str) -> int:
        return sum(number for kind, number in kinds.items() if re.fullmatch(pattern, kind))

    return Cells(lut=count(r"LUT\d|INV"), dsp=count(r"DSP48E\d"), ff=count(r"FD[RSCP]E(_1)?"), carry=count("CARRY4"))


def find_tool(name: str) -> Path:
    """Where a tool is. Raises CompileError, saying which package has it."""
    found = shutil.which(name)
    if found is None:
        raise CompileError(f"{name} is not installed", notes=[f"Debian: apt-get install {PACKAGES[name]}"])
    return Path(found)


def run_tool(name: str, arguments: Sequence[str], folder: Path) -> str:
    """What a tool prints. Raises CompileError where it is missing, and with its messages where it fails."""
    return _run(name, [str(find_tool(name)), *arguments], folder)


def _run(name: str, command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    text = done.stdout + done.stderr
    wrong = re.search(r"row \d+, pixel .*|no output after .*|\d+ sums, .*", text)
    if wrong:
        raise CompileError(wrong[0], name, [f"the files are in {folder}"])
    raise CompileError(f"it ended with status {done.returncode}", name, text.strip().splitlines()[-8:])


def _cycles(tool: str, text: str) -> int:
    """Printed by the test bench, at the end, when everything was compared."""
    found = re.search(r"^cycles (\d+)$", text, re.MULTILINE)
    if found is None:
        raise CompileError("the test bench did not come to its end", tool, text.strip().splitlines()[-8:])
    return int(found[1])
