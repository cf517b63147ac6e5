"""Groups are what the table and the oracles allow: one result each, convex, as large as they get, the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import mapping
from cocomp.passes.math.mapping import OVERRULED, TABLE, Colour, MappingType
from cocomp.passes.math.plan import Group, Members, Node, plan

ONE, REORGANIZE, SHUFFLE, MANY, ALL = MappingType


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(0, 14))):
        reads = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set[int]()
        kind = draw(st.sampled_from(MappingType))
        multiplies = kind is ALL and draw(st.booleans())
        nodes.append(Node(kind, draw(st.integers(1, 4)), tuple(sorted(reads)), multiplies, draw(st.booleans())))
    return nodes


def always(*_: Members) -> bool:
    return True


def never(*_: Members) -> bool:
    return False


def few(members: Members) -> bool:
    """Legal is what is not too large, and not an unlucky choice: legality need not grow with a group."""
    return len(members) <= 5 and sum(members) % 7 != 3


def sets(nodes: Sequence[Node], found: Sequence[Group]) -> list[list[int]]:
    """Members of each group, which have to be all the nodes."""
    assert sorted(member for group in found for member in group.members) == list(range(len(nodes)))
    return [sorted(group.members) for group in found]


def readers(nodes: Sequence[Node], number: int) -> list[int]:
    return [n for n, node in enumerate(nodes) if number in node.reads]


def reached(nodes: Sequence[Node], number: int) -> set[int]:
    """What a result is needed for, directly or not."""
    found = set[int]()
    for reader in readers(nodes, number):
        found |= {reader} | reached(nodes, reader)
    return found


@given(graphs(), st.sampled_from([always, few]), st.sampled_from([always, never]))
def test_groups_have_one_result_and_are_convex(nodes: list[Node], legal: object, pays: object) -> None:
    found = plan(nodes, legal, pays)  # pyright: ignore[reportArgumentType]
    for group in found:
        for member in group.members - {group.root}:
            assert not nodes[member].leaves
            assert group.members.issuperset(readers(nodes, member))
            between = {n for n in reached(nodes, member) if reached(nodes, n) & group.members}
            assert between <= group.members
    order = [group.root for group in found]
    assert order == sorted(order)
    sets(nodes, found)


@given(graphs())
def test_groups_can_run_one_after_the_other(nodes: list[Node]) -> None:
    done: set[int] = set()
    for group in plan(nodes, always, always):
        assert all(read in done | group.members for member in group.members for read in nodes[member].reads)
        done |= group.members


@given(graphs())
def test_a_plan_is_the_same_every_time(nodes: list[Node]) -> None:
    assert plan(nodes, few, always) == plan(nodes, few, always)


@given(graphs())
def test_only_what_is_legal_is_joined(nodes: list[Node]) -> None:
    assert all(few(group.members) for group in plan(nodes, few, always) if len(group.members) > 1)
    assert sets(nodes, plan(nodes, never, always)) == [[n] for n in range(len(nodes))]


@given(graphs())
def test_no_join_is_left(nodes: list[Node]) -> None:
    """Whatever the table and the oracle would still allow has been done."""
    found = plan(nodes, few, always)
    group_of = {member: group for group in found for member in group.members}
    for first in found:
        behind = {group_of[r] for r in readers(nodes, first.root)}
        if len(behind) != 1 or nodes[first.root].leaves:
            continue
        (second,) = behind
        multiplies = any(nodes[n].multiplies for n in reached(nodes, first.root) & second.members)
        verdict = mapping.judge(first.kind, second.kind, multiplies)
        assert not verdict.is_legal or not few(first.members | second.members)


@given(graphs())
def test_a_contraction_needs_nothing_that_is_expanded_or_reduced_in_its_group(nodes: list[Node]) -> None:
    for group in plan(nodes, always, always):
        for member in group.members:
            if nodes[member].kind in (MANY, ALL):
                assert not any(nodes[n].multiplies for n in reached(nodes, member) & group.members)


@given(graphs())
def test_without_yellow_cells_types_are_those_of_green_ones(nodes: list[Node]) -> None:
    """What nothing is said to pay for is joined only where one of both is One-to-One or both only move values."""
    for group in plan(nodes, always, never):
        kinds = [nodes[m].kind for m in group.members]
        assert sum(kind in (MANY, ALL) for kind in kinds) <= 1
        if max(kinds) in (MANY, ALL):
            assert not {REORGANIZE, SHUFFLE} & set(kinds) or len(kinds) == 1 or max(kinds) is group.kind


@given(graphs())
def test_the_type_of_a_group_is_the_most_complex_of_its_operations(nodes: list[Node]) -> None:
    """But for a shuffle before a reshape, which the paper calls a reshape."""
    for group in plan(nodes, always, always):
        most = max(nodes[m].kind for m in group.members)
        assert group.kind is most or (group.kind, most) == (REORGANIZE, SHUFFLE)


# ---- the order of things ----


def test_softmax_is_one_group() -> None:
    """The exponential leaves a group for two readers until these share one."""
    nodes = [
        Node(ALL, 4),  # maximum of the rows of an input
        Node(MANY, 64, (0,)),  # difference
        Node(ONE, 64, (1,)),  # exponential
        Node(ALL, 4, (2,)),  # sum
        Node(MANY, 64, (2, 3), leaves=True),  # quotient
    ]
    assert sets(nodes, plan(nodes, always, always)) == [[0, 1, 2, 3, 4]]
    assert sets(nodes, plan(nodes, always, never)) == [[0], [1, 2], [3], [4]]


def test_two_contractions_stay_apart() -> None:
    """Code for a contraction that reads what its own kernel computes there is none; what follows one is its epilogue."""
    nodes = [
        Node(ALL, 64, multiplies=True),
        Node(ONE, 64, (0,)),
        Node(ALL, 64, (1,), multiplies=True),
        Node(ONE, 64, (2,), leaves=True),
    ]
    assert sets(nodes, plan(nodes, lambda m: 2 not in m or not m & {0, 1}, always)) == [[0, 1], [2, 3]]
    assert sets(nodes, plan(nodes, always, always)) == [[0], [1, 2, 3]]


def test_of_two_producers_the_later_one_is_joined() -> None:
    nodes = [Node(ALL, 8, multiplies=True), Node(ALL, 8, multiplies=True), Node(ONE, 8, (0, 1), leaves=True)]
    assert sets(nodes, plan(nodes, lambda m: len(m) < 3, always)) == [[0], [1, 2]]


def test_the_smallest_seed_comes_first() -> None:
    def chain(*sizes: int) -> list[Node]:
        return [Node(ONE, size, (n - 1,) if n else (), leaves=n == 2) for n, size in enumerate(sizes)]

    for sizes, expected in {(8, 1, 8): [[0], [1, 2]], (1, 8, 8): [[0, 1], [2]], (8, 8, 1): [[0], [1, 2]]}.items():
        nodes = chain(*sizes)
        assert sets(nodes, plan(nodes, lambda m: len(m) < 3, always)) == expected


def test_what_was_refused_is_tried_again_with_more() -> None:
    """A division is too dear in the loop over a row until the sum brings that loop, as one group of both."""

    def legal(members: Members) -> bool:
        return members not in ({0, 2}, {0, 1})

    nodes = [Node(ONE, 4), Node(ALL, 1, (0,)), Node(ONE, 4, (0, 1), leaves=True)]
    assert sets(nodes, plan(nodes, legal, always)) == [[0, 1, 2]]


# ---- the table, overruled ----


@pytest.mark.parametrize("pair", TABLE)
def test_only_red_cells_are_overruled_and_never_for_contractions(pair: tuple[MappingType, MappingType]) -> None:
    assert mapping.judge(*pair, multiplies=True) == TABLE[pair]
    judged = mapping.judge(*pair, multiplies=False)
    assert judged.kind is TABLE[pair].kind
    assert (judged.colour is not TABLE[pair].colour) == (pair in OVERRULED)
    assert pair not in OVERRULED or (TABLE[pair].colour, judged.colour) == (Colour.RED, Colour.YELLOW)
