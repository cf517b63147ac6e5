"""What a design would do on a device: time, throughput, parts and energy, computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import costs
from .cycles import Cycles, product_cycles, sweep_cycles
from .design import Design, Part, Quantisers, parts, total
from .devices import Demand, Device
from .stages import Product, Stage, Sweep


@dataclass(frozen=True)
class StageCost:
    """Of one stage: cycles in all, those of `load` before the first step, `compute` and `memory` at the same time, the longer of which is
    what it is `bound` by; bytes of DDR; energy without the static part."""

    name: str
    cycles: int
    load: int
    compute: int
    memory: int
    bound: str
    operations: int
    ddr_bytes: int
    joules: float


@dataclass(frozen=True)
class Estimate:
    """Of a model that runs stage after stage."""

    design: Design
    device: Device
    stages: tuple[StageCost, ...]
    parts: tuple[Part, ...]

    @cached_property
    def cycles(self) -> int:
        return sum(stage.cycles for stage in self.stages)

    @property
    def seconds(self) -> float:
        return self.cycles / (self.device.clock_mhz * 1e6)

    @property
    def fps(self) -> float:
        """Inputs in a second, one after the other."""
        return 1 / self.seconds

    @property
    def gops(self) -> float:
        """10 ** 9 multiplications and additions in a second, those with zeros counted."""
        return sum(stage.operations for stage in self.stages) / self.seconds / 1e9

    @property
    def joules(self) -> float:
        """Of one input."""
        return sum(stage.joules for stage in self.stages) + self.device.static_watts * self.seconds

    @cached_property
    def demand(self) -> Demand:
        """LUTs, DSPs and block RAMs."""
        return total(self.parts)

    @property
    def shares(self) -> Demand:
        """Of what the device has, 1 being all."""
        have = self.device
        return Demand(
            self.demand.luts / have.luts, self.demand.dsps / max(have.dsps, 1), self.demand.brams / max(have.brams, 1)
        )

    @property
    def fits(self) -> bool:
        """Whether it is within the device's caps."""
        return fits(self.demand, self.device.budget)


def fits(demand: Demand, budget: Demand) -> bool:
    """Whether nothing is exceeded."""
    return demand.luts <= budget.luts and demand.dsps <= budget.dsps and demand.brams <= budget.brams


def estimate(
    stages: Sequence[Stage], design: Design, quantisers: Quantisers, activation_bits: int, device: Device
) -> Estimate:
    """Of a model on a device, whether or not the design fits it. Raises ValueError without stages, where a quantiser has rows and no
    core, and for cores whose cost is not known."""
    if not stages:
        raise ValueError("expected at least one stage")
    made = parts(stages, design, quantisers, activation_bits)
    brams = total(made).brams
    found: list[StageCost] = []
    for stage in stages:
        if isinstance(stage, Product):
            cycles = _product_cycles(stage, design, quantisers, device)
            joules = _product_joules(stage, design, quantisers, activation_bits, int(cycles.compute), brams)
        else:
            cycles = sweep_cycles(stage, design.unroll, design.sizes, device)
            joules = _sweep_joules(stage)
        found.append(_cost(stage, cycles, joules))
    return Estimate(design, device, tuple(found), tuple(made))


def _product_cycles(product: Product, design: Design, quantisers: Quantisers, device: Device) -> Cycles:
    tiles = design.tiles
    for count, rows, quantiser in zip(product.counts, tiles.rows, quantisers, strict=True):
        if count and not rows:
            raise ValueError(f"{product.name}: expected a core for the {count} rows of {quantiser}, got {tiles}")
    return product_cycles(product, design.sizes, np.array(design.capacity), quantisers, device)


def _cost(stage: Stage, cycles: Cycles, joules: float) -> StageCost:
    bound = "memory" if cycles.memory > cycles.compute else "compute"
    ddr_bytes = int(cycles.ddr_bytes)
    return StageCost(
        stage.name, int(cycles.total), int(cycles.load), int(cycles.compute), int(cycles.memory), bound, stage.operations, ddr_bytes,
        joules + ddr_bytes * costs.DDR_PICOJOULES * 1e-12,
    )  # fmt: skip


def _product_joules(
    product: Product, design: Design, quantisers: Quantisers, activation_bits: int, cycles: int, brams: float
) -> float:
    """Of the products of rows that there are, and of reading the memories on chip in every cycle."""
    lanes, picojoules = design.tiles.lanes, cycles * brams * costs.BRAM_PICOJOULES
    for count, quantiser, where in zip(product.counts, quantisers, design.multipliers, strict=True):
        if count:
            luts = costs.core_luts(quantiser, where, activation_bits, lanes) / lanes
            dsps = costs.core_dsps(where, lanes) / lanes
            multiply_adds = count * product.columns * product.pixels * product.kept
            picojoules += multiply_adds * (luts * costs.LUT_PICOJOULES + dsps * costs.DSP_PICOJOULES)
    return picojoules * 1e-12


def _sweep_joules(sweep: Sweep) -> float:
    point = sweep.multiplies * costs.DSP_PICOJOULES + sweep.adds * costs.ADD_LUTS * costs.LUT_PICOJOULES
    return sweep.points * point * 1e-12
