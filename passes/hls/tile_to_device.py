"""The size of an accelerator's engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import hls
from cocomp.passes.math.accelerator import PLANE_BITS, explore, find_device
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
        with module.context:
            main.attributes["hls.design"] = hls.design_attribute(found.best.design, device.name)
