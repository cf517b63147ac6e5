"""What is found is the best there is, whatever the device; what is shown as a front is one."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from itertools import product as pairs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import (
    Device,
    Product,
    Stage,
    Sweep,
    estimate,
    explore,
    explore_mixtures,
    find_device,
)
from cocomp.passes.math.accelerator.explore import front_of
from cocomp.passes.math.accelerator.stages import products_of
from cocomp.passes.math.quantisers import Fixed, Pot
from cocomp.passes.math.quantisers.rows import Mixture, all_of, rmsmp
from tests.math.products import CONVOLUTIONS, PRODUCTS, RMSMP, STAGES, product

SEARCH = import_module("cocomp.passes.math.accelerator.explore")
XC7Z020 = find_device("xc7z020")
DEVICE_SIZES = st.tuples(st.integers(9000, 60000), st.integers(20, 300), st.integers(20, 200))


def device(sizes: tuple[int, int, int]) -> Device:
    return replace(XC7Z020, luts=sizes[0], dsps=sizes[1], brams=sizes[2])


@settings(max_examples=15)
@given(STAGES, DEVICE_SIZES, st.tuples(st.integers(0, 9000), st.integers(0, 90), st.integers(0, 90)))
def test_more_of_anything_is_never_slower(
    stages: list[Stage], sizes: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    try:
        small = explore(stages, RMSMP.quantisers, 4, device(sizes))
    except ValueError as error:
        assert str(error).startswith("no design fits")
        return
    larger = device((sizes[0] + more[0], sizes[1] + more[1], sizes[2] + more[2]))
    large = explore(stages, RMSMP.quantisers, 4, larger)
    assert large.best.cycles <= small.best.cycles and large.designs >= small.designs


@settings(max_examples=15)
@given(STAGES)
def test_the_front_is_a_front(stages: list[Stage]) -> None:
    found = explore(stages, RMSMP.quantisers, 4, XC7Z020)
    assert found.front[0].cycles == found.best.cycles and found.front[0].design == found.best.design
    assert found.best.fits
    for point in (found.front[0], found.front[len(found.front) // 2], found.front[-1]):
        again = estimate(stages, point.design, RMSMP.quantisers, 4, XC7Z020)
        assert (again.cycles, again.demand) == (point.cycles, point.demand) and again.fits
    measured = np.array([(p.cycles, p.demand.luts, p.demand.dsps) for p in found.front])
    for row in measured:
        dominated = (measured <= row).all(axis=1).sum()
        assert dominated == 1, "only the point itself"
    assert (np.diff(measured[:, 0]) >= 0).all()


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 4), min_size=1, max_size=60))
def test_the_front_of_numbers(rows: list[tuple[int, int, int, int]]) -> None:
    measured = np.array(rows, np.float64)
    found = front_of(measured)
    kept = {rows[place][:3] for place in found}
    everything = {row[:3] for row in rows}
    better = {a for a in everything for b in everything if a != b and all(x <= y for x, y in zip(b, a, strict=True))}
    assert kept == everything - better and len(kept) == len(found)
    for place in found:
        assert rows[place][3] == min(row[3] for row in rows if row[:3] == rows[place][:3])


def every_row(products: list[Product]) -> np.ndarray:
    counts = np.max([p.counts for p in products], axis=0).tolist()
    return np.array(list(pairs(*(range(1, count + 1) if count else [0] for count in counts))))


@settings(max_examples=8)
@given(
    st.lists(st.builds(product, st.integers(3, 40), st.integers(1, 64), st.just(9), st.integers(1, 12)), max_size=3),
    PRODUCTS,
    st.tuples(st.integers(12000, 40000), st.integers(20, 200), st.integers(40, 200)),
)
def test_no_tile_that_was_left_out_is_faster(
    products: list[Product], other: Product, sizes: tuple[int, int, int]
) -> None:
    """Against all tiles of rows that there are; a little, where it is the results that take the time."""
    stages: list[Stage] = [*products, replace(other, counts=RMSMP.counts(min(other.rows, 60)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SEARCH, "row_choices", every_row)
        all_rows = explore(stages, RMSMP.quantisers, 4, device(sizes), lanes=[16])
    few = explore(stages, RMSMP.quantisers, 4, device(sizes), lanes=[16])
    assert few.best.cycles <= 1.05 * all_rows.best.cycles and few.designs <= all_rows.designs


def test_the_same_every_time() -> None:
    first, second = (explore(CONVOLUTIONS, RMSMP.quantisers, 4, XC7Z020) for _ in range(2))
    assert first == second


def test_cores_go_where_there_is_room() -> None:
    """Without DSPs to speak of all is in LUTs; with few LUTs products are packed."""
    fixed = (Fixed(4), Fixed(4), Fixed(4))
    stages: list[Stage] = [product(64, 64, 9, 56)]
    stages = [replace(s, counts=(0, 64, 0)) for s in products_of(stages)]
    fabric = explore(stages, fixed, 4, device((40000, 20, 140))).best.design
    packed = explore(stages, fixed, 4, device((14000, 220, 140))).best.design
    assert fabric.multipliers[1] == "fabric" and packed.multipliers[1] == "packed"
    assert fabric.tiles.rows[::2] == (0, 0)


def test_loops_are_unrolled_where_that_pays() -> None:
    sweep = Sweep("add", 1 << 22, 0, 0, adds=1)
    assert explore([CONVOLUTIONS[1], sweep], RMSMP.quantisers, 4, XC7Z020).best.design.unroll > 8
    assert explore(CONVOLUTIONS, RMSMP.quantisers, 4, XC7Z020).best.design.unroll == 1


def test_sums_wait_for_requantisers_where_they_can() -> None:
    best = explore(CONVOLUTIONS, RMSMP.quantisers, 4, XC7Z020).best.design
    assert best.requantisers < sum(best.tiles.rows) / 2


def test_activations_may_have_eight_bits() -> None:
    four, eight = (explore(CONVOLUTIONS, RMSMP.quantisers, bits, XC7Z020).best for bits in (4, 8))
    assert eight.cycles > four.cycles and "packed" not in eight.design.multipliers


# Mixtures -------------------------------------------------------------------------------------------------------------


def split(percent: int) -> Mixture:
    """Fixed-4 alone, so much of it in cores of their own."""
    return Mixture((Fixed(4), Fixed(4), Fixed(4)), (percent, 100 - percent, 0))


def test_the_best_mixture_is_found() -> None:
    mixtures = [split(percent) for percent in (20, 50, 80)]
    mixture, found = explore_mixtures(CONVOLUTIONS, mixtures, 4, XC7Z020, [("fabric", "packed", "fabric")])
    cycles = {m.ratio: explore_mixtures(CONVOLUTIONS, [m], 4, XC7Z020)[1].best.cycles for m in mixtures}
    assert found.best.cycles >= min(cycles.values()) and mixture in mixtures
    assert (
        found.best.cycles
        < explore_mixtures(CONVOLUTIONS, [all_of(Fixed(4))], 4, XC7Z020, [("fabric", "packed", "fabric")])[
            1
        ].best.cycles
    )


def test_mixtures_that_do_not_fit_are_passed_over() -> None:
    """Two cores do not fit beside each other, one does."""
    tight = replace(XC7Z020, luts=8175)
    mixture, _ = explore_mixtures(CONVOLUTIONS, [rmsmp(), all_of(Pot(4))], 4, tight)
    assert mixture == all_of(Pot(4))
    with pytest.raises(ValueError, match="no design fits xc7z020"):
        explore_mixtures(CONVOLUTIONS, [rmsmp()], 4, tight)


# What cannot be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes, short",
    [((7000, 220, 140), "short of LUT"), ((53200, 1, 140), "short of DSP"), ((53200, 220, 4), "short of BRAM")],
)
def test_a_device_that_is_too_small_says_what_is_short(sizes: tuple[int, int, int], short: str) -> None:
    expected = (
        rf"no design fits xc7z020: the smallest takes [\d,]+ LUT, \d+ DSP, [\d.]+ BRAM, expected at most .*; {short}$"
    )
    with pytest.raises(ValueError, match=expected):
        explore(CONVOLUTIONS, RMSMP.quantisers, 4, device(sizes))


def test_the_smallest_demand_is_what_it_says() -> None:
    """What it names would do."""
    with pytest.raises(ValueError, match="no design fits") as caught:
        explore(CONVOLUTIONS, RMSMP.quantisers, 4, device((7000, 220, 140)))
    luts = float(str(caught.value).split("takes ")[1].split(" LUT")[0].replace(",", ""))
    assert explore(CONVOLUTIONS, RMSMP.quantisers, 4, device((int(luts / 0.8) + 2, 220, 140))).designs > 0


def test_what_cannot_be_explored() -> None:
    with pytest.raises(ValueError, match="expected at least one matrix product"):
        explore([Sweep("add", 1, 1, 1)], RMSMP.quantisers, 4, XC7Z020)
    with pytest.raises(ValueError, match="the cost of fixed<5> with products in fabric .* is not known, only that of"):
        explore(CONVOLUTIONS, (Pot(4), Fixed(5), Fixed(8)), 4, XC7Z020)
    with pytest.raises(ValueError, match="expected at least one mixture"):
        explore_mixtures(CONVOLUTIONS, [], 4, XC7Z020)
