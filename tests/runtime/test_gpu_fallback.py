"""The runtime of models for GPUs whose processor has kernels too: memory of its own, calls that are refused, threads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp import Options
from tests.runtime.gpu_parts import build, drive, keep_parts, needs_gcc, said
from tests.targets.samples import Array, errors, references, split
from tests.vulkan import VALIDATION, needs_device, needs_validation

Parts = tuple[Path, cocomp.Artifact, list[Array]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Everything that an artefact is linked from whose kernels take turns, the artefact (`model.so`), and its inputs."""
    options = Options(target="vulkan", memory="texture", fallback="cpu")
    built = keep_parts(split(), options, tmp_path_factory.mktemp("split"))
    turns = re.sub(r"(.)\1+", r"\1", "".join(d["processor"][0] for d in built[1].manifest["dispatches"]))
    assert turns == "gcgcgcg"
    assert "image" in {w["space"] for d in built[1].manifest["dispatches"] for w in d["writes"]}
    return built


@needs_device
@pytest.mark.parametrize("setting", ["SPLIT=0", "SPLIT=1", "WITHOUT=clock"])
def test_memory_that_the_processor_does_not_see(parts: Parts, pretend: Path, setting: str) -> None:
    directory = parts[0]
    name, value = setting.split("=")
    message = said(directory / "model.so", directory, COCOMP_VULKAN_LOADER=str(pretend), **{f"PRETEND_{name}": value})
    assert int(message) > 0, message
    assert max(errors(list(np.load(directory / "outputs.npz").values()), references(split()))) <= 1e-5


@needs_validation
def test_the_validation_layer_is_silent_about_copies(parts: Parts, pretend: Path) -> None:
    environment = {"COCOMP_VULKAN_LOADER": str(pretend), "PRETEND_SPLIT": "1", "VK_INSTANCE_LAYERS": VALIDATION}
    environment["VK_LAYER_ENABLES"] = "VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT"
    message = said(parts[0] / "model.so", parts[0], **environment)
    assert message.isdecimal(), message


@needs_gcc
@needs_device
def test_sanitizers_find_nothing_in_turns(parts: Parts) -> None:
    directory, artifact, inputs = parts
    wanted = artifact.load().run(inputs)
    files = [*(f"in{n}" for n in range(len(inputs))), *(f"out{n}" for n in range(len(wanted)))]
    done = drive(build(directory, "drive", "drive.c"), *files)
    assert done.returncode == 0, done.stderr[-3000:]
    for number, array in enumerate(wanted):
        found = np.frombuffer((directory / f"out{number}").read_bytes(), array.dtype)
        np.testing.assert_array_equal(found, array.ravel())


class Brief(nn.Module):
    """A scan between products."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.last(self.first(x).cumsum(0)),)


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that refuses the calls of `Brief` one by one."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("brief")
    keep_parts((Brief().eval(), (torch.randn(4, 5),)), Options(target="vulkan", fallback="cpu"), folder)
    return build(folder, "fail", "drive_gpu.c", "-Wl,--wrap=mmap,--wrap=munmap")


@needs_gcc
@needs_device
@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="shared", marks=pytest.mark.slow),  # its calls are among those of the next
        pytest.param({"PRETEND_SPLIT": "1"}, id="split"),
        pytest.param({"PRETEND_RESULT": "-4", "REFUSED": "16"}, id="lost"),
    ],
)
def test_every_call_between_turns_may_fail(pretend: Path, brief: Path, environment: dict[str, str]) -> None:
    done = drive(brief, str(pretend), "in0", COCOMP_PIPELINE_CACHE="off", **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    submitted = sum(line.startswith("QueueSubmit:") for line in done.stdout.splitlines())
    assert submitted >= (12 if environment.get("PRETEND_SPLIT") else 5)


WRAPPED = "-Wl,--wrap=mmap,--wrap=munmap,--wrap=pthread_create"


@needs_gcc
@needs_device
def test_threads_and_memory_may_be_refused(parts: Parts) -> None:
    done = drive(build(parts[0], "refuse", "drive_host.c", WRAPPED), COCOMP_PIPELINE_CACHE="off")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    *statuses, threads = done.stdout.splitlines()
    assert threads == "2 threads" and statuses.count("2") >= 6


@needs_gcc
def test_a_processor_that_is_not_enough(parts: Parts, here: Path) -> None:
    """Kernels of the CPU need what they were compiled for; a model without any needs nothing."""
    shutil.copytree(parts[0], here, dirs_exist_ok=True)
    source = here / "plan.c"
    source.write_text(re.sub(r"\.x86_level = \d", ".x86_level = 9", source.read_text()))
    done = drive(build(here, "refuse", "drive_host.c", WRAPPED))
    assert done.stdout == "this processor lacks instructions that the model was compiled for\n", done.stdout
