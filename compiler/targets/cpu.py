"""The CPU emitter: a planned module of kernels becomes one shared library and a C header."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from cocomp.passes.convert.lower_to_llvm import LowerToLlvmPass
from cocomp.support.diagnostics import CompileError, InternalError
from cocomp.support.machine import CpuTarget
from cocomp.support.mlir import ir, ops_in, translate_module_to_llvmir
from cocomp.support.passes import State, run_passes
from cocomp.support.weights import WeightStore

from . import plan_c
from .blob import write_blob
from .objects import emit_objects

NATIVE = files("cocomp.runtime") / "native"
SOURCES = ("model.c", "pool.c", "system.c")
INTERFACE = (
    "arena", "create", "destroy", "manifest", "message", "profile", "run", "run_some", "set_profiling",
)  # fmt: skip
"""The functions of `cocomp.h`. Nothing else is exported: what is inside cannot clash with a second model's."""
EXPORTS = f"{{ global: {' '.join(f'cocomp_{name};' for name in INTERFACE)} local: *; }};\n"
WORTH_A_PROCESS = 400
"""Operations in a kernel module from which on a second process pays."""


@dataclass(frozen=True)
class Library:
    """A linked artefact and its header."""

    data: bytes
    header: str


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
            (directory / "exports.map").write_text(EXPORTS)
            objects = emit_objects(llvm_texts(module, target, workers), target, directory)
            data = _link(directory, objects, target)
        except OSError as error:
            raise CompileError(f"cannot write temporary files: {error.strerror}", where=str(directory)) from error
    return Library(_sealed(data), plan.header)


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


def llvm_texts(module: ir.Module, target: CpuTarget, workers: int) -> list[str]:
    """LLVM IR of the kernels, in up to `workers` parts of similar size."""
    kernels = [f for f in ops_in(module.body) if f.attributes["sym_name"].value != "main"]
    sizes = {f.attributes["sym_name"].value: _size(f) for f in kernels}
    count = max(1, min(workers, sum(sizes.values()) // WORTH_A_PROCESS))
    parts: list[list[ir.Operation]] = [[] for _ in range(count)]
    loads = [0] * count
    for kernel in sorted(kernels, key=lambda f: -sizes[f.attributes["sym_name"].value]):
        lightest = loads.index(min(loads))
        parts[lightest].append(kernel)
        loads[lightest] += sizes[kernel.attributes["sym_name"].value]
    return [_llvm_text(part, module.context, target) for part in parts if part]


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


def _link(directory: Path, objects: list[Path], target: CpuTarget) -> bytes:
    runtime = _runtime(target.triple)
    for name, data in runtime.items():
        (directory / name).write_bytes(data)
    with as_file(NATIVE) as headers:
        library = directory / "model.so"
        command = [
            *_compile_c(target.triple), "-shared", "-nostdlib", f"-I{headers}", *runtime, "plan.c", "weights.S",
            *map(str, objects), *_libc(directory, target), f"-Wl,-z,max-page-size={target.page_bytes}",
            "-Wl,--version-script=exports.map", "-o", str(library),
        ]  # fmt: skip
        # What zig would keep of this model for another time goes when the directory does.
        run_tool(command, directory, {"ZIG_LOCAL_CACHE_DIR": str(directory / "zig")})
    return library.read_bytes()


@cache
def _runtime(triple: str) -> dict[str, bytes]:
    """Objects of the runtime, the same for all models, by the names of their files."""
    with as_file(NATIVE) as native, tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        for source in SOURCES:
            run_tool([*_compile_c(triple), "-c", str(native / source), "-o", f"{source}.o"], Path(name))
        return {f"{source}.o": (Path(name) / f"{source}.o").read_bytes() for source in SOURCES}


def _compile_c(triple: str) -> list[str]:
    return [*zig("cc", triple), "-fPIC", "-O2", "-g0", "-std=c11", "-fno-sanitize=all"]


def zig(tool: str, triple: str) -> list[str]:
    """The command that starts zig's C compiler for a target."""
    # For Android the same code as for GNU/Linux: what its own triple adds (outlined atomics) bionic does not provide.
    return [sys.executable, "-m", "ziglang", tool, "-target", triple.replace("-android", "-gnu")]


LITTLE_SPACE = 1 << 20
"""Tools that fail with so few bytes left on the disk do so because of that, whatever they say."""


def run_tool(command: list[str], directory: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a tool; its complaints are an internal error of the compiler, unless the disk is full. `environment` is beside what
    this process has."""
    merged = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=directory, env=merged, capture_output=True, text=True, check=False)
    if done.returncode:
        if "No space left" in done.stderr or shutil.disk_usage(directory).free < LITTLE_SPACE:
            raise CompileError("cannot write temporary files: No space left on device", where=str(directory))
        raise InternalError(f"'{' '.join(command[2:5])} ...' failed:\n{done.stderr.strip()}")


LIBC_FUNCTIONS = (
    "pthread_create", "pthread_join", "sched_yield", "syscall", "mmap", "munmap", "madvise", "getauxval", "clock_gettime",
    "sched_getaffinity", "memcpy", "memset", "memmove",
)  # fmt: skip


def _libc(directory: Path, target: CpuTarget) -> list[str]:
    """A stub with the soname of the target's libc: the real one answers at load time, no sysroot is needed."""
    soname = "libc.so" if "android" in target.triple else "libc.so.6"
    stub = directory / "stub.c"
    stub.write_text("".join(f"int {name}(void) {{ return 0; }}\n" for name in LIBC_FUNCTIONS))
    command = [
        *zig("cc", target.triple), "-shared", "-nostdlib", "-fno-builtin", "-w", "stub.c", f"-Wl,-soname,{soname}", "-o", "libc_stub.so"
    ]  # fmt: skip
    run_tool(command, directory)
    return [str(directory / "libc_stub.so")]


def _sealed(data: bytes) -> bytes:
    """The library with its own SHA-256 in place of the zeros that the plan reserved."""
    place = plan_c.CHECKSUM.encode()
    if data.count(place) != 1:
        raise InternalError("the checksum's place is not in the library exactly once")
    return data.replace(place, hashlib.sha256(data).hexdigest().encode())
