"""Points are shared where they are few and their reductions long, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.gpu._shader import MOST_WORKGROUPS, WORKGROUP
from cocomp.passes.math.teams import LEAST_TURNS, Team, team_of
from cocomp.targets.gpus import FAMILIES

BUSY = sorted({family.busy_invocations for family in FAMILIES.values()})


@given(st.integers(1, 1 << 20), st.integers(0, 1 << 20), st.sampled_from(BUSY))
def test_teams_are_no_larger_than_they_have_to_be(points: int, length: int, busy: int) -> None:
    team = team_of(points, length, busy, WORKGROUP)
    assert team.parts & (team.parts - 1) == 0 and 1 <= team.size <= WORKGROUP
    assert team.parts == 1 or length >= team.parts * LEAST_TURNS
    assert team.parts == 1 or points * team.parts // 2 < busy
    larger = points * team.parts >= busy or team.parts == WORKGROUP or 2 * team.parts * LEAST_TURNS > length
    assert larger, "a larger team would have been of use"
    assert team.parts == 1 or -(-points // team.points) <= MOST_WORKGROUPS


@pytest.mark.parametrize(
    ("points", "length", "busy", "team"),
    [
        (197, 192, 1 << 15, Team(64, 1)),  # a layer norm of a transformer: rows of 768 elements in texels
        (197, 192, 1 << 10, Team(8, 8)),
        (12 * 197, 49, 1 << 15, Team(16, 4)),  # a softmax of its attention
        (512, 49, 1 << 13, Team(16, 4)),  # a mean of 2048 channels over an image
        (1, 7, 1 << 15, Team(2, 1)),
        (1, 3, 1 << 15, Team(1, 1)),
        (3, 1000, 2, Team(1, 4)),
    ],
)
def test_what_the_rule_says(points: int, length: int, busy: int, team: Team) -> None:
    assert team_of(points, length, busy, WORKGROUP) == team
