"""FPGAs, as far as estimates know them: data.

LUTs, DSPs and block RAMs are those of Xilinx's product tables (Zynq-7000: DS190, Zynq UltraScale+: DS891). The rest is judgement.
Bytes of DDR in a second: at 100 MHz three ports of 64 bits (Zynq-7000: 0.8 GB/s each) or of 128 (Zynq UltraScale+: 1.6 GB/s each), one
for activations, one for weights, one for what is written; the memory behind them gives more (DDR3 of 32 bits at 1066 MT/s and
the 75 % that UG585 says its controller is made for: 3.2 GB/s). Cycles to the first word: what is usual for these ports. Watts without
load: programmable logic and processor idling, as evaluation boards show them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """LUTs, DSPs and block RAMs of 36 Kbit (halves are those of 18): of a design, or at most."""

    luts: float
    dsps: float
    brams: float

    def __add__(self, other: Demand) -> Demand:
        return Demand(self.luts + other.luts, self.dsps + other.dsps, self.brams + other.brams)

    def __str__(self) -> str:
        return f"{self.luts:,.0f} LUT, {self.dsps:,.0f} DSP, {self.brams:,.1f} BRAM"


CAPS = Demand(0.8, 1.0, 0.9)
"""Shares of a device that a design may use. Beyond them placing and routing fail or the clock falls: judgement."""


@dataclass(frozen=True)
class Device:
    """An FPGA with its memory. Raises ValueError for what cannot be one."""

    name: str
    part: str
    luts: int
    dsps: int
    brams: int
    ddr_bytes_per_second: float
    static_watts: float
    clock_mhz: float = 100
    ddr_latency_cycles: int = 60
    fetch_bytes_per_cycle: float = 16
    """Of codes and parameters, as wide as the engine's port for them."""
    caps: Demand = CAPS

    def __post_init__(self) -> None:
        if min(self.luts, self.dsps, self.brams) < 0 or self.luts == 0:
            raise ValueError(f"{self.name}: expected LUTs, and no negative number of DSPs and block RAMs, got {self}")
        if (
            min(self.ddr_bytes_per_second, self.clock_mhz, self.fetch_bytes_per_cycle) <= 0
            or min(self.static_watts, self.ddr_latency_cycles) < 0
        ):
            raise ValueError(
                f"{self.name}: expected a clock and a memory that run, and no negative power or latency, got {self}"
            )
        if not all(0 < cap <= 1 for cap in (self.caps.luts, self.caps.dsps, self.caps.brams)):
            raise ValueError(f"{self.name}: expected shares above 0 and up to 1, got {self.caps}")

    @property
    def ddr_bytes_per_cycle(self) -> float:
        return self.ddr_bytes_per_second / (self.clock_mhz * 1e6)

    @property
    def budget(self) -> Demand:
        """What a design may take."""
        return Demand(self.luts * self.caps.luts, self.dsps * self.caps.dsps, self.brams * self.caps.brams)


ZYNQ_7000, ULTRASCALE = 2.4e9, 4.8e9

DEVICES = {
    device.name: device
    for device in (
        Device("xc7z010", "xc7z010clg400-1", 17600, 80, 60, ZYNQ_7000, 1.2),
        Device("xc7z020", "xc7z020clg484-1", 53200, 220, 140, ZYNQ_7000, 1.5),
        Device("xc7z045", "xc7z045ffg900-2", 218600, 900, 545, ZYNQ_7000, 2.5),
        Device("ultra96", "xczu3eg-sbva484-1-e", 70560, 360, 216, ULTRASCALE, 2.5),
        Device("zcu102", "xczu9eg-ffvb1156-2-e", 274080, 2520, 912, ULTRASCALE, 6.0),
    )
}


def find_device(name: str) -> Device:
    """A device by its name or the name of its part. Raises ValueError, saying which there are."""
    for device in DEVICES.values():
        if name.lower() in (device.name, device.part):
            return device
    raise ValueError(f"unknown device '{name}': expected one of {', '.join(DEVICES)}")
