"""Register tiles cover every row and pixel, fit the registers, and leave enough to do for a few threads."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cocomp.passes.math import tiles
from cocomp.passes.math.tiles import (
    TASK_CYCLES,
    choose_pixel_tiles,
    choose_tiles,
    estimate,
    group_sizes,
    multiplied,
    rank_tiles,
)
from cocomp.passes.math.work import TileSchedule, VectorUnit, Work, split_rows


def work_of(images: int, lines: int, **others: Any) -> Work:
    """Work on the lines of several images."""
    return Work(outer_pixels=images * lines, lines=lines, **others)


works = st.builds(
    work_of,
    rows=st.integers(1, 300),
    outer_rows=st.integers(1, 8),
    batches=st.integers(1, 4),
    pixels=st.integers(1, 200),
    images=st.integers(1, 3),
    lines=st.integers(1, 20),
    line_step=st.sampled_from([9, 58, 1 << 20]),
    pixel_step=st.sampled_from([1, 2, 1 << 20]),
    pixel_taps=st.integers(1, 9),
    columns=st.integers(1, 3000),
    input_bytes=st.integers(4, 1 << 24),
    weight_bytes=st.integers(4, 1 << 24),
    contiguous_rows=st.booleans(),
    contiguous_pixels=st.booleans(),
)
units = st.sampled_from([
    VectorUnit(4, 32, 256 << 10, False, 8),
    VectorUnit(8, 16, 512 << 10, False, 16),
    VectorUnit(16, 32, 1 << 20, True, 32),
])  # fmt: skip


def thinned(work: Work, unit: VectorUnit, share: float) -> Work:
    """The same work with columns left out: the more, the narrower the row group."""
    kept = {size: work.columns * min(1.0, share * size) for size in group_sizes(work.rows, unit)}
    return dataclasses.replace(work, kept=kept)


def in_blocks(work: Work, unit: VectorUnit, block: tuple[int, int], seed: int) -> Work:
    """The same work with half of the rows and a quarter of the columns in each block."""
    rng = np.random.default_rng(seed)
    shape = tuple(-(-extent // side) for extent, side in zip((work.rows, work.columns), block, strict=True))
    rows = rng.permuted(np.tile(np.arange(block[0]) % 2 == 0, (*shape, 1)), axis=2)
    columns = rng.permuted(np.tile(np.arange(block[1]) % 4 == 0, (*shape, 1)), axis=2)
    kept = (rows[..., None] & columns[:, :, None]).swapaxes(1, 2).reshape(shape[0] * block[0], -1)
    return tiles.thinned(work, [kept[None, : work.rows, : work.columns]], unit)


def check_rows(work: Work, schedule: TileSchedule) -> None:
    """Row groups follow one another and cover the rows, the last one padded to a unit."""
    end = 0
    for group in range(schedule.groups):
        first, size = schedule.rows_of(group)
        assert first == end and size > 0 and size % schedule.row_unit == 0
        end = first + size
    assert work.rows <= end < work.rows + (schedule.band or schedule.row_unit)
    assert end == schedule.padded_rows


def check_blocks(work: Work, schedule: TileSchedule, unit: VectorUnit) -> None:
    """Tasks cover all tiles, and there are several where there is much to do, one where handing them out would take longer."""
    tiles = work.tiles(schedule.pixels * schedule.pixel_unit, schedule.lines)
    groups = schedule.groups * work.outer_rows
    assert 1 <= schedule.pixel_block <= tiles and 1 <= schedule.row_block <= groups
    tasks = -(-tiles // schedule.pixel_block) * -(-groups // schedule.row_block) * work.batches
    cycles = estimate(work, schedule, unit) * work.outer_rows * work.batches
    assert tasks >= (4 if tiles * groups * work.batches >= 64 and cycles >= 8 * TASK_CYCLES else 1)
    if cycles < TASK_CYCLES and work.input_bytes < unit.l2_bytes // 4:
        assert tasks == work.batches


@given(works, units)
def test_tiles_along_rows(work: Work, unit: VectorUnit) -> None:
    schedule = choose_tiles(work, unit)
    assert not schedule.along_pixels and schedule.keep_zeros
    assert schedule.lanes <= unit.lanes and 1 <= schedule.pixels <= work.pixels
    for segment in schedule.segments:
        assert segment.vectors * schedule.pixels + segment.vectors <= unit.registers
    check_rows(work, schedule)
    check_blocks(work, schedule, unit)


@given(works, units, st.floats(0.001, 0.3))
def test_tiles_that_leave_columns_out(work: Work, unit: VectorUnit, share: float) -> None:
    work = thinned(work, unit, share)
    schedule = choose_tiles(work, unit)
    assert not schedule.keep_zeros
    for segment in schedule.segments[:1]:
        assert segment.vectors * schedule.lanes in group_sizes(work.rows, unit) or segment.groups == 1
    check_rows(work, schedule)
    check_blocks(work, schedule, unit)


@given(works, units)
def test_tiles_along_pixels(work: Work, unit: VectorUnit) -> None:
    schedule = choose_pixel_tiles(work, unit)
    if schedule is None:
        assert work.pixels <= unit.lanes
        return
    assert schedule.along_pixels and schedule.row_unit == 1
    assert schedule.pixels == 1 or schedule.pixels * schedule.lanes <= work.pixels
    assert 1 <= schedule.lines <= work.lines
    for segment in schedule.segments:
        registers = schedule.pixels * schedule.lines
        assert segment.vectors * registers + registers + 1 <= unit.registers
    check_rows(work, schedule)
    check_blocks(work, schedule, unit)


@settings(deadline=None)
@given(works, units, st.sampled_from([(64, 256), (16, 64), (8, 16)]), st.integers(0, 99))
def test_bands_fit_registers_and_cache(work: Work, unit: VectorUnit, block: tuple[int, int], seed: int) -> None:
    work = in_blocks(work, unit, block, seed)
    for cycles, schedule in rank_tiles(work, unit, along_pixels=True):
        if not schedule.band:
            continue
        (pieces,) = schedule.segments
        registers = schedule.pixels * schedule.lines
        assert (pieces.vectors + 1) * registers + 1 <= unit.registers
        assert schedule.band * registers * schedule.lanes * unit.element_bytes <= unit.l1_bytes // 2
        assert estimate(work, schedule, unit) <= cycles
        assert multiplied(work, schedule) <= 1.0 + pieces.vectors
        check_rows(work, schedule)


def test_blocks_that_lose_rows_are_cut_into_pieces() -> None:
    """Whole rows have 1.9x the products in common; pieces have none too many. Blocks of whole rows need none."""
    unit = VectorUnit(16, 32, 1 << 20, True, 32)
    work = Work(512, 1, 1, 784, 1, 512, 512 * 784 * 4, 512 * 512 * 4, pixel_step=1, contiguous_pixels=True)
    blocks = in_blocks(work, unit, (64, 256), 0)
    schedule = choose_pixel_tiles(blocks, unit)
    assert schedule is not None and schedule.band == 64
    assert np.isclose(multiplied(blocks, schedule), 1 / 8)
    rows = dataclasses.replace(blocks, pieces={})
    whole = choose_pixel_tiles(rows, unit)
    assert whole is not None and not whole.band
    assert multiplied(rows, whole) > 1.4 / 8
    assert estimate(blocks, schedule, unit) < 0.7 * estimate(rows, whole, unit)
    shared = np.random.default_rng(0).random((1, 64, 512)).repeat(8, 1) < 1 / 8
    assert not tiles.thinned(work, [shared], unit).pieces


def test_narrow_pieces_lose_to_whole_rows() -> None:
    """Where zeros are anywhere a piece is a column wide, and moves more accumulators than it multiplies."""
    unit = VectorUnit(16, 32, 1 << 20, True, 32)
    work = Work(128, 1, 1, 784, 1, 512, 512 * 784 * 4, 128 * 512 * 4, pixel_step=1, contiguous_pixels=True)
    anywhere = tiles.thinned(work, [np.random.default_rng(0).random((1, 128, 512)) < 0.1], unit)
    assert anywhere.pieces
    schedule = choose_pixel_tiles(anywhere, unit)
    assert schedule is not None and not schedule.band


@given(works, st.integers(1, 40), st.integers(1, 20))
def test_tiles_cover_the_lines_of_each_image(work: Work, pixels: int, lines: int) -> None:
    across, down = -(-work.pixels // pixels), -(-work.lines // lines)
    assert work.tiles(pixels, lines) == across * down * (work.outer_pixels // work.lines)


@given(st.integers(1, 1000), st.integers(1, 8), st.sampled_from([1, 4, 8, 16]))
def test_rows_are_padded_to_registers_and_no_further(rows: int, vectors: int, lanes: int) -> None:
    segments = split_rows(rows, vectors, lanes)
    total = sum(s.vectors * s.groups for s in segments) * lanes
    assert rows <= total < rows + lanes
    assert all(1 <= s.vectors <= vectors and s.groups >= 1 for s in segments)


@given(works, units)
def test_the_choice_beats_the_simplest_tile(work: Work, unit: VectorUnit) -> None:
    schedule = choose_tiles(work, unit)
    simple = TileSchedule(schedule.lanes, split_rows(work.rows, 1, schedule.lanes), 1, 1, 1)
    assert estimate(work, schedule, unit) <= estimate(work, simple, unit)


@given(works, units, st.sampled_from([0.0, 0.01, 0.2]))
def test_the_choice_heads_the_ranking(work: Work, unit: VectorUnit, share: float) -> None:
    work = thinned(work, unit, share) if share else work
    along_rows, along_pixels = (rank_tiles(work, unit, along) for along in (False, True))
    assert along_rows[0][1] == choose_tiles(work, unit)
    assert (along_pixels[0][1] if along_pixels else None) == choose_pixel_tiles(work, unit)
    for ranking in (along_rows, along_pixels):
        assert [cycles for cycles, _ in ranking] == sorted(cycles for cycles, _ in ranking)
        assert len({schedule for _, schedule in ranking}) == len(ranking)
        for cycles, schedule in ranking:
            assert estimate(work, schedule, unit) <= cycles * 1.0001
            check_rows(work, schedule)


@given(works, units)
def test_more_columns_cost_more(work: Work, unit: VectorUnit) -> None:
    schedule = choose_tiles(work, unit)
    more = dataclasses.replace(work, columns=work.columns * 2)
    assert estimate(more, schedule, unit) > estimate(work, schedule, unit)


@given(works, units)
def test_fewer_kept_columns_cost_less(work: Work, unit: VectorUnit) -> None:
    assume(work.columns >= 100)
    some, few = (thinned(work, unit, share) for share in (0.01, 0.001))
    assert estimate(few, choose_tiles(few, unit), unit) <= estimate(some, choose_tiles(some, unit), unit)


def test_prefetching_is_for_inputs_beyond_the_cache_with_few_columns_of_a_line() -> None:
    unit = VectorUnit(lanes=16, registers=32, l2_bytes=1 << 20, broadcast_operand=True, fma_lanes=16)
    work = Work(
        rows=64, outer_rows=1, batches=1, pixels=3136, outer_pixels=16, columns=432, input_bytes=1 << 25,
        weight_bytes=432 * 64 * 4, kept=dict.fromkeys(group_sizes(64, unit), 43.0), contiguous_rows=False,
        contiguous_pixels=True, pixel_step=1,
    )  # fmt: skip
    for changes, expected in (
        ({}, True),
        ({"input_bytes": 1 << 19}, False),
        ({"pixel_taps": 7}, False),
        ({"kept": {}}, False),
    ):
        for choose in (choose_tiles, choose_pixel_tiles):
            schedule = choose(dataclasses.replace(work, **changes), unit)
            assert schedule is not None and schedule.prefetch is expected
