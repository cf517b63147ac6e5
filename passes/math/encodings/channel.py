"""Whole input channels are removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, root_mean_square


@dataclass(frozen=True)
class Channel(Encoding):
    """All filters read the same input channels. Packed: `channels` i32[kept], `values` [rows, kept, positions]."""

    name: ClassVar[str] = "channel"

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        return cls() if cls().describes(kept) else None

    def describes(self, kept: Array) -> bool:
        return bool((kept == kept.any(axis=(0, 2), keepdims=True)).all())

    def indices(self, kept: Array) -> int:
        return int(kept.any(axis=(0, 2)).sum())

    def pack(self, weight: Array) -> dict[str, Array]:
        channels = np.flatnonzero(weight.any(axis=(0, 2)))
        return {"channels": channels.astype(np.int32), "values": weight[:, channels]}

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        weight = np.zeros(shape, packed["values"].dtype)
        weight[:, packed["channels"]] = packed["values"]
        return weight

    def scores(self, weight: Array) -> Array:
        scores = root_mean_square(np.square(weight), (0, 2), np.ones_like(weight))
        return np.broadcast_to(scores, weight.shape)
