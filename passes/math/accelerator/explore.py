"""The best design for a device, and those that are not worse than another in every respect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product as pairs
from typing import TypeVar

import numpy as np

from cocomp.passes.math.quantisers.rows import Mixture

from . import costs
from .candidates import row_choices
from .cycles import product_cycles, sweep_cycles
from .design import (
    Design,
    Multipliers,
    Quantisers,
    core_demand,
    held_brams,
    list_brams,
    scaling_demand,
    unit_demand,
    units,
    weight_brams,
    weight_depth,
)
from .devices import Demand, Device
from .estimate import Estimate, estimate
from .stages import MOST_UNROLL, Counts, Product, Sizes, Stage, Sweep, mixed, products_of, sweeps_of
from .tiles import Tiles

Array = np.ndarray
Kind = TypeVar("Kind", Product, Sweep)
LANES = (4, 8, 16, 32, 64)
"""Those whose cores were measured, and twice as many."""
UNROLLS = (1, 2, 4, 8, 16, 32, MOST_UNROLL)
REQUANTISERS = (1, 2, 4, 8, 16, 32)
MOST_CAPACITIES = 6
"""Sizes of the memory of activations that are tried: for inputs up to one size, of which there are at most so many, and none."""


@dataclass(frozen=True)
class Point:
    """A design, the cycles of all stages, and what it takes."""

    design: Design
    cycles: int
    demand: Demand


@dataclass(frozen=True)
class Exploration:
    """The fastest design that fits a device; the front: designs of which each is better than every other in cycles, LUTs or DSPs, the
    fastest first; and how many were compared."""

    best: Estimate
    front: tuple[Point, ...]
    designs: int


@dataclass(frozen=True)
class _Engines:
    """Engines as columns: float64[n, 3] demands, cycles of all products int64[n] and of sweeps, int64[loops, n], and what they are: `sizes`,
    int64[n] words on chip."""

    demands: Array
    cycles: Array
    sweeps: Array
    sizes: Sizes
    capacity: Array
    multipliers: Multipliers


def explore(
    stages: Sequence[Stage],
    quantisers: Quantisers,
    activation_bits: int,
    device: Device,
    multipliers: Sequence[Multipliers] | None = None,
    lanes: Sequence[int] = LANES,
) -> Exploration:
    """All designs of `lanes` and row tiles, products made in one of `multipliers` (None: wherever they can be), requantisers, inputs that
    are kept on chip and unrolled sweeps. Of equally fast ones the one with fewer LUTs, then DSPs, then block RAMs is best.

    Raises ValueError, naming what is short, where none fits; where there is no product; and for cores whose cost is not known.
    """
    products = products_of(stages)
    if not products:
        raise ValueError("expected at least one matrix product")
    used = [any(product.counts[place] for product in products) for place in range(3)]
    choices = _multipliers(quantisers, used, activation_bits) if multipliers is None else list(multipliers)
    loops = _loops(stages)
    rows = row_choices(products)
    smallest, engines, fills = _Smallest(device), list[_Engines](), dict[int, dict[Counts, Array]]()
    for wide, together in pairs(lanes, REQUANTISERS):
        if wide % together:
            continue
        sizes = Sizes(wide, rows, together, fills.setdefault(together, {}))
        depth, held = weight_depth(products, sizes), _capacities(products, sizes)
        scaling = scaling_demand(rows, together)
        cycles = [_product_cycles(products, sizes, capacity, quantisers, device) for capacity in held]
        sweeps = np.stack([_sweep_cycles(stages, unroll, sizes, device) for unroll, _ in loops])
        for choice in choices:
            luts, dsps = costs.CONTROL_LUTS + scaling[0], np.full(len(rows), scaling[1])
            brams = costs.CONTROL_BRAMS + list_brams(depth)
            for place in range(3):
                if used[place]:
                    own = core_demand(rows[:, place], quantisers[place], choice[place], activation_bits, wide)
                    luts, dsps = luts + own[0], dsps + own[1]
                    brams = brams + weight_brams(rows[:, place], quantisers[place], wide, depth)
            for capacity, taken in zip(held, cycles, strict=True):
                demands = np.stack([luts, dsps, brams + held_brams(capacity, wide)], axis=1)
                fits = smallest.see(demands + loops[0][1])
                fitting = Sizes(wide, rows[fits], together)
                engines.append(_Engines(demands[fits], taken[fits], sweeps[:, fits], fitting, capacity[fits], choice))
    return _exploration(engines, loops, smallest, (stages, quantisers, activation_bits, device))


def explore_mixtures(
    stages: Sequence[Stage],
    mixtures: Iterable[Mixture],
    activation_bits: int,
    device: Device,
    multipliers: Sequence[Multipliers] | None = None,
) -> tuple[Mixture, Exploration]:
    """The mixture whose fastest design is faster than those of the others, the first of equals. What accuracy it leaves, training has to
    say. Raises ValueError as `explore` does, where none fits with any."""
    best: tuple[Mixture, Exploration] | None = None
    failure = ValueError("expected at least one mixture")
    for mixture in mixtures:
        try:
            found = explore(mixed(stages, mixture), mixture.quantisers, activation_bits, device, multipliers)
        except NoneFitsError as error:
            failure = error
            continue
        if best is None or found.best.cycles < best[1].best.cycles:
            best = mixture, found
    if best is None:
        raise failure
    return best


class NoneFitsError(ValueError):
    """A device is too small for every design."""


class _Smallest:
    """The design that exceeds a budget least."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.excess, self.demand = np.inf, Demand(0, 0, 0)

    def see(self, demands: Array) -> Array:
        """Which of float64[n, 3] fit; those that do not are remembered."""
        budget = self.device.budget
        excess = (demands / np.maximum([budget.luts, budget.dsps, budget.brams], 1e-9)).max(axis=1)
        place = int(excess.argmin())
        if excess[place] < self.excess:
            self.excess, self.demand = float(excess[place]), Demand(*demands[place].tolist())
        return excess <= 1

    def error(self) -> NoneFitsError:
        budget = self.device.budget
        short = [
            name
            for name, need, have in (
                ("LUT", self.demand.luts, budget.luts),
                ("DSP", self.demand.dsps, budget.dsps),
                ("BRAM", self.demand.brams, budget.brams),
            )
            if need > have
        ]
        return NoneFitsError(
            f"no design fits {self.device.name}: the smallest takes {self.demand}, expected at most {budget}; short of "
            f"{', '.join(short)}"
        )


def _multipliers(quantisers: Quantisers, used: list[bool], activation_bits: int) -> list[Multipliers]:
    """Every way to make the products. Raises ValueError for cores whose cost is not known."""
    options: list[list[str]] = []
    for quantiser, is_used in zip(quantisers, used, strict=True):
        found = costs.legal_multipliers(quantiser, activation_bits) if is_used else ["fabric"]
        if not found:
            costs.core_luts(quantiser, "fabric", activation_bits, LANES[0])
        options.append(found)
    return [(coarse, fine, wide) for coarse, fine, wide in pairs(*options)]


def _loops(stages: Sequence[Stage]) -> list[tuple[int, Array]]:
    """(unroll, demand float64[3]) of all sweeps."""
    found: list[tuple[int, Array]] = []
    for unroll in UNROLLS if sweeps_of(stages) else UNROLLS[:1]:
        demand = sum((unit_demand(unit, unroll) for unit in units(stages).values()), Demand(0, 0, 0))
        found.append((unroll, np.array([demand.luts, demand.dsps, demand.brams])))
    return found


def _capacities(products: Sequence[Product], sizes: Sizes) -> list[Array]:
    """Words on chip that hold nothing, or all inputs up to some size: int64[n] each."""
    limits = sorted({product.positions * product.channels * product.planes for product in products})
    if len(limits) > MOST_CAPACITIES:
        limits = [limits[int(i)] for i in np.linspace(0, len(limits) - 1, MOST_CAPACITIES).round()]
    found = [np.zeros(len(sizes.rows), np.int64)]
    for limit in limits:
        held = [p for p in products if p.positions * p.channels * p.planes <= limit]
        found.append(np.maximum.reduce([p.positions * p.planes * p.words(sizes) for p in held]))
    return found


def _product_cycles(
    products: Sequence[Product], sizes: Sizes, capacity: Array, quantisers: Quantisers, device: Device
) -> Array:
    """Of all products; equal ones are counted once. int64[n]."""
    kinds = _kinds(products)
    return np.sum([n * product_cycles(p, sizes, capacity, quantisers, device).total for p, n in kinds], axis=0)


def _sweep_cycles(stages: Sequence[Stage], unroll: int, sizes: Sizes, device: Device) -> Array:
    """Of all sweeps, int64[n]."""
    none = np.zeros(len(sizes.rows), np.int64)
    return sum((n * sweep_cycles(s, unroll, sizes, device).total for s, n in _kinds(sweeps_of(stages))), none)


def _kinds(stages: Sequence[Kind]) -> list[tuple[Kind, int]]:
    """Stages that differ in more than their name, and how often each is there."""
    return list(Counter(replace(stage, name="") for stage in stages).items())


def _exploration(
    engines: list[_Engines],
    loops: list[tuple[int, Array]],
    smallest: _Smallest,
    what: tuple[Sequence[Stage], Quantisers, int, Device],
) -> Exploration:
    """Every engine with every unrolling of the sweeps."""
    stages, quantisers, activation_bits, device = what
    measures: list[Array] = []
    names: list[Array] = []
    for group, own in enumerate(engines):
        for loop, (_, demand) in enumerate(loops):
            whole = own.demands + demand
            fitting = smallest.see(whole).nonzero()[0] if len(whole) else np.zeros(0, np.int64)
            cycles = own.cycles[fitting] + own.sweeps[loop, fitting]
            measures.append(np.column_stack([cycles, whole[fitting]]))
            names.append(np.column_stack([np.full(len(fitting), group), np.full(len(fitting), loop), fitting]))
    measured, named = np.concatenate(measures), np.concatenate(names)
    if not len(measured):
        raise smallest.error()
    points = [_point(measured[i], named[i], engines, loops) for i in front_of(measured)]
    return Exploration(
        estimate(stages, points[0].design, quantisers, activation_bits, device), tuple(points), len(measured)
    )


def _point(measured: Array, named: Array, engines: list[_Engines], loops: list[tuple[int, Array]]) -> Point:
    group, loop, place = named.tolist()
    own = engines[group]
    sizes = own.sizes
    coarse, fine, wide = sizes.rows[place].tolist()
    tiles = Tiles(sizes.lanes, (coarse, fine, wide))
    design = Design(tiles, own.multipliers, sizes.together, loops[loop][0], int(own.capacity[place]))
    return Point(design, int(measured[0]), Demand(*measured[1:].tolist()))


def front_of(measured: Array) -> list[int]:
    """Places of rows of float64[n, 4] (cycles, LUTs, DSPs, block RAMs) that no other row beats or equals in the first three; the fastest
    first. Of equal ones the one with fewer block RAMs stays, then the first."""
    order = np.lexsort(measured.T[::-1])
    kinds, dsps = np.unique(measured[order, 2], return_inverse=True)
    fewest = np.full(len(kinds), np.inf)  # LUTs of what was seen with so many DSPs or fewer
    found: list[int] = []
    for place, luts, kind in zip(order.tolist(), measured[order, 1].tolist(), dsps.tolist(), strict=True):
        if luts < fewest[kind]:
            found.append(place)
            np.minimum(fewest[kind:], luts, out=fewest[kind:])
    return found
