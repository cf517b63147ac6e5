"""The GPU emitter: a planned module of kernels becomes one shared library that holds SPIR-V, and a C header."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cocomp.dialects import places
from cocomp.passes.convert.lower_to_spirv import LowerToSpirvPass, spirv_binaries
from cocomp.support.diagnostics import CompileError
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import State, run_passes
from cocomp.support.weights import WeightStore

from . import plan_gpu_c
from .blob import write_blob
from .cpu import llvm_texts
from .library import Library, link
from .objects import emit_objects
from .plan_c import header

SOURCES = (
    "gpu_model.c",
    "gpu_host.c",
    "gpu_objects.c",
    "gpu_images.c",
    "gpu_commands.c",
    "gpu_cache.c",
    "vulkan.c",
    "pool.c",
    "system.c",
    "message.c",
)


def emit(
    module: ir.Module, weights: WeightStore, target: GpuTarget, manifest: dict[str, object], workers: int
) -> Library:
    """Compile the kernels of `module`, write its plan, link everything into a shared library."""
    state = State(target)
    hosted = [f for f in ops_in(module.body) if places.on_cpu(f)]
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        directory = Path(name)
        try:
            blob = write_blob(weights, (), directory / "weights.bin", target.binding_alignment)
            plan = plan_gpu_c.write(module, blob, shaders_of(module, target), weights, manifest, state.processor)
            (directory / "kernels.spv").write_bytes(plan.spirv)
            (directory / "plan.c").write_text(plan.source)
            (directory / "data.S").write_text(plan_gpu_c.DATA_ASSEMBLY)
            objects = emit_objects(llvm_texts(hosted, state.processor, workers), state.processor, directory)
            data = link(directory, SOURCES, ["plan.c", "data.S", *map(str, objects)], target)
        except OSError as error:
            raise CompileError(f"cannot write temporary files: {error.strerror}", where=str(directory)) from error
    return Library(data, header(manifest), len(plan.spirv))


def shaders_of(module: ir.Module, target: GpuTarget) -> dict[str, bytes]:
    """SPIR-V of every kernel of the GPU, by its name."""
    with module.context, ir.Location.unknown():
        part = ir.Module.create()
        with ir.InsertionPoint(part.body):
            for function in ops_in(module.body):
                if function.attributes["sym_name"].value != "main" and not places.on_cpu(function):
                    function.clone()
        run_passes([LowerToSpirvPass()], part, State(target))
        return spirv_binaries(part)
