"""How each contraction is tiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.passes.math.tiles import choose_tiles
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._contraction import read_contraction, schedule_attribute


@dataclass(frozen=True)
class ScheduleContractionsPass(Pass):
    """Put the register tile and the cache block of every contraction on its function.

        func @group_3(..)
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, vectors = [2], groups = [8], pixels = 14, ..}}

    Counts instructions (`passes.math.tiles`). Depth-wise contractions get none: they run as loops over channels.
    Needs `select-layout`. A tuner may overwrite the attribute.
    """

    name: ClassVar[str] = "schedule-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        target = state.target
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.contraction is None:
                continue
            contraction = read_contraction(group)
            if contraction.depthwise:
                continue
            tiles = choose_tiles(
                contraction.work(), target.lanes(4), target.registers, target.l2_bytes, target.broadcast_operand
            )
            function.attributes["kernel.schedule"] = schedule_attribute(tiles)

