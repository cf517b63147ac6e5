"""Tiles on a GPU fit what an invocation has room for, workgroups what devices take, and lists are as long as they are counted."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.gpu._tiles import entries
from cocomp.passes.math.shades import LEAST_INVOCATIONS, TEXEL, Prices, Shape, Tile, cycles, rank, tiles, workgroups
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.passes.sparsity._pack import pack

PRICES = Prices(texel=22, element=27, weight=11, product=4, accumulators=64)


def choose(shape: Shape, force: bool = False) -> Tile:
    """The tile with the fewest cycles."""
    return rank(shape, PRICES, force)[0][1]


shapes = st.builds(
    Shape,
    rows=st.integers(1, 100),
    pixels=st.integers(1, 60),
    outer=st.integers(1, 9),
    columns=st.integers(1, 50).map(lambda n: TEXEL * n),
    together=st.sampled_from([1, TEXEL]),
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(shapes, st.sampled_from([16, 64, 128]))
def test_tiles_fit(shape: Shape, room: int) -> None:
    prices = dataclasses.replace(PRICES, accumulators=room)
    for tile in tiles(shape, prices):
        assert tile.rows % TEXEL == 0 and tile.rows < shape.rows + TEXEL
        assert 1 <= tile.pixels <= shape.pixels and tile.rows * tile.pixels <= room
        assert cycles(shape, tile, prices) >= rank(shape, prices)[0][0]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(shapes, st.integers(1, 8))
def test_zeros_are_left_out_where_that_is_cheaper(shape: Shape, rate: int) -> None:
    """Lists of entries cost what is read of them: with all columns kept nothing is gained, and fewer never take longer."""
    units = sorted({1, shape.together})
    sizes = range(TEXEL, 17, TEXEL)
    full, thin = (
        dataclasses.replace(
            shape, kept={(rows, unit): shape.columns / unit / share for rows in sizes for unit in units}
        )
        for share in (1, rate)
    )
    assert choose(full).unit == 0 and choose(full, force=True).unit > 0
    for tile in tiles(thin, PRICES):
        assert cycles(thin, tile, PRICES) <= cycles(full, tile, PRICES)
    if rate == 8:
        assert choose(thin).unit == units[-1]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000), st.sampled_from([1, TEXEL]))
def test_lists_are_as_long_as_counted(outer: int, rows: int, quads: int, seed: int, unit: int) -> None:
    matrix = (np.random.default_rng(seed).random((outer, rows, TEXEL * quads)) < 0.2).astype(np.float32)
    for size in range(TEXEL, 17, TEXEL):
        groups = -(-rows // size)
        schedule = TileSchedule(TEXEL, (Segment(size // TEXEL, groups),), 4, 1, 1, keep_zeros=False, unit=unit)
        spans = pack(matrix, np.arange(TEXEL * quads), schedule).spans
        assert entries(matrix != 0, size, unit).ravel().tolist() == [last - first for first, last, _ in spans]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(1, 5000), st.integers(1, 300), st.sampled_from([64, 128, 256]))
def test_workgroups_fit(across: int, down: int, most: int) -> None:
    def invocations(shape: tuple[int, int]) -> int:
        return -(-across // shape[0]) * shape[0] * -(-down // shape[1]) * shape[1]

    found = workgroups(across, down, most)
    assert found and len(set(found)) == len(found)
    for wide, high in found:
        assert wide * high <= most and wide < 2 * across and high < 2 * down
        assert wide * high >= LEAST_INVOCATIONS or (wide >= across and high >= down)
    idle = [invocations(shape) for shape in found]
    assert idle == sorted(idle) and idle[-1] <= 1.25 * idle[0]
