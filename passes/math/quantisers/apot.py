"""Additive powers of two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from ._base import Quantiser

TERMS = {
    3: ((1, 2, 3),),
    4: ((1, 2, 4), (3,)),
    5: ((1, 3, 5), (2, 4, 6)),
    6: ((1, 3, 6), (2, 4, 7), (5,)),
    7: ((1, 4, 7), (2, 5, 8), (3, 6, 9)),
}
"""Bits -> negated exponents of each term, which is zero or one of these powers of two."""


@dataclass(frozen=True)
class Apot(Quantiser):
    """Sums of powers of two of one sign whose exponents interleave: the sign takes a bit, each term two, or one."""

    name: ClassVar[str] = "apot"
    core: ClassVar[str] = "fabric"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits not in TERMS:
            raise ValueError(f"expected one of {', '.join(map(str, TERMS))} bits, got {self}")

    def numerators(self) -> list[int]:
        terms = TERMS[self.bits]
        deepest = max(max(term) for term in terms)
        powers = [[0, *(1 << deepest - e for e in term)] for term in terms]
        sums = [sum(chosen) for chosen in product(*powers)]
        return [*sums, *(-s for s in sums)]
