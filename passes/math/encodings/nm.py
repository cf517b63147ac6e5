"""N of M neighbouring channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape

SIZES = (4, 2, 8, 16)
"""Group sizes that are looked for, the commonest first."""
FILLED = 0.9
"""Share of the places that have to be taken, so that no thin mask passes for one of these."""


@dataclass(frozen=True)
class Nm(Encoding):
    """At most `kept` of every `of` neighbouring channels, at each kernel position of each filter.

    Packed: `slots` u8 and `values`, both [rows, channels / of, positions, kept].
    """

    name: ClassVar[str] = "nm"
    kept: int
    of: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept >= self.of:
            raise ValueError(f"expected fewer kept than there are in a group, got {self}")

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        for size in SIZES:
            if kept.shape[1] % size == 0:
                counts = _grouped(kept, size).sum(axis=3)
                most = int(counts.max())
                if 0 < most < size and counts.mean() >= FILLED * most:
                    return cls(most, size)
        return None

    def describes(self, kept: Array) -> bool:
        self._check(kept.shape[1])
        return bool((_grouped(kept, self.of).sum(axis=3) <= self.kept).all())

    def indices(self, kept: Array) -> int:
        """Slots take a byte at most: four count as one number."""
        return -(-kept.size // self.of * self.kept // 4)

    def pack(self, weight: Array) -> dict[str, Array]:
        self._check(weight.shape[1])
        groups = _grouped(weight, self.of)
        slots = np.argsort(groups == 0, axis=3, kind="stable")[..., : self.kept]
        return {"slots": slots.astype(np.uint8), "values": np.take_along_axis(groups, slots, axis=3)}

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        groups = np.zeros((shape[0], shape[1] // self.of, shape[2], self.of), packed["values"].dtype)
        np.put_along_axis(groups, packed["slots"].astype(np.int64), packed["values"], axis=3)
        return groups.transpose(0, 1, 3, 2).reshape(shape)

    def project(self, weight: Array, rate: float) -> Array:
        self._check(weight.shape[1])
        if abs(rate - self.of / self.kept) > 1e-9:
            raise ValueError(f"expected a rate of {self.of / self.kept:.3g} for {self}, got {rate:.3g}")
        groups = np.square(_grouped(weight, self.of))
        slots = np.argsort(-groups, axis=3, kind="stable")[..., : self.kept]
        kept = np.zeros(groups.shape, bool)
        np.put_along_axis(kept, slots, True, axis=3)
        return kept.transpose(0, 1, 3, 2).reshape(weight.shape)

    def _check(self, channels: int) -> None:
        if channels % self.of:
            raise ValueError(f"expected a multiple of {self.of} channels for {self}, got {channels}")


def _grouped(array: Array, size: int) -> Array:
    """[rows, groups, positions, members]."""
    rows, channels, positions = array.shape
    return array.reshape(rows, channels // size, size, positions).transpose(0, 1, 3, 2)
