"""Schedules by measuring instead of counting."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.passes import State

from ._candidates import Candidate, rank, works_of
from ._contraction import Contraction
from ._tuning import Tuning


@dataclass(frozen=True)
class TuneContractionsPass(Tuning):
    """Replace the predicted schedule of a contraction by the fastest one on this machine.

        func @group_3(..) attributes {kernel.schedule = {lanes = 16, pixels = 14, ..}}
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, pixels = 7, ..}}

    `force` as in `schedule-contractions`, which has to run before; the rest is explained at `_tuning.Tuning`.
    """

    name: ClassVar[str] = "tune-contractions"

    def ways(self, contraction: Contraction, weights: Sequence[str], state: State) -> list[Candidate]:
        works = works_of(contraction, weights, state)
        forced = self.force and len(works) > 1
        return rank(contraction, works[1:] if forced else works, state, filtering=not forced)

    def machine(self) -> str:
        return f"{self.threads or len(os.sched_getaffinity(0))} threads"
