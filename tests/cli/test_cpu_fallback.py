"""`--fallback=cpu`: asked for, reported on the terminal, in the report and in profiles."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from tests.conftest import Capture
from tests.vulkan import needs_device

SPLIT = "tests.targets.samples:split"
REASONS = {
    "operation 'tm_tensor.scan' is not supported on GPUs",
    "operation 'tm_tensor.sort' is not supported on GPUs",
    "double precision is not supported on GPUs",
}


def test_it_has_to_be_asked_for(tool: Capture, here: Path):
    done = tool("cocompc", SPLIT, "-target=vulkan")
    assert done.code == 1
    assert "the model takes or gives tensors in double precision, which vulkan does not have" in done.err
    assert "or compile with --fallback=cpu, which computes what they are part of on the CPU" in done.err
    assert not list(here.iterdir())


@pytest.mark.parametrize("target", ["vulkan", "android-gpu"])
def test_it_is_reported(tool: Capture, here: Path, target: str):
    flags = (f"-target={target}", "--fallback=cpu", "-o", "split.so")
    done = tool("cocompc", SPLIT, *flags, "--report=r.json")
    assert (done.code, done.out) == (0, "")
    kernels = json.loads((here / "r.json").read_text())["kernels"]
    hosted = [k for k in kernels if k["processor"] == "cpu"]
    assert {k["on_cpu"] for k in hosted} == REASONS
    assert all(k["processor"] == "gpu" and not k["on_cpu"] for k in kernels if k not in hosted)
    first, *notes = done.err.splitlines()
    assert first == f"cocompc: {len(hosted)} of {len(kernels)} kernels run on the CPU"
    assert {note.removeprefix("note: ").rpartition(": ")[0] for note in notes} == REASONS
    assert "note: operation 'tm_tensor.sort' is not supported on GPUs: sort" in notes
    assert tool("cocompc", SPLIT, *flags, "--report=r.html").code == 0
    page = (here / "r.html").read_text()
    assert "<h2>On the CPU</h2>" in page
    assert page.count("<br><small>on the CPU</small>") == len(hosted)


def test_kernels_of_the_cpu_are_for_the_processor_beside_the_gpu(tool: Capture, here: Path):
    assert tool("cocompc", SPLIT, "-target=android-gpu", "--fallback=cpu", "-o", "split.so").code == 0
    data = (here / "split.so").read_bytes()
    assert int.from_bytes(data[18:20], "little") == 183  # AArch64
    assert tool("cocompc", SPLIT, "-target=vulkan", "--fallback=cpu", "-o", "here.so").code == 0
    assert int.from_bytes((here / "here.so").read_bytes()[18:20], "little") == {"x86_64": 62, "aarch64": 183}[platform.machine()]  # fmt: skip


@needs_device
def test_profiles_say_where_kernels_ran(tool: Capture, here: Path):
    assert tool("cocompc", SPLIT, "-target=vulkan", "--fallback=cpu", "--verify", "-o", "split.so").code == 0
    done = tool("run", "split.so", "--threads=2", "--profile", "--json=m.json")
    assert done.code == 0
    rows = json.loads((here / "m.json").read_text())["kernels"]
    hosted = [row for row in rows if row["processor"] == "cpu"]
    assert {row["on_cpu"] for row in hosted} == REASONS
    assert done.out.count(" on the CPU: ") == len(hosted) < len(rows)
    assert all(row["microseconds"] > 0 for row in rows)


def test_cpus_need_none(tool: Capture, here: Path):
    done = tool("cocompc", "tests.small_models:residual", "--fallback=cpu")
    assert done.code == 2
    assert "expected no --fallback=cpu with -target=host: all kernels run on the CPU there, leave it out" in done.err
    assert tool("cocompc", "tests.small_models:residual", "--fallback=gpu").code == 2
    assert tool("cocompc", "tests.small_models:residual", "-target=vulkan", "--fallback=cpu").err == ""
