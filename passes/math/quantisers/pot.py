"""Powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ._base import Array, Quantiser

RULES = ("nearest", "log")
MOST_POT_BITS = 5
"""With more the largest of 2 ** (bits - 1) - 1 powers is beyond what an accumulator of 32 bits adds up."""


@dataclass(frozen=True)
class Pot(Quantiser):
    """Zero and 2 ** (bits - 1) - 1 powers of two of both signs: a sign bit, then 0 for zero or the exponent and one.

    `rule` says where one power ends and the next begins: half-way (`nearest`), or half-way between the exponents (`log`), as RMSMP
    rounds in the logarithmic domain. Below the smallest power half-way to zero in both.
    """

    name: ClassVar[str] = "pot"
    core: ClassVar[str] = "fabric"
    rule: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits > MOST_POT_BITS:
            raise ValueError(f"expected 2 to {MOST_POT_BITS} bits, got {self}")
        if self.rule not in RULES:
            raise ValueError(f"expected one of {', '.join(RULES)}, got '{self.rule}'")

    def numerators(self) -> list[int]:
        powers = [0, *(1 << e for e in range((1 << self.bits - 1) - 1))]
        return [*powers, *(-p for p in powers)]

    @cached_property
    def thresholds(self) -> Array:
        if self.rule == "nearest":
            return (self.magnitudes[:-1] + self.magnitudes[1:]) / 2
        return np.concatenate([[0.5], self.magnitudes[1:-1] * math.sqrt(2)])
