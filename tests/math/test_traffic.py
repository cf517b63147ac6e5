"""What a kernel is said to take grows with what its loops do, and one kernel is cheaper than two unless work is repeated."""

from __future__ import annotations

from math import prod

from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine, nest
from cocomp.passes.math.algebra.cost import Rates
from cocomp.passes.math.nest import Definition, Index, Leaf, Loop
from cocomp.passes.math.traffic import LOADED_ALONE, cycles

RATES = Rates(flops_per_cycle=32.0)
X, Y, Z = 0, 1, 2
rows, columns = affine.dim(0), affine.dim(1)


def loop(shape: tuple[int, ...], operand: int, index: Index, result: int) -> Loop:
    identity = tuple(affine.dim(i) for i in range(len(shape)))
    return Loop(shape, (True,) * len(shape), (operand,), (index,), (result,), (identity,))


def cost(values: dict[int, Definition], root: int, work: float, dear: bool = False) -> float:
    shape = values[root].bounds if isinstance(values[root], Loop) else values[root].shape  # pyright: ignore
    made, _ = nest.split(nest.demand(root, tuple(affine.dim(i) for i in range(len(shape))), shape, values))

    def leaf(number: int) -> tuple[tuple[int, ...], int]:
        found = values[number]
        assert isinstance(found, Leaf)
        return found.shape, 4

    return cycles(made, nest.domain(made), lambda _: work, lambda _: dear, leaf, 4 * prod(shape), RATES)


@given(st.integers(1, 64), st.integers(1, 512), st.integers(0, 50))
def test_one_kernel_is_cheaper_where_nothing_is_repeated(m: int, n: int, work: int) -> None:
    first, second = loop((m, n), X, (rows, columns), Y), loop((m, n), Y, (rows, columns), Z)
    alone = cost({X: Leaf((m, n)), Y: first}, Y, work) + cost({Y: Leaf((m, n)), Z: second}, Z, work)
    assert cost({X: Leaf((m, n)), Y: first, Z: second}, Z, work) < alone


def test_work_that_is_repeated_for_every_row_counts_as_often() -> None:
    """A row is computed once, or for each of a thousand rows."""
    first, second = loop((512,), X, (rows,), Y), loop((1000, 512), Y, (columns,), Z)
    together, alone = {X: Leaf((512,)), Y: first, Z: second}, {Y: Leaf((512,)), Z: second}
    for work, repeats in {1.0: False, 1000.0: True}.items():
        split = cost({X: Leaf((512,)), Y: first}, Y, work) + cost(alone, Z, 1.0)
        assert (cost(together, Z, work) > split) == repeats


def test_dear_values_of_two_reductions_are_computed_once() -> None:
    """The exponentials of a softmax are kept between the sum and the quotient."""
    exponential = loop((8, 64), X, (rows, columns), Y)
    total = Loop((8, 64), (True, False), (Y,), ((rows, columns),), (3,), ((rows,),))
    both = Loop((8, 64), (True, True), (Y, 3), ((rows, columns), (rows,)), (Z,), ((rows, columns),))
    values: dict[int, Definition] = {X: Leaf((8, 64)), Y: exponential, 3: total, Z: both}
    assert cost(values, Z, 100.0, dear=True) < cost(values, Z, 100.0)


def test_a_column_is_loaded_element_by_element() -> None:
    along, across = loop((64, 64), X, (rows, columns), Y), loop((64, 64), X, (columns, rows), Y)
    straight, turned = (cost({X: Leaf((64, 64)), Y: found}, Y, 0.0) for found in (along, across))
    assert straight < turned <= straight + 64 * 64 * LOADED_ALONE
