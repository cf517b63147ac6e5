"""The CPU emitter: a planned module of kernels becomes one shared library and a C header."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cocomp.passes.convert.lower_to_llvm import LowerToLlvmPass
from cocomp.support.diagnostics import CompileError
from cocomp.support.machine import CpuTarget
from cocomp.support.mlir import ir, ops_in, translate_module_to_llvmir
from cocomp.support.passes import State, run_passes
from cocomp.support.weights import WeightStore

from . import plan_c
from .blob import write_blob
from .library import Library, link
from .objects import emit_objects

SOURCES = ("model.c", "pool.c", "system.c", "message.c")
WORTH_A_PROCESS = 400
"""Operations in a kernel module from which on a second process pays."""


def emit(
    module: ir.Module, weights: WeightStore, target: CpuTarget, manifest: dict[str, object], workers: int
) -> Library:
    """Compile the kernels of `module`, write its plan, link everything into a shared library."""
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        directory = Path(name)
        try:
            blob = write_blob(weights, _needed_once(module), directory / "weights.bin")
            plan = plan_c.write(module, blob, manifest, target)
            (directory / "plan.c").write_text(plan.source)
            (directory / "weights.S").write_text(plan_c.WEIGHTS_ASSEMBLY)
            kernels = [f for f in ops_in(module.body) if f.attributes["sym_name"].value != "main"]
            objects = emit_objects(llvm_texts(kernels, target, workers), target, directory)
            data = link(directory, SOURCES, ["plan.c", "weights.S", *map(str, objects)], target)
        except OSError as error:
            raise CompileError(f"cannot write temporary files: {error.strerror}", where=str(directory)) from error
    return Library(data, plan.header)


def _needed_once(module: ir.Module) -> set[str]:
    """Weights that only the dispatches of the model's creation read."""
    main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
    readers: dict[str, set[bool]] = {}
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name == "plan.dispatch":
            for value in op.operands:
                source = value.owner.operation
                if source.name == "plan.constant":
                    readers.setdefault(source.attributes["weight"].value, set()).add("once" in op.attributes)
    return {name for name, kinds in readers.items() if kinds == {True}}


def llvm_texts(kernels: Sequence[ir.Operation], target: CpuTarget, workers: int) -> list[str]:
    """LLVM IR of kernels, in up to `workers` parts of similar size."""
    sizes = {f.attributes["sym_name"].value: _size(f) for f in kernels}
    count = max(1, min(workers, sum(sizes.values()) // WORTH_A_PROCESS))
    parts: list[list[ir.Operation]] = [[] for _ in range(count)]
    loads = [0] * count
    for kernel in sorted(kernels, key=lambda f: -sizes[f.attributes["sym_name"].value]):
        lightest = loads.index(min(loads))
        parts[lightest].append(kernel)
        loads[lightest] += sizes[kernel.attributes["sym_name"].value]
    return [_llvm_text(part, part[0].context, target) for part in parts if part]


def _size(operation: ir.Operation) -> int:
    return 1 + sum(_size(op) for region in operation.regions for block in region.blocks for op in ops_in(block))


def _llvm_text(kernels: list[ir.Operation], context: ir.Context, target: CpuTarget) -> str:
    with context, ir.Location.unknown():
        part = ir.Module.create()
        with ir.InsertionPoint(part.body):
            for kernel in kernels:
                copy = kernel.clone().operation
                copy.attributes["sym_visibility"] = ir.StringAttr.get("public")
        run_passes([LowerToLlvmPass()], part, State(target))
        for function in ops_in(part.body):
            if function.name == "llvm.func":
                function.attributes["tune_cpu"] = ir.StringAttr.get(target.tune or target.cpu)
        return translate_module_to_llvmir(part.operation)
