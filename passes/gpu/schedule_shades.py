"""How contractions are tiled on a GPU, and whether their zeros are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import places
from cocomp.passes.kernel._scheduled import contractions
from cocomp.support.mlir import ir
from cocomp.support.passes import Pass, State

from ._tiles import rank


@dataclass(frozen=True)
class ScheduleShadesPass(Pass):
    """Choose the tile of every contraction over channels.

        func @group_3(..) { contract, .. }   -->   func @group_3(..) attributes {kernel.schedule = {lanes = 4, pixels = 4, ..}}

    Counts what an invocation fetches and multiplies (`passes.math.shades`) and takes the cheapest: so many rows and pixels, all
    columns or lists of those that a row group keeps, one by one or a texel at a time. With `force` zeros are left out
    wherever there are any. Depth-wise contractions get no tile: `shade-loops` computes them; nor do those of
    the CPU, for `schedule-contractions`. Needs `select-layout` and weights
    that have an encoding.
    """

    name: ClassVar[str] = "schedule-shades"
    force: bool = False

    def run(self, module: ir.Module, state: State) -> None:
        for contraction, names in contractions(module):
            if places.on_cpu(contraction.group.function):
                continue
            _, schedule = rank(contraction, names, state, self.force)[0]
            contraction.group.function.attributes["kernel.schedule"] = schedule
