"""An accelerator: the sizes that are free to choose, and what it takes of a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from cocomp.passes.math.quantisers import Quantiser

from . import costs
from .devices import Demand
from .memories import Memory, OnChip, is_loaded, on_chip
from .stages import Product, Sizes, Stage, Sweep, products_of, sweeps_of
from .tiles import CHUNK_BYTES, PLANE_BITS, Tiles, code_bits

Array = np.ndarray
Quantisers = tuple[Quantiser, Quantiser, Quantiser]
Multipliers = tuple[str, str, str]
PLACES = ("coarse", "fine", "wide")
WEIGHT_SEGMENT = 256
"""Tiles of columns of a product of one pixel that are on chip, at most: each is used once, so that sums go on as the next arrive."""

ENTRY_BITS = 96
"""Of a column tile in a list: four taps and an offset."""


@dataclass(frozen=True)
class Design:
    """One engine for all products, and loops for the rest. `multipliers` says of each quantiser where its products are made
    (`costs.MULTIPLIERS`), `requantisers` how many sums are scaled in a cycle, whose results are written at once: as many as lanes, or
    a part of those; `unroll` how many points of a sweep are computed. Raises ValueError for what is none."""

    tiles: Tiles
    multipliers: Multipliers
    requantisers: int
    unroll: int = 1
    capacity: int = 0
    """Words of `lanes` activations, one plane of each, that are kept on chip, of products that read an activation more than once."""

    def __post_init__(self) -> None:
        for where in self.multipliers:
            if where not in costs.MULTIPLIERS:
                raise ValueError(f"expected products in one of {', '.join(costs.MULTIPLIERS)}, got '{where}'")
        if min(self.requantisers, self.unroll) < 1:
            raise ValueError(f"expected at least one requantiser and one point of a sweep in a cycle, got {self}")
        if self.tiles.lanes % self.requantisers:
            raise ValueError(f"expected requantisers that divide the {self.tiles.lanes} lanes, got {self.requantisers}")
        if self.capacity < 0:
            raise ValueError(f"expected no negative number of words on chip, got {self.capacity}")

    def holds(self, words: int, times: int) -> bool:
        """Whether an input of so many words that is read so many times is copied on chip first."""
        return bool(holds(np.array(words), np.array(times), np.array(self.capacity)))

    @property
    def sizes(self) -> Sizes:
        """Of its engine."""
        return Sizes(self.tiles.lanes, np.array(self.tiles.rows), self.requantisers)

    def members(self, places: Array) -> list[list[Array]]:
        """The rows of the model in every tile of rows, by the places of their quantisers: int8[rows] -> int64[..] each."""
        groups = [np.flatnonzero(places == place) for place in range(3)]
        coarse, fine, wide = map(len, groups)
        counts = self.sizes.fill((coarse, fine, wide))
        ends = counts.cumsum(axis=0)
        return [
            [group[end - n : end] for group, n, end in zip(groups, *of, strict=True)]
            for of in zip(counts.tolist(), ends.tolist(), strict=True)
        ]

    def words(self, members: Sequence[Array]) -> Array:
        """The rows of a tile whose results are written at once, int64[words, requantisers], -1 for none."""
        rows = np.concatenate(members)
        filled = np.pad(rows, (0, -len(rows) % self.requantisers), constant_values=-1)
        return filled.reshape(-1, self.requantisers)

    def order(self, places: Array) -> tuple[Array, int]:
        """Where the result of each row is among those of a pixel, int64[rows], and how many there is room for."""
        slots = np.concatenate([self.words(tile).reshape(-1) for tile in self.members(places)])
        order = np.zeros(len(places), np.int64)
        filled = np.flatnonzero(slots >= 0)
        order[slots[filled]] = filled
        return order, slots.size

    @property
    def multiply_adds(self) -> int:
        """In a cycle."""
        return self.tiles.lanes * sum(self.tiles.rows)

    def __str__(self) -> str:
        cores = " + ".join(
            f"{rows} {where}" for rows, where in zip(self.tiles.rows, self.multipliers, strict=True) if rows
        )
        return f"{self.tiles.lanes} lanes x ({cores}), {self.requantisers} requantisers, unroll {self.unroll}, {self.capacity} words"


@dataclass(frozen=True)
class Part:
    """A part of a design and what it takes."""

    name: str
    demand: Demand


def parts(stages: Sequence[Stage], design: Design, quantisers: Quantisers, activation_bits: int) -> list[Part]:
    """What a design takes, part by part. Raises ValueError for cores whose cost is not known."""
    rows, lanes = design.sizes.rows, design.tiles.lanes
    products = products_of(stages)
    found = [Part("control and memory ports", Demand(costs.CONTROL_LUTS, 0, costs.CONTROL_BRAMS))]
    depth = weight_depth(products, design.sizes)
    for place in range(3):
        if rows[place]:
            quantiser, where = quantisers[place], design.multipliers[place]
            luts, dsps = core_demand(rows[place], quantiser, where, activation_bits, lanes)
            brams = weight_brams(rows[place], quantiser, lanes, depth)
            name = f"{PLACES[place]}: {rows[place]} x {lanes} {quantiser} in {where}"
            found.append(Part(name, Demand(float(luts), float(dsps), float(brams))))
    found.append(Part("lists of column tiles", Demand(0, 0, float(list_brams(depth)))))
    luts, dsps = scaling_demand(rows, design.requantisers)
    found.append(Part("requantisers", Demand(float(luts), dsps, 0)))
    found.append(Part("activations on chip", Demand(0, 0, float(held_brams(np.array(design.capacity), lanes)))))
    found += [Part(name, unit_demand(unit, design.unroll)) for name, unit in units(stages).items()]
    return found


def total(found: Sequence[Part]) -> Demand:
    """Of all parts."""
    return sum((part.demand for part in found), Demand(0, 0, 0))


def core_demand(rows: Array, quantiser: Quantiser, where: str, activation_bits: int, lanes: int) -> tuple[Array, Array]:
    """LUTs and DSPs of the cores for so many rows."""
    luts = rows * costs.core_luts(quantiser, where, activation_bits, lanes)
    pairs = 2 * -(-rows // 2) if where == "packed" else rows
    return luts, pairs * costs.core_dsps(where, lanes)


def holds(words: Array, times: Array, capacity: Array) -> Array:
    """Whether inputs of so many words, read so many times, are copied on chip first: bool[..]."""
    return (words <= capacity) & (times > 1)


def weight_depth(products: Sequence[Product], sizes: Sizes) -> Array:
    """Words of a buffer of weights, two tiles of rows of the longest product: int64[..]."""
    most = np.zeros(sizes.rows.shape[:-1], np.int64)
    for product in products:
        count = product.column_tiles(sizes)
        most = np.maximum(most, np.minimum(count, WEIGHT_SEGMENT) if product.pixels == 1 else count)
    return 2 * most


def weight_brams(rows: Array, quantiser: Quantiser, lanes: int, depth: Array) -> Array:
    """A word holds as many codes as the memory gives at once, or those of all lanes; each has memories of its own."""
    bits = code_bits(quantiser)
    codes = gcd(lanes, 8 * CHUNK_BYTES // bits)
    return rows * (lanes // codes) * costs.block_rams(codes * bits, depth)


def list_brams(depth: Array) -> Array:
    """Of the column tiles of two tiles of rows."""
    return costs.block_rams(ENTRY_BITS, depth)


def held_brams(capacity: Array, lanes: int) -> Array:
    """Of the activations that are kept on chip; a word holds those of all lanes, a plane of them."""
    return costs.block_rams(lanes * PLANE_BITS, capacity)


def scaling_demand(rows: Array, requantisers: int) -> tuple[Array, float]:
    """LUTs and DSPs of what scales the sums of so many rows of each quantiser, int[.., 3]. Each requantiser chooses among its part of the
    first ones, and among all of the others: where these begin is not the same in every tile."""
    first = int(np.argmax(rows.reshape(-1, 3).any(axis=0)))
    chosen = rows[..., first] + requantisers * (rows.sum(axis=-1) - rows[..., first])
    luts = rows.sum(axis=-1) * costs.ROW_LUTS + chosen * costs.CHOICE_LUTS + requantisers * costs.REQUANTISER_LUTS
    return luts, requantisers * costs.REQUANTISER_DSPS


@dataclass(frozen=True)
class Unit:
    """The hardware of sweeps: what it has to be able to do."""

    most_at_once: int
    multiplies: int
    adds: int
    memories: tuple[OnChip, ...]


def units(stages: Sequence[Stage]) -> dict[str, Unit]:
    """Of all sweeps, by the names of units. An array that is all that functions read at some places is there once."""
    found: dict[str, Unit] = {}
    known: set[str] = set()
    for name, sweeps in _groups(stages).items():
        columns = [c for c in columns_of(sweeps) if len(c) > 1 or c[0].name not in known]
        known |= {c[0].name for c in columns if len(c) == 1}
        memories = on_chip(columns, min(s.points for s in sweeps))
        most, multiplies, adds = (
            max(values) for values in zip(*((s.most_at_once, s.multiplies, s.adds) for s in sweeps), strict=True)
        )
        found[name] = Unit(most, multiplies, adds, tuple(memories))
    return found


def _groups(stages: Sequence[Stage]) -> dict[str, list[Sweep]]:
    """The sweeps of every unit."""
    found: dict[str, list[Sweep]] = {}
    for sweep in sweeps_of(stages):
        found.setdefault(sweep.unit or sweep.name, []).append(sweep)
    return found


def columns_of(sweeps: Sequence[Sweep]) -> list[list[Memory]]:
    """The different arrays that sweeps of one unit read at each place."""
    return [list({m.name: m for m in column}.values()) for column in zip(*(s.memories for s in sweeps), strict=True)]


def loading(stages: Sequence[Stage]) -> list[Stage]:
    """The same stages, with what each sweep loads when its function is called."""
    loads: dict[str, int] = {}
    for name, sweeps in _groups(stages).items():
        points = min(s.points for s in sweeps)
        loads[name] = sum(max(m.entries for m in c) for c in columns_of(sweeps) if is_loaded(c, points))
    return [replace(s, loads=loads[s.unit or s.name]) if isinstance(s, Sweep) else s for s in stages]


def unit_demand(unit: Unit, unroll: int) -> Demand:
    """Of the hardware of a sweep, which computes no more points in a cycle than lie side by side."""
    unroll = min(unroll, unit.most_at_once)
    luts = costs.UNIT_LUTS + unroll * unit.adds * costs.ADD_LUTS
    demand = Demand(luts, costs.UNIT_DSPS + unroll * unit.multiplies * costs.MULTIPLY_DSPS, 0)
    return sum((memory.demand(unroll) for memory in unit.memories), demand)
