"""What sweeps read on chip: tables and constants, each of them in a memory of its own or those of a function's calls in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import costs
from .devices import Demand

Array = np.ndarray
LOADED_AT_ONCE = 4
"""Entries that the memory gives in a cycle."""
BLOCK_BITS = 36 * 1024
MOST_CONSTANT_BITS = 1 << 18
"""Larger constants are in DDR, as tensors are, row-major: they are as large as these and read in order. Judgement."""


@dataclass(frozen=True)
class Memory:
    """An array of the store, by its name. It is read `anywhere`, as tables are, or in order, neighbours at once."""

    name: str
    entries: int
    bits: int
    anywhere: bool = True

    @property
    def is_large(self) -> bool:
        """Whether it is in block RAM, which two points share; small ones are in LUTs."""
        return self.entries * self.bits > costs.TABLE_BITS_IN_LUTS


@dataclass(frozen=True)
class OnChip:
    """The memory for the arrays that calls of a function read at one place: all of them, or the one that a call has loaded."""

    entries: int
    bits: int
    anywhere: bool
    is_loaded: bool

    def demand(self, unroll: int) -> Demand:
        """Beside so many points of a cycle. Two points share a copy of a table; what is read in order has words of as many."""
        bits = self.entries * self.bits
        copies = -(-unroll // 2) if self.anywhere else 1
        if bits <= costs.TABLE_BITS_IN_LUTS:
            return Demand(copies * 2 * -(-bits // 64), 0, 0)
        at_once = max(1 if self.anywhere else unroll, LOADED_AT_ONCE if self.is_loaded else 1)
        return Demand(0, 0, copies * float(costs.block_rams(at_once * self.bits, -(-self.entries // at_once))))


def bits_of(array: Array) -> int:
    """Of signed integers that are like those of an array."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return max((~low).bit_length() if low < 0 else 0, high.bit_length()) + 1


def stored_bits(bits: int) -> int:
    """Of an entry of an array that is written into the sources: those of a type of C."""
    return next(wide for wide in (8, 16, 32) if bits <= wide)


def is_loaded(found: Sequence[Memory], points: int) -> bool:
    """Whether a function has one of several arrays on chip and loads it when it is called: they would take more than a block RAM together,
    and loading takes less than a call, of so many points at least."""
    entries = max(m.entries for m in found)
    return len(found) > 1 and len(found) * entries * max(m.bits for m in found) > BLOCK_BITS and entries <= points


def on_chip(columns: Sequence[Sequence[Memory]], points: int) -> list[OnChip]:
    """The memories of a function, by the different arrays that its calls read at each place."""
    found: list[OnChip] = []
    for arrays in columns:
        entries, bits = max(m.entries for m in arrays), max(m.bits for m in arrays)
        if is_loaded(arrays, points):
            found.append(OnChip(entries, bits, arrays[0].anywhere, True))
        else:
            found.append(OnChip(len(arrays) * entries, stored_bits(bits), arrays[0].anywhere, False))
    return found
