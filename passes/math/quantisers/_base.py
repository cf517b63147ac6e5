"""What a quantiser is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

Array = np.ndarray
MOST_BITS = 8
FEW = 16
"""Thresholds that are compared with one by one, which is faster than a search."""


@dataclass(frozen=True)
class Quantiser(ABC):
    """Weights as small integers of a set: a weight is `scale * numerator`, with one scale for each row of a matrix.

    A numerator is stored as a code of `bits` bits. Several codes may stand for one numerator; the lowest of them is written.
    """

    name: ClassVar[str]
    core: ClassVar[str]
    """What multiplies with such weights: `dsp`, a multiplier, or `fabric`, shifts and adders."""
    bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MOST_BITS:
            raise ValueError(f"expected 2 to {MOST_BITS} bits, got {self}")

    def __str__(self) -> str:
        return f"{self.name}<{self.bits}>"

    @property
    def identifier(self) -> str:
        """A name for it where names are words: `esb<4, 1>` -> `esb4_1`."""
        return str(self).replace("<", "").replace(">", "").replace(", ", "_")

    @abstractmethod
    def numerators(self) -> list[int]:
        """What each code stands for, 2 ** bits numbers: if n is one of them, so is -n."""

    @cached_property
    def table(self) -> Array:
        """`numerators` as int64[2 ** bits]."""
        return np.array(self.numerators(), np.int64)

    @cached_property
    def magnitudes(self) -> Array:
        """Distinct magnitudes in ascending order, the first one 0; int64[..]."""
        return np.unique(np.abs(self.table))

    @property
    def most(self) -> int:
        """The largest numerator."""
        return int(self.magnitudes[-1])

    @cached_property
    def thresholds(self) -> Array:
        """Between neighbouring magnitudes: what is above goes to the larger one, what is on it to the smaller one. float64[..]."""
        return (self.magnitudes[:-1] + self.magnitudes[1:]) / 2

    def round(self, values: Array) -> Array:
        """Numerators of values in units of the scale, float[..] -> int64[..]; what is beyond the largest becomes that."""
        sizes = np.abs(values)
        if len(self.thresholds) <= FEW:
            places = np.zeros(sizes.shape, np.int8)
            for threshold in self.thresholds:
                places += sizes > threshold
        else:
            places = np.searchsorted(self.thresholds, sizes, side="left")
        found = self.magnitudes[places]
        return np.where(values < 0, -found, found)

    def encode(self, numerators: Array) -> Array:
        """Codes of numerators of the set, int[..] -> uint8[..]. Raises ValueError for others."""
        order = np.argsort(self.table, kind="stable")
        known = self.table[order]
        places = np.minimum(np.searchsorted(known, numerators, side="left"), len(known) - 1)
        if not np.array_equal(known[places], numerators):
            strange = np.asarray(numerators)[known[places] != numerators].flat[0]
            raise ValueError(f"{strange} is no numerator of {self}")
        return order[places].astype(np.uint8)

    def decode(self, codes: Array) -> Array:
        """Numerators of codes, uint8[..] -> int64[..]."""
        return self.table[codes]

    def product_bits(self, activation_bits: int) -> int:
        """Bits of the product with an unsigned activation, with its sign."""
        return int(self.most * (2**activation_bits - 1)).bit_length() + 1
