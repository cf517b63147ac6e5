"""Artefacts for AArch64, run under emulation, give what PyTorch gives."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import cocomp
from cocomp.runtime import emulator
from cocomp.runtime.manifest import ArtifactError
from cocomp.support.diagnostics import UsageError
from cocomp.targets.cpus import ARM_CPUS, cpu_target
from tests.conftest import Capture
from tests.targets.conftest import Compiled, example, expected
from tests.targets.samples import Array, arrays, errors

TOLERANCE, HALF_TOLERANCE = 1e-5, 2e-2
OLDEST = "cortex-a53"
"""The first generation of the architecture: single precision needs nothing newer, whatever it is tuned for."""

emulated = pytest.mark.skipif(
    platform.machine() != "x86_64" or emulator.find_emulator("aarch64") is None, reason="needs qemu-aarch64"
)


def run(artifact: cocomp.Artifact, inputs: Sequence[Array], threads: int, cpu: str = "max") -> list[Array]:
    """The results under emulation."""
    with emulator.opened(artifact.data, artifact.manifest, threads, cpu) as model:
        return model.run_partly(inputs, artifact.manifest["launches"])[1]


@emulated
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("name", "target", "cpu"),
    [
        ("kinds", "linux-arm64", ""),
        ("kinds", "android-cpu", ""),
        ("few", "android-cpu", "cortex-x1"),
        ("few", "linux-arm64", "neoverse-n1"),
    ],
)
def test_single_precision(compiled: Compiled, name: str, target: str, cpu: str, threads: int) -> None:
    found = run(compiled(name, target, cpu), arrays(example(name)), threads, OLDEST)
    assert max(errors(found, expected(name))) <= TOLERANCE


def test_every_kind_of_kernel_is_there(compiled: Compiled) -> None:
    """What the tests above rest on."""
    facts = [d["facts"] for d in compiled("kinds", "android-cpu").manifest["dispatches"]]
    assert {f["kind"] for f in facts} >= {"gather-gemm", "winograd 4x4", "depth-wise", "pointwise", "reduction"}
    assert {f["encoding"].split("<")[0] for f in facts if "encoding" in f} == {"dense", "bcr", "kgs"}
    tiles = [f["tile"] for f in facts if f["kind"] == "gather-gemm"]
    assert any(t.endswith("x4 pixels") for t in tiles) and any("x4 rows" in t for t in tiles)


@emulated
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "target", "cpu"), [("tiny", "android-cpu", ""), ("few", "linux-arm64", "cortex-a78")])
def test_half_precision(compiled: Compiled, name: str, target: str, cpu: str, threads: int) -> None:
    """On the first processor that has it: nothing newer may be used."""
    artifact = compiled(name, target, cpu, "f16")
    found = run(artifact, arrays(example(name)), threads, "cortex-a76")
    assert max(errors(found, expected(name))) <= HALF_TOLERANCE


def test_half_precision_takes_less_memory(compiled: Compiled) -> None:
    whole, half = (compiled("few", "linux-arm64", "cortex-a78", p).facts["weights"]["total"] for p in ("f32", "f16"))
    assert half < 0.7 * whole


@emulated
def test_half_precision_on_a_processor_without(compiled: Compiled) -> None:
    artifact = compiled("few", "linux-arm64", "cortex-a78", "f16")
    with pytest.raises(ArtifactError, match="under qemu-aarch64"):
        run(artifact, arrays(example("few")), threads=1, cpu=OLDEST)


@pytest.mark.parametrize(
    ("target", "cpu", "named"),
    [("linux-arm64", "", "generic"), ("linux-x86-64", "", "x86-64-v3"), ("linux-x86-64", "znver4", "znver4")],
)
def test_half_precision_is_refused_at_compile_time(target: str, cpu: str, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        cpu_target(target, cpu, "f16")
    text = str(refused.value)
    assert f"'{named}' does not compute in half precision" in text
    assert "-mcpu=cortex-a76 or later" in text


def test_half_precision_from_the_command_line(tool: Capture, models: Path, here: Path) -> None:
    done = tool("cocompc", models / "residual.mlir", "-target=linux-arm64", "--precision=f16")
    assert (done.code, "-mcpu=cortex-a76 or later" in done.err) == (2, True)
    assert not list(here.iterdir())


def test_every_processor_is_described() -> None:
    for cpu in ARM_CPUS:
        target = cpu_target("android-cpu", cpu)
        assert (target.tune, target.cpu, target.page_bytes) == (cpu, "generic", 16384)


@emulated
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_verify(tool: Capture, models: Path, here: Path, precision: str) -> None:
    arguments = ("-target=android-cpu", f"--precision={precision}", "--verify", "--report=r.json")
    done = tool("cocompc", models / "residual.pt2", *arguments)
    assert done.code == 0, done.err
    assert '"structured"' in (here / "r.json").read_text()


def test_a_missing_emulator_is_asked_for(compiled: Compiled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if platform.machine() == "aarch64":
        pytest.skip("nothing is emulated here")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"qemu-aarch64 is not installed here.*apt-get install qemu-user"):
        run(compiled("few", "android-cpu", "cortex-x1"), arrays(example("few")), threads=1)


def test_the_static_emulator_serves_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "qemu-aarch64-static"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert emulator.find_emulator("aarch64") == str(program) == shutil.which("qemu-aarch64-static")
