"""Scaling by a real number with integers alone: a product and a shift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._base import Array

MULTIPLIER_BITS = 16
MOST_SHIFT = 46
"""With products of 32 by 16 bits, rounding added, everything stays within 64."""


@dataclass(frozen=True)
class Dyadic:
    """`multiplier / 2 ** shift`, for factors of either sign that integers of 32 bits are multiplied with."""

    multiplier: int
    shift: int

    @staticmethod
    def of(factor: float) -> Dyadic:
        """The nearest one with a multiplier of `MULTIPLIER_BITS` bits and its sign; exact to 2 ** -16 of the factor, where it is not too small to be
        told from zero in 32 bits. Raises ValueError where it is too large."""
        if not math.isfinite(factor):
            raise ValueError(f"expected a finite factor, got {factor}")
        fraction, exponent = math.frexp(factor)
        multiplier, shift = round(math.ldexp(fraction, MULTIPLIER_BITS)), MULTIPLIER_BITS - exponent
        if abs(multiplier) == 1 << MULTIPLIER_BITS:
            multiplier, shift = multiplier // 2, shift - 1
        if shift < 0:
            raise ValueError(f"expected a factor below 2 ** {MULTIPLIER_BITS}, got {factor}")
        if shift > MOST_SHIFT:
            multiplier, shift = round(math.ldexp(factor, MOST_SHIFT)), MOST_SHIFT
        return Dyadic(multiplier, shift)

    @property
    def value(self) -> float:
        return math.ldexp(self.multiplier, -self.shift)

    def apply(self, values: Array) -> Array:
        """Round(values * factor), halves up: int[..] of at most 32 bits -> int64[..]."""
        half = 1 << self.shift - 1 if self.shift else 0
        return (np.asarray(values, np.int64) * self.multiplier + half) >> self.shift


def apply_each(factors: list[Dyadic], values: Array) -> Array:
    """The same with a factor for each row: int[rows, ..] -> int64[rows, ..]."""
    shape = (-1, *(1 for _ in values.shape[1:]))
    multipliers = np.array([f.multiplier for f in factors], np.int64).reshape(shape)
    shifts = np.array([f.shift for f in factors], np.int64).reshape(shape)
    halves = np.where(shifts > 0, np.int64(1) << np.maximum(shifts - 1, 0), 0)
    return (np.asarray(values, np.int64) * multipliers + halves) >> shifts


def saturate(values: Array, low: int, high: int) -> Array:
    """Values, or the nearest that there is."""
    return np.clip(values, low, high)
