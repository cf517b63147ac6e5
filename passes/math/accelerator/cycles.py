"""Cycles of stages, of one design or of arrays of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import costs
from .design import WEIGHT_SEGMENT
from .devices import Device
from .stages import Product, Sweep
from .tiles import PIPELINE_STAGES

Array = np.ndarray
SWEEP_STAGES = 20
"""Of the pipeline of a loop. Judgement."""


@dataclass(frozen=True)
class Cycles:
    """`load` before the first step; then `compute` or `memory`, whichever takes longer; then `fill`, until what is in the pipeline has
    come out. `ddr_bytes` are read and written. int64 arrays of any shape, the same of all."""

    compute: Array
    memory: Array
    load: Array
    fill: Array
    ddr_bytes: Array

    @property
    def total(self) -> Array:
        return self.load + np.maximum(self.compute, self.memory) + self.fill


def product_cycles(
    product: Product, lanes: int, rows: Array, requantisers: Array, bits: tuple[int, int, int], device: Device
) -> Cycles:
    """Of a product in engines of `rows` int[.., 3] rows of each quantiser, whose weights have so many `bits`. Tiles of rows are the
    outermost loop; the weights of the next one are loaded meanwhile. Where nothing waits for the memory, this is `Tiles.cycles`."""
    slots, columns = rows.sum(axis=-1), product.column_tiles(lanes)
    row_tiles = row_tiles_of(product, rows)
    steps = np.maximum(np.ceil(row_tiles * columns * product.kept), row_tiles).astype(np.int64)
    compute = product.pixels * np.maximum(steps, row_tiles * -(-slots // requantisers))
    weights = columns * lanes * product.kept * (rows @ np.array(bits)) / 8 + slots * costs.ROW_BYTES
    ddr_bytes = row_tiles * (weights + product.input_bytes) + product.output_bytes
    first = weights * (min(1.0, WEIGHT_SEGMENT / columns) if product.pixels == 1 else 1.0)
    return Cycles(
        compute,
        _ceil((ddr_bytes - first) / device.ddr_bytes_per_cycle),
        _ceil(first / device.ddr_bytes_per_cycle) + device.ddr_latency_cycles,
        np.full(compute.shape, PIPELINE_STAGES + (lanes - 1).bit_length() - 1),
        _ceil(ddr_bytes),
    )


def row_tiles_of(product: Product, rows: Array) -> Array:
    """Tiles of rows, as the quantiser that has most of them: int[.., 3] -> int64[..]. Every quantiser that has rows needs a core."""
    used = [place for place in range(3) if product.counts[place]]
    return np.maximum.reduce([-(-product.counts[place] // rows[..., place]) for place in used])


def sweep_cycles(sweep: Sweep, unroll: int, device: Device) -> Cycles:
    """Of a loop; its sizes are those of the sweep."""
    ddr_bytes = sweep.reads + sweep.writes
    numbers = (
        -(-sweep.points // unroll),
        -(-ddr_bytes // device.ddr_bytes_per_cycle),
        device.ddr_latency_cycles,
        SWEEP_STAGES,
        ddr_bytes,
    )
    return Cycles(*(np.array(int(n)) for n in numbers))


def _ceil(values: Array) -> Array:
    return np.ceil(values).astype(np.int64)
