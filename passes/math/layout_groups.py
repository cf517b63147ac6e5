"""Layout groups: whether an operation minds how its operands lie, and what that says of the layout between two.

Four groups and a table of what to do with two neighbours (SmartMem, arXiv 2404.13528, section 3.1). A group is read from index
expressions, never from a name, so that an operation that nobody has thought of has one too:

                      its result may lie anyhow (Variable)                  its result is other places for values (Fixed)
    minds (ILD)       reductions, contractions, sums of what is turned      reshapes, transpositions, depth to space
    does not (ILI)    element-wise operations on operands of one order      slices, broadcasts, gathers, concatenations, borders

What is dropped becomes index arithmetic in its neighbour: in what it reads of the first, or where it writes for the second.

Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from .affine import Dim, Expr

Index = Sequence[Expr]


class LayoutGroup(StrEnum):
    """The groups, by the paper's names: input layout dependent or independent, output layout variable or fixed."""

    ILD_VARIABLE = "ild-variable"
    ILI_VARIABLE = "ili-variable"
    ILD_FIXED = "ild-fixed"
    ILI_FIXED = "ili-fixed"


class Act(StrEnum):
    """What becomes of two operations, of which the second reads the first."""

    KEEP = "keep both"
    FUSE = "try to fuse"
    DROP_FIRST = "drop the first"
    DROP_SECOND = "drop the second"
    DROP_BOTH = "drop both"


class Search(StrEnum):
    """Whose layouts are to be searched for."""

    BOTH = "both"
    FUSED = "fused"
    FIRST = "first"
    SECOND = "second"
    NONE = "none"


@dataclass(frozen=True)
class Action:
    """What the table says of two neighbours; `kind` is the group of what is left of them, None where nothing is."""

    act: Act
    kind: LayoutGroup | None
    search: Search

    @property
    def drops_first(self) -> bool:
        return self.act in (Act.DROP_FIRST, Act.DROP_BOTH)

    @property
    def drops_second(self) -> bool:
        return self.act in (Act.DROP_SECOND, Act.DROP_BOTH)


_D_V, _I_V, _D_F, _I_F = LayoutGroup
_ACTIONS = {
    "KEEP": Action(Act.KEEP, _D_V, Search.BOTH),
    "FUSED": Action(Act.FUSE, _D_V, Search.FUSED),
    "fused": Action(Act.FUSE, _I_V, Search.NONE),
    "1ST": Action(Act.DROP_SECOND, _D_V, Search.FIRST),
    "1st": Action(Act.DROP_SECOND, _I_V, Search.NONE),
    "2ND": Action(Act.DROP_FIRST, _D_V, Search.SECOND),
    "2nd": Action(Act.DROP_FIRST, _I_V, Search.NONE),
    "none": Action(Act.DROP_BOTH, None, Search.NONE),
}
"""What is left: capitals where its layout is worth a search."""
_COLUMNS = (_D_V, _I_V, _D_F, _I_F)
_ROWS = {
    _D_V: ("KEEP",  "FUSED", "1ST",  "1ST"),
    _I_V: ("FUSED", "fused", "1st",  "1st"),
    _D_F: ("2ND",   "2nd",   "none", "none"),
    _I_F: ("2ND",   "2nd",   "none", "none"),
}  # fmt: skip

TABLE: Mapping[tuple[LayoutGroup, LayoutGroup], Action] = {
    (first, second): _ACTIONS[left] for first, row in _ROWS.items() for second, left in zip(_COLUMNS, row, strict=True)
}
"""(producer, consumer) -> action."""


def act(first: LayoutGroup, second: LayoutGroup) -> Action:
    """What the table says of an operation of group `first` whose result one of group `second` reads."""
    return TABLE[first, second]


def of_loops(
    parallel: Sequence[bool], operands: Sequence[Index], results: Sequence[Index], computes: bool
) -> LayoutGroup:
    """Group of an operation over loop dimensions from the indices of its operands and results; `computes`: elements of its result
    are not just elements of its operands."""
    minds = not all(parallel) or not all(_walks_alike(o, r) for o in operands for r in results)
    if computes or not all(parallel):
        return LayoutGroup.ILD_VARIABLE if minds else LayoutGroup.ILI_VARIABLE
    return LayoutGroup.ILD_FIXED if minds else LayoutGroup.ILI_FIXED


def _walks_alike(operand: Index, result: Index) -> bool:
    """Whether axes of an operand follow axes of the result, each at most one, in the same order: then any order of the axes in
    memory that suits the one suits the other."""
    axis_of = {atom.index: a for a, e in enumerate(result) for atom, _ in e.terms if isinstance(atom, Dim)}
    walked = [{axis_of[d] for d in e.dims() if d in axis_of} for e in operand]
    order = [min(axes) for axes in walked if axes]
    return all(len(axes) <= 1 for axes in walked) and all(a < b for a, b in pairwise(order))
