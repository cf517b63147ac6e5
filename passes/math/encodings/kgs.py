"""Kernel group sparsity (RT3D, arXiv 2007.09835); in two dimensions also called block-punched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, padded, period, root_mean_square, starts_of


@dataclass(frozen=True)
class Kgs(Encoding):
    """Groups of `rows` filters x `channels` channels keep the same kernel positions; groups at the end may be smaller.

    Packed, group after group, row-major: `starts` i32[groups + 1] and `positions` i32, what each group keeps; `values`
    [kept positions, rows, channels] of each group.
    """

    name: ClassVar[str] = "kgs"
    rows: int
    channels: int

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        if kept.shape[2] == 1:
            return None
        channels = period(kept, 1)
        return cls(period(kept, 0), channels) if channels > 1 else None

    def describes(self, kept: Array) -> bool:
        groups, present = self._groups(kept), self._groups(np.ones_like(kept))
        return bool((groups == (groups.any(axis=(2, 3), keepdims=True) & present)).all())

    def indices(self, kept: Array) -> int:
        groups = self._groups(kept)
        return int(groups.any(axis=(2, 3)).sum()) + groups.shape[0] * groups.shape[1]

    def pack(self, weight: Array) -> dict[str, Array]:
        groups = self._groups(weight)
        groups = groups.reshape(-1, *groups.shape[2:])
        kept = groups.any(axis=(1, 2))
        number, positions = np.nonzero(kept)
        return {
            "starts": starts_of(kept.sum(axis=1)),
            "positions": positions.astype(np.int32),
            "values": groups.transpose(0, 3, 1, 2)[number, positions],
        }

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        empty = self._groups(np.zeros(shape, packed["values"].dtype))
        groups = empty.reshape(-1, *empty.shape[2:])
        number = np.repeat(np.arange(len(groups)), np.diff(packed["starts"]))
        groups[number, :, :, packed["positions"]] = packed["values"]
        return _whole(groups.reshape(empty.shape), shape)

    def scores(self, weight: Array) -> Array:
        groups, present = self._groups(np.square(weight)), self._groups(np.ones_like(weight))
        return _whole(np.broadcast_to(root_mean_square(groups, (2, 3), present), groups.shape), weight.shape)

    def _groups(self, array: Array) -> Array:
        """[groups of rows, groups of channels, rows, channels, positions], padded with zeros."""
        rows, channels = min(self.rows, array.shape[0]), min(self.channels, array.shape[1])
        whole = padded(array, (rows, channels, 1))
        down, across = whole.shape[0] // rows, whole.shape[1] // channels
        return whole.reshape(down, rows, across, channels, -1).transpose(0, 2, 1, 3, 4)


def _whole(groups: Array, shape: tuple[int, ...]) -> Array:
    """What the groups were made of."""
    whole = groups.transpose(0, 2, 1, 3, 4)
    down, rows, across, channels, positions = whole.shape
    return whole.reshape(down * rows, across * channels, positions)[: shape[0], : shape[1]]
