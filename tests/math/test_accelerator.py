"""Quantised matrix products are exact, in the model's order, and refuse what does not fit together."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import Gemm, IntegerType, Tiles
from cocomp.passes.math.quantisers import Apot, Esb, Fixed, Pot, Sp2
from cocomp.passes.math.quantisers.dyadic import Dyadic
from tests.math.gemms import RMSMP, random_activations, random_gemm

QUANTISERS = st.sampled_from([Pot(4), Fixed(4), Fixed(8), Sp2(4), Apot(4), Esb(4, 1), Esb(4, 0), Sp2(8)])
TYPES = st.builds(IntegerType, st.integers(2, 9), st.booleans())
GEMMS = st.builds(
    random_gemm,
    st.integers(0, 2**20),
    st.lists(st.integers(0, 2), min_size=1, max_size=9),
    st.integers(1, 20),
    st.tuples(QUANTISERS, QUANTISERS, QUANTISERS),
    TYPES,
    TYPES,
)


@given(GEMMS, st.integers(1, 5))
def test_a_product_is_what_it_says(gemm: Gemm, pixels: int) -> None:
    """Against sums of Python's integers and rounding of fractions, number by number."""
    x = random_activations(1, gemm, pixels)
    sums, outputs = gemm.accumulate(x), gemm.run(x)
    assert sums.shape == outputs.shape == (gemm.rows, pixels)
    for row in range(gemm.rows):
        weights = gemm.quantisers[gemm.places[row]].numerators()
        factor = Fraction(gemm.factors[row].multiplier, 1 << gemm.factors[row].shift)
        for pixel in range(pixels):
            terms = (weights[c] * int(v) for c, v in zip(gemm.codes[row], x[:, pixel], strict=True))
            expected = sum(terms) + int(gemm.bias[row])
            assert sums[row, pixel] == expected
            rounded = math.floor(expected * factor + Fraction(1, 2))
            assert outputs[row, pixel] == min(max(rounded, gemm.output.low), gemm.output.high)


@given(GEMMS)
def test_rows_of_one_quantiser_are_side_by_side(gemm: Gemm) -> None:
    groups = [gemm.group(place) for place in range(3)]
    assert np.array_equal(np.concatenate(groups), gemm.order) and sorted(gemm.order) == list(range(gemm.rows))
    for place, rows in enumerate(groups):
        assert len(rows) == gemm.counts[place] and (gemm.places[rows] == place).all()
        assert (np.diff(rows) > 0).all()


def test_the_ends_of_the_outputs_are_reached() -> None:
    gemm = random_gemm(3, [0, 1, 2] * 8, 30, output=IntegerType(4, signed=True))
    outputs = gemm.run(random_activations(0, gemm, 20))
    assert outputs.min() == -8 and outputs.max() == 7 and len(np.unique(outputs)) == 16


def test_sums_beyond_the_accumulator_are_named() -> None:
    gemm = random_gemm(0, [0, 2], 3)
    worst = replace(gemm, codes=np.full((2, 3), 7, np.uint8), bias=np.array([0, 2**31 - 1], np.int32))
    with pytest.raises(ValueError, match="row 1: expected sums of 32 bits, got 2147483962"):
        worst.accumulate(np.full((3, 1), 15))
    lowest = replace(worst, codes=np.full((2, 3), 15, np.uint8), bias=np.array([-(2**31), 0], np.int32))
    with pytest.raises(ValueError, match=f"row 0: expected sums of 32 bits, got {-(2**31) - 64 * 45}"):
        lowest.accumulate(np.full((3, 1), 15))
    assert worst.accumulate(np.zeros((3, 1), np.int8))[1, 0] == 2**31 - 1


GEMM = random_gemm(0, [0, 1, 2], 4)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"codes": np.zeros((3, 0), np.uint8)}, r"expected codes of at least one row and column, got \[3, 0\]"),
        ({"codes": np.zeros(3, np.uint8)}, r"expected codes of at least one row and column, got \[3\]"),
        ({"codes": np.zeros((3, 65537), np.uint8)}, "expected at most 65536 columns, got 65537"),
        ({"codes": np.full((3, 4), 16, np.uint8)}, "row 0: expected codes of pot<4>, got 16"),
        ({"codes": np.full((3, 4), -1, np.int8)}, r"codes: expected 0 to 255 \(ui8\), got -1"),
        ({"codes": np.zeros((3, 4))}, "codes: expected integers, got float64"),
        ({"places": np.zeros(2, np.int8)}, r"expected places for 3 rows, got \[2\]"),
        ({"places": np.array([0, 1, 3], np.int8)}, "row 2: expected place 0, 1 or 2, got 3"),
        ({"bias": np.zeros(4, np.int32)}, r"expected bias for 3 rows, got \[4\]"),
        ({"bias": np.full(3, 2**31)}, r"bias: expected -2147483648 to 2147483647 \(si32\), got 2147483648"),
        ({"factors": (Dyadic(1, 0),)}, r"expected factors for 3 rows, got \[1\]"),
        ({"factors": (Dyadic(1, 0), Dyadic(65536, 4), Dyadic(1, 0))}, r"row 1: expected a multiplier below 2 \*\* 16 and"),
        ({"factors": (Dyadic(1, 0), Dyadic(1, 0), Dyadic(1, 47))}, "row 2: expected .* a shift up to 46, got"),
        ({"factors": (Dyadic(1, -1),) * 3}, "row 0: expected .* a shift up to 46, got"),
        ({"activation": IntegerType(17, signed=False)}, "expected activations of at most 16 bits, got ui17"),
    ],
)  # fmt: skip
def test_what_is_no_product(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GEMM, **change)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros((5, 2), np.int8), r"expected activations \[4, pixels\], got \[5, 2\]"),
        (np.zeros(4, np.int8), r"expected activations \[4, pixels\], got \[4\]"),
        (np.zeros((4, 1)), "activations: expected integers, got float64"),
        (np.full((4, 1), 16), r"activations: expected 0 to 15 \(ui4\), got 16"),
        (np.full((4, 1), -1), r"activations: expected 0 to 15 \(ui4\), got -1"),
    ],
)
def test_what_are_no_activations(x: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GEMM.run(x)


@pytest.mark.parametrize("bits", [0, 33])
def test_what_is_no_integer_type(bits: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 32 bits, got si"):
        IntegerType(bits, signed=True)


# Tiles ----------------------------------------------------------------------------------------------------------------


def test_the_slowest_quantiser_counts() -> None:
    gemm = random_gemm(0, [0] * 9 + [1] * 4, 17)
    assert Tiles(8, (3, 2, 0)).steps(gemm) == (3, 3)
    assert Tiles(8, (3, 1, 0)).steps(gemm) == (4, 3)
    assert Tiles(8, (3, 1, 0)).cycles(gemm, 10) == 4 * 3 * 10 + 6 + 3 - 1


def test_tiles_need_a_core_for_every_row() -> None:
    with pytest.raises(
        ValueError, match=r"expected a core for the 1 rows of fixed<8>, got Tiles\(lanes=4, rows=\(1, 1, 0\)\)"
    ):
        Tiles(4, (1, 1, 0)).steps(random_gemm(0, [2], 4, RMSMP))
    for lanes, rows in ((0, (1, 1, 1)), (4, (1, -1, 1))):
        with pytest.raises(ValueError, match="expected at least one lane and no negative number of rows"):
            Tiles(lanes, rows)
