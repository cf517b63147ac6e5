"""Tiles on a GPU by measuring instead of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.passes.kernel._candidates import DEAR, Candidate
from cocomp.passes.kernel._contraction import Contraction
from cocomp.passes.kernel._tuning import Tuning
from cocomp.support.mlir import ir
from cocomp.support.passes import State

from ._tiles import rank


@dataclass(frozen=True)
class TuneShadesPass(Tuning):
    """Replace the predicted tile of a contraction by the fastest one on this machine's GPU.

        func @group_3(..) attributes {kernel.schedule = {pixels = 4, vectors = [4], ..}}
      -->
        func @group_3(..) attributes {kernel.schedule = {pixels = 8, vectors = [2], ..}}

    As `tune-contractions`, with the same database. `device` is the GPU's name: what was measured on one says nothing of another.
    Needs `schedule-shades`.
    """

    name: ClassVar[str] = "tune-shades"
    device: str = ""

    def ways(self, contraction: Contraction, weights: Sequence[str], state: State) -> list[Candidate]:
        ranked = rank(contraction, weights, state, self.force)
        most = DEAR * ranked[0][0]
        return [(cycles, ir.DictAttr.get({"kernel.schedule": s})) for cycles, s in ranked if cycles <= most]

    def machine(self) -> str:
        return self.device
