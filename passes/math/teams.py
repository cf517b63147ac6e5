"""How many invocations of a GPU compute one point of a result whose reductions are long."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_TURNS = 2
"""Elements (or texels) that each of them reads at least: for fewer, adding up what they found takes longer."""


@dataclass(frozen=True)
class Team:
    """How the invocations of a workgroup share its points."""

    parts: int
    """Invocations that compute one point together, a power of two."""
    points: int
    """Points of a workgroup."""

    @property
    def size(self) -> int:
        """Invocations of the workgroup."""
        return self.parts * self.points


def team_of(points: int, length: int, busy: int, workgroup: int) -> Team:
    """The smallest teams that keep a GPU busy which wants `busy` invocations, for reductions over `length` elements at each of
    `points` points; of a single invocation where there are points enough, or too little to share."""
    parts = 1
    while points * parts < busy and parts < workgroup and 2 * parts * LEAST_TURNS <= length:
        parts *= 2
    together = 1 << (points - 1).bit_length()
    return Team(parts, min(workgroup // parts, together))
