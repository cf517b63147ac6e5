"""Which operations share a kernel: seed and grow over an abstract graph (DNNFusion, arXiv 2108.13342, section 4.3).

    group = a seed, One-to-One and with the smallest result
    while something changes:
        join it to the group that reads its result, or else a group of which it reads the result
    the next seed, until nothing changes

Two groups become one when all that reads the result of the first is in the second. So a group has one result, and is convex: what
leaves it leaves from its last operation, which nothing in it reads. The table of mapping types (`mapping.judge`) says of two groups
by their fused types whether to join them always, never, or where that pays; `legal` says whether there is code for both as one.
Beside the paper's listing: groups that have grown join whole, what no One-to-One seed reaches is a seed itself afterwards,
a join that was refused is tried again when either group has changed, and ties are broken by position.

Pure: nothing here knows MLIR or processors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from . import mapping
from .mapping import Colour, MappingType

Members = frozenset[int]


@dataclass(frozen=True)
class Node:
    """An operation. Its number is its position in a list in which operations stand before what reads them."""

    kind: MappingType
    size: int
    """Of its result; any unit."""
    reads: tuple[int, ...] = ()
    """Operations whose results it reads."""
    multiplies: bool = False
    """Whether it is a contraction."""
    leaves: bool = False
    """Whether something that is no operation of the graph reads its result, too."""


@dataclass(frozen=True)
class Group:
    """Operations that share a kernel, and the type that the table says they have together."""

    members: Members
    kind: MappingType

    @property
    def root(self) -> int:
        """The operation that makes the result."""
        return max(self.members)


def plan(
    nodes: Sequence[Node],
    legal: Callable[[Members], bool],
    pays: Callable[[Members, Members], bool],
) -> list[Group]:
    """Groups, in the order of their results; every operation is in one.

    legal: whether one kernel can compute a set of operations with one result. Is not asked for single ones.
    pays: whether the first of two sets, which the second reads, is to be computed in the kernel of the second. Asked where both
    together are legal and the table says yellow.
    """
    planner = _Planner(nodes, legal, pays)
    while planner.grow_all():
        pass
    return sorted(set(planner.group_of), key=lambda g: g.root)


@dataclass
class _Planner:
    nodes: Sequence[Node]
    legal: Callable[[Members], bool]
    pays: Callable[[Members, Members], bool]
    group_of: list[Group] = field(default_factory=list[Group])
    readers: list[list[int]] = field(default_factory=list[list[int]])
    refused: set[tuple[Group, Group]] = field(default_factory=set[tuple[Group, Group]])

    def __post_init__(self) -> None:
        self.group_of = [Group(frozenset([n]), node.kind) for n, node in enumerate(self.nodes)]
        self.readers = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for read in dict.fromkeys(node.reads):
                self.readers[read].append(number)

    def grow_all(self) -> bool:
        """Grow a group from every seed; whether anything was joined."""
        before = len(set(self.group_of))
        for seed in self._seeds():
            while self._grow(self.group_of[seed]):
                pass
        return len(set(self.group_of)) < before

    def _seeds(self) -> list[int]:
        def rank(number: int) -> tuple[bool, int, int]:
            node = self.nodes[number]
            return node.kind is not MappingType.ONE_TO_ONE, node.size, number

        return sorted(range(len(self.nodes)), key=rank)

    def _grow(self, group: Group) -> bool:
        """Join a group to its reader, or else to something that it reads, what is made last first."""
        into = self._reader_of(group)
        if into is not None and self._join(group, into):
            return True
        return any(self._reader_of(first) is group and self._join(first, group) for first in self._read_by(group))

    def _reader_of(self, group: Group) -> Group | None:
        """The one group that reads a group's result."""
        if self.nodes[group.root].leaves:
            return None
        found = {self.group_of[reader] for reader in self.readers[group.root]}
        return found.pop() if len(found) == 1 else None

    def _read_by(self, group: Group) -> Iterator[Group]:
        read = {self.group_of[r] for member in group.members for r in self.nodes[member].reads} - {group}
        return iter(sorted(read, key=lambda g: -g.root))

    def _feeds_contraction(self, number: int, group: Group) -> bool:
        """Whether a contraction of a group hangs on a result that the group reads."""
        behind = {number}
        for member in sorted(group.members):
            if not behind.isdisjoint(self.nodes[member].reads):
                if self.nodes[member].multiplies:
                    return True
                behind.add(member)
        return False

    def _join(self, first: Group, second: Group) -> bool:
        if (first, second) in self.refused:
            return False
        verdict = mapping.judge(first.kind, second.kind, self._feeds_contraction(first.root, second))
        joined = Group(first.members | second.members, verdict.kind)
        fused = verdict.is_legal and self.legal(joined.members)
        if fused and verdict.colour is Colour.YELLOW:
            fused = self.pays(first.members, second.members)
        if not fused:
            self.refused.add((first, second))
            return False
        for member in joined.members:
            self.group_of[member] = joined
        return True
