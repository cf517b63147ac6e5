"""The ways to compute one contraction: with and without its zeros, in every shape of the tiles, by minimal filtering."""

from __future__ import annotations

from collections.abc import Sequence

from cocomp.passes.math.tiles import rank_tiles, thinned
from cocomp.passes.math.work import VectorUnit, Work
from cocomp.support.mlir import ir
from cocomp.support.passes import State

from ._contraction import Contraction, encoding_of, matrix_of
from ._scheduled import schedule_attribute
from ._winograd import WORTH_IT, rank_winograd, winograd_attribute

SCHEDULES = ("kernel.schedule", "kernel.winograd")
"""Attributes of a group's function that say how its contraction is computed: it has one of them."""
HOPELESS, DEAR = 2.5, 1.5
"""Times the cycles of the best prediction from which on a kind, or one more of its kind, is not worth measuring: predictions of
different kinds err differently."""

Candidate = tuple[float, ir.DictAttr]
"""(predicted cycles, attributes of the function)."""


def works_of(contraction: Contraction, names: Sequence[str], state: State) -> list[Work]:
    """The work with all columns, and with the columns that zeros leave where there are zeros."""
    work = contraction.work()
    if not names or encoding_of(contraction) == "dense":
        return [work]
    unit = VectorUnit.of(state.processor, contraction.element_bytes)
    masks = [matrix_of(name, state.weights[name], contraction) != 0 for name in dict.fromkeys(names)]
    return [work, thinned(work, masks, unit)]


def rank(contraction: Contraction, works: Sequence[Work], state: State, filtering: bool) -> list[Candidate]:
    """Every way worth measuring: the best of each kind, then the others, by predicted cycles.

    `works` are those to choose from, `filtering` tells whether minimal filtering is one more kind.
    """
    unit = VectorUnit.of(state.processor, contraction.element_bytes)
    orientations = (False, True) if contraction.fills_along_pixels else (False,)
    kinds = [
        [(cycles, _named("kernel.schedule", schedule_attribute(tiles))) for cycles, tiles in rank_tiles(work, unit, o)]
        for o in orientations
        for work in works
    ]
    if filtering:
        ranked = rank_winograd(contraction, unit, state.processor.l1_bytes)
        kinds.append([(c / WORTH_IT, _named("kernel.winograd", winograd_attribute(s))) for c, s in ranked])
    heads = sorted((kind[0] for kind in kinds if kind), key=_predicted)
    others = sorted((candidate for kind in kinds for candidate in kind[1:]), key=_predicted)
    best = _predicted(heads[0])
    return [c for c in heads if _predicted(c) <= HOPELESS * best] + [c for c in others if _predicted(c) <= DEAR * best]


def _predicted(candidate: Candidate) -> float:
    return candidate[0]


def _named(name: str, schedule: ir.DictAttr) -> ir.DictAttr:
    return ir.DictAttr.get({name: schedule})
