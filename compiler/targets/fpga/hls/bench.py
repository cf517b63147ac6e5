"""The test bench of a matrix product, and the project around it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator import Gemm, Tiles

from . import engine

SHIM = ("ap_int.h", "hls_stream.h")
HEX_DIGITS = 8
"""A number of 32 bits in two's complement, one a line."""


def files(gemm: Gemm, tiles: Tiles, x: np.ndarray, name: str) -> dict[str, str]:
    """The project by the paths of its files: sources, a shim for simulation, a test bench with what `gemm` makes of x, int[K, pixels]."""
    shim = resources.files("cocomp.targets.fpga.hls") / "shim"
    return {
        "src/types.h": engine.types(gemm, tiles),
        f"src/{name}.h": engine.header(name),
        f"src/{name}.cpp": engine.source(gemm, tiles, name),
        f"src/weights/{name}.h": engine.weights(gemm, tiles, name),
        **{f"shim/{file}": (shim / file).read_text() for file in SHIM},
        "tb/probe.h": PROBE,
        "tb/tb.cpp": bench(gemm, tiles, x.shape[1], name),
        "tb/in.hex": hex_lines(_words(gemm, tiles, x)),
        "tb/golden_acc.hex": hex_lines(gemm.accumulate(x).T),
        "tb/golden_out.hex": hex_lines(gemm.run(x).T),
        "tcl/csim.tcl": script(name, "csim_design"),
        "tcl/csynth.tcl": script(name, "csynth_design"),
        "Makefile": makefile(name),
    }


def write(gemm: Gemm, tiles: Tiles, x: np.ndarray, folder: Path, name: str = "gemm") -> None:
    """Write the project into a folder."""
    for path, text in files(gemm, tiles, x, name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def hex_lines(values: np.ndarray) -> str:
    """Numbers of 32 bits, one a line."""
    return "".join(f"{n & 0xFFFFFFFF:0{HEX_DIGITS}x}\n" for n in np.asarray(values, np.int64).reshape(-1).tolist())


def _words(gemm: Gemm, tiles: Tiles, x: np.ndarray) -> np.ndarray:
    """Activations as the function reads them: [pixels, tiles of columns * lanes]."""
    _, column_tiles = tiles.steps(gemm)
    padded = np.zeros((x.shape[1], column_tiles * tiles.lanes), np.int64)
    padded[:, : gemm.columns] = x.T
    return padded


PROBE = """// What the test bench sees of the sums.
#pragma once

void probe(int pixel, int row, long long sum);
#define PROBE(pixel, row, sum) probe(pixel, row, (long long)(sum))
"""


def bench(gemm: Gemm, tiles: Tiles, pixels: int, name: str) -> str:
    """`tb.cpp`: every sum and every output has to be the golden one; the status is not zero at the first that is not."""
    _, column_tiles = tiles.steps(gemm)
    return f"""// Runs {name} on in.hex and compares every sum and output with the golden ones.
#include "{name}.h"
#include "probe.h"
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static const int PIXELS = {pixels}, ROWS = {gemm.rows}, TILES = {column_tiles}, LANES = {tiles.lanes};
static std::vector<int> golden_sums;
static int seen = 0;

static std::vector<int> numbers(const std::string &path, size_t count) {{
  std::vector<int> found;
  FILE *file = std::fopen(path.c_str(), "r");
  if (!file) {{
    std::fprintf(stderr, "%s: cannot be read\\n", path.c_str());
    std::exit(2);
  }}
  unsigned number;
  while (std::fscanf(file, "%8x", &number) == 1)
    found.push_back((int)number);
  bool ended = std::feof(file);
  std::fclose(file);
  if (!ended || found.size() != count) {{
    std::fprintf(stderr, "%s: expected %zu numbers, got %zu\\n", path.c_str(), count, found.size());
    std::exit(2);
  }}
  return found;
}}

static void compare(const char *what, int pixel, int row, long long found, long long expected) {{
  if (found != expected) {{
    std::fprintf(stderr, "%s of row %d, pixel %d: expected %lld, got %lld\\n", what, row, pixel, expected, found);
    std::exit(1);
  }}
}}

void probe(int pixel, int row, long long sum) {{
  compare("sum", pixel, row, sum, golden_sums[pixel * ROWS + row]);
  seen++;
}}

int main(int argc, char **argv) {{
  std::string folder = argc > 1 ? argv[1] : "tb";
  std::vector<int> in = numbers(folder + "/in.hex", (size_t)PIXELS * TILES * LANES);
  golden_sums = numbers(folder + "/golden_acc.hex", (size_t)PIXELS * ROWS);
  std::vector<int> golden = numbers(folder + "/golden_out.hex", (size_t)PIXELS * ROWS);
  std::vector<word_t> x(PIXELS * TILES);
  for (int i = 0; i < PIXELS * TILES; i++)
    for (int l = 0; l < LANES; l++)
      x[i].lanes[l] = in[i * LANES + l];
  std::vector<output_t> y(PIXELS * ROWS);
  {name}(x.data(), y.data(), PIXELS);
  for (int p = 0; p < PIXELS; p++)
    for (int r = 0; r < ROWS; r++)
      compare("output", p, r, (long long)y[p * ROWS + r], golden[p * ROWS + r]);
  if (seen != PIXELS * ROWS) {{
    std::fprintf(stderr, "expected %d sums, saw %d\\n", PIXELS * ROWS, seen);
    return 1;
  }}
  std::printf("%d sums and %d outputs are as they should be\\n", seen, PIXELS * ROWS);
  return 0;
}}
"""


def script(name: str, step: str) -> str:
    """A script for vitis_hls, started in the project's folder."""
    return f"""open_project -reset build/{name}
set_top {name}
add_files src/{name}.cpp -cflags "-std=c++14 -Isrc -Itb"
add_files -tb tb/tb.cpp -cflags "-std=c++14 -Isrc -Itb"
add_files -tb tb/in.hex
add_files -tb tb/golden_acc.hex
add_files -tb tb/golden_out.hex
open_solution -reset solution
set_part $::env(PART)
create_clock -period 10
{step}{" -argv [file normalize tb]" if step == "csim_design" else ""}
exit
"""


def makefile(name: str) -> str:
    """`make csim` compiles and runs the simulation; INCLUDE=DIR takes a vendor's headers."""
    return f"""# make csim                  the simulation in C++, with the headers in shim/ or in INCLUDE=DIR
# make vitis-csim PART=..     the same in Vitis HLS
# make csynth PART=..         synthesis in Vitis HLS

CXX ?= g++
INCLUDE ?= shim
CXXFLAGS ?= -O1
PART ?= xc7z045ffg900-2
export PART

.PHONY: csim vitis-csim csynth clean

csim: build/csim
\tbuild/csim tb

build/csim: src/{name}.cpp tb/tb.cpp $(wildcard src/*.h src/weights/*.h tb/*.h)
\tmkdir -p build
\t$(CXX) -std=c++14 -Wall -Wextra -Wno-unknown-pragmas $(CXXFLAGS) -Isrc -Itb -isystem $(INCLUDE) -idirafter shim src/{name}.cpp tb/tb.cpp -o $@

vitis-csim:
\tvitis_hls -f tcl/csim.tcl

csynth:
\tvitis_hls -f tcl/csynth.tcl

clean:
\trm -rf build
"""
