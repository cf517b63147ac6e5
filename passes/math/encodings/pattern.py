"""Kernel patterns with connectivity (PatDNN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, starts_of, top_share

MAX_PATTERNS = 16
"""Different kernels that still are a choice of patterns."""


@dataclass(frozen=True)
class Pattern(Encoding):
    """Every kernel keeps `entries` positions, one of `patterns` choices of them, or is removed as a whole.

    Packed: `table` i32[patterns, entries]; for every filter its kept kernels, `starts` i32[rows + 1], `channels` i32 and
    `choices` i32, rows of the table; `values` [kernels, entries].
    """

    name: ClassVar[str] = "pattern"
    entries: int
    patterns: int

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        kernels = kept.reshape(-1, kept.shape[2])
        counts = kernels.sum(axis=1)
        entries = int(counts.max(initial=0))
        if kept.shape[2] == 1 or not 0 < entries < kept.shape[2] or ((counts != 0) & (counts != entries)).any():
            return None
        patterns = len(np.unique(kernels[counts != 0], axis=0))
        return cls(entries, patterns) if patterns <= MAX_PATTERNS else None

    def describes(self, kept: Array) -> bool:
        found = type(self).find(kept)
        return found is not None and found.entries == self.entries and found.patterns <= self.patterns

    def indices(self, kept: Array) -> int:
        return 2 * int(kept.any(axis=2).sum()) + len(kept) + self.entries * self.patterns

    def pack(self, weight: Array) -> dict[str, Array]:
        rows, channels = np.nonzero(weight.any(axis=2))
        kernels = weight[rows, channels]
        table, choices = np.unique(kernels != 0, axis=0, return_inverse=True)
        table = np.nonzero(table)[1].reshape(len(table), self.entries)
        return {
            "table": table.astype(np.int32),
            "starts": starts_of(np.bincount(rows, minlength=len(weight))),
            "channels": channels.astype(np.int32),
            "choices": choices.reshape(-1).astype(np.int32),
            "values": np.take_along_axis(kernels, table[choices.reshape(-1)], axis=1),
        }

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        weight = np.zeros(shape, packed["values"].dtype)
        rows = np.repeat(np.arange(shape[0]), np.diff(packed["starts"]))
        positions = packed["table"][packed["choices"]]
        weight[rows[:, None], packed["channels"][:, None], positions] = packed["values"]
        return weight

    def project(self, weight: Array, rate: float) -> Array:
        """The most frequent choices of the largest entries become the patterns; then whole kernels go, down to 1/rate."""
        positions = weight.shape[2]
        if self.entries >= positions:
            raise ValueError(f"expected more than {self.entries} kernel positions for {self}, got {positions}")
        share = positions / (self.entries * rate)
        if share > 1:
            raise ValueError(f"expected a rate of at least {positions / self.entries:.3g} for {self}, got {rate:.3g}")
        kernels = np.square(weight.reshape(-1, positions))
        largest = np.sort(np.argpartition(kernels, positions - self.entries, axis=1)[:, -self.entries :], axis=1)
        choices, counts = np.unique(largest, axis=0, return_counts=True)
        table = choices[np.argsort(-counts, kind="stable")[: self.patterns]]
        energies = kernels[:, table].sum(axis=2)
        chosen = table[energies.argmax(axis=1)]
        kept = np.zeros(kernels.shape, bool)
        np.put_along_axis(kept, chosen, True, axis=1)
        return (kept & top_share(energies.max(axis=1), share)[:, None]).reshape(weight.shape)
