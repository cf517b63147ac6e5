"""Cycles of stages, of one design or of arrays of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import costs
from .design import WEIGHT_SEGMENT, Quantisers, holds
from .devices import Device
from .memories import LOADED_AT_ONCE
from .stages import Product, Sizes, Sweep, row_tiles_of, slots_of
from .tiles import CHUNK_BYTES, PIPELINE_STAGES, code_bits

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


def product_cycles(product: Product, sizes: Sizes, capacity: Array, quantisers: Quantisers, device: Device) -> Cycles:
    """Of a product in engines of some sizes, with `capacity` words on chip, int64[..]. Tiles of rows are the outermost loop; the weights of
    the next one are fetched meanwhile. An input that is held is copied before, others are read at every tap. Where nothing waits for
    the memory, this is `Tiles.cycles`."""
    lanes, rows, columns = sizes.lanes, sizes.rows, product.column_tiles(sizes)
    row_tiles = row_tiles_of(product.counts, rows)
    steps = np.maximum(np.ceil(row_tiles * columns * product.kept), row_tiles).astype(np.int64)
    compute = product.pixels * _tile_cycles(product, sizes, steps * product.planes, row_tiles)

    weights, first = _weights(product, sizes, steps, row_tiles, quantisers)
    words = product.positions * product.words(sizes)
    held = holds(words * product.planes, product.taps * row_tiles * product.planes, capacity)
    copied = np.where(held, words * lanes, 0)
    read = np.where(held, 0, product.pixels * steps * product.planes * lanes)
    written = product.rows if product.scattered else slots_of(product.counts, sizes)
    ddr_bytes = weights + copied + read + product.pixels * written * product.width
    fast = min(device.ddr_bytes_per_cycle, device.fetch_bytes_per_cycle)
    copying = np.maximum(_ceil(copied / device.ddr_bytes_per_cycle), np.where(held, words * product.planes, 0))
    meanwhile = _ceil((ddr_bytes - first - copied) / device.ddr_bytes_per_cycle)
    return Cycles(
        compute,
        np.maximum(meanwhile, _ceil((weights - first) / device.fetch_bytes_per_cycle)),
        _ceil(first / fast) + copying + device.ddr_latency_cycles * (1 + held),
        np.full(compute.shape, PIPELINE_STAGES + (lanes - 1).bit_length() - 1),
        _ceil(ddr_bytes),
    )


def _tile_cycles(product: Product, sizes: Sizes, steps: Array, row_tiles: Array) -> Array:
    """Of a pixel in all tiles of rows, which share `steps`: each takes those, or as many as it has words of results; of numbers, where these
    are scattered."""
    words = sizes.words(product.counts) * (sizes.together if product.scattered else 1)
    return -(-np.where(words, np.maximum(steps, words * row_tiles), 0).sum(axis=0) // row_tiles)


def _weights(
    product: Product, sizes: Sizes, steps: Array, row_tiles: Array, quantisers: Quantisers
) -> tuple[Array, Array]:
    """Bytes of codes and parameters that are fetched, in all and before the first step. Codes of each quantiser fill whole chunks. Of a
    single pixel they come again for each plane, where they come in segments."""
    rows, lanes = sizes.rows, sizes.lanes
    chunks = sum(-(-rows[..., place] * lanes * code_bits(quantisers[place]) // (8 * CHUNK_BYTES)) for place in range(3))
    entry = (chunks + 1) * CHUNK_BYTES
    slots = -(-rows.sum(axis=-1) // sizes.together) * sizes.together
    fixed = slots * costs.ROW_BYTES + costs.STEP_BYTES
    columns = -(-steps // row_tiles)
    if product.pixels > 1:
        return steps * entry + row_tiles * fixed, columns * entry + fixed
    segments = -(-columns // WEIGHT_SEGMENT)
    times = np.where(segments > 1, product.planes * segments, 1)
    again = np.where(segments > 1, product.planes, 1)
    return again * steps * entry + times * row_tiles * fixed, np.minimum(columns, WEIGHT_SEGMENT) * entry + fixed


def sweep_cycles(sweep: Sweep, unroll: int, sizes: Sizes, device: Device) -> Cycles:
    """Of a loop, beside engines of some sizes."""
    lengths, unroll = sweep.lengths(sizes), min(unroll, sweep.most_at_once)
    steps = -(-lengths // unroll)
    entries = sweep.entries * (steps if sweep.each_step else 1)
    loading = -(-sweep.loads // LOADED_AT_ONCE) + (device.ddr_latency_cycles if sweep.loads else 0)
    ddr_bytes = _ceil((sweep.reads + sweep.writes) * (lengths / (sweep.length or sweep.points)))
    return Cycles(
        sweep.lines * steps * sweep.interval(unroll),
        _ceil(ddr_bytes / device.ddr_bytes_per_cycle),
        np.full(lengths.shape, device.ddr_latency_cycles + loading),
        np.broadcast_to(np.asarray(SWEEP_STAGES * entries), lengths.shape),
        ddr_bytes + 4 * sweep.loads,
    )


def _ceil(values: Array) -> Array:
    return np.ceil(values).astype(np.int64)
