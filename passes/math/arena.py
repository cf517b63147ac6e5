"""Packing buffers with known lifetimes into one block of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `size` bytes that is used from time `first` to time `last`, both included."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


def pack(buffers: Sequence[Lifetime], alignment: int) -> tuple[list[int], int]:
    """(offset of each buffer, total size). Largest first, each at the lowest offset where it fits (Pisarchyk & Lee 2020,
    greedy by size)."""
    offsets = [0] * len(buffers)
    placed: list[int] = []
    total = 0
    for number in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, buffers[i].first, i)):
        size = -(-buffers[number].size // alignment) * alignment
        busy = sorted(
            (offsets[p], offsets[p] + -(-buffers[p].size // alignment) * alignment)
            for p in placed
            if buffers[p].overlaps(buffers[number])
        )
        at = 0
        for start, stop in busy:
            if start - at >= size:
                break
            at = max(at, stop)
        offsets[number] = at
        placed.append(number)
        total = max(total, at + size)
    return offsets, total


def share(buffers: Sequence[Lifetime]) -> tuple[list[int], list[int]]:
    """(slot of each buffer, size of each slot), where buffers begin at the start of their slot and those of one slot never live at
    the same time. Largest first, each in the first slot where it fits."""
    slots = [0] * len(buffers)
    members: list[list[Lifetime]] = []
    for number in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, buffers[i].first, i)):
        free = (n for n, m in enumerate(members) if not any(buffers[number].overlaps(other) for other in m))
        slot = next(free, len(members))
        if slot == len(members):
            members.append([])
        members[slot].append(buffers[number])
        slots[number] = slot
    return slots, [max(buffer.size for buffer in slot) for slot in members]
