"""Stages of accelerators to estimate."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from cocomp.passes.math.accelerator import Design, Product, Stage, Sweep, Tiles
from cocomp.passes.math.accelerator.memories import Memory
from cocomp.passes.math.quantisers.rows import rmsmp

RMSMP = rmsmp()


def product(rows: int, channels: int, taps: int, side: int, kept: float = 1.0, planes: int = 1) -> Product:
    """Of an image as large as it becomes; rows as RMSMP shares them out."""
    pixels = side * side
    counts = RMSMP.counts(rows)
    return Product("product", counts, channels, taps, pixels, pixels, 1, kept, planes)


PRODUCTS = st.builds(
    product, st.integers(3, 200), st.integers(1, 200), st.sampled_from([1, 3, 9, 49]), st.integers(1, 20),
    st.sampled_from([1.0, 0.5, 0.13]), st.sampled_from([1, 2]),
)  # fmt: skip
SWEEPS = st.builds(
    Sweep, st.just("sweep"), st.integers(1, 100000), st.integers(0, 100000), st.integers(0, 100000), st.integers(0, 3),
    st.integers(0, 3), st.sampled_from([(Memory("s", 8, 8),), (Memory("m", 4000, 9),), (Memory("l", 12288, 4),)]),
    st.sampled_from(["", "one"]), st.just(0), st.none(), st.sampled_from([(), ((1, False), (2, True))]), st.booleans(),
)  # fmt: skip
STAGES: st.SearchStrategy[list[Stage]] = st.builds(
    lambda products, sweeps: [*products, *sweeps],
    st.lists(PRODUCTS, min_size=1, max_size=3),
    st.lists(SWEEPS, max_size=2),
)
CORES = ("fabric", "packed", "dsp")
DESIGNS = st.builds(
    lambda lanes, rows, together, unroll: Design(Tiles(lanes, rows), CORES, math.gcd(lanes, together), unroll),
    st.sampled_from([1, 4, 12, 16, 64]), st.tuples(*[st.integers(1, 40)] * 3), st.sampled_from([1, 2, 4, 16]), st.integers(1, 64),
)  # fmt: skip

CONVOLUTIONS: list[Stage] = [
    product(64, 64, 9, 56),
    product(128, 64, 9, 28),
    product(1000, 512, 1, 1),
]
