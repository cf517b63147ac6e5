"""Evenly spaced levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ._base import Array, Quantiser


@dataclass(frozen=True)
class Fixed(Quantiser):
    """Integers of both signs, in two's complement. The one without a counterpart stands for the next, so that the set is symmetric."""

    name: ClassVar[str] = "fixed"
    core: ClassVar[str] = "dsp"

    def round(self, values: Array) -> Array:
        magnitudes = np.minimum(np.ceil(np.abs(values) - 0.5), self.most)
        return np.copysign(magnitudes, values).astype(np.int64)

    def numerators(self) -> list[int]:
        half = 1 << self.bits - 1
        return [*range(half), 1 - half, *range(1 - half, 0)]
