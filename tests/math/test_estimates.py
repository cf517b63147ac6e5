"""Estimates reduce to the cycles of the engine that is simulated, and are never better than arithmetic allows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import (
    Demand,
    Design,
    Gemm,
    Product,
    Stage,
    Sweep,
    Tiles,
    estimate,
    find_device,
)
from cocomp.passes.math.accelerator.costs import (
    CORE_LUTS,
    DDR_PICOJOULES,
    block_rams,
    core_dsps,
    core_luts,
    legal_multipliers,
)
from cocomp.passes.math.accelerator.design import loading, parts, units
from cocomp.passes.math.accelerator.memories import Memory, OnChip
from cocomp.passes.math.accelerator.stages import Sizes, mixed, products_of, slots_of, sweeps_of
from cocomp.passes.math.quantisers import Fixed, Pot, parse_quantiser
from cocomp.passes.math.quantisers.rows import all_of, rmsmp
from tests.math.gemms import random_gemm
from tests.math.products import CONVOLUTIONS, CORES, DESIGNS, PRODUCTS, RMSMP, STAGES, product

XC7Z020 = find_device("xc7z020")
ENDLESS = replace(XC7Z020, ddr_bytes_per_second=math.inf, ddr_latency_cycles=0, fetch_bytes_per_cycle=math.inf)
"""Nothing waits for its memory."""
SIZES = Sizes(16, np.array([18, 11, 2]), 8)
FIXED = (Fixed(4), Fixed(4), Fixed(4))
DESIGN = Design(Tiles(16, (18, 11, 2)), CORES, 8, 4)


# Cycles ---------------------------------------------------------------------------------------------------------------


@given(
    st.builds(random_gemm, st.integers(0, 9), st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(1, 40)),
    st.integers(1, 50),
    DESIGNS,
)
def test_a_product_that_never_waits_takes_the_cycles_of_the_engine(gemm: Gemm, pixels: int, design: Design) -> None:
    stage = Product("product", gemm.counts, gemm.columns, 1, pixels, pixels)
    words = -(-sum(design.tiles.rows) // design.requantisers)
    found = estimate([stage], design, gemm.quantisers, 4, ENDLESS).cycles
    waits = words > -(-gemm.columns // design.tiles.lanes)  # for results to be written
    assert found >= design.tiles.cycles(gemm, pixels) if waits else found == design.tiles.cycles(gemm, pixels)


@given(STAGES, DESIGNS)
def test_no_estimate_beats_arithmetic_or_memory(stages: list[Stage], design: Design) -> None:
    tiles, requantisers, unroll = design.tiles, design.requantisers, design.unroll
    found = estimate(stages, design, RMSMP.quantisers, 4, XC7Z020)
    for stage, cost in zip(stages, found.stages, strict=True):
        if isinstance(stage, Product):
            for count, rows in zip(stage.counts, tiles.rows, strict=True):
                multiply_adds = count * stage.columns * stage.pixels * stage.kept
                assert cost.compute >= multiply_adds / (rows * tiles.lanes) - 1e-6
            assert cost.compute * requantisers >= stage.rows * stage.pixels
            assert (
                cost.ddr_bytes
                >= stage.kept * stage.positions * stage.channels + stage.rows * stage.pixels * stage.width
            )
        else:
            assert cost.compute * unroll >= stage.points
        assert cost.cycles >= max(cost.compute, cost.ddr_bytes / XC7Z020.ddr_bytes_per_cycle)
        assert cost.cycles > cost.load + max(cost.compute, cost.memory)
        assert (cost.bound == "memory") == (cost.memory > cost.compute)
    assert found.cycles == sum(cost.cycles for cost in found.stages)


@given(PRODUCTS, DESIGNS)
def test_pixels_take_the_steps_or_the_words_of_their_tiles(stage: Product, design: Design) -> None:
    """Tile after tile, as the engine packs them."""
    places = np.repeat(np.arange(3), stage.counts)
    members = design.members(places)
    words = [len(design.words(tile)) for tile in members]
    assert all(len(g) <= n for tile in members for g, n in zip(tile, design.tiles.rows, strict=True))
    assert sorted(np.concatenate([g for tile in members for g in tile]).tolist()) == list(range(stage.rows))
    steps = stage.planes * max(math.ceil(len(words) * int(stage.column_tiles(design.sizes)) * stage.kept), len(words))
    expected = -(-sum(max(steps, n * len(words)) for n in words) // len(words))
    (cost,) = estimate([stage], design, RMSMP.quantisers, 4, ENDLESS).stages
    assert cost.compute == stage.pixels * expected
    order, extent = design.order(places)
    assert slots_of(stage.counts, design.sizes) == extent and len(set(order.tolist())) == stage.rows
    assert extent == design.requantisers * sum(words) and order.max() < extent


@given(PRODUCTS, DESIGNS)
def test_skipped_blocks_take_no_time(stage: Product, design: Design) -> None:
    whole, half = (
        estimate([replace(stage, kept=kept)], design, RMSMP.quantisers, 4, ENDLESS).stages[0].compute
        for kept in (1.0, 0.5)
    )
    assert half <= whole
    if stage.column_tiles(design.sizes) >= 2 * sum(design.tiles.rows):
        assert half == pytest.approx(whole / 2, rel=0.1)


def test_what_a_convolution_costs() -> None:
    """By hand: 64 rows of 39 + 22 + 3 in tiles of 18, 11 and 2 are 3; 64 channels on 16 lanes of 9 taps are 36."""
    stage = CONVOLUTIONS[0]
    assert isinstance(stage, Product) and stage.counts == (39, 22, 3) and stage.column_tiles(SIZES) == 36
    (cost,) = estimate([stage], DESIGN, RMSMP.quantisers, 4, XC7Z020).stages
    weights = (
        36 * 16 * (9 + 6 + 2 + 1) + 32 * 16 + 48
    )  # chunks of each core, and a quad, for a tile of columns; rows; the step
    read = 56 * 56 * 36 * 16
    assert cost.ddr_bytes == 3 * (weights + read) + 56 * 56 * 8 * (3 + 3 + 2)
    assert cost.compute == 3 * 36 * 56 * 56 and cost.bound == "compute"
    assert cost.cycles == cost.compute + math.ceil(weights / 16) + 60 + 6 + 4 - 1
    assert cost.operations == 2 * 64 * 576 * 56 * 56


def test_an_input_on_chip_is_read_once() -> None:
    stage = CONVOLUTIONS[0]
    words = 56 * 56 * 4
    streamed, held = (
        estimate([stage], replace(DESIGN, capacity=capacity), RMSMP.quantisers, 4, XC7Z020).stages[0]
        for capacity in (words - 1, words)
    )
    assert streamed.ddr_bytes - held.ddr_bytes == 3 * 36 * 56 * 56 * 16 - words * 16
    assert held.load - streamed.load == words + 60 and held.compute == streamed.compute
    assert DESIGN.holds(0, 2) and not DESIGN.holds(0, 1) and not DESIGN.holds(1, 2)


def test_channels_lie_where_the_engine_writes_them() -> None:
    """64 channels of 39, 22 and 3 rows, in two tiles of 20, 11 and 2, are 32 and 32: a row of the first tile waits for the second one. Of 67 one
    word has one number."""
    stage = replace(product(64, 64, 9, 8), source=(39, 22, 3))
    design = Design(Tiles(16, (20, 11, 2)), CORES, 4)
    (cost,) = estimate([stage], design, RMSMP.quantisers, 4, ENDLESS).stages
    assert cost.compute == 64 * 2 * 9 * 4
    (more,) = estimate([replace(stage, source=(40, 22, 5))], design, RMSMP.quantisers, 4, ENDLESS).stages
    assert more.compute == 64 * 2 * 9 * 5
    sweep = Sweep("add", 64 * 64, 0, 0, length=64, source=(39, 22, 3))
    (found,) = estimate([sweep], replace(design, unroll=8), RMSMP.quantisers, 4, ENDLESS).stages
    assert found.compute == 64 * 8


def test_planes_take_their_time() -> None:
    one, two = (product(64, 64, 9, 8, planes=planes) for planes in (1, 2))
    costs = [estimate([s], DESIGN, RMSMP.quantisers, 4, ENDLESS).stages[0] for s in (one, two)]
    assert costs[1].compute == 2 * costs[0].compute


def test_scattered_results_are_written_one_by_one() -> None:
    stage = replace(product(64, 16, 1, 8), scattered=True)
    (one, four) = (
        estimate([stage], Design(Tiles(16, (39, 22, 3)), CORES, count), RMSMP.quantisers, 4, ENDLESS).stages[0].compute
        for count in (1, 4)
    )
    assert one == 64 * 64 and four == 64 * 64


def test_few_requantisers_hold_sums_up() -> None:
    stage = product(64, 16, 1, 8)
    design = Design(Tiles(16, (39, 22, 3)), CORES, 8)
    (cost,) = estimate([stage], design, RMSMP.quantisers, 4, ENDLESS).stages
    assert cost.compute == 64 * 8


def test_weights_that_are_used_once_wait_for_the_memory() -> None:
    (cost,) = estimate([CONVOLUTIONS[2]], DESIGN, RMSMP.quantisers, 4, XC7Z020).stages
    assert cost.bound == "memory" and cost.cycles > 5 * cost.compute
    long = product(64, 32 * 256 * 16, 1, 1)
    (whole, start) = (replace(long, pixels=pixels) for pixels in (2, 1))
    loads = [estimate([s], DESIGN, RMSMP.quantisers, 4, XC7Z020).stages[0].load for s in (whole, start)]
    assert loads[0] - 60 == pytest.approx(32 * (loads[1] - 60), rel=0.02)


def test_a_sweep_takes_its_points_or_its_bytes() -> None:
    points = Sweep("add", 1000, 24, 0)
    bytes_ = Sweep("copy", 10, 12000, 12000)
    side = Sweep("narrow", 1000, 0, 0, length=2)
    assert estimate([side], DESIGN, RMSMP.quantisers, 4, XC7Z020).stages[0].compute == 500
    found = estimate([points, bytes_], DESIGN, RMSMP.quantisers, 4, XC7Z020)
    assert [(c.cycles, c.bound) for c in found.stages] == [(250 + 80, "compute"), (1000 + 80, "memory")]


def test_large_tables_are_shared_by_two_points() -> None:
    sweep = Sweep("gelu", 64 * 32, 0, 0, memories=(Memory("gelu", 4000, 9),), length=64)
    design = replace(DESIGN, unroll=16)
    found = estimate([sweep], design, RMSMP.quantisers, 4, XC7Z020)
    assert found.stages[0].compute == 32 * 32 and found.parts[-1].demand == Demand(400, 4, 2)  # 16 bits, as C has them


def test_what_lies_apart_is_read_number_by_number() -> None:
    """A port gives a word of 64 bytes in a cycle, or one number; a nest is filled anew whenever it is entered."""
    design = replace(DESIGN, unroll=32)

    def compute(**more: object) -> tuple[int, int]:
        sweep = Sweep("add", 64 * 128, 0, 0, 0, 1, length=64, **more)  # pyright: ignore[reportArgumentType]
        (cost,) = estimate([sweep], design, RMSMP.quantisers, 4, XC7Z020).stages
        return cost.compute, cost.cycles - cost.compute - cost.load

    assert compute() == (256, 20)
    assert compute(accesses=((1, False), (1, False))) == (512, 20)  # both of one port
    assert compute(accesses=((1, False), (2, False))) == (256, 20)
    assert compute(accesses=((4, False),)) == (512, 20)
    assert compute(accesses=((4, True), (4, True))) == (512, 20)
    assert compute(accesses=((1, False),), is_apart=True) == (8192, 20)
    assert compute(entries=128) == (256, 20 * 128)
    assert compute(entries=128, each_step=True) == (256, 20 * 256)
    assert parts([Sweep("x", 64, 0, 0, 0, 1, is_apart=True)], design, RMSMP.quantisers, 4)[-1].demand.luts == 432


def test_what_calls_load_is_there_once() -> None:
    """Several large tables at one place are loaded, where a call takes longer; others are all on chip."""
    tables = [Memory(name, 12288, 4) for name in "abc"]
    sweeps = [Sweep(m.name, 24576, 0, 0, memories=(m,), unit="one", length=64) for m in tables]
    assert [s.loads for s in sweeps_of(loading(sweeps))] == [12288] * 3
    assert units(sweeps)["one"].memories == (OnChip(12288, 4, True, True),)
    (cost, *_) = estimate(loading(sweeps), DESIGN, RMSMP.quantisers, 4, XC7Z020).stages
    assert cost.load == 60 + 60 + 12288 // 4 and cost.ddr_bytes == 4 * 12288
    short = [replace(s, points=12288 - 64) for s in sweeps]
    assert [s.loads for s in sweeps_of(loading(short))] == [0] * 3
    assert units(short)["one"].memories == (OnChip(3 * 12288, 8, True, False),)
    assert [s.loads for s in sweeps_of(loading(sweeps[:1]))] == [0]


def test_totals() -> None:
    found = estimate(CONVOLUTIONS, DESIGN, RMSMP.quantisers, 4, XC7Z020)
    assert found.seconds == found.cycles / 100e6 and found.fps == pytest.approx(1 / found.seconds)
    operations = sum(stage.operations for stage in CONVOLUTIONS)
    assert found.gops == pytest.approx(operations / found.seconds / 1e9)
    assert found.joules > XC7Z020.static_watts * found.seconds
    assert found.shares == Demand(found.demand.luts / 53200, found.demand.dsps / 220, found.demand.brams / 140)
    assert found.fits
    assert not estimate(CONVOLUTIONS, DESIGN, RMSMP.quantisers, 4, find_device("xc7z010")).fits


def test_energy_is_that_of_what_is_computed() -> None:
    """Powers of two in LUTs take less than eight bits in DSPs; half of the blocks, half of the products."""

    def joules(name: str, where: str, kept: float = 1.0) -> float:
        quantiser = parse_quantiser(name)
        stage = Product("product", (0, 64, 0), 64, 9, 1 << 20, 1 << 20, 1, kept)
        design = Design(Tiles(16, (0, 32, 0)), ("fabric", where, "fabric"), 16)
        (cost,) = estimate([stage], design, (quantiser, quantiser, quantiser), 4, XC7Z020).stages
        return cost.joules - cost.ddr_bytes * DDR_PICOJOULES * 1e-12

    assert joules("pot<4>", "fabric") < joules("fixed<4>", "fabric") < joules("fixed<8>", "dsp")
    assert joules("fixed<4>", "packed") < joules("fixed<4>", "dsp")
    assert joules("pot<4>", "fabric", 0.5) == pytest.approx(joules("pot<4>", "fabric") / 2, rel=1e-3)


# What a design takes --------------------------------------------------------------------------------------------------


def test_parts_add_up() -> None:
    found = estimate([*CONVOLUTIONS, Sweep("add", 9, 9, 9, 2, 1)], DESIGN, RMSMP.quantisers, 4, XC7Z020)
    names = [part.name for part in found.parts]
    assert names == [
        "control and memory ports", "coarse: 18 x 16 pot<4> in fabric", "fine: 11 x 16 fixed<4> in packed",
        "wide: 2 x 16 fixed<8> in dsp", "lists of column tiles", "requantisers", "activations on chip", "add",
    ]  # fmt: skip
    by_name = {part.name: part.demand for part in found.parts}
    assert by_name["coarse: 18 x 16 pot<4> in fabric"].luts == 18 * 480
    assert by_name["fine: 11 x 16 fixed<4> in packed"].dsps == 6 * 16  # the last row has a DSP to itself
    assert by_name["fine: 11 x 16 fixed<4> in packed"].luts == 11 * (194 + 40)
    assert by_name["wide: 2 x 16 fixed<8> in dsp"] == Demand(2 * 284, 32, 2 * 4 / 2)
    assert by_name["requantisers"] == Demand(31 * 37 + (18 + 8 * 13) * 11 + 8 * 262, 16, 0)
    assert by_name["lists of column tiles"].brams == 1.5
    assert by_name["activations on chip"].brams == 0
    (held,) = (
        p for p in parts(CONVOLUTIONS, replace(DESIGN, capacity=672), RMSMP.quantisers, 4) if "on chip" in p.name
    )
    assert held.demand.brams == 2.0  # 672 words of 64 bits
    assert by_name["add"] == Demand(400 + 4 * 32, 4 + 8, 0)
    assert found.demand == Demand(*(sum(getattr(p.demand, k) for p in found.parts) for k in ("luts", "dsps", "brams")))


def test_quantisers_without_rows_take_nothing() -> None:
    design = Design(Tiles(16, (0, 4, 0)), CORES, 4)
    stages = mixed(CONVOLUTIONS, all_of(Fixed(4)))
    assert [part.name for part in parts(stages, design, FIXED, 4)] == [
        "control and memory ports", "fine: 4 x 16 fixed<4> in packed", "lists of column tiles", "requantisers", "activations on chip",
    ]  # fmt: skip


def test_buffers_of_weights_hold_two_tiles_of_the_longest_product() -> None:
    def brams(stage: Stage) -> float:
        design = Design(Tiles(16, (0, 9, 0)), CORES, 8)
        return parts(mixed([stage], all_of(Fixed(4))), design, FIXED, 4)[1].demand.brams

    assert brams(product(64, 256 * 16, 1, 2)) == 9  # 64 bits x 512 words for each row
    assert brams(product(64, 257 * 16, 1, 2)) == 18
    assert brams(product(64, 999 * 16, 1, 1)) == 9  # one pixel: weights come as they are used


def test_sweeps_of_one_unit_share_it() -> None:
    small, large, again = Memory("s", 8, 8), Memory("l", 4000, 9), Memory("c", 1024, 8, anywhere=False)
    stages = [
        Sweep("a", 9, 0, 0, 1, 3, (small,), "one"), Sweep("b", 9, 0, 0, 2, 1, (large,), "one"), Sweep("c", 1, 0, 0),
        Sweep("d", 9, 0, 0, memories=(large, again)),
    ]  # fmt: skip
    found = units(stages)
    assert list(found) == ["one", "c", "d"]
    assert (found["one"].multiplies, found["one"].adds) == (2, 3)
    assert found["one"].memories == (OnChip(8000, 16, True, False),)  # as long as the longer one, both
    assert found["d"].memories == (OnChip(4000, 16, True, False), OnChip(1024, 8, False, False))

    def demand(memory: Memory) -> Demand:
        design = replace(DESIGN, unroll=3)
        return parts([Sweep("x", 9, 0, 0, memories=(memory,))], design, RMSMP.quantisers, 4)[-1].demand

    assert demand(small) == Demand(400 + 2 * 2, 4, 0)  # two copies
    assert demand(large) == Demand(400, 4, 2)  # no more than two points
    assert demand(again) == Demand(400, 4, 0.5)  # words of three
    twice = [Sweep("x", 9, 0, 0, memories=(large,)), Sweep("y", 9, 0, 0, memories=(large,))]
    assert [len(unit.memories) for unit in units(twice).values()] == [1, 0]


@pytest.mark.parametrize(
    "width, depth, count", [(36, 512, 0.5), (37, 512, 1), (36, 513, 1), (18, 1024, 0.5), (1, 16384, 0.5), (9, 0, 0)]
)
def test_block_rams_are_counted_in_halves(width: int, depth: int, count: float) -> None:
    assert block_rams(width, depth) == count


def test_costs_of_cores_lie_on_lines_between_those_that_were_measured() -> None:
    known = CORE_LUTS["pot<4>", "fabric", 4]
    assert core_luts(Pot(4), "fabric", 4, 16) == known[16]
    assert core_luts(Pot(4), "fabric", 4, 24) == (known[16] + known[32]) / 2
    assert 0 < core_luts(Pot(4), "fabric", 4, 1) < known[4]
    assert core_luts(Pot(4), "fabric", 4, 2 * max(known)) > 1.9 * known[max(known)]
    assert [core_dsps(where, 16) for where in ("fabric", "dsp", "packed")] == [0, 16, 8]
    for costs in CORE_LUTS.values():
        assert sorted(costs.values()) == [costs[lanes] for lanes in sorted(costs)]


def test_where_products_can_be() -> None:
    assert legal_multipliers(Fixed(4), 4) == ["fabric", "dsp", "packed"]
    assert legal_multipliers(Fixed(8), 4) == legal_multipliers(Fixed(4), 8) == ["fabric", "dsp"]
    assert legal_multipliers(Pot(4), 4) == ["fabric"] and legal_multipliers(Fixed(5), 4) == []


def test_rows_are_shared_out_again() -> None:
    sweep = Sweep("add", 1, 1, 1)
    *products, other = mixed([*CONVOLUTIONS, sweep], rmsmp("50:0:50"))
    again = mixed([replace(sweep, source=(5, 3, 2)), replace(product(3, 4, 9, 2), source=(2, 2, 0))], rmsmp("50:0:50"))
    assert [stage.source for stage in again] == [(5, 0, 5), (2, 0, 2)]
    assert [p.counts for p in products_of(products)] == [(32, 0, 32), (64, 0, 64), (500, 0, 500)] and other is sweep
