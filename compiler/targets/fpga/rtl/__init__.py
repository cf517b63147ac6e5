"""The accelerator's matrix products in Verilog, and checks of them bit by bit.

This RTL is ours: a twin with the structure of the C++ for HLS, cycle by cycle what that is meant to become. It is not what Vitis
makes of the C++, so a rung that holds here says that the structure and its arithmetic are right, and nothing of Vitis. All of it is
Verilog-2005 (the test bench SystemVerilog), which Icarus, Verilator and yosys read alike.
"""

from __future__ import annotations

from .rungs import Netlist, verify_netlist, verify_rtl

__all__ = ["Netlist", "verify_netlist", "verify_rtl"]
