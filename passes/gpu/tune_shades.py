"""Tiles and workgroups on a GPU by measuring instead of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.passes.kernel._candidates import DEAR, Candidate
from cocomp.passes.kernel._contraction import Contraction
from cocomp.passes.kernel._scheduled import read_schedule, schedule_attribute
from cocomp.passes.kernel._tuning import Tuning
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir
from cocomp.support.passes import State

from ._tiles import rank, workgroups


@dataclass(frozen=True)
class TuneShadesPass(Tuning):
    """Replace the predicted tile of a contraction, and the usual workgroup, by the fastest ones on this machine's GPU.

        func @group_3(..) attributes {kernel.schedule = {pixels = 4, vectors = [4], ..}}
      -->
        func @group_3(..) attributes {kernel.schedule = {pixels = 8, vectors = [2], workgroup = [16, 4], ..}}

    As `tune-contractions`, with the same database. First tiles, then workgroups for the best of them: so many of its tiles of pixels,
    so many row groups. `device` is the GPU's name: what was measured on one says nothing of another.
    Needs `schedule-shades`.
    """

    name: ClassVar[str] = "tune-shades"
    device: str = ""

    def ways(self, contraction: Contraction, weights: Sequence[str], state: State) -> list[Candidate]:
        ranked = rank(contraction, weights, state, self.force)
        most = DEAR * ranked[0][0]
        return [(cycles, ir.DictAttr.get({"kernel.schedule": s})) for cycles, s in ranked if cycles <= most]

    def finer(self, contraction: Contraction, schedule: ir.DictAttr, state: State) -> list[ir.DictAttr]:
        assert isinstance(state.target, GpuTarget)
        found = workgroups(contraction, read_schedule(schedule["kernel.schedule"]), state.target)
        return [ir.DictAttr.get({"kernel.schedule": schedule_attribute(s)}) for s in found]

    def machine(self) -> str:
        return self.device
