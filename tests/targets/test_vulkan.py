"""Models for GPUs on a Vulkan device: what they compute, what the drivers' checkers say of them, and how they are profiled."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp import Options
from cocomp.targets import gpu, library
from cocomp.targets.plan_gpu_c import FEATURES, capabilities
from cocomp.verify import read_tensor
from tests.targets.conftest import example, expected
from tests.targets.samples import Array, arrays, errors
from tests.vulkan import VALIDATION, limited, needs_device, needs_spirv_val, needs_validation

TOLERANCE = {"f32": 1e-5, "f16": 4e-3}
MODELS = [
    ("few", "f32", "buffer"), ("tiny", "f32", "buffer"), ("tiny", "f16", "buffer"),
    ("few", "f32", "texture"), ("tiny", "f32", "texture"), ("tiny", "f16", "texture"),
    ("few", "f32", "slices"), ("few", "f16", "slices"), ("few", "f32", "vectors"), ("few", "f16", "vectors"),
    ("split", "f32", "buffer"), ("split", "f32", "texture"),
    ("few", "f32", "windows"), ("tiny", "f16", "windows"), ("split", "f32", "windows"),
]  # fmt: skip
LIMITED = {
    "slices": ("texture", {"image_extent": 20, "volume_extent": 32}),
    "vectors": ("buffer", {"texel_elements": 20}),
    "windows": ("buffer", {"texel_elements": 20, "buffer_bytes": 2048}),
}
"""Devices that are certain of little, so that images have three dimensions, and buffers are read past the texture units and through
several bindings."""
SAMPLED_BUFFER, IMAGE_BUFFER = 46, 47
EVERYWHERE = {0, 1, SAMPLED_BUFFER, IMAGE_BUFFER}
"""Numbers of capabilities that every device has: Matrix, Shader, SampledBuffer, ImageBuffer."""


@dataclass(frozen=True)
class Built:
    """An artefact and the SPIR-V modules that went into it."""

    artifact: cocomp.Artifact
    shaders: dict[str, bytes]


Build = Callable[..., Built]


@pytest.fixture(scope="module")
def build() -> Build:
    """`build("few", "f32", "texture")` compiles for Vulkan, or gives what it has compiled before."""
    done: dict[tuple[str, str, str], Built] = {}
    programs = {name: torch.export.export(*example(name)) for name in {name for name, *_ in MODELS}}
    original = gpu.shaders_of

    def compiled(name: str, precision: str, memory: str = "buffer") -> Built:
        if (name, precision, memory) not in done:
            shaders: dict[str, bytes] = {}

            def keep(*arguments: object) -> dict[str, bytes]:
                shaders.update(original(*arguments))  # pyright: ignore[reportArgumentType]
                return shaders

            kind, limits = LIMITED.get(memory, (memory, {}))
            with pytest.MonkeyPatch.context() as patch, limited(**limits):
                patch.setattr(gpu, "shaders_of", keep)
                fallback = "cpu" if name == "split" else "none"
                options = Options(target="vulkan", precision=precision, memory=kind, fallback=fallback)
                done[name, precision, memory] = Built(cocomp.compile(programs[name], options=options), shaders)
        return done[name, precision, memory]

    return compiled


@needs_device
@pytest.mark.parametrize(("name", "precision", "memory"), MODELS)
def test_a_gpu_computes_what_pytorch_does(build: Build, name: str, precision: str, memory: str) -> None:
    inputs = arrays(example(name))
    with build(name, precision, memory).artifact.load() as model:
        first, second = model.run(inputs), model.run(inputs)
    assert max(errors(first, expected(name))) <= TOLERANCE[precision]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_spirv_val
@pytest.mark.parametrize(("name", "precision", "memory"), MODELS)
def test_kernels_are_valid_spirv(build: Build, here: Path, name: str, precision: str, memory: str) -> None:
    built = build(name, precision, memory)
    assert set(built.shaders) == {d["kernel"] for d in built.artifact.manifest["dispatches"] if not d["on_cpu"]}
    for kernel, binary in built.shaders.items():
        file = here / f"{kernel}.spv"
        file.write_bytes(binary)
        command = ["spirv-val", "--target-env", "vulkan1.1", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{kernel}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize(("name", "precision", "memory"), MODELS)
def test_kernels_need_no_more_than_the_runtime_asks_for(build: Build, name: str, precision: str, memory: str) -> None:
    used = {c for binary in build(name, precision, memory).shaders.values() for c in capabilities(binary)}
    assert used <= {*EVERYWHERE, *FEATURES}


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_some_reductions_are_shared(build: Build, precision: str) -> None:
    """So that what is checked here are kernels with barriers, too."""
    dispatches = build("tiny", precision, "buffer").artifact.manifest["dispatches"]
    assert any(d["facts"].get("vector", "").endswith("invocations") for d in dispatches)


@pytest.mark.parametrize(("name", "precision"), [("few", "f32"), ("few", "f16")])
def test_large_buffers_are_read_past_the_texture_units(build: Build, name: str, precision: str) -> None:
    """Kernels that see texels of buffers need a capability."""
    seeing: dict[str, int] = {}
    for memory in ("buffer", "vectors"):
        needed = [set(capabilities(binary)) for binary in build(name, precision, memory).shaders.values()]
        seeing[memory] = sum(bool({SAMPLED_BUFFER, IMAGE_BUFFER} & one) for one in needed)
    assert 0 < seeing["vectors"] < seeing["buffer"]


@pytest.mark.parametrize(
    ("name", "memory", "dimensions"),
    [("few", "buffer", ()), ("few", "texture", (2,)), ("few", "slices", (2, 3)), ("tiny", "buffer", ()), ("tiny", "texture", (2,))],
)  # fmt: skip
def test_tensors_are_images_or_it_is_said_why_not(
    build: Build, name: str, memory: str, dimensions: tuple[int, ...]
) -> None:
    written = [w for d in build(name, "f32", memory).artifact.manifest["dispatches"] for w in d["writes"]]
    images = [w for w in written if w["space"] == "image"]
    assert len(images) >= 2 or not dimensions
    assert {len(w["texels"]) for w in images} == set(dimensions)
    assert all((w in images) == (w["texels"] is not None) == (not w["in_buffer"]) for w in written)


@needs_device
@pytest.mark.parametrize(("name", "memory"), [("few", "texture"), ("tiny", "texture"), ("few", "slices")])
def test_images_are_seen_where_the_manifest_says(build: Build, name: str, memory: str) -> None:
    inputs = arrays(example(name))
    buffers = build(name, "f32", "buffer").artifact
    images = build(name, "f32", memory).artifact
    pairs = list(zip(buffers.manifest["dispatches"], images.manifest["dispatches"], strict=True))
    with buffers.load() as one, images.load() as other:
        for count, pair in enumerate(pairs, 1):
            partly = [model.run_partly(inputs, count) for model in (one, other)]
            for written in zip(*(d["writes"] for d in pair), strict=True):
                found, wanted = (read_tensor(w, *run) for w, run in zip(written, partly, strict=True))
                np.testing.assert_array_equal(found, wanted)


@needs_device
def test_every_launch_is_timed(build: Build) -> None:
    artifact = build("tiny", "f32").artifact
    with artifact.load() as model:
        times = model.launch_times(arrays(example("tiny")), runs=3)
        profile = model.profile(arrays(example("tiny")), runs=3)
    assert times.shape == (3, artifact.manifest["launches"])
    assert (times > 0).all() and (times < 10**10).all()  # below ten seconds
    assert [p.kernel for p in profile] == [d["kernel"] for d in artifact.manifest["dispatches"]]


@needs_device
@pytest.mark.parametrize("memory", ["buffer", "texture"])
def test_some_of_a_model_runs(build: Build, memory: str) -> None:
    artifact, inputs = build("few", "f32", memory).artifact, arrays(example("few"))
    with artifact.load() as model:
        whole = model.run(inputs)
        parts = [model.run_partly(inputs, count) for count in range(artifact.manifest["launches"] + 1)]
    assert all(
        arena.nbytes == artifact.manifest["arena_bytes"] + artifact.manifest["image_bytes"] for arena, _ in parts
    )
    changes = sum(not np.array_equal(one, other) for (one, _), (other, _) in itertools.pairwise(parts))
    assert changes > 2  # launches leave their results in the arena
    np.testing.assert_array_equal(parts[-1][1][0], whole[0])


@needs_device
def test_two_models_at_once(build: Build) -> None:
    """Of one artefact and of two, run in turns."""
    few, tiny = build("few", "f32").artifact, build("tiny", "f32").artifact
    with few.load() as one, few.load() as two, tiny.load() as three:
        wanted = one.run(arrays(example("few")))
        tiny_wanted = three.run(arrays(example("tiny")))
        other = [x + 1 for x in arrays(example("few"))]
        for _ in range(3):
            two.run(other)
            np.testing.assert_array_equal(one.run(arrays(example("few")))[0], wanted[0])
            for found, before in zip(three.run(arrays(example("tiny"))), tiny_wanted, strict=True):
                np.testing.assert_array_equal(found, before)


def test_a_fallback_that_is_not_needed_changes_nothing(build: Build) -> None:
    for memory in ("buffer", "texture"):
        options = Options(target="vulkan", memory=memory, fallback="cpu")
        assert cocomp.compile(*example("few"), options=options).data == build("few", "f32", memory).artifact.data


def test_what_the_cpu_runs_is_said_with_its_reason(build: Build) -> None:
    dispatches = build("split", "f32", "texture").artifact.manifest["dispatches"]
    assert all((d["processor"] == "cpu") == bool(d["on_cpu"]) for d in dispatches)
    assert {d["on_cpu"] for d in dispatches} == {
        "",
        "operation 'tm_tensor.scan' is not supported on GPUs",
        "operation 'tm_tensor.sort' is not supported on GPUs",
        "double precision is not supported on GPUs",
    }
    for d in dispatches:
        if d["on_cpu"]:
            assert all(w["space"] != "image" and w["in_buffer"] for w in d["writes"])
        else:
            assert all(w["type"] != "f64" for w in d["writes"])


class Types(nn.Module):
    """Tensors of every type, in and out."""

    def forward(self, x: Tensor, n: Tensor, mask: Tensor, half: Tensor) -> tuple[Tensor, ...]:
        picked = torch.where(mask, x, -x)
        return picked > 0, n * 3 + n.sum(), mask.any(1), picked, half * 2, n.to(torch.int32) - 1


@needs_device
def test_tensors_of_every_type() -> None:
    torch.manual_seed(5)
    inputs = (torch.randn(3, 7), torch.randint(-9, 9, (3, 5)), torch.rand(3, 7) > 0.5, torch.randn(3, 5).half())
    _agree(Types(), inputs)


@needs_device
def test_a_model_without_kernels() -> None:
    """Its results are its inputs, and a weight."""

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.clone(), self.weight * 1

    _agree(Same(), (torch.randn(2, 3),))


def _agree(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    with torch.no_grad():
        wanted = [w.numpy() for w in module(*inputs)]
    found = cocomp.compile(module.eval(), inputs, options=Options(target="vulkan")).load().run(inputs)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5)


PROGRAM = """\
import sys, numpy, cocomp
data = dict(numpy.load(sys.argv[2]))
inputs = list(data.values())
model = cocomp.load(sys.argv[1])
for run in range(2):
    numpy.savez(sys.argv[3], *model.run(inputs))
model.profile(inputs, runs=2)
with cocomp.load(sys.argv[1]) as other:
    other.run(inputs)
    for count in range(3):
        model.run_partly(inputs, count)
model.close()
print("done")
"""
SYNCHRONIZATION = "VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT"


def _validated(artifact: cocomp.Artifact, inputs: list[Array], directory: Path) -> tuple[str, list[Array]]:
    """What the validation layer says of everything that can be done with a model, and what that computes."""
    np.savez(directory / "inputs.npz", *inputs)
    path = artifact.save(directory / "model.so")
    environment = {**os.environ, "VK_INSTANCE_LAYERS": VALIDATION, "VK_LAYER_ENABLES": SYNCHRONIZATION}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    files = [str(path), str(directory / "inputs.npz"), str(directory / "outputs.npz")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr, list(np.load(files[2]).values())


@needs_validation
@pytest.mark.parametrize(("name", "precision", "memory"), MODELS)
def test_the_validation_layer_is_silent(build: Build, here: Path, name: str, precision: str, memory: str) -> None:
    said, outputs = _validated(build(name, precision, memory).artifact, arrays(example(name)), here)
    assert said == "done\n", said[:4000]
    assert max(errors(outputs, expected(name))) <= TOLERANCE[precision]


BROKEN = {
    "if (i > first) cocomp_gpu_barrier(model, commands, compute, compute);": ("gpu_commands.c", "SYNC-HAZARD"),
    "cocomp_gpu_begin_images(model, commands, i);": ("gpu_commands.c", "VK_IMAGE_LAYOUT_UNDEFINED"),
    "VK_IMAGE_USAGE_TRANSFER_SRC_BIT": ("gpu_images.c", "VUID-vkCmdCopyImageToBuffer-srcImage-00186"),
    "const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,": (
        "gpu_objects.c",
        "VUID-VkPipelineLayoutCreateInfo-sType",
    ),
}
"""What is taken out of the runtime, where it stands, and what the validation layer then says."""


@needs_validation
@pytest.mark.parametrize("taken", list(BROKEN), ids=["barrier", "transition", "usage", "type"])
def test_the_validation_layer_is_awake(
    here: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, taken: str
) -> None:
    with as_file(library.NATIVE) as native:
        shutil.copytree(native, here / "native")
    source = here / "native" / BROKEN[taken][0]
    text = source.read_text()
    assert taken in text
    rest = "0" if taken.isupper() else taken[: taken.find("{") + 1]
    source.write_text(text.replace(taken, rest))
    monkeypatch.setattr(library, "NATIVE", here / "native")
    request.addfinalizer(library._runtime.cache_clear)
    library._runtime.cache_clear()
    artifact = cocomp.compile(*example("few"), options=Options(target="vulkan", memory="texture"))
    said, _ = _validated(artifact, arrays(example("few")), here)
    assert BROKEN[taken][1] in said
