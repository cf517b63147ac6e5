"""Sums of two powers of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._base import Quantiser


@dataclass(frozen=True)
class Sp2(Quantiser):
    """q1 + q2 of one sign, each zero or a power of two below one: MSQ's set. The sign takes a bit, q1 half of the others, rounded up,
    and q2 the rest."""

    name: ClassVar[str] = "sp2"
    core: ClassVar[str] = "fabric"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits < 3:
            raise ValueError(f"expected at least 3 bits, got {self}")

    def numerators(self) -> list[int]:
        first, second = self.split
        deepest = max((1 << first) - 1, (1 << second) - 1)
        sums = [a + b for a in _powers(first, deepest) for b in _powers(second, deepest)]
        return [*sums, *(-s for s in sums)]

    @property
    def split(self) -> tuple[int, int]:
        """Bits of q1 and of q2."""
        return self.bits // 2, self.bits - 1 - self.bits // 2


def _powers(bits: int, deepest: int) -> list[int]:
    """Zero, one half, one quarter.. by code, in units of 2 ** -deepest."""
    return [0, *(1 << deepest - e for e in range(1, 1 << bits))]
