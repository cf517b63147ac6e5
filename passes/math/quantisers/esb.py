"""Elastic significant bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._base import Quantiser


@dataclass(frozen=True)
class Esb(Quantiser):
    """Small floating-point numbers: a sign, bits - 1 - k of exponent, k of fraction, with subnormals and without infinities. With
    few exponent bits the levels are even, with k = 0 they are nearly powers of two."""

    name: ClassVar[str] = "esb"
    core: ClassVar[str] = "fabric"
    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.k <= self.bits - 2:
            raise ValueError(f"expected 0 to {self.bits - 2} fraction bits, got {self}")
        if (1 << self.exponent_bits) - 1 + self.k > 20:
            raise ValueError(f"expected numerators below 2 ** 20, got {self}: give it more fraction bits")

    def __str__(self) -> str:
        return f"{self.name}<{self.bits}, {self.k}>"

    @property
    def exponent_bits(self) -> int:
        return self.bits - 1 - self.k

    def numerators(self) -> list[int]:
        fractions = range(1 << self.k)
        normal = [((1 << self.k) + f) << e for e in range((1 << self.exponent_bits) - 1) for f in fractions]
        levels = [*fractions, *normal]
        return [*levels, *(-n for n in levels)]
