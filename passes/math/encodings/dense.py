"""Everything is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape

NEARLY_DENSE = 0.95
"""Share of kept elements above which zeros are not worth a look."""


@dataclass(frozen=True)
class Dense(Encoding):
    """Every column of every row; hardly any zeros count as none. Packed: `values` alone."""

    name: ClassVar[str] = "dense"

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        return cls() if kept.mean() > NEARLY_DENSE else None

    def describes(self, kept: Array) -> bool:
        return True

    def indices(self, kept: Array) -> int:
        return 0

    def pack(self, weight: Array) -> dict[str, Array]:
        return {"values": weight}

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        return packed["values"].reshape(shape)

    def project(self, weight: Array, rate: float) -> Array:
        return np.ones(weight.shape, bool)
