"""Which kernels of a model for a GPU run on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import places
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class PlaceGroupsPass(Pass):
    """Leave to the CPU what GPUs cannot compute.

        func @group_3(%x: tensor<3x14xf32>) -> tensor<3x14xf32> { tm_tensor.scan }
      -->
        func @group_3(..) attributes {kernel.on_cpu = "operation 'tm_tensor.scan' is not supported on GPUs"} { tm_tensor.scan }

    With `fallback=none` such a group is an error. Needs `form-groups`; everything after it asks `dialects.places`.
    """

    name: ClassVar[str] = "place-groups"
    fallback: str = "none"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            if not graphs.is_group(function):
                continue
            for op in ops_in(function.regions[0].blocks[0])[:-1]:
                reason = places.beyond_gpus(op)
                if reason and self.fallback == "none":
                    raise CompileError(
                        reason,
                        where=where(op),
                        notes=[
                            "compile with --fallback=cpu, which runs such kernels on the CPU and says which, or compile for a CPU"
                        ],
                    )
                if reason:
                    places.put_on_cpu(function, reason)
                    break
