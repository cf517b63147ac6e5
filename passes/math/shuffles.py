"""Transposing a square of registers with shuffles of two registers at a time.

Pure arithmetic on lane numbers, so that any vector width gets its network from the same few lines.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shuffle:
    """A new register: `picks` from the lanes of registers `first` and, numbered on, `second`."""

    first: int
    second: int
    picks: tuple[int, ...]


def transpose_stages(lanes: int, segment: int) -> list[list[Shuffle]]:
    """Stages that turn `lanes` registers of rows into registers of columns, in the order of `transposed_columns`.

    Inside segments of `segment` lanes neighbours are interleaved, then whole segments are dealt out: the shuffles that
    every vector unit has as single instructions (segments are 128 bits). log2(lanes) stages of `lanes` shuffles.
    """
    stages: list[list[Shuffle]] = []
    distance = 1
    while distance < lanes:
        halves = _interleaved(lanes, segment, distance) if distance < segment else _dealt(lanes, segment)
        stages.append(
            [Shuffle(number & ~distance, number | distance, halves[bool(number & distance)]) for number in range(lanes)]
        )
        distance *= 2
    return stages


def transposed_columns(lanes: int, segment: int) -> list[int]:
    """Column that each register holds after all stages: the lane numbers of a segment come out with their bits reversed."""
    bits = min(lanes, segment).bit_length() - 1
    reversed_bits = [sum(1 << (bits - 1 - bit) for bit in range(bits) if i >> bit & 1) for i in range(1 << bits)]
    return [number >> bits << bits | reversed_bits[number & ((1 << bits) - 1)] for number in range(lanes)]


def _interleaved(lanes: int, segment: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Runs of `width` lanes of both registers in turns, from the lower and from the upper half of each segment."""
    picks: list[list[int]] = [[], []]
    for start in range(0, lanes, segment):
        for half in (0, 1):
            low = start + half * segment // 2
            for run in range(low, low + segment // 2, width):
                picks[half] += [*range(run, run + width), *range(lanes + run, lanes + run + width)]
    return tuple(picks[0]), tuple(picks[1])


def _dealt(lanes: int, segment: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The even segments of both registers, and the odd ones."""
    starts = [range(half * segment, 2 * lanes, 2 * segment) for half in (0, 1)]
    even, odd = (tuple(lane for start in each for lane in range(start, start + segment)) for each in starts)
    return even, odd
