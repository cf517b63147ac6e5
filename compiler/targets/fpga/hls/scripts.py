"""What runs the simulations and the synthesis of a network's project."""

from __future__ import annotations

from collections.abc import Sequence

SOURCES = ("engine", "sweeps")
ALIGNMENT_BYTES, WIDEST = 64, 512
"""Where memories begin; and bits of a port of numbers, at most, that are read side by side, which estimates count on."""
BENCH_FILES = ("in.bin", "golden_sums.bin", "golden_tensors.bin")


def script(name: str, step: str, part: str, weights: Sequence[str]) -> str:
    """A script for vitis_hls, started in the project's folder; `weights` are the files that the test bench reads beside its own."""
    flags = '-cflags "-std=c++14 -Isrc -Itb"'
    sources = "".join(f"add_files src/{file}.cpp {flags}\n" for file in (name, *SOURCES))
    data = "".join(f"add_files -tb {file}\n" for file in (*(f"tb/{f}" for f in BENCH_FILES), *weights))
    arguments = ' -argv "[file normalize tb] [file normalize src/weights]"' if step != "csynth_design" else ""
    before = "csynth_design\n" if step == "cosim_design" else ""
    return f"""open_project -reset build/{name}
set_top {name}
{sources}add_files -tb tb/tb.cpp {flags}
{data}open_solution -reset solution
set_part {part}
create_clock -period 10
config_interface -m_axi_alignment_byte_size {ALIGNMENT_BYTES} -m_axi_max_widen_bitwidth {WIDEST}
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
