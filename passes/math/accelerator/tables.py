"""A function of an integer by its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
MOST_ENTRIES = 1 << 12
"""Of a table with an entry for every integer."""
MANTISSA = 10
"""Bits that larger integers are told apart by."""


@dataclass(frozen=True)
class Index:
    """The entry of an integer: integers from `first` on, one each; with `mantissa` bits, those below 2 ** (mantissa + 1) one each and larger ones
    with the bits that lead, integers below zero (`first` is below it) like those of their magnitude, after all others."""

    first: int
    last: int
    mantissa: int = 0

    @staticmethod
    def of(low: int, high: int) -> Index:
        """For the integers from low to high."""
        return Index(low, high, 0 if high - low < MOST_ENTRIES else MANTISSA)

    @property
    def half(self) -> int:
        """Entries of the magnitudes."""
        return int(self._magnitude(np.array(max(self.last, -self.first)))) + 1

    @property
    def entries(self) -> int:
        if not self.mantissa:
            return self.last - self.first + 1
        return self.half * (1 + (self.first < 0))

    def position(self, values: Array) -> Array:
        """Entries of integers, int64[..] -> int64[..]."""
        if not self.mantissa:
            return values - self.first
        return self._magnitude(np.abs(values)) + np.where(values < 0, self.half, 0)

    def _magnitude(self, values: Array) -> Array:
        shift = np.maximum(np.frexp(values.astype(np.float64))[1].astype(np.int64) - self.mantissa - 1, 0)
        return (values >> shift) + (shift << self.mantissa)

    def middles(self) -> Array:
        """The middle of the integers that share an entry: float64[entries]."""
        if not self.mantissa:
            return np.arange(self.first, self.last + 1, dtype=np.float64)
        entries = np.arange(self.half)
        shift = np.maximum((entries >> self.mantissa) - 1, 0)
        lowest = (entries - (shift << self.mantissa)) << shift
        middles = lowest + ((1 << shift) - 1) / 2
        return np.concatenate([middles, -middles]) if self.first < 0 else middles

    def sample(self, function: Callable[[Array], Array]) -> Array:
        """Values of a function of integers, for all entries."""
        with np.errstate(all="ignore"):
            return np.asarray(function(np.clip(self.middles(), self.first, self.last)), np.float64)
