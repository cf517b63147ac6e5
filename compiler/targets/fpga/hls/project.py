"""A network's project: sources, weights, a shim, a test bench with what numpy computes, scripts, a manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from . import engine, sweeps
from .network import Array, Network, Product, Sweep, Tensor
from .packing import Layer, Packed, pack

SHIM = ("ap_int.h", "hls_stream.h")
NUMBER_BYTES = 4
"""Numbers of the test bench's files are integers of 32 bits, the lowest byte first."""


def files(network: Network, inputs: Sequence[Array], part: str = "xc7z045ffg900-2") -> dict[str, bytes]:
    """The project by the paths of its files. Raises ValueError for inputs of other types."""
    packed = pack(network)
    found = [s for s in network.stages if isinstance(s, Sweep)]
    shim = resources.files("cocomp.targets.fpga.hls") / "shim"
    sums, made = network.run(inputs)
    quantisers = network.products[0].gemm.quantisers if network.products else None
    texts = {
        f"src/{network.name}.h": top_header(network),
        f"src/{network.name}.cpp": top(network, packed),
        "src/sweeps.h": sweeps.header(found),
        "src/sweeps.cpp": sweeps.source(network),
        "src/tables.h": sweeps.tables(network),
        "src/types.h": engine.types(packed, network.design),
        "src/engine.h": engine.header(),
        "src/engine.cpp": engine.source(network.design, quantisers) if quantisers else NO_ENGINE,
        **{f"shim/{file}": (shim / file).read_text() for file in SHIM},
        "tb/probe.h": PROBE,
        "tb/tensors.h": tensors(network),
        "tb/tb.cpp": bench(network, packed),
        "tcl/csim.tcl": script(network.name, "csim_design", part),
        "tcl/csynth.tcl": script(network.name, "csynth_design", part),
        "tcl/cosim.tcl": script(network.name, "cosim_design", part),
        "Makefile": makefile(network.name, [p.name for p in network.products]),
        "manifest.json": json.dumps(manifest(network, part), indent=2) + "\n",
    }
    binaries = {
        "src/weights/codes.bin": bytes(packed.weights),
        "src/weights/parameters.bin": _numbers([np.array(packed.parameters, np.int64)]),
        "tb/in.bin": _numbers(inputs),
        "tb/golden_sums.bin": _numbers([s.T for s in sums]),
        "tb/golden_tensors.bin": _numbers(made),
    }
    return {path: text.encode() for path, text in texts.items()} | binaries


def _numbers(arrays: Sequence[Array]) -> bytes:
    return b"".join(np.ascontiguousarray(a).astype("<i8").astype("<i4").tobytes() for a in arrays)


def write(made: dict[str, bytes], folder: Path) -> None:
    """Write files into a folder."""
    for path, data in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def manifest(network: Network, part: str) -> dict[str, object]:
    """What a host has to know: where inputs and outputs lie, and what their integers stand for."""

    def told(tensors: Sequence[Tensor], scales: Sequence[float]) -> list[dict[str, object]]:
        return [
            {
                "shape": list(t.shape),
                "type": str(t.kind),
                "memory": t.width,
                "offset": t.offset,
                "strides": list(t.strides),
                "scale": s,
            }
            for t, s in zip(tensors, scales, strict=True)
        ]

    quantisers = [str(q) for q in network.products[0].gemm.quantisers] if network.products else []
    return {
        "format": 1,
        "name": network.name,
        "part": part,
        "memory": dict(zip(("8", "16", "32"), network.memory, strict=True)),
        "inputs": told(network.inputs, network.scales[0]),
        "outputs": told(network.outputs, network.scales[1]),
        "quantisers": quantisers,
        "tiles": {"lanes": network.tiles.lanes, "rows": list(network.tiles.rows)},
        "stages": [
            {"name": s.name, "kind": "product" if isinstance(s, Product) else "sweep", "module": s.where}
            for s in network.stages
        ],
    }


def top_header(network: Network) -> str:
    """`NAME.h`."""
    return f"""#pragma once
#include "types.h"

// Memories of numbers of 8, 16 and 32 bits, each for reading and for writing; codes and parameters of all products. `words`, `all8` and
// `all16` are the memories of 8 and 16 bits once more, several numbers at once.
void {network.name}(const byte_t *in8, const short *in16, const int *in32, const lanes_t *words, const codes_t *weights,
{" " * (6 + len(network.name))}const four_t *parameters, byte_t *out8, short *out16, int *out32, bytes_t *all8, shorts_t *all16);
"""


def top(network: Network, packed: Packed) -> str:
    """`NAME.cpp`: the stages, one after the other."""
    layers = ",\n".join(_layer(layer) for layer in packed.layers)
    table = f"static const layer_t LAYERS[{len(packed.layers)}] = {{\n{layers}\n}};\n" if packed.layers else ""
    calls: list[str] = []
    number = 0
    for index, stage in enumerate(network.stages):
        if isinstance(stage, Product):
            calls.append(
                f"  product(LAYERS[{number}], words, weights, parameters, out8, out16, all8, all16); // {stage.where or stage.name}\n"
            )
            number += 1
        else:
            calls.append(f"  {stage.name}(in8, in16, in32, out8, out16, out32);\n")
        calls.append(f"  PROBE_TENSOR({index});\n")
    ports = ("in8", "in16", "in32", "words", "weights", "parameters", "out8", "out16", "out32", "all8", "all16")
    pragmas = "".join(f"#pragma HLS INTERFACE m_axi port={p} offset=slave bundle={p}\n" for p in ports)
    return f"""#include "{network.name}.h"
#include "engine.h"
#include "sweeps.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE_TENSOR(stage)
#endif

{table}
void {network.name}(const byte_t *in8, const short *in16, const int *in32, const lanes_t *words, const codes_t *weights,
{" " * (6 + len(network.name))}const four_t *parameters, byte_t *out8, short *out16, int *out32, bytes_t *all8, shorts_t *all16) {{
{pragmas}#pragma HLS INTERFACE s_axilite port=return
#pragma HLS ALLOCATION function instances=product limit=1
{"".join(calls)}}}
"""


def _layer(layer: Layer) -> str:
    return "  " + _braced(layer)


def _braced(value: int | list[int] | Layer) -> str:
    if isinstance(value, int):
        return str(value)
    return "{" + ", ".join(map(_braced, value.values() if isinstance(value, dict) else value)) + "}"


NO_ENGINE = """#include "engine.h"

void product(const layer_t &, const lanes_t *, const codes_t *, const four_t *, byte_t *, short *, bytes_t *, shorts_t *) {}
"""

PROBE = """// What the test bench sees of sums, and of each tensor when its stage is over.
#pragma once

void probe(int layer, int pixel, int row, long long sum);
void probe_tensor(int stage);
#define PROBE(layer, pixel, row, sum) probe(layer, pixel, row, (long long)(sum))
#define PROBE_TENSOR(stage) probe_tensor(stage)
"""


def tensors(network: Network) -> str:
    """`tensors.h`: where the test bench finds what it compares."""
    everything = [*network.inputs, *(s.y for s in network.stages)]
    rank = max(len(t.shape) for t in everything) or 1
    lines = ",\n".join(_told(t, rank) for t in everything)
    orders = "".join(
        f"static const int {sweeps.word(n)}[] = {{{', '.join(map(str, o.tolist()))}}};\n"
        for n, o in network.orders.items()
    )
    names = ", ".join(f'"{s.where or s.name}"' for s in network.stages)
    return f"""#pragma once

struct tensor_t {{
  int width, is_signed, offset, shape[{rank}], strides[{rank}], axis;
  const int *order; // where each element of the axis is, or 0
}};
{orders}
static const int RANK = {rank}, INPUTS = {len(network.inputs)}, STAGES = {len(network.stages)};
// Inputs, then what each stage makes.
static const tensor_t TENSORS[] = {{
{lines}
}};
static const char *const NAMES[] = {{{names}}};
static const int PRODUCTS[][2] = {{ // rows, pixels
{"".join(f"  {{{p.gemm.rows}, {p.pixel_count}}},{chr(10)}" for p in network.products) or "  {0, 0}" + chr(10)}}};
static const int PRODUCT_COUNT = {len(network.products)};
static const char *const PRODUCT_NAMES[] = {{{", ".join(f'"{p.where or p.name}"' for p in network.products) or '""'}}};
"""


def _told(tensor: Tensor, rank: int) -> str:
    shape = [*tensor.shape, *([1] * (rank - len(tensor.shape)))]
    strides = [*tensor.strides, *([0] * (rank - len(tensor.shape)))]
    parts = ["{" + ", ".join(map(str, v)) + "}" for v in (shape, strides)]
    order = sweeps.word(tensor.order) if tensor.order else "0"
    return (
        f"  {{{tensor.width}, {int(tensor.kind.signed)}, {tensor.offset}, {', '.join(parts)}, {tensor.axis}, {order}}}"
    )


def bench(network: Network, packed: Packed) -> str:
    """`tb.cpp`: every sum and every number of every stage has to be the golden one; the status is not zero at the first that is not."""
    sizes = [max(n, 1) + network.tiles.lanes for n in network.memory]
    return f"""// Runs {network.name} on in.bin and compares every sum and every number of every stage with the golden ones.
#include "{network.name}.h"
#include "probe.h"
#include "tensors.h"
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static std::vector<byte_t> memory8({sizes[0]});
static std::vector<short> memory16({sizes[1]});
static std::vector<int> memory32({sizes[2]});
static std::vector<int> golden_sums, golden_tensors;
static long long seen_sums = 0, seen_numbers = 0;

static std::vector<byte_t> bytes(const std::string &path, size_t count) {{
  std::vector<byte_t> found(count + 1);
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {{
    std::fprintf(stderr, "%s: cannot be read\\n", path.c_str());
    std::exit(2);
  }}
  size_t size = std::fread(found.data(), 1, count + 1, file);
  std::fclose(file);
  if (size != count) {{
    std::fprintf(stderr, "%s: expected %zu bytes, got %s%zu\\n", path.c_str(), count, size > count ? "more than " : "",
                 size > count ? count : size);
    std::exit(2);
  }}
  found.resize(count);
  return found;
}}

static std::vector<int> numbers(const std::string &path, size_t count) {{
  std::vector<byte_t> raw = bytes(path, 4 * count);
  std::vector<int> found(count);
  for (size_t i = 0; i < count; i++)
    found[i] = (int)(raw[4 * i] | raw[4 * i + 1] << 8 | raw[4 * i + 2] << 16 | (unsigned)raw[4 * i + 3] << 24);
  return found;
}}

static long long size_of(const tensor_t &tensor) {{
  long long size = 1;
  for (int a = 0; a < RANK; a++)
    size *= tensor.shape[a];
  return size;
}}

// Where element `number` of a tensor is in its memory.
static long long place_of(const tensor_t &tensor, long long number) {{
  long long at = tensor.offset;
  for (int a = RANK - 1; a >= 0; a--) {{
    long long index = number % tensor.shape[a];
    at += (tensor.order && a == tensor.axis ? tensor.order[index] : index) * tensor.strides[a];
    number /= tensor.shape[a];
  }}
  return at;
}}

static long long number_at(const tensor_t &tensor, long long at) {{
  if (tensor.width == 8)
    return tensor.is_signed ? (long long)(signed char)memory8[at] : (long long)memory8[at];
  if (tensor.width == 16)
    return tensor.is_signed ? (long long)memory16[at] : (long long)(unsigned short)memory16[at];
  return tensor.is_signed ? (long long)memory32[at] : (long long)(unsigned)memory32[at];
}}

void probe(int layer, int pixel, int row, long long sum) {{
  long long first = 0;
  for (int i = 0; i < layer; i++)
    first += (long long)PRODUCTS[i][0] * PRODUCTS[i][1];
  long long expected = golden_sums[first + (long long)pixel * PRODUCTS[layer][0] + row];
  if (sum != expected) {{
    std::fprintf(stderr, "%s: sum of row %d, pixel %d: expected %lld, got %lld\\n", PRODUCT_NAMES[layer], row, pixel, expected, sum);
    std::exit(1);
  }}
  seen_sums++;
}}

void probe_tensor(int stage) {{
  static long long first = 0;
  const tensor_t &tensor = TENSORS[INPUTS + stage];
  long long size = size_of(tensor);
  for (long long i = 0; i < size; i++) {{
    long long found = number_at(tensor, place_of(tensor, i));
    long long expected = tensor.is_signed || tensor.width < 32 ? (long long)golden_tensors[first + i] : (long long)(unsigned)golden_tensors[first + i];
    if (found != expected) {{
      std::fprintf(stderr, "%s: number %lld: expected %lld, got %lld\\n", NAMES[stage], i, expected, found);
      std::exit(1);
    }}
  }}
  first += size;
  seen_numbers += size;
}}

int main(int argc, char **argv) {{
  std::string folder = argc > 1 ? argv[1] : "tb", source = argc > 2 ? argv[2] : "src/weights";
  long long inputs = 0, sums = 0, made = 0;
  for (int i = 0; i < INPUTS; i++)
    inputs += size_of(TENSORS[i]);
  for (int i = 0; i < PRODUCT_COUNT; i++)
    sums += (long long)PRODUCTS[i][0] * PRODUCTS[i][1];
  for (int i = 0; i < STAGES; i++)
    made += size_of(TENSORS[INPUTS + i]);
  std::vector<int> in = numbers(folder + "/in.bin", inputs);
  golden_sums = numbers(folder + "/golden_sums.bin", sums);
  golden_tensors = numbers(folder + "/golden_tensors.bin", made);
  std::vector<byte_t> weights = bytes(source + "/codes.bin", {len(packed.weights)});
  std::vector<int> parameters = numbers(source + "/parameters.bin", {len(packed.parameters)});
  long long next = 0;
  for (int i = 0; i < INPUTS; i++) {{
    for (long long n = 0; n < size_of(TENSORS[i]); n++, next++) {{
      long long at = place_of(TENSORS[i], n);
      if (TENSORS[i].width == 8)
        memory8[at] = (byte_t)(in[next] & 255);
      else if (TENSORS[i].width == 16)
        memory16[at] = (short)in[next];
      else
        memory32[at] = in[next];
    }}
  }}
  {network.name}(memory8.data(), memory16.data(), memory32.data(), reinterpret_cast<const lanes_t *>(memory8.data()),
  {" " * len(network.name)} reinterpret_cast<const codes_t *>(weights.data()), reinterpret_cast<const four_t *>(parameters.data()),
  {" " * len(network.name)} memory8.data(), memory16.data(), memory32.data(), reinterpret_cast<bytes_t *>(memory8.data()),
  {" " * len(network.name)} reinterpret_cast<shorts_t *>(memory16.data()));
  if (seen_sums != sums || seen_numbers != made) {{
    std::fprintf(stderr, "expected %lld sums and %lld numbers, saw %lld and %lld\\n", sums, made, seen_sums, seen_numbers);
    return 1;
  }}
  std::printf("%lld sums and %lld numbers of %d stages are as they should be\\n", seen_sums, seen_numbers, STAGES);
  return 0;
}}
"""


SOURCES = ("engine", "sweeps")
BENCH_FILES = ("in.bin", "golden_sums.bin", "golden_tensors.bin")


def script(name: str, step: str, part: str) -> str:
    """A script for vitis_hls, started in the project's folder."""
    flags = '-cflags "-std=c++14 -Isrc -Itb"'
    sources = "".join(f"add_files src/{file}.cpp {flags}\n" for file in (name, *SOURCES))
    data = "".join(f"add_files -tb tb/{file}\n" for file in BENCH_FILES)
    arguments = ' -argv "[file normalize tb] [file normalize src/weights]"' if step != "csynth_design" else ""
    before = "csynth_design\n" if step == "cosim_design" else ""
    return f"""open_project -reset build/{name}
set_top {name}
{sources}add_files -tb tb/tb.cpp {flags}
{data}add_files -tb src/weights/codes.bin
add_files -tb src/weights/parameters.bin
open_solution -reset solution
set_part {part}
create_clock -period 10
{before}{step}{arguments}
exit
"""


def makefile(name: str, products: Sequence[str]) -> str:
    """`make csim` compiles and runs the simulation; INCLUDE=DIR takes a vendor's headers."""
    return f"""# make csim         the simulation in C++, with the headers in shim/ or in INCLUDE=DIR
# make iverilog     the RTL twin of the engine on each product in rtl/, in Icarus Verilog; `make verilator` in Verilator
# make netlist      the same of what yosys makes of it for Xilinx's 7 series
# make vitis-csim   the simulation in C++ in Vitis HLS
# make csynth       synthesis in Vitis HLS
# make cosim        synthesis, and simulation of what it makes

CXX ?= g++
INCLUDE ?= shim
CXXFLAGS ?= -O2
RTL = {" ".join(products)}
YOSYS = scratchpad -set xilinx_dsp.multonly 1; synth_xilinx -top engine -flatten -nobram -nolutram -nosrl -nowidelut -noiopad -noclkbuf -nodsp
CELLS = $(shell dirname $$(command -v yosys))/../share/yosys/xilinx/cells_sim.v
OBJECTS = $(patsubst %,build/%.o,{name} {" ".join(SOURCES)} tb)

.PHONY: csim iverilog verilator netlist FORCE vitis-csim csynth cosim clean

csim: build/csim
\tbuild/csim tb src/weights

build/csim: $(OBJECTS)
\t$(CXX) $(CXXFLAGS) $(OBJECTS) -o $@

build/%.o: src/%.cpp $(wildcard src/*.h tb/*.h)
\tmkdir -p build
\t$(CXX) -std=c++14 -Wall -Wextra -Wno-unknown-pragmas -Wno-unused-parameter $(CXXFLAGS) -Isrc -Itb -isystem $(INCLUDE) -idirafter shim -c $< -o $@

build/tb.o: tb/tb.cpp $(wildcard src/*.h tb/*.h)
\tmkdir -p build
\t$(CXX) -std=c++14 -Wall -Wextra $(CXXFLAGS) -Isrc -Itb -isystem $(INCLUDE) -idirafter shim -c $< -o $@

iverilog: $(RTL:%=build/%.iverilog)
verilator: $(RTL:%=build/%.verilator)
netlist: $(RTL:%=build/%.netlist)

build/%.iverilog: FORCE
\tmkdir -p $(@D)
\tiverilog -g2012 -s bench -o $@ rtl/$*/engine.v rtl/$*/bench.sv
\tcd rtl/$* && vvp -n $(CURDIR)/$@

build/%.verilator: FORCE
\tmkdir -p $@
\tverilator --binary --timing -Wno-WIDTH --top-module bench -Mdir $@ -MAKEFLAGS "OPT_FAST=-O0 OPT_GLOBAL=-O0" rtl/$*/engine.v \\
\t  rtl/$*/bench.sv > $@/log
\tcd rtl/$* && $(CURDIR)/$@/Vbench

build/%.netlist: FORCE
\tmkdir -p $(@D)
\tyosys -q -p "read_verilog -defer rtl/$*/engine.v; $(YOSYS); write_verilog -noattr $@.v"
\tiverilog -g2012 -s bench -o $@ $@.v $(CELLS) rtl/$*/bench.sv
\tcd rtl/$* && vvp -n $(CURDIR)/$@

FORCE:

vitis-csim:
\tvitis_hls -f tcl/csim.tcl

csynth:
\tvitis_hls -f tcl/csynth.tcl

cosim:
\tvitis_hls -f tcl/cosim.tcl

clean:
\trm -rf build
"""
