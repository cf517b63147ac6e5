"""Operators of the paper are in its groups, and the table says what the paper's says, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pytest

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.layout_groups import TABLE, Act, LayoutGroup, Search, act, of_loops

ILD_VARIABLE, ILI_VARIABLE, ILD_FIXED, ILI_FIXED = GROUPS = list(LayoutGroup)
d = [affine.dim(i) for i in range(7)]
zero = Expr()


def reshaped(source: Sequence[int], result: Sequence[int]) -> tuple[Expr, ...]:
    """Index into the source of a reshape, over the result's dimensions."""
    index = affine.linearize([affine.dim(i) for i in range(len(result))], result)
    return affine.delinearize(index, source, result)


@dataclass(frozen=True)
class Operator:
    """An operator of the paper as loops over `rank` dimensions: indices of what is read and written, which are summed over."""

    name: str
    group: LayoutGroup
    rank: int
    reads: tuple[tuple[Expr, ...], ...]
    writes: tuple[Expr, ...]
    reductions: tuple[int, ...] = ()
    computes: bool = False


THROUGH = tuple(d[:4])
OPERATORS = [
    Operator("Conv", ILD_VARIABLE, 7, ((d[0], d[4], d[2] + d[5], d[3] + d[6]), (d[1], d[4], d[5], d[6])), THROUGH, (4, 5, 6), True),
    Operator("MatMul", ILD_VARIABLE, 3, ((d[0], d[2]), (d[2], d[1])), (d[0], d[1]), (2,), True),
    Operator("Sum of LayerNorm and Softmax", ILD_VARIABLE, 2, ((d[0], d[1]),), (d[0],), (1,), True),
    Operator("Relu", ILI_VARIABLE, 4, (THROUGH,), THROUGH, computes=True),
    Operator("Add", ILI_VARIABLE, 4, (THROUGH, THROUGH), THROUGH, computes=True),
    Operator("Add of a row", ILI_VARIABLE, 2, ((d[0], d[1]), (d[1],)), (d[0], d[1]), computes=True),
    Operator("Add of what is turned", ILD_VARIABLE, 2, ((d[0], d[1]), (d[1], d[0])), (d[0], d[1]), computes=True),
    Operator("Transpose", ILD_FIXED, 3, ((d[0], d[2], d[1]),), (d[0], d[1], d[2])),
    Operator("Transpose that the result's map does", ILD_FIXED, 2, ((d[0], d[1]),), (d[1], d[0])),
    Operator("Reshape", ILD_FIXED, 2, (reshaped((4, 6), (8, 3)),), (d[0], d[1])),
    Operator("Reshape whose parts do not nest", ILD_FIXED, 2, (reshaped((4, 6), (6, 4)),), (d[0], d[1])),
    Operator("Flatten", ILD_FIXED, 2, (reshaped((2, 8, 6, 6), (2, 288)),), (d[0], d[1])),
    Operator(
        "DepthToSpace", ILD_FIXED, 2,
        ((affine.mod(d[0], 2, (6, 6)), affine.floordiv(d[0], 2, (6, 6)), d[1]),), (d[0], d[1]),
    ),
    Operator(
        "SpaceToDepth", ILD_FIXED, 2, ((d[1] * 2 + affine.mod(d[0], 2, (8, 3)), affine.floordiv(d[0], 2, (8, 3))),), (d[0], d[1]),
    ),
    Operator("Unfold", ILD_FIXED, 2, ((d[0] + d[1],),), (d[0], d[1])),
    Operator("Slice", ILI_FIXED, 2, ((d[0] + 2, d[1] * 2),), (d[0], d[1])),
    Operator("Roll", ILI_FIXED, 2, ((affine.mod(d[0] + 4, 8, (8, 3)), d[1]),), (d[0], d[1])),
    Operator("Expand", ILI_FIXED, 2, ((d[0], zero),), (d[0], d[1])),
    Operator("Upsample", ILI_FIXED, 2, ((affine.floordiv(d[0], 2, (6, 6)), affine.floordiv(d[1], 2, (6, 6))),), (d[0], d[1])),
    Operator("Gather", ILI_FIXED, 2, ((d[0],),), (d[0], d[1])),
    Operator("Squeeze", ILI_FIXED, 2, ((d[0], zero, d[1]),), (d[0], d[1])),
]  # fmt: skip


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.name)
def test_operators_are_in_the_groups_of_the_paper(operator: Operator):
    parallel = [i not in operator.reductions for i in range(operator.rank)]
    assert of_loops(parallel, operator.reads, [operator.writes], operator.computes) is operator.group


CELLS = {
    (ILD_VARIABLE, ILD_VARIABLE): (Act.KEEP, ILD_VARIABLE, Search.BOTH),
    (ILD_VARIABLE, ILI_VARIABLE): (Act.FUSE, ILD_VARIABLE, Search.FUSED),
    (ILD_VARIABLE, ILD_FIXED): (Act.DROP_SECOND, ILD_VARIABLE, Search.FIRST),
    (ILD_VARIABLE, ILI_FIXED): (Act.DROP_SECOND, ILD_VARIABLE, Search.FIRST),
    (ILI_VARIABLE, ILD_VARIABLE): (Act.FUSE, ILD_VARIABLE, Search.FUSED),
    (ILI_VARIABLE, ILI_VARIABLE): (Act.FUSE, ILI_VARIABLE, Search.NONE),
    (ILI_VARIABLE, ILD_FIXED): (Act.DROP_SECOND, ILI_VARIABLE, Search.NONE),
    (ILI_VARIABLE, ILI_FIXED): (Act.DROP_SECOND, ILI_VARIABLE, Search.NONE),
    (ILD_FIXED, ILD_VARIABLE): (Act.DROP_FIRST, ILD_VARIABLE, Search.SECOND),
    (ILD_FIXED, ILI_VARIABLE): (Act.DROP_FIRST, ILI_VARIABLE, Search.NONE),
    (ILD_FIXED, ILD_FIXED): (Act.DROP_BOTH, None, Search.NONE),
    (ILD_FIXED, ILI_FIXED): (Act.DROP_BOTH, None, Search.NONE),
    (ILI_FIXED, ILD_VARIABLE): (Act.DROP_FIRST, ILD_VARIABLE, Search.SECOND),
    (ILI_FIXED, ILI_VARIABLE): (Act.DROP_FIRST, ILI_VARIABLE, Search.NONE),
    (ILI_FIXED, ILD_FIXED): (Act.DROP_BOTH, None, Search.NONE),
    (ILI_FIXED, ILI_FIXED): (Act.DROP_BOTH, None, Search.NONE),
}


@pytest.mark.parametrize("pair", product(GROUPS, GROUPS), ids=" ".join)
def test_the_table_is_the_papers(pair: tuple[LayoutGroup, LayoutGroup]):
    found = act(*pair)
    assert (found.act, found.kind, found.search) == CELLS[pair]
    assert TABLE[pair] is found


@pytest.mark.parametrize("pair", product(GROUPS, GROUPS), ids=" ".join)
def test_what_has_a_fixed_layout_is_dropped_and_nothing_else(pair: tuple[LayoutGroup, LayoutGroup]):
    first, second = (group in (ILD_FIXED, ILI_FIXED) for group in pair)
    found = act(*pair)
    assert (found.drops_first, found.drops_second) == (first, second)
    assert (found.kind is None) == (first and second)
