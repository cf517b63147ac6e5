"""Models for GPUs taken apart: what they are linked from, built again with sanitizers, and run with a loader that pretends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cocomp
from cocomp import Options
from cocomp.targets import gpu
from tests.targets.samples import Array, Example, arrays, references

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "runtime" / "native"
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc and its sanitizers")


def keep_parts(example: Example, options: Options, directory: Path) -> tuple[Path, cocomp.Artifact, list[Array]]:
    """A folder with everything that an artefact is linked from, and the artefact (`model.so`); the artefact; its inputs."""
    link = gpu.link

    def keep(place: Path, *rest: Any) -> bytes:
        shutil.copytree(place, directory, dirs_exist_ok=True)
        return link(place, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "link", keep)
        artifact = cocomp.compile(*example, options=options)
    artifact.save(directory / "model.so")
    shutil.copytree(NATIVE, directory, dirs_exist_ok=True)
    inputs = arrays(example)
    for number, array in enumerate(inputs):
        (directory / f"in{number}").write_bytes(array.tobytes())
    np.savez(directory / "inputs.npz", *inputs)
    sizes = {"input_bytes": [a.nbytes for a in inputs], "output_bytes": [r.nbytes for r in references(example)]}
    lines = [f"static const size_t {name}[] = {{{', '.join(map(str, values))}}};" for name, values in sizes.items()]
    lines.append(f"enum {{ dispatches = {artifact.manifest['launches']} }};")
    (directory / "sizes.h").write_text("#include <stddef.h>\n" + "\n".join(lines) + "\n")
    return directory, artifact, inputs


RUN = """\
import sys, numpy, cocomp
inputs = list(dict(numpy.load(sys.argv[2])).values())
try:
    with cocomp.load(sys.argv[1]) as model:
        outputs = model.run(inputs)
        times = model.launch_times(inputs, 2)
        model.run_partly(inputs, 2)
        arena, results = model.run_partly(inputs, model.manifest.raw["launches"])
        assert arena.any() and all(map(numpy.array_equal, results, outputs))
    numpy.savez(sys.argv[3], *outputs)
    print(times.min())
except Exception as error:
    print(type(error).__name__, error)
"""


def said(model: Path, directory: Path, **environment: str) -> str:
    """What running a model ends with, in a process of its own: the shortest time of a launch, or what is wrong."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(model), str(directory / "inputs.npz"), str(directory / "outputs.npz")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build(directory: Path, program: str, driver: str, *flags: str) -> Path:
    """A program of the runtime, the model, and a driver, with sanitizers."""
    subprocess.run(
        ["gcc", "-O1", "-g", "-w", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I.",
         *gpu.SOURCES, "plan.c", "data.S", *map(str, directory.glob("kernels*.o")), str(HERE / driver), "-o", program, "-lpthread", "-ldl", *flags],
        cwd=directory, check=True,
    )  # fmt: skip
    return directory / program


def drive(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a driver. Drivers of Vulkan leak by themselves: what we leak, our drivers count."""
    return subprocess.run(
        [str(program), *arguments], cwd=program.parent, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **environment},
    )  # fmt: skip
