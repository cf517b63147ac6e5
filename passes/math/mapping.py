"""Mapping types: how the elements of an operation's result hang on those of its operands, and what that says of fusing two.

Five types and a table of what two neighbours become (DNNFusion, arXiv 2108.13342, sections 3.1 and 3.2). A type is read
from index expressions, never from a name, so that an operation that nobody has thought of has one too:

    One-to-One    each element of the result has one element of the operand, axis by axis: element-wise, slices, concatenations
    Reorganize    the same elements in the same order under another shape: reshapes
    Shuffle       the same elements in another order: transpositions, depth to space
    One-to-Many   an element of the operand goes to several of the result: broadcasts, up-sampling, gathers
    Many-to-Many  an element of the result needs several of the operand: reductions, contractions, windows

Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import gcd

from . import affine
from .affine import Expr

Index = Sequence[Expr]


class MappingType(IntEnum):
    """The types, the more complex the larger: an operation has the largest of its operands."""

    ONE_TO_ONE = 1
    REORGANIZE = 2
    SHUFFLE = 3
    ONE_TO_MANY = 4
    MANY_TO_MANY = 5

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, text: str) -> MappingType:
        """The type that `str` writes as `text`. Raises ValueError for any other text."""
        found = next((kind for kind in cls if str(kind) == text), None)
        if found is None:
            raise ValueError(f"expected one of {', '.join(map(str, cls))}, got '{text}'")
        return found


class Colour(StrEnum):
    """What the table says of two neighbours."""

    GREEN = "green"
    """Fusing is legal and pays: nobody has to look."""
    YELLOW = "yellow"
    """Fusing is legal; whether it pays is to be measured or counted."""
    RED = "red"
    """Not to be fused."""


@dataclass(frozen=True)
class Verdict:
    """What two operations in a row become: the type of both together, and whether to fuse them at all."""

    kind: MappingType
    """Type of the fused operation; where they are not to be fused, that of the more complex one."""
    colour: Colour

    @property
    def is_legal(self) -> bool:
        return self.colour is not Colour.RED


_1_1, _1_M, _M_M = MappingType.ONE_TO_ONE, MappingType.ONE_TO_MANY, MappingType.MANY_TO_MANY
_REORG, _SHUFFLE = MappingType.REORGANIZE, MappingType.SHUFFLE
_COLOURS = {"G": Colour.GREEN, "Y": Colour.YELLOW, "X": Colour.RED}
_COLUMNS = (_1_1, _1_M, _M_M, _REORG, _SHUFFLE)
_ROWS = {
    _1_1:     (("G", _1_1),     ("G", _1_M), ("G", _M_M), ("G", _REORG), ("G", _SHUFFLE)),
    _1_M:     (("G", _1_M),     ("Y", _1_M), ("X", _M_M), ("Y", _1_M),   ("Y", _1_M)),
    _M_M:     (("G", _M_M),     ("Y", _M_M), ("X", _M_M), ("Y", _M_M),   ("Y", _M_M)),
    _REORG:   (("G", _REORG),   ("Y", _1_M), ("Y", _M_M), ("G", _REORG), ("G", _REORG)),
    _SHUFFLE: (("G", _SHUFFLE), ("Y", _1_M), ("Y", _M_M), ("G", _REORG), ("G", _SHUFFLE)),
}  # fmt: skip
"""First operation -> verdicts for each second one: an expansion before a contraction breaks its contiguous reads, two
contractions outgrow registers and caches, a changed order of access may cost what the saved traffic brings."""

TABLE: Mapping[tuple[MappingType, MappingType], Verdict] = {
    (first, second): Verdict(kind, _COLOURS[letter])
    for first, row in _ROWS.items()
    for second, (letter, kind) in zip(_COLUMNS, row, strict=True)
}
"""(producer, consumer) -> verdict."""


def fuse(first: MappingType, second: MappingType) -> Verdict:
    """What the table says of an operation of type `first` whose result one of type `second` reads."""
    return TABLE[first, second]


OVERRULED: Mapping[tuple[MappingType, MappingType], str] = {
    (_1_M, _M_M): "a reduction, or what stands beside a contraction, reads what is expanded where it stands",
    (
        _M_M,
        _M_M,
    ): "reductions over the same rows (softmax, layer norm) have a row in the cache, pools a tile of a contraction",
}
"""Red cells that are yellow unless a contraction needs what the first makes, and why: the paper's reasons are about contractions,
and its type Many-to-Many does not tell them from reductions."""


def judge(first: MappingType, second: MappingType, multiplies: bool) -> Verdict:
    """What is said of an operation of type `first` whose result one of type `second` reads: by the table, unless it is overruled.
    `multiplies`: a contraction needs the result."""
    verdict = fuse(first, second)
    if multiplies or (first, second) not in OVERRULED:
        return verdict
    return Verdict(verdict.kind, Colour.YELLOW)


def of_loops(
    bounds: Sequence[int],
    parallel: Sequence[bool],
    operands: Sequence[Index],
    results: Sequence[Index],
    gathers: bool = False,
) -> MappingType:
    """Type of an operation over loop dimensions of extents `bounds`, from the indices of its operands and results.

    `gathers`: it reads something at computed positions too, of which any may be read often.
    """
    if not all(parallel):
        return MappingType.MANY_TO_MANY
    kinds = [of_access(operand, result, bounds) for operand in operands for result in results]
    return max([*kinds, MappingType.ONE_TO_MANY if gathers else MappingType.ONE_TO_ONE])


def of_access(operand: Index, result: Index, bounds: Sequence[int]) -> MappingType:
    """Type of one operand: it is read at `operand` for the element of the result at `result`, all loops being parallel.

    Dimensions are cut until both indices are made of whole pieces. An operand that does not show every piece is read
    repeatedly; one that does is told by their order. What cannot be cut counts as read repeatedly.
    """
    axes = _axes_of_dims(result)
    if axes is None or any(extent > 1 and d not in axes for d, extent in enumerate(bounds)):
        return MappingType.MANY_TO_MANY
    cut = affine.split_dims(operand, bounds)
    read = [_pieces(cut.apply(e), cut.bounds) for e in operand]
    written: list[list[int]] = [[] for _ in result]
    for d, axis in axes.items():
        written[axis] += sorted(cut.values[d].dims())
    order = [p for axis in read for p in axis or ()]
    if None in read or set(order) != set(range(len(cut.bounds))):
        return MappingType.ONE_TO_MANY
    if order != [p for axis in written for p in axis]:
        return MappingType.SHUFFLE
    return MappingType.ONE_TO_ONE if read == written else MappingType.REORGANIZE


def _axes_of_dims(result: Index) -> dict[int, int] | None:
    """Loop dimension -> axis of the result; None where an axis is neither a dimension nor constant."""
    axes: dict[int, int] = {}
    for axis, expr in enumerate(result):
        if expr.is_constant:
            continue
        (atom, factor), *rest = expr.terms
        if rest or factor != 1 or expr.constant or not isinstance(atom, affine.Dim):
            return None
        axes[atom.index] = axis
    return axes


def _pieces(expr: Expr, bounds: Sequence[int]) -> list[int] | None:
    """Dimensions that an expression is made of, the one with the largest step first; None where two points may meet."""
    reach = 0
    found: list[int] = []
    for atom, factor in sorted(expr.terms, key=lambda term: abs(term[1])):
        piece = _piece(atom, bounds)
        if piece is None or abs(factor) <= reach:
            return None
        reach += abs(factor) * (bounds[piece] - 1)
        found.insert(0, piece)
    return found


def _piece(atom: affine.Atom, bounds: Sequence[int]) -> int | None:
    """The dimension that an atom tells all points of: itself, or one that is rotated."""
    if isinstance(atom, affine.Dim):
        return atom.index
    if isinstance(atom, affine.FloorDiv) or len(atom.operand.terms) != 1:
        return None
    ((inner, factor),) = atom.operand.terms
    if not isinstance(inner, affine.Dim) or gcd(factor, atom.divisor) != 1 or bounds[inner.index] > atom.divisor:
        return None
    return inner.index
