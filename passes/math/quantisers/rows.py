"""Which quantiser each row of a layer gets: RMSMP's assignment (ICCV 2021), for any quantisers.

The rows whose loss bends most, by the largest eigenvalue of its second derivatives in the row, get more bits. Of the others those of
the lowest variance get powers of two, whose error grows with it, and the rest evenly spaced levels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ._base import Array, Quantiser
from ._names import parse_quantiser
from .fixed import Fixed
from .pot import Pot
from .scales import find

COARSE, FINE, WIDE = range(3)
"""Places in a mixture: for rows of low variance, for the others, for those that matter most."""


@dataclass(frozen=True)
class Mixture:
    """Three quantisers, and what percentage of the rows each gets."""

    quantisers: tuple[Quantiser, Quantiser, Quantiser]
    percent: tuple[float, float, float]

    def __post_init__(self) -> None:
        if any(p < 0 for p in self.percent) or abs(sum(self.percent) - 100) > 1e-9:
            raise ValueError(f"expected three shares that add up to 100, got {self.ratio}: {sum(self.percent):g}")

    @property
    def ratio(self) -> str:
        """As it is written: `60:35:5`."""
        return ":".join(f"{p:g}" for p in self.percent)

    def counts(self, rows: int) -> tuple[int, int, int]:
        """Rows of each quantiser, by largest remainders. A layer of at least three rows has at least one of the last kind, if any
        share is its."""
        exact = [rows * p / 100 for p in self.percent]
        found = [int(e) for e in exact]
        order = sorted(range(3), key=lambda i: (found[i] - exact[i], i))
        for i in order[: rows - sum(found)]:
            found[i] += 1
        if self.percent[WIDE] and not found[WIDE] and rows >= 3:
            found[max((COARSE, FINE), key=lambda i: found[i])] -= 1
            found[WIDE] = 1
        return found[0], found[1], found[2]

    def assign(self, variance: Array, importance: Array | None = None) -> Array:
        """The place in the mixture of each row: float[rows], float[rows] -> int8[rows]. Without `importance` the rows of the largest
        variance count as the most important ones. Of equal rows the first ones go first."""
        _, fine, wide = self.counts(len(variance))
        found = np.full(len(variance), COARSE, np.int8)
        most = np.argsort(-(variance if importance is None else importance), kind="stable")[:wide]
        found[most] = WIDE
        others = np.array([row for row in np.argsort(variance, kind="stable") if found[row] != WIDE], np.int64)
        found[others[len(others) - fine :]] = FINE
        return found


def find_rows(rows: Array, mixture: Mixture) -> tuple[Array, Array] | None:
    """Place and scale of every row that is on levels of the mixture already, float[rows, n] -> int8[rows], float64[rows]; None where
    one is not. Of several that fit the first is taken."""
    places, scales = np.full(len(rows), -1, np.int8), np.full(len(rows), np.nan)
    for place, (quantiser, percent) in enumerate(zip(mixture.quantisers, mixture.percent, strict=True)):
        missing = (places < 0).nonzero()[0]
        if percent and len(missing):
            found = find(np.asarray(rows)[missing], quantiser)
            fits = ~np.isnan(found)
            places[missing[fits]], scales[missing[fits]] = place, found[fits]
    return None if (places < 0).any() else (places, scales)


def rmsmp(ratio: str = "60:35:5") -> Mixture:
    """PoT-4 : Fixed-4 : Fixed-8 at a ratio of percentages. Raises ValueError for what is none."""
    match = re.fullmatch(r"\s*([\d.]+)\s*:\s*([\d.]+)\s*:\s*([\d.]+)\s*", ratio)
    if match is None:
        raise ValueError(f"expected three percentages such as 60:35:5, got '{ratio}'")
    try:
        shares = float(match[1]), float(match[2]), float(match[3])
    except ValueError:
        raise ValueError(f"expected three percentages such as 60:35:5, got '{ratio}'") from None
    return Mixture((Pot(4, "log"), Fixed(4), Fixed(8)), shares)


def parse_mixture(text: str) -> Mixture:
    """`rmsmp`, `rmsmp:65:30:5` (60:35:5 without a ratio), or one quantiser such as `fixed<4>` for all rows. Raises ValueError."""
    name, _, ratio = text.partition(":")
    if name == "rmsmp":
        return rmsmp(ratio or "60:35:5")
    return all_of(parse_quantiser(text))


def all_of(quantiser: Quantiser) -> Mixture:
    """One quantiser for every row."""
    return Mixture((quantiser, quantiser, quantiser), (0.0, 100.0, 0.0))
