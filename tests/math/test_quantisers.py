"""Levels are those of the papers, codes stand for them, rounding takes the nearest, scales and rows are chosen well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.quantisers import (
    QUANTISERS,
    Apot,
    Esb,
    Fixed,
    Pot,
    Quantiser,
    Sp2,
    parse_quantiser,
)  # fmt: skip
from cocomp.passes.math.quantisers.dyadic import MOST_SHIFT, Dyadic, apply_each, saturate
from cocomp.passes.math.quantisers.rows import FINE, WIDE, Mixture, all_of, rmsmp
from cocomp.passes.math.quantisers.scales import METHODS, fit, normal_scale, quantise


def every_quantiser() -> list[Quantiser]:
    """All that can be had."""
    found: list[Quantiser] = [Pot(4, "log"), Pot(3, "log")]
    for cls in QUANTISERS.values():
        for bits in range(2, 9):
            for k in range(bits - 1) if cls is Esb else [None]:
                try:
                    found.append(parse_quantiser(f"{cls.name}<{bits}>" if k is None else f"esb<{bits}, {k}>"))
                except ValueError:
                    continue
    return found


ALL = every_quantiser()
quantisers = st.sampled_from(ALL)


@pytest.mark.parametrize(
    "text, levels, most",
    [
        ("fixed<4>", [0, 1, 2, 3, 4, 5, 6, 7], 7),
        ("pot<4>", [0, 1, 2, 4, 8, 16, 32, 64], 64),
        ("sp2<4>", [0, 1, 2, 4, 5, 6, 8], 8),
        ("apot<4>", [0, 1, 2, 3, 4, 6, 8, 10], 10),
        ("esb<4, 1>", [0, 1, 2, 3, 4, 6, 8, 12], 12),
        ("esb<4, 2>", [0, 1, 2, 3, 4, 5, 6, 7], 7),
        ("esb<4, 0>", [0, 1, 2, 4, 8, 16, 32, 64], 64),
    ],
)
def test_levels(text: str, levels: list[int], most: int) -> None:
    quantiser = parse_quantiser(text)
    assert quantiser.magnitudes.tolist() == levels and quantiser.most == most
    assert str(quantiser) == text and parse_quantiser(str(quantiser)) == quantiser


def test_numbers_of_levels() -> None:
    """MSQ: SP2 of four bits has 13 values, one half having two codes, of eight bits 187; ESB has 2 ** bits - 1."""
    assert len(set(Sp2(4).table.tolist())) == 13 and len(set(Sp2(8).table.tolist())) == 187
    for k in range(3):
        assert len(set(Esb(4, k).table.tolist())) == 15
    top = 2 ** Esb(8, 4).exponent_bits - 2
    assert Esb(8, 4).most == (2 ** (top + 1) - 2 ** (top - 4)) * 2**4


@pytest.mark.parametrize("quantiser", ALL, ids=str)
def test_codes_stand_for_numerators(quantiser: Quantiser) -> None:
    codes = np.arange(2**quantiser.bits, dtype=np.uint8)
    numerators = quantiser.decode(codes)
    assert set(numerators.tolist()) == {-n for n in numerators.tolist()}
    again = quantiser.encode(numerators)
    assert np.array_equal(quantiser.decode(again), numerators) and (again <= codes).all()
    assert np.array_equal(quantiser.round(numerators.astype(float)), numerators)
    with pytest.raises(ValueError, match=rf"{quantiser.most + 1} is no numerator of"):
        quantiser.encode(np.array([0, quantiser.most + 1]))
    for activation_bits in (4, 8):
        largest = quantiser.most * (2**activation_bits - 1)
        assert -(2 ** (quantiser.product_bits(activation_bits) - 1)) <= -largest
        assert largest < 2 ** (quantiser.product_bits(activation_bits) - 1)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(quantisers, st.floats(-2, 2, allow_nan=False))
def test_rounding_takes_the_nearest_level(quantiser: Quantiser, share: float) -> None:
    value = share * quantiser.most
    found = int(quantiser.round(np.array([value]))[0])
    if isinstance(quantiser, Pot) and quantiser.rule == "log" and abs(value) > 1:
        distances = [abs(np.log2(abs(value) / m)) for m in quantiser.magnitudes[1:]]
        assert abs(np.log2(abs(value) / abs(found))) <= min(distances) + 1e-9
    else:
        assert abs(value - found) <= np.abs(quantiser.table - value).min()
    assert found * value >= 0


def test_ties_go_to_the_smaller_magnitude() -> None:
    assert Fixed(4).round(np.array([0.5, -0.5, 1.5, 2.5, 9.0])).tolist() == [0, 0, 1, 2, 7]
    assert Pot(4).round(np.array([1.5, 3.0, -6.0, 48.0])).tolist() == [1, 2, -4, 32]
    assert Pot(4, "log").round(np.array([1.5, 2.9, -6.0, 46.0])).tolist() == [2, 4, -8, 64]


@pytest.mark.parametrize(
    "text, message",
    [
        ("int<4>", r"unknown quantiser 'int<4>': expected one of fixed<bits>, pot<bits>, .*esb<bits, k>"),
        ("fixed<4, 1>", r"expected fixed<bits>, got"),
        ("esb<4>", r"expected esb<bits, k>, got"),
        ("fixed<9>", r"expected 2 to 8 bits, got fixed<9>"),
        ("fixed<1>", r"expected 2 to 8 bits"),
        ("pot<6>", r"expected 2 to 5 bits, got pot<6>"),
        ("sp2<2>", r"expected at least 3 bits"),
        ("apot<8>", r"expected one of 3, 4, 5, 6, 7 bits"),
        ("esb<4, 3>", r"expected 0 to 2 fraction bits"),
        ("esb<8, 1>", r"expected numerators below 2 \*\* 20, got esb<8, 1>: give it more fraction bits"),
    ],
)
def test_what_is_no_quantiser(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_quantiser(text)


def test_what_is_no_rule() -> None:
    with pytest.raises(ValueError, match="expected one of nearest, log, got 'even'"):
        Pot(4, "even")


# Scales ---------------------------------------------------------------------------------------------------------------

NORMAL = np.random.default_rng(0).normal(size=(4, 20000))


@pytest.mark.parametrize(
    "text, error",
    [("fixed<4>", 0.0129), ("sp2<4>", 0.0191), ("pot<4>", 0.0377), ("esb<4, 1>", 0.0127), ("fixed<8>", 0.00009)],
)
def test_the_error_of_a_normal_distribution(text: str, error: float) -> None:
    """Mean squared error at the best scale, in units of the variance."""
    quantiser = parse_quantiser(text)
    x = NORMAL / NORMAL.std()
    restored = normal_scale(quantiser) * quantiser.round(x / normal_scale(quantiser))
    assert ((x - restored) ** 2).mean() == pytest.approx(error, rel=0.04, abs=5e-6)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(quantisers, st.integers(0, 2**16), st.sampled_from([1, 3, 40]), st.floats(1e-6, 1e6))
def test_the_least_squared_error_is_no_larger_than_that_of_others(
    quantiser: Quantiser, seed: int, columns: int, size: float
) -> None:
    rows = np.random.default_rng(seed).laplace(size=(3, columns)) * size
    errors = {}
    for method in METHODS:
        scales = fit(rows, quantiser, method)
        assert scales.shape == (3,) and (scales > 0).all()
        errors[method] = ((rows - scales[:, None] * quantise(rows, scales, quantiser)) ** 2).sum(axis=1)
    assert (errors["mse"] <= errors["max"] * (1 + 1e-12)).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_row_of_zeros_has_a_scale(method: str) -> None:
    assert fit(np.zeros((2, 5)), Fixed(4), method).tolist() == [1.0, 1.0]


def test_what_is_no_method() -> None:
    with pytest.raises(ValueError, match="expected one of mse, max, dda, got 'best'"):
        fit(NORMAL, Fixed(4), "best")


# Integers -------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.floats(-60000, 60000), st.integers(-(2**31), 2**31 - 1))
def test_a_dyadic_factor_is_as_exact_as_its_bits(factor: float, value: int) -> None:
    dyadic = Dyadic.of(factor)
    assert abs(dyadic.value - factor) <= max(abs(factor) * 2**-16, 2.0 ** -(MOST_SHIFT + 1))
    product = value * dyadic.multiplier
    assert product >= -(2**63) and product + 2**MOST_SHIFT < 2**63
    expected = (2 * product + (1 << dyadic.shift)) >> (dyadic.shift + 1)
    assert int(dyadic.apply(np.array([value]))[0]) == expected
    assert int(apply_each([dyadic], np.array([[value]]))[0, 0]) == expected


@pytest.mark.parametrize("factor", [float("inf"), float("nan")])
def test_a_factor_has_to_be_finite(factor: float) -> None:
    with pytest.raises(ValueError, match="expected a finite factor"):
        Dyadic.of(factor)


def test_a_factor_has_to_be_small() -> None:
    with pytest.raises(ValueError, match=r"expected a factor below 2 \*\* 16, got 1000000\.0"):
        Dyadic.of(1e6)


def test_halves_are_rounded_up_and_ends_saturate() -> None:
    half = Dyadic.of(0.5)
    assert half.apply(np.array([1, -1, 3, -3, 2])).tolist() == [1, 0, 2, -1, 1]
    assert saturate(np.array([-9, 3, 99]), 0, 15).tolist() == [0, 3, 15]


# Rows -----------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(1, 3000), st.sampled_from(["60:35:5", "65:30:5", "0:95:5", "100:0:0", "33.3:33.3:33.4"]))
def test_counts_follow_the_ratio(rows: int, ratio: str) -> None:
    mixture = rmsmp(ratio)
    counts = mixture.counts(rows)
    assert sum(counts) == rows and min(counts) >= 0
    for count, percent in zip(counts, mixture.percent, strict=True):
        assert abs(count - rows * percent / 100) <= 2
    assert counts[WIDE] >= 1 or rows < 3 or not mixture.percent[WIDE]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(1, 200), st.integers(0, 99), st.booleans())
def test_rows_are_assigned_by_importance_and_variance(rows: int, seed: int, has_importance: bool) -> None:
    rng = np.random.default_rng(seed)
    variance = rng.integers(0, 9, rows).astype(float)
    importance = rng.integers(0, 9, rows).astype(float) if has_importance else None
    mixture = rmsmp()
    places = mixture.assign(variance, importance)
    assert tuple(np.bincount(places, minlength=3)) == mixture.counts(rows)
    assert np.array_equal(places, mixture.assign(variance.copy(), importance))
    order = variance if importance is None else importance
    if (places == WIDE).any() and (places != WIDE).any():
        assert order[places == WIDE].min() >= order[places != WIDE].max()
    if (places == FINE).any() and (places == 0).any():
        assert variance[places == FINE].min() >= variance[places == 0].max()


def test_one_quantiser_for_all() -> None:
    assert all_of(Sp2(4)).counts(7) == (0, 7, 0) and isinstance(all_of(Apot(4)), Mixture)


@pytest.mark.parametrize(
    "ratio, message",
    [
        ("60:35:6", "expected three shares that add up to 100, got 60:35:6: 101"),
        ("60:40", "expected three percentages such as 60:35:5, got '60:40'"),
        ("1.2.3:40:5", "expected three percentages"),
    ],
)
def test_what_is_no_ratio(ratio: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rmsmp(ratio)
