"""The tuner's choice: real differences are found, noise is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.gain import fastest, pays, saved, speed_up


def times(means: list[float], noise: float, seed: int, rounds: int = 40) -> np.ndarray:
    """Times of kernels with such means; a slow round slows all of them."""
    random = np.random.default_rng(seed)
    common = random.lognormal(0, 0.2, (rounds, 1))
    return np.array(means) * common * random.lognormal(0, noise, (rounds, len(means)))


@given(st.floats(1.2, 10), st.integers(1, 5), st.integers(0, 1000))
def test_a_faster_kernel_is_found(gain: float, place: int, seed: int) -> None:
    means = [gain if number != place else 1.0 for number in range(6)]
    number, found = fastest(times(means, 0.02, seed))
    assert number == place and found == pytest.approx(gain, rel=0.05)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_noise_is_not_a_gain(noise: float) -> None:
    changed = [fastest(times([1.0] * 6, noise, seed))[0] != 0 for seed in range(200)]
    assert sum(changed) <= 4


def test_the_first_stays_when_it_is_the_fastest() -> None:
    assert fastest(times([1.0, 2.0, 3.0], 0.02, 1)) == (0, 1.0)


def test_one_disturbed_round_does_not_count() -> None:
    base, other = np.full(20, 2.0), np.full(20, 1.0)
    other[3] = 1000
    assert speed_up(base, other) == (2.0, 0.0)


def test_fewest_rounds() -> None:
    assert fastest(np.array([[2, 1], [2, 1]])) == (1, 2.0)


def test_a_difference_is_of_the_same_rounds() -> None:
    base = np.array([10.0, 20.0, 1000.0, 12.0, 14.0])
    assert saved(base, base - 3) == (3.0, 0.0)


@pytest.mark.parametrize(
    ("less", "error", "expected"), [(70, 10, True), (70, 20, False), (20, 0, False), (-50, 0, False)]
)
def test_little_or_uncertain_savings_do_not_pay(less: float, error: float, expected: bool) -> None:
    """Of a thousand less than three in a hundred is noise, and so is what is within three standard errors of that."""
    assert pays(1000, [(less, error)]) is expected
    assert pays(1000, [(less + 100, error), (-100, 0)]) is expected
