"""What is in the library: alignment, libraries and functions that it needs, what it exports, and its C header."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp.targets.gpus import target_called
from tests.small_models import residual
from tests.targets import dynamic
from tests.targets.conftest import Compiled
from tests.targets.samples import Example, errors

NATIVE = Path(__file__).parents[2] / "runtime" / "native"
LIBRARIES = [
    ("few", "android-cpu", "cortex-x1", "f32"),
    ("tiny", "android-cpu", "", "f16"),
    ("kinds", "linux-arm64", "", "f32"),
    ("kinds", "linux-x86-64", "x86-64-v3", "f32"),
    ("few", "android-gpu", "", "f32"),
    ("tiny", "android-gpu", "", "f16"),
]
PAGES = {"android-cpu": 16384, "linux-arm64": 4096, "linux-x86-64": 4096, "android-gpu": 16384}
NEEDED = {"android-cpu": ("libc.so",), "android-gpu": ("libc.so", "libdl.so")}
"""Libraries that a target's artefacts need, where it is not glibc."""


def declared() -> set[str]:
    """Functions of libc that the runtime declares, and those that compilers call by themselves."""
    functions: set[str] = set()
    for source in ("system.c", "vulkan.c", "gpu_cache.c"):
        text = re.split(
            r"^(?:int|static) .*\{$|^int cocomp_", (NATIVE / source).read_text(), maxsplit=1, flags=re.MULTILINE
        )[0]
        functions |= set(re.findall(r"^[\w *]+?\b(\w+)\([^;{]*\);", text, re.MULTILINE))
    assert {"pthread_create", "mmap", "syscall", "dlopen", "dlsym", "dlclose"} <= functions
    return functions | {"memcpy", "memset", "memmove"}


@pytest.mark.parametrize(("name", "target", "cpu", "precision"), LIBRARIES)
def test_a_library_needs_libc_only(compiled: Compiled, name: str, target: str, cpu: str, precision: str) -> None:
    library = dynamic.read(compiled(name, target, cpu, precision).data)
    assert library.needed == NEEDED.get(target, ("libc.so.6",))
    assert library.undefined <= declared()  # no outlined atomics, no libm, no stack protector
    tags = {tag for tag, _ in library.tags}
    assert not tags & {dynamic.SONAME, dynamic.RUNPATH, dynamic.TEXTREL}


@pytest.mark.parametrize(("name", "target", "cpu", "precision"), LIBRARIES)
def test_a_library_exports_its_interface_only(
    compiled: Compiled, name: str, target: str, cpu: str, precision: str
) -> None:
    interface = set(re.findall(r"\b(cocomp_\w+)\(", (NATIVE / "cocomp.h").read_text()))
    assert dynamic.read(compiled(name, target, cpu, precision).data).exported == interface


@pytest.mark.parametrize(("name", "target", "cpu", "precision"), LIBRARIES)
def test_segments_are_aligned_to_pages(compiled: Compiled, name: str, target: str, cpu: str, precision: str) -> None:
    """Devices with pages of 16 KB refuse smaller alignments."""
    assert target_called(target, cpu).page_bytes == PAGES[target]
    segments = dynamic.read(compiled(name, target, cpu, precision).data).segments
    loaded = [s for s in segments if s.kind == dynamic.LOAD]
    assert loaded
    for segment in loaded:
        assert segment.alignment >= PAGES[target] and segment.alignment % PAGES[target] == 0
        assert segment.offset % segment.alignment == segment.address % segment.alignment


@pytest.mark.parametrize(("name", "target", "cpu", "precision"), LIBRARIES)
def test_no_memory_is_writable_and_executable(
    compiled: Compiled, name: str, target: str, cpu: str, precision: str
) -> None:
    segments = dynamic.read(compiled(name, target, cpu, precision).data).segments
    stack = [s for s in segments if s.kind == dynamic.GNU_STACK]
    assert stack and not stack[0].flags & dynamic.EXECUTABLE
    both = dynamic.EXECUTABLE | dynamic.WRITABLE
    assert not any(s.flags & both == both for s in segments)


PROGRAM = """\
#include "residual.h"
#include <stdio.h>

int main(void) {
  static float image[3 * 8 * 8], scores[5];
  FILE *file = fopen("image.bin", "rb");
  if (!file || fread(image, sizeof image, 1, file) != 1) return 1;
  fclose(file);
  cocomp_model *model;
  int status = cocomp_create(2, &model);
  if (status) return fprintf(stderr, "%s\\n", cocomp_message(status)), 1;
  const void *inputs[] = {image};
  void *outputs[] = {scores};
  status = cocomp_run(model, inputs, outputs);
  if (status) return fprintf(stderr, "%s\\n", cocomp_message(status)), 1;
  for (int i = 0; i < 5; i++) printf("%.9g\\n", scores[i]);
  printf("%s\\n", cocomp_message(cocomp_run(model, 0, outputs)));
  cocomp_destroy(model);
  cocomp_destroy(0);
  return 0;
}
"""


def zig(*arguments: object, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_c_program_uses_a_library(library: Path, here: Path) -> None:
    example = residual()
    (here / "image.bin").write_bytes(example[1][0].numpy().tobytes())
    (here / "main.c").write_text(PROGRAM)
    include = f"-I{library.parent}"
    strict = ("-Wall", "-Wextra", "-Werror", "-pedantic")
    zig("cc", "-std=c11", *strict, include, "main.c", library, f"-Wl,-rpath,{library.parent}", "-o", "main", cwd=here)
    done = subprocess.run([here / "main"], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *scores, message = done.stdout.splitlines()
    found = np.array([scores], np.float32)
    with cocomp.load(library) as model:
        np.testing.assert_array_equal(found, model(example[1][0]))
    assert max(errors([found], [_reference(example)])) <= 1e-5
    assert message == "a null pointer or a number out of range was passed"


def test_the_linker_keeps_nothing_of_a_model(here: Path) -> None:
    """Or the cache of zig would grow by the size of every artefact."""
    program = (
        "import cocomp, torch; cocomp.compile(torch.nn.Linear(1024, 1024), (torch.ones(1, 1024),)).save('model.so')"
    )
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(here / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=here, env=environment, check=True)
    assert (here / "model.so").stat().st_size > 1 << 22
    kept = [p for p in (here / "cache").rglob("*") if p.is_file() and p.stat().st_size > 1 << 22]
    assert kept == []


def _reference(example: Example) -> np.ndarray:
    module, inputs = example
    return module(*inputs).detach().numpy()


@pytest.mark.parametrize(("tool", "standard"), [("cc", "c11"), ("c++", "c++17")])
@pytest.mark.parametrize(("name", "precision"), [("kinds", "f32"), ("tiny", "f16")])
def test_the_header_is_c_and_cpp(
    compiled: Compiled, here: Path, tool: str, standard: str, name: str, precision: str
) -> None:
    target = "android-cpu" if precision == "f16" else "linux-arm64"
    (here / "model.h").write_text(compiled(name, target, "", precision).header)
    source = here / ("main.c" if tool == "cc" else "main.cpp")
    source.write_text(
        '#include "model.h"\n#include "model.h"\nint main(void) { return cocomp_set_profiling(0, 0) == COCOMP_OK; }\n'
    )
    zig(tool, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", source, cwd=here)


@pytest.mark.parametrize("target", ["host", "vulkan"])
def test_names_mean_nothing_to_c(target: str) -> None:
    layers = nn.Sequential(OrderedDict({"größe ??/": nn.Linear(3, 2)})).eval()
    artifact = cocomp.compile(layers, (torch.randn(2, 3),), options=cocomp.Options(target=target))
    assert [d["layer"] for d in artifact.manifest["dispatches"]] == ["größe ??/"]
    assert '"layer": "gr\\u00f6\\u00dfe ??/"' in artifact.data.decode("latin-1")


def test_the_header_names_the_tensors(compiled: Compiled) -> None:
    header = compiled("kinds", "linux-arm64").header
    for line in ("inputs[0]: const float image[1][3][28][28]", "inputs[1]: const int64_t tokens[1][5]"):
        assert line in header


@pytest.mark.skipif(platform.machine() != "x86_64", reason="loads x86-64 code elsewhere")
def test_code_for_another_architecture_is_not_loaded(compiled: Compiled) -> None:
    with pytest.raises(cocomp.runtime.manifest.ArtifactError, match="aarch64"):
        compiled("few", "android-cpu", "cortex-x1").load()
