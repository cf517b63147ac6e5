"""The size of an accelerator's engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import hls
from cocomp.passes.math.accelerator import PLANE_BITS, Design, Tiles, explore, find_device
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._stages import stages_of


@dataclass(frozen=True)
class TileToDevicePass(Pass):
    """Choose the engine that computes all products fastest in what a device has of LUTs, DSPs and block RAMs.

        func @main(..) { .. }
      -->
        func @main(..) attributes {hls.design = {device = "xc7z045", lanes = 16, rows = [32, 16, 4], ..}} { .. }

    Every design is estimated (`accelerator.explore`): lanes, rows of each quantiser's core, where products are made, how
    many sums are scaled in a cycle, how many points of a sweep. Nothing is measured, so the choice is the same everywhere. Needs `unfold-inputs`.
    """

    name: ClassVar[str] = "tile-to-device"
    device: str = "xc7z045"

    def run(self, module: ir.Module, state: State) -> None:
        try:
            device = find_device(self.device)
        except ValueError as error:
            raise UsageError(f"pass 'tile-to-device': {error}") from None
        main = module.body.operations[0].operation
        products = [op for op in ops_in(main.regions[0].blocks[0]) if hls.is_product(op)]
        if not products:
            raise CompileError(
                "the model has no matrix product with weights: there is nothing for an accelerator's engine to compute"
            )
        first, second, third = (parse_quantiser(q.value) for q in products[0].attributes["quantisers"])
        stages = stages_of(module, state.weights)
        try:
            found = explore(stages, (first, second, third), PLANE_BITS, device)
        except ValueError as error:
            raise CompileError(str(error), notes=["take a larger --device, or quantise to fewer bits"]) from None
        state.facts[self.name] = {"exploration": found, "stages": stages}
        design = found.best.design
        number = ir.IntegerType.get_signless(64)
        with module.context:
            main.attributes["hls.design"] = ir.DictAttr.get(
                {
                    "device": ir.StringAttr.get(device.name),
                    "lanes": ir.IntegerAttr.get(number, design.tiles.lanes),
                    "rows": ir.DenseI64ArrayAttr.get(list(design.tiles.rows)),
                    "multipliers": ir.ArrayAttr.get([ir.StringAttr.get(m) for m in design.multipliers]),
                    "requantisers": ir.IntegerAttr.get(number, design.requantisers),
                    "unroll": ir.IntegerAttr.get(number, design.unroll),
                    "capacity": ir.IntegerAttr.get(number, design.capacity),
                }
            )


def design_of(main: ir.Operation) -> Design:
    """What the pass has chosen for a function."""
    chosen = main.attributes["hls.design"]
    coarse, fine, wide = (where.value for where in chosen["multipliers"])
    requantisers, unroll, capacity = (chosen[name].value for name in ("requantisers", "unroll", "capacity"))
    tiles = Tiles(chosen["lanes"].value, tuple(chosen["rows"]))
    return Design(tiles, (coarse, fine, wide), requantisers, unroll, capacity)
