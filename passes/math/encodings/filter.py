"""Whole filters are removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, root_mean_square


@dataclass(frozen=True)
class Filter(Encoding):
    """Rows of the matrix are kept or removed. Packed: `filters` i32[kept], `values` [kept, channels, positions]."""

    name: ClassVar[str] = "filter"

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        return cls() if cls().describes(kept) else None

    def describes(self, kept: Array) -> bool:
        return bool((kept == kept.any(axis=(1, 2), keepdims=True)).all())

    def indices(self, kept: Array) -> int:
        return int(kept.any(axis=(1, 2)).sum())

    def pack(self, weight: Array) -> dict[str, Array]:
        filters = np.flatnonzero(weight.any(axis=(1, 2)))
        return {"filters": filters.astype(np.int32), "values": weight[filters]}

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        weight = np.zeros(shape, packed["values"].dtype)
        weight[packed["filters"]] = packed["values"]
        return weight

    def scores(self, weight: Array) -> Array:
        scores = root_mean_square(np.square(weight), (1, 2), np.ones_like(weight))
        return np.broadcast_to(scores, weight.shape)
