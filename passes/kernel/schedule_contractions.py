"""How each contraction is tiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.passes.math.tiles import choose_tiles, estimate
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._contraction import is_dense, read_contraction, schedule_attribute
from ._winograd import choose_winograd, winograd_attribute


@dataclass(frozen=True)
class ScheduleContractionsPass(Pass):
    """Put the register tile and the cache block of every contraction on its function.

        func @group_3(..)
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, vectors = [2], groups = [8], pixels = 14, ..}}

    Counts instructions (`passes.math.tiles`). A dense 3x3 convolution for which minimal filtering takes fewer of them gets
    `kernel.winograd` instead. Depth-wise contractions get neither: they run as loops over channels. Needs
    `select-layout`. A tuner may overwrite the attributes.
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
            work = contraction.work()
            tiles = choose_tiles(work, target.lanes(4), target.registers, target.l2_bytes, target.broadcast_operand)
            winograd = choose_winograd(contraction, target, estimate(work, tiles)) if is_dense(contraction) else None
            if winograd is not None:
                function.attributes["kernel.winograd"] = winograd_attribute(winograd)
            else:
                function.attributes["kernel.schedule"] = schedule_attribute(tiles)

