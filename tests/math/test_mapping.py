"""Mapping types are what brute force says of the elements, and the table is closed under fusing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.mapping import TABLE, Colour, MappingType, fuse, of_access, of_loops

TYPES = list(MappingType)
ONE, REORGANIZE, SHUFFLE, MANY, ALL = TYPES
d = [affine.dim(i) for i in range(7)]
zero = Expr()


def reshaped(source: Sequence[int], result: Sequence[int]) -> tuple[Expr, ...]:
    """Index into the source of a reshape, over the result's dimensions."""
    index = affine.linearize([affine.dim(i) for i in range(len(result))], result)
    return affine.delinearize(index, source, result)


@dataclass(frozen=True)
class Operator:
    """An operator of the paper as loops: extents, which of them are parallel, indices of what is read and written."""

    name: str
    kind: MappingType
    bounds: tuple[int, ...]
    reads: tuple[tuple[Expr, ...], ...]
    writes: tuple[Expr, ...]
    reductions: tuple[int, ...] = ()
    gathers: bool = False


IMAGE = (1, 8, 6, 6)
THROUGH = tuple(d[:4])
OPERATORS = [
    Operator("Add", ONE, IMAGE, (THROUGH, THROUGH), THROUGH),
    Operator("Relu", ONE, IMAGE, (THROUGH,), THROUGH),
    Operator("Where", ONE, IMAGE, (THROUGH,) * 3, THROUGH),
    Operator("Slice", ONE, (4, 3), ((d[0] + 2, d[1] * 2),), (d[0], d[1])),
    Operator("Slice with a negative step", ONE, (4,), ((d[0] * -1 + 3,),), (d[0],)),
    Operator("Concat of two halves that change places", ONE, (8, 3), ((affine.mod(d[0] + 4, 8, (8, 3)), d[1]),), (d[0], d[1])),
    Operator("Add with broadcast", MANY, IMAGE, (THROUGH, (d[0], d[1], zero, zero)), THROUGH),
    Operator("Add of a row", MANY, (8, 6), ((d[0], d[1]), (d[1],)), (d[0], d[1])),
    Operator("Expand", MANY, (8, 6), ((d[0], zero),), (d[0], d[1])),
    Operator("Gather", MANY, (8, 6), ((d[0],),), (d[0], d[1]), gathers=True),
    Operator("Gather with one index an element", MANY, (8,), ((d[0],),), (d[0],), gathers=True),
    Operator("Upsample", MANY, (6, 6), ((affine.floordiv(d[0], 2, (6, 6)), affine.floordiv(d[1], 2, (6, 6))),), (d[0], d[1])),
    Operator("Windows without a sum", MANY, (4, 3), ((d[0] + d[1],),), (d[0], d[1])),
    Operator("MaxPool", ALL, (8, 3, 3, 2, 2), ((d[0], d[1] * 2 + d[3], d[2] * 2 + d[4]),), (d[0], d[1], d[2]), (3, 4)),
    Operator("Conv", ALL, (1, 8, 4, 4, 3, 3, 3), ((d[0], d[4], d[2] + d[5], d[3] + d[6]), (d[1], d[4], d[5], d[6])), THROUGH, (4, 5, 6)),
    Operator("GEMM", ALL, (4, 5, 6), ((d[0], d[2]), (d[2], d[1])), (d[0], d[1]), (2,)),
    Operator("ReduceSum", ALL, (4, 5), ((d[0], d[1]),), (d[0],), (1,)),
    Operator("Flatten", REORGANIZE, (2, 288), (reshaped((2, 8, 6, 6), (2, 288)),), (d[0], d[1])),
    Operator("Reshape", REORGANIZE, (8, 3), (reshaped((4, 6), (8, 3)),), (d[0], d[1])),
    Operator("Reshape whose parts do not nest", MANY, (6, 4), (reshaped((4, 6), (6, 4)),), (d[0], d[1])),
    Operator("Squeeze", REORGANIZE, (8, 6), ((d[0], zero, d[1]),), (d[0], d[1])),
    Operator("Unsqueeze", REORGANIZE, (8, 1, 6), ((d[0], d[2]),), (d[0], d[1], d[2])),
    Operator("Transpose", SHUFFLE, (4, 5, 6), ((d[0], d[2], d[1]),), (d[0], d[1], d[2])),
    Operator("Transpose that the result's map does", SHUFFLE, (4, 5), ((d[0], d[1]),), (d[1], d[0])),
    Operator(
        "DepthToSpace", SHUFFLE, (2, 6, 6),
        ((d[0] + affine.mod(d[1], 2, (2, 6, 6)) * 4 + affine.mod(d[2], 2, (2, 6, 6)) * 2,
          affine.floordiv(d[1], 2, (2, 6, 6)), affine.floordiv(d[2], 2, (2, 6, 6))),),
        (d[0], d[1], d[2]),
    ),
    Operator(
        "SpaceToDepth", SHUFFLE, (8, 3, 3),
        ((affine.floordiv(d[0], 4, (8, 3, 3)), d[1] * 2 + affine.mod(affine.floordiv(d[0], 2, (8, 3, 3)), 2, (8, 3, 3)),
          d[2] * 2 + affine.mod(d[0], 2, (8, 3, 3))),),
        (d[0], d[1], d[2]),
    ),
    Operator("made from nothing", ONE, (4,), (), (d[0],)),
    Operator("written where no dimension leads", ALL, (4, 3), ((d[0], d[1]),), (d[0] + d[1],)),
    Operator("written several times", ALL, (4, 3), ((d[0], d[1]),), (d[0],)),
]  # fmt: skip


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.name)
def test_operators_of_the_paper_have_its_types(operator: Operator):
    parallel = [i not in operator.reductions for i in range(len(operator.bounds))]
    found = of_loops(operator.bounds, parallel, operator.reads, [operator.writes], operator.gathers)
    assert found is operator.kind


@dataclass(frozen=True)
class Moved:
    """A tensor made by views alone: where in the source each element comes from, as numbers and as expressions."""

    numbers: np.ndarray
    index: tuple[Expr, ...]

    def view(self, numbers: np.ndarray, index: Sequence[Expr]) -> Moved:
        return Moved(numbers, tuple(affine.substitute(e, index, numbers.shape) for e in self.index))


@st.composite
def views(draw: st.DrawFn) -> Moved:
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    moved = Moved(np.arange(np.prod(shape)).reshape(shape), tuple(affine.dim(i) for i in range(len(shape))))
    for _ in range(draw(st.integers(0, 3))):
        numbers = moved.numbers
        rank = numbers.ndim
        axis = draw(st.integers(0, rank - 1))
        index = [affine.dim(i) for i in range(rank)]
        match draw(st.sampled_from(["transpose", "reshape", "slice", "expand"])):
            case "transpose":
                order = draw(st.permutations(range(rank)))
                moved = moved.view(numbers.transpose(order), [affine.dim(order.index(i)) for i in range(rank)])
            case "reshape":
                cut = draw(st.sampled_from([n for n in range(1, numbers.size + 1) if numbers.size % n == 0]))
                fresh = numbers.reshape(cut, numbers.size // cut)
                moved = moved.view(fresh, reshaped(numbers.shape, fresh.shape))
            case "slice":
                first, step = draw(st.integers(0, numbers.shape[axis] - 1)), draw(st.integers(1, 2))
                index[axis] = affine.dim(axis) * step + first
                moved = moved.view(np.moveaxis(np.moveaxis(numbers, axis, 0)[first::step], 0, axis), index)
            case _:
                if rank < 4:
                    fresh = np.repeat(np.expand_dims(numbers, axis), draw(st.integers(1, 3)), axis)
                    moved = moved.view(fresh, [affine.dim(i + (i >= axis)) for i in range(rank)])
    return moved


@given(views())
def test_types_are_what_the_elements_say(moved: Moved):
    shape = moved.numbers.shape
    found = of_access(moved.index, [affine.dim(i) for i in range(len(shape))], shape)
    flat = moved.numbers.ravel()
    cut = affine.split_dims(moved.index, shape)
    if len(set(flat)) < len(flat):
        assert found is MANY
    elif not all(cut.apply(e).is_linear for e in moved.index):
        assert found >= REORGANIZE  # what cannot be cut may be called worse than it is, never better
    elif np.any(np.diff(flat) < 0):
        assert found is SHUFFLE
    else:
        assert found in (ONE, REORGANIZE)


@given(views())
def test_an_operation_has_the_most_complex_type_of_its_operands(moved: Moved):
    shape = moved.numbers.shape
    through = [affine.dim(i) for i in range(len(shape))]
    alone = of_access(moved.index, through, shape)
    assert of_loops(shape, [True] * len(shape), [through, moved.index], [through]) is alone
    assert of_loops(shape, [True] * len(shape), [moved.index], [through], gathers=True) is max(alone, MANY)
    assert of_loops(shape, [False] + [True] * (len(shape) - 1), [moved.index], [through[1:]]) is ALL


def test_the_table_has_every_pair_and_23_of_them_are_fused():
    assert set(TABLE) == set(product(TYPES, TYPES))
    assert sum(verdict.is_legal for verdict in TABLE.values()) == 23
    assert {pair for pair, verdict in TABLE.items() if not verdict.is_legal} == {(MANY, ALL), (ALL, ALL)}


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_one_to_one_fuses_with_anything_and_changes_nothing(kind: MappingType):
    for verdict in (fuse(ONE, kind), fuse(kind, ONE)):
        assert verdict.kind is kind
        assert verdict.colour is Colour.GREEN


@pytest.mark.parametrize(("first", "second"), product(TYPES, TYPES), ids=str)
def test_verdicts_follow_from_impedance(first: MappingType, second: MappingType):
    verdict = fuse(first, second)
    costly = max(first, second) >= MANY and ONE not in (first, second)
    assert (verdict.colour is Colour.GREEN) != costly
    assert verdict.kind in (first, second)
    assert verdict.kind is not ONE or first is second is ONE


@pytest.mark.parametrize(("a", "b", "c"), product(TYPES, TYPES, TYPES), ids=str)
def test_the_type_of_a_chain_does_not_hang_on_what_is_fused_first(a: MappingType, b: MappingType, c: MappingType):
    assert fuse(fuse(a, b).kind, c).kind is fuse(a, fuse(b, c).kind).kind


def test_a_type_is_its_text():
    assert [MappingType.parse(str(kind)) for kind in TYPES] == TYPES
    assert str(ONE) == "one-to-one"
    with pytest.raises(ValueError, match="expected one of one-to-one, reorganize, .*, got 'conv'"):
        MappingType.parse("conv")
