"""Objects, the runtime and the model's own data become one shared library."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from cocomp.support.diagnostics import CompileError, InternalError
from cocomp.support.machine import Target

NATIVE = files("cocomp.runtime") / "native"
INTERFACE = (
    "arena", "create", "destroy", "device", "failed_at", "manifest", "message", "profile", "run", "run_some", "set_profiling",
)  # fmt: skip
"""The functions of `cocomp.h`. Nothing else is exported: what is inside cannot clash with a second model's."""
EXPORTS = f"{{ global: {' '.join(f'cocomp_{name};' for name in INTERFACE)} local: *; }};\n"
CHECKSUM = "0" * 64
"""Stands where the artefact's own checksum goes once the file is linked."""


@dataclass(frozen=True)
class Library:
    """A linked artefact and its header."""

    data: bytes
    header: str
    spirv_bytes: int = 0
    """Of code for GPUs."""


def link(directory: Path, runtime: Sequence[str], parts: Sequence[str], target: Target) -> bytes:
    """A library of `parts` (sources and objects in `directory`) and of sources of the runtime, sealed with its checksum."""
    objects = _runtime(target.triple, tuple(runtime))
    for name, data in objects.items():
        (directory / name).write_bytes(data)
    (directory / "exports.map").write_text(EXPORTS)
    with as_file(NATIVE) as headers:
        library = directory / "model.so"
        command = [
            *_compile_c(target.triple), "-shared", "-nostdlib", f"-I{headers}", *objects, *parts, *_libc(directory, target),
            f"-Wl,-z,max-page-size={target.page_bytes}", "-Wl,--version-script=exports.map", "-o", str(library),
        ]  # fmt: skip
        # What zig would keep of this model for another time goes when the directory does.
        run_tool(command, directory, {"ZIG_LOCAL_CACHE_DIR": str(directory / "zig")})
    return _sealed(library.read_bytes())


@cache
def _runtime(triple: str, sources: tuple[str, ...]) -> dict[str, bytes]:
    """Objects of the runtime, the same for all models, by the names of their files."""
    with as_file(NATIVE) as native, tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        for source in sources:
            run_tool([*_compile_c(triple), "-c", str(native / source), "-o", f"{source}.o"], Path(name))
        return {f"{source}.o": (Path(name) / f"{source}.o").read_bytes() for source in sources}


def _compile_c(triple: str) -> list[str]:
    return [*zig("cc", triple), "-fPIC", "-O2", "-g0", "-std=c11", "-fno-sanitize=all"]


def zig(tool: str, triple: str) -> list[str]:
    """The command that starts zig's C compiler for a target."""
    # For Android the same code as for GNU/Linux: what its own triple adds (outlined atomics) bionic does not provide.
    return [_zig(), tool, "-target", triple.replace("-android", "-gnu")]


@cache
def _zig() -> str:
    """The program that `python -m ziglang` becomes: starting another Python first takes longer than a link."""
    found = find_spec("ziglang")
    assert found is not None and found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "zig")


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
        raise InternalError(f"'{' '.join([Path(command[0]).name, *command[1:3]])} ...' failed:\n{done.stderr.strip()}")


LIBC_FUNCTIONS = (
    "pthread_create", "pthread_join", "sched_yield", "syscall", "mmap", "munmap", "madvise", "getauxval", "clock_gettime",
    "sched_getaffinity", "memcpy", "memset", "memmove", "memcmp", "strcmp", "strlen", "getenv",
    "open", "read", "write", "close", "mkdir", "rename", "unlink",
)  # fmt: skip
LOADER_FUNCTIONS = ("dlopen", "dlsym", "dlclose")


def _libc(directory: Path, target: Target) -> list[str]:
    """Stubs with the sonames of the target's libc and loader: the real ones answer at load time, no sysroot is needed."""
    made: list[str] = ["-Wl,--as-needed"]
    for name, data in _stubs(target.triple).items():
        (directory / name).write_bytes(data)
        made.append(str(directory / name))
    return made


@cache
def _stubs(triple: str) -> dict[str, bytes]:
    """Libraries that define functions and do nothing, the same for all models, by the names of their files."""
    if "android" in triple:
        stubs = {"libc.so": LIBC_FUNCTIONS, "libdl.so": LOADER_FUNCTIONS}
    else:
        stubs = {"libc.so.6": (*LIBC_FUNCTIONS, *LOADER_FUNCTIONS)}
    made: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        for number, (soname, functions) in enumerate(stubs.items()):
            source, library = f"stub{number}.c", f"stub{number}.so"
            (Path(name) / source).write_text("".join(f"int {name}(void) {{ return 0; }}\n" for name in functions))
            command = [
                *zig("cc", triple), "-shared", "-nostdlib", "-fno-builtin", "-w", source, f"-Wl,-soname,{soname}", "-o", library
            ]  # fmt: skip
            run_tool(command, Path(name))
            made[library] = (Path(name) / library).read_bytes()
    return made


def _sealed(data: bytes) -> bytes:
    """The library with its own SHA-256 in place of the zeros that the plan reserved."""
    place = CHECKSUM.encode()
    if data.count(place) != 1:
        raise InternalError("the checksum's place is not in the library exactly once")
    return data.replace(place, hashlib.sha256(data).hexdigest().encode())
