"""The runtime of models for GPUs where things fail: no loader, no device, devices that lack something, calls that are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp import Options
from tests.runtime.gpu_parts import RUN, build, drive, keep_parts, needs_gcc, said
from tests.targets.samples import Array, arrays, errors, few, references
from tests.vulkan import limited, needs_device


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cocomp.Artifact, list[Array]]:
    """Everything that an artefact is linked from, the artefact (`model.so`), and its inputs."""
    with limited(image_extent=20, volume_extent=32):
        built = keep_parts(few(), Options(target="vulkan", memory="texture"), tmp_path_factory.mktemp("gpu"))
    written = [w for d in built[1].manifest["dispatches"] for w in d["writes"]]
    assert {w["space"] for w in written} == {"arena", "image", "output"}
    assert {len(w["texels"]) for w in written if w["texels"]} == {2, 3}
    return built


def test_without_a_loader(built: tuple[Path, cocomp.Artifact, list[Array]]) -> None:
    directory = built[0]
    message = said(directory / "model.so", directory, COCOMP_VULKAN_LOADER="/nonexistent")
    assert message.startswith("ArtifactError") and message.endswith(
        "no Vulkan loader (libvulkan.so.1) was found; install one, or name it in COCOMP_VULKAN_LOADER"
    )


def test_with_a_library_that_is_no_loader(built: tuple[Path, cocomp.Artifact, list[Array]]) -> None:
    directory = built[0]
    message = said(directory / "model.so", directory, COCOMP_VULKAN_LOADER=str(directory / "model.so"))
    assert "no Vulkan loader" in message


@needs_device
def test_without_a_device(built: tuple[Path, cocomp.Artifact, list[Array]]) -> None:
    directory = built[0]
    message = said(directory / "model.so", directory, VK_ICD_FILENAMES="/nonexistent", VK_DRIVER_FILES="/nonexistent")
    assert message.endswith("no device with Vulkan 1.1 and compute queues was found")


@needs_device
@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("WITHOUT", "devices", "no device with Vulkan 1.1 and compute queues was found"),
        ("WITHOUT", "compute", "no device with Vulkan 1.1 and compute queues was found"),
        ("WITHOUT", "1.1", "no device with Vulkan 1.1 and compute queues was found"),
        ("MISSING", "CreateInstance", "no device with Vulkan 1.1 and compute queues was found"),
        ("MISSING", "GetPhysicalDeviceFeatures2", "no device with Vulkan 1.1 and compute queues was found"),
        ("MISSING", "CreateBuffer", "the Vulkan driver reported an error"),
        ("MISSING", "QueueSubmit", "the Vulkan driver reported an error"),
        ("LIMIT", "maxStorageBufferRange:16", "a tensor is larger than the device lets a kernel address"),
        ("LIMIT", "maxTexelBufferElements:16", "a tensor is larger than the device lets a kernel address"),
        (
            "LIMIT",
            "maxPerStageDescriptorStorageBuffers:0",
            "a kernel needs more buffers at once than the device allows",
        ),
        ("LIMIT", "maxPerStageResources:1", "a kernel needs more buffers at once than the device allows"),
        ("LIMIT", "maxPerStageDescriptorSampledImages:0", "a kernel needs more buffers at once than the device allows"),
        ("LIMIT", "maxPerStageDescriptorStorageImages:0", "a kernel needs more buffers at once than the device allows"),
        (
            "LIMIT",
            "maxImageDimension2D:2",
            "an image of the device may be (maxImageDimension2D, maxImageDimension3D); compile with --memory=buffer",
        ),
        (
            "LIMIT",
            "maxImageDimension3D:12",
            "an image of the device may be (maxImageDimension2D, maxImageDimension3D); compile with --memory=buffer",
        ),
        ("FAIL_NAME", "AllocateMemory", "out of memory"),
    ],
)
def test_a_device_that_is_not_enough(
    built: tuple[Path, cocomp.Artifact, list[Array]], pretend: Path, what: str, value: str, message: str
) -> None:
    directory = built[0]
    environment = {"COCOMP_VULKAN_LOADER": str(pretend), f"PRETEND_{what}": value}
    assert message in said(directory / "model.so", directory, **environment)


@needs_device
@pytest.mark.parametrize(
    ("call", "result", "message"),
    [
        ("QueueSubmit", -4, "the device was lost; create the model again"),
        ("WaitForFences", -4, "the device was lost; create the model again"),
        ("WaitForFences:2", -4, "the device was lost; create the model again"),
        ("GetQueryPoolResults", -4, "the device was lost; create the model again"),
        ("AllocateMemory:2", -2, "out of device memory"),
        ("AllocateMemory:4", -2, "out of device memory"),
        (
            "GetPhysicalDeviceImageFormatProperties",
            -11,
            "the device has no images of four elements in a texel that kernels read and write; compile with --memory=buffer",
        ),
        ("GetPhysicalDeviceImageFormatProperties", -1, "out of memory"),
        ("CreateComputePipelines", -1000012000, "the Vulkan driver reported an error"),
        ("CreateDevice", -3, "the Vulkan driver reported an error"),
        ("CreateInstance", -9, "no device with Vulkan 1.1 and compute queues was found"),
    ],
)
def test_a_call_that_fails(
    built: tuple[Path, cocomp.Artifact, list[Array]], pretend: Path, call: str, result: int, message: str
) -> None:
    directory = built[0]
    environment = {"COCOMP_VULKAN_LOADER": str(pretend), "PRETEND_FAIL_NAME": call, "PRETEND_RESULT": str(result)}
    assert said(directory / "model.so", directory, **environment).endswith(message)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with layers that have names, `model.so`: a small convolution that makes an image, and a large one."""
    directory = tmp_path_factory.mktemp("named")
    layers = {"first": nn.Conv2d(3, 8, 3), "größe ??/": nn.Conv2d(8, 40, 1), "last": nn.Flatten()}
    module = nn.Sequential(OrderedDict(layers)).eval()
    x = torch.randn(1, 3, 12, 12)
    with limited(image_extent=80):
        artifact = cocomp.compile(module, (x,), options=Options(target="vulkan", memory="texture"))
    assert [d["layer"] for d in artifact.manifest["dispatches"]] == ["first", "größe ??/"]
    assert artifact.manifest["dispatches"][0]["writes"][0]["space"] == "image"
    artifact.save(directory / "model.so")
    np.savez(directory / "inputs.npz", x.numpy())
    return directory


@needs_device
@pytest.mark.parametrize(
    ("setting", "where", "message"),
    [
        ("LIMIT=maxStorageBufferRange:8192", "größe ??/: ", "a tensor is larger than the device lets a kernel address"),
        ("LIMIT=maxTexelBufferElements:200", "first: ", "a tensor is larger than the device lets a kernel address"),
        ("LIMIT=maxPerStageResources:1", "first: ", "a kernel needs more buffers at once than the device allows"),
        ("LIMIT=maxImageDimension2D:2", "first: ", "a tensor is larger than an image of the device may be"),
        ("WITHOUT=devices", "", "no device with Vulkan 1.1 and compute queues was found"),
    ],
)
def test_what_is_too_large_is_named(named: Path, pretend: Path, setting: str, where: str, message: str) -> None:
    name, value = setting.split("=")
    text = said(named / "model.so", named, COCOMP_VULKAN_LOADER=str(pretend), **{f"PRETEND_{name}": value})
    assert f"model.so: {where}{message}" in text


@needs_device
@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"texel_elements": 20}, "maxTexelBufferElements:20"),
        ({"texel_elements": 20, "buffer_bytes": 1024}, "maxStorageBufferRange:1024"),
    ],
)
def test_a_device_that_sees_little_of_a_buffer(pretend: Path, here: Path, limits: dict[str, int], limit: str) -> None:
    example = few()
    with limited(**limits):
        cocomp.compile(*example, options=Options(target="vulkan")).save(here / "model.so")
    np.savez(here / "inputs.npz", *arrays(example))
    environment = {"COCOMP_VULKAN_LOADER": str(pretend), "PRETEND_LIMIT": limit}
    message = said(here / "model.so", here, **environment)
    assert message.isdigit(), message
    assert max(errors(list(np.load(here / "outputs.npz").values()), references(example))) <= 1e-5


class Narrow(torch.nn.Module):
    """Half precision, integers of 64 bits, booleans, side by side."""

    def forward(self, half: torch.Tensor, long: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return half * half + 1, long * 5 + long.sum(), long > 3


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with tensors of all widths, `model.so`, and inputs for it."""
    directory = tmp_path_factory.mktemp("narrow")
    inputs = (torch.randn(3, 5).half(), torch.arange(6))
    cocomp.compile(Narrow(), inputs, options=Options(target="vulkan")).save(directory / "model.so")
    np.savez(directory / "inputs.npz", *[x.numpy() for x in inputs])
    return directory


@needs_device
@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("storage16", "no Vulkan device here has 16-bit storage; compile with --precision=f32"),
        ("storage8", "no Vulkan device here has 8-bit storage, which booleans of the model need"),
        ("int64", "no Vulkan device here computes with 64-bit integers, which the model needs"),
        ("int8", "no Vulkan device here computes with 8-bit integers, which the model needs"),
        ("float16", "no Vulkan device here computes in half precision; compile with --precision=f32"),
        ("extensions", "no Vulkan device here computes in half precision; compile with --precision=f32"),
    ],
)
def test_a_device_that_lacks_a_type(narrow: Path, pretend: Path, lacking: str, message: str) -> None:
    environment = {"COCOMP_VULKAN_LOADER": str(pretend), "PRETEND_WITHOUT": lacking}
    assert said(narrow / "model.so", narrow, **environment).endswith(message)


@needs_device
@pytest.mark.parametrize("setting", ["SPLIT=1", "WITHOUT=clock", "WITHOUT=storage16,storage8,int64,int16,int8,float16"])
def test_a_device_that_is_enough(built: tuple[Path, cocomp.Artifact, list[Array]], pretend: Path, setting: str) -> None:
    """Memory of its own, no clock; a model in single precision needs no other type."""
    directory, _, _ = built
    name, value = setting.split("=")
    message = said(directory / "model.so", directory, COCOMP_VULKAN_LOADER=str(pretend), **{f"PRETEND_{name}": value})
    assert int(message) > 0
    found = list(np.load(directory / "outputs.npz").values())
    assert max(errors(found, references(few()))) <= 1e-5


@needs_gcc
@needs_device
def test_sanitizers_find_nothing(built: tuple[Path, cocomp.Artifact, list[Array]]) -> None:
    directory, artifact, inputs = built
    done = drive(build(directory, "drive", "drive.c"), "in0", "out0")
    assert done.returncode == 0, done.stderr[-3000:]
    for number, wanted in enumerate(artifact.load().run(inputs)):
        found = np.frombuffer((directory / f"out{number}").read_bytes(), wanted.dtype).reshape(wanted.shape)
        np.testing.assert_array_equal(found, wanted)


@pytest.fixture(scope="module")
def refusing(built: tuple[Path, cocomp.Artifact, list[Array]]) -> Path:
    """A program that refuses the calls of the model one by one."""
    return build(built[0], "fail", "drive_gpu.c", "-Wl,--wrap=mmap,--wrap=munmap")


@needs_gcc
@needs_device
@pytest.mark.parametrize(
    "environment",
    [{"COCOMP_PIPELINE_CACHE": "cache"}, {"PRETEND_SPLIT": "1"}, {"PRETEND_RESULT": "-4", "REFUSED": "16"}],
    ids=["shared", "split", "lost"],
)
def test_every_call_may_fail(refusing: Path, pretend: Path, environment: dict[str, str]) -> None:
    done = drive(refusing, str(pretend), "in0", **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert {"CreateDevice", "MapMemory", "QueueSubmit", "CreateImage", "CreateImageView", "BindImageMemory"} <= {
        line.split(":")[0] for line in done.stdout.splitlines()
    }


Cached = Callable[..., list[str]]
HEADER = 24
"""Bytes of a cache's file before what is the driver's."""


@pytest.fixture
def cached(built: tuple[Path, cocomp.Artifact, list[Array]], pretend: Path, here: Path) -> Cached:
    """Creates and runs the model; how many bytes its pipeline caches began with. Caches of this driver have 1032 bytes."""

    def run(**environment: str) -> list[str]:
        added = {"COCOMP_PIPELINE_CACHE": str(here / "cache"), "PRETEND_CACHE": "1000", **environment}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(built[0] / "model.so"), str(built[0] / "inputs.npz"), str(here / "outputs.npz")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COCOMP_VULKAN_LOADER": str(pretend), **added},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0 and int(done.stdout) > 0, done.stdout + done.stderr
        return [line.split()[2] for line in done.stderr.splitlines() if line.startswith("cache of")]

    return run


def only(folder: Path) -> Path:
    """The one file of a folder."""
    (file,) = folder.iterdir()
    return file


@needs_device
def test_pipelines_are_kept(cached: Cached, here: Path) -> None:
    assert cached() == ["0"]
    file = only(here / "cache")
    before = file.stat()
    assert before.st_size == HEADER + 1032 and before.st_mode & 0o777 == 0o600
    assert cached() == ["1032"]
    assert only(here / "cache").stat().st_mtime_ns == before.st_mtime_ns  # nothing new: not written
    assert cached(PRETEND_CACHE="2000") == ["1032"]
    assert only(here / "cache").stat().st_size == HEADER + 2032


@needs_device
def test_where_pipelines_are_kept(cached: Cached, here: Path) -> None:
    cached(COCOMP_PIPELINE_CACHE="", XDG_CACHE_HOME=str(here / "xdg"), HOME=str(here))
    assert only(here / "xdg" / "cocomp").suffix == ".pipelines"
    (here / "home").mkdir()
    cached(COCOMP_PIPELINE_CACHE="", XDG_CACHE_HOME="", HOME=str(here / "home"))
    assert only(here / "home" / ".cache" / "cocomp").suffix == ".pipelines"
    for nowhere in ({"COCOMP_PIPELINE_CACHE": "off"}, {"COCOMP_PIPELINE_CACHE": "", "XDG_CACHE_HOME": "", "HOME": ""},
                    {"COCOMP_PIPELINE_CACHE": str(here / ("x" * 2000))}):  # fmt: skip
        assert cached(**nowhere) == []
    for of_no_use in ("/proc/nothing", str(here / "no" / "such"), str(here / "outputs.npz"), str(here / ("x" * 300))):
        assert cached(COCOMP_PIPELINE_CACHE=of_no_use) == ["0"]
    assert {p.name for p in here.iterdir()} == {"xdg", "home", "outputs.npz"}


def _foreign(data: bytes) -> bytes:
    """A file that is sound, of another device."""
    driver = bytearray(data[HEADER:])
    driver[12] ^= 1
    checksum = 0xCBF29CE484222325
    for byte in driver:
        checksum = (checksum ^ byte) * 0x100000001B3 % (1 << 64)
    return data[:16] + checksum.to_bytes(8, "little") + bytes(driver)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "header": lambda data: data[:20],
    "truncated": lambda data: data[:-1],
    "magic": lambda data: b"x" + data[1:],
    "size": lambda data: data[:8] + b"\xff" * 8 + data[16:],
    "small": lambda data: data[:8] + (8).to_bytes(8, "little") + data[16:],
    "bit": lambda data: data[:700] + bytes([data[700] ^ 4]) + data[701:],
    "foreign": _foreign,
}
"""What may have happened to a file."""


@needs_device
@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_cache_is_written_again(cached: Cached, here: Path, damage: str) -> None:
    cached()
    file = only(here / "cache")
    sound = file.read_bytes()
    file.write_bytes(DAMAGE[damage](sound))
    assert cached() == ["0"]
    assert only(here / "cache").read_bytes() == sound
    assert cached() == ["1032"]


@needs_device
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_let_be(cached: Cached, here: Path, kind: str) -> None:
    cached()
    file = only(here / "cache")
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    else:
        (file / "inside").mkdir(parents=True)
    assert cached() == ["0"]
    assert only(here / "cache") == file


@needs_device
@pytest.mark.parametrize("call", ["CreatePipelineCache", "GetPipelineCacheData"])
def test_a_driver_without_a_cache(cached: Cached, here: Path, call: str) -> None:
    cached(PRETEND_FAIL_NAME=call)
    assert list((here / "cache").iterdir()) == []
