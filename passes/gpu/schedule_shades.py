"""How contractions are tiled on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.passes.kernel._contraction import Contraction, encoding_of, read_contraction, schedule_attribute
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._texels import TEXEL

MOST_ROWS = 16
"""Of a row group."""
PIXELS = 4
"""Of an invocation, at most."""


@dataclass(frozen=True)
class ScheduleShadesPass(Pass):
    """Choose the tile of every contraction over channels.

        func @group_3(..) { contract, .. }   -->   func @group_3(..) attributes {kernel.schedule = {lanes = 4, pixels = 4, ..}}

    An invocation has up to 16 rows and four pixels. Row groups are as large as they can be without more padding than smaller
    ones need. Depth-wise contractions get none: `shade-loops` computes them.
    """

    name: ClassVar[str] = "schedule-shades"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.contraction is None:
                continue
            contraction = read_contraction(group)
            if not contraction.depthwise:
                function.attributes["kernel.schedule"] = schedule_attribute(_schedule(contraction))


def _schedule(contraction: Contraction) -> TileSchedule:
    rows = contraction.extent(contraction.row)
    sizes = range(TEXEL, MOST_ROWS + 1, TEXEL)
    size = min(sizes, key=lambda n: (-(-rows // n) * n, -n))
    return TileSchedule(
        lanes=TEXEL,
        segments=(Segment(size // TEXEL, -(-rows // size)),),
        pixels=min(PIXELS, contraction.extent(contraction.pixel)),
        pixel_block=1,
        row_block=1,
        keep_zeros=not contraction.constant_weight or encoding_of(contraction) == "dense",
    )
