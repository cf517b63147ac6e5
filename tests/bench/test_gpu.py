"""`benchmarks.gpu`: who cannot run a model is listed, the slow take fewer turns, and the tables say what was found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import contest, device, gpu
from benchmarks.contest import Entry, Result
from benchmarks.device import NONE_KNOWN, Device, describe, parse
from benchmarks.gpu_report import Pruned, Run, Sizes, tables
from benchmarks.machine import Machine, Peak
from benchmarks.peers import cocomp_adapter, export
from benchmarks.peers.catalogue import DENSE_VULKAN, GPU_PEERS, ON_CPU, VARIANTS, VULKAN, Contender
from benchmarks.peers.environments import Environment
from benchmarks.peers.export import Artefact, to_iree
from benchmarks.peers.process import Done
from benchmarks.peers.sources import ExportError, Facts, Sources
from benchmarks.pruned import ROWS
from benchmarks.report import OURS
from benchmarks.report import Run as Race
from benchmarks.timing import interleave, summarise, turns_within

MACHINE = Machine("a processor", 16, {}, (Peak(2, 100, {}),))
CONTENDERS = (VULKAN.name, *GPU_PEERS, ON_CPU.name)
DEVICES = """\
Layers: count = 1
=================
VK_LAYER_MESA_overlay (Mesa Overlay layer) Vulkan version 1.3.211, layer version 1:
\tDevices: count = 1
\t\tGPU id = 0 (llvmpipe (LLVM 15.0.6, 256 bits))

Device Properties and Extensions:
=================================
GPU0:
VkPhysicalDeviceProperties:
---------------------------
\tdeviceType        = PHYSICAL_DEVICE_TYPE_CPU
\tdeviceName        = llvmpipe (LLVM 15.0.6, 256 bits)
VkPhysicalDeviceDriverPropertiesKHR:
------------------------------------
\tdriverName         = llvmpipe
\tdriverInfo         = Mesa 22.3.6 (LLVM 15.0.6)
VkPhysicalDeviceSubgroupProperties:
-----------------------------------
\tsubgroupSize              = 8
GPU1:
\tdeviceType        = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
\tdeviceName        = A GPU
\tdriverName        = its driver
"""


def results(model: str, *milliseconds: float | None) -> list[Result]:
    """Who is without a number did not compete."""
    return [
        Result(model, 2, name, None if time is None else summarise([time]), None if time else "it died", error=1e-6)
        for name, time in zip(CONTENDERS, milliseconds, strict=True)
    ]


def pruned(row: str, before: float | None, after: float) -> Pruned:
    sides = ((DENSE_VULKAN.name, before), (VULKAN.name, after))
    found = [Result(row, 2, name, summarise([ms]) if ms else None, None if ms else "it died") for name, ms in sides]
    return Pruned(row, "bcr<16, all>", 8.0, Sizes(3000, 50), tuple(found))


def test_tables_and_json() -> None:
    facts = {model: Facts(4, 8) for model in ("small", "other")}
    race = Race(MACHINE, 5, CONTENDERS, facts, (*results("small", 10, 20, 40, 5), *results("other", 40, 10, None, 5)))
    rows = (pruned("resnet50-bcr-8x", 80, 20), pruned("c3d-kgs", None, 20))
    run = Run((NONE_KNOWN,), race, 2, {"small": Sizes(1234, 7)}, rows)
    latency, sparse, _, absent = tables(run)
    assert latency.headers == (
        "model", "cocomp ms", "ncnn Vulkan ms", "IREE Vulkan ms", "cocomp, CPU ms", "cocomp / best peer", "SPIR-V bytes", "launches",
    )  # fmt: skip
    # The CPU's row is no peer's.
    assert latency.rows[0] == ("small", "10", "20", "40", "5", "0.5", "1234", "7")
    assert latency.rows[1] == ("other", "40", "10", "-", "5", "4", "-", "-")
    assert latency.rows[2] == ("geometric mean / best peer", "1.41", "1", "-", "0.354", "1.41", "", "")
    assert sparse.rows[0] == ("resnet50-bcr-8x", "bcr<16, all>", "80", "20", "4", "8", "0.5", "3000", "50")
    assert sparse.rows[1][2:7] == ("-", "20", "-", "8", "-")
    assert absent.rows == (
        ("other", "2", "IREE Vulkan", "it died"),
        ("c3d-kgs", "2", "cocomp, not pruned", "it died"),
    )
    told = json.loads(json.dumps(run.to_json(), allow_nan=False))
    assert told["sizes"] == {"small": {"spirv_bytes": 1234, "launches": 7}}
    assert [each["speed_up"] for each in told["pruned"]] == [4, None]
    assert told["ratio_to_best_peer"]["2"][VULKAN.name] == pytest.approx(1.414, rel=1e-3)


def test_variants_are_of_cocomp(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[list[str]] = []

    def stop(_: object, __: object, contenders: list[Contender], *___: object) -> Run:
        chosen.append([each.name for each in contenders])
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu, "run", stop)
    for text in (["--variants", "*-f16"], []):
        with pytest.raises(KeyboardInterrupt):
            gpu.main(["--no-cpu", "--peers=", *text])
    assert chosen[0] == [VULKAN.name, "cocomp-buffer-f16", "cocomp-texture-f16"]
    assert chosen[1] == [VULKAN.name, "cocomp-texture", "cocomp-buffer-f16", "cocomp-texture-f16"]
    assert all(each.name in OURS for each in VARIANTS.values())
    assert {name: each.tolerance for name, each in VARIANTS.items() if "f16" in name} == {
        "buffer-f16": 4e-2, "texture-f16": 4e-2,
    }  # fmt: skip


def test_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = len(os.sched_getaffinity(0))
    monkeypatch.setattr(gpu.machine, "measure", lambda _: MACHINE)
    monkeypatch.setattr(gpu.device, "query", lambda: (NONE_KNOWN,))
    (tmp_path / "facts.json").write_text('{"weight_bytes": 0, "flops": 12, "kept_flops": 8}')

    def ensure(name: str, *_: object) -> Sources:
        if name in ("unexported", "c3d-dense"):
            raise ExportError("export failed: exit 1")
        return Sources(name, tmp_path)

    def prepare(contenders: list[object], sources: Sources, _: object) -> tuple[list[Entry], dict[str, str]]:
        artefact = Artefact(tmp_path / sources.name, 0)
        artefact.path.touch()
        environment = Environment(tmp_path, tmp_path)
        ready = [Entry(each, sources, environment, artefact) for each in contenders if each is VULKAN]  # pyright: ignore[reportArgumentType]
        return ready, {each.name: "no converter" for each in contenders if each is not VULKAN}  # pyright: ignore[reportAttributeAccessIssue]

    def hold(entries: list[Entry], threads: int, *_: object, **limits: object) -> list[Result]:
        assert limits == {"budget_seconds": 1, "patience": 2}
        return [Result(e.sources.name, threads, e.contender.name, summarise([3.0])) for e in entries]

    monkeypatch.setattr(gpu, "ensure_sources", ensure)
    monkeypatch.setattr(contest, "prepare", prepare)
    monkeypatch.setattr(contest, "hold", hold)
    rows = [ROWS["resnet50-bcr-8x"], ROWS["c3d-kgs"]]
    found = gpu.run(["unexported", "small"], rows, [VULKAN, ON_CPU], 1, lambda _: None, 1, 2)
    reasons = {(r.model, r.contender): r.reason for r in found.race.results}
    assert reasons[("unexported", VULKAN.name)] == reasons[("unexported", ON_CPU.name)] == "export failed: exit 1"
    assert reasons[("small", ON_CPU.name)] == "no converter"
    assert found.race.medians("small", threads) == {VULKAN.name: 3.0}
    assert [each.rate for each in found.pruned] == [1.0, None]
    assert [each.milliseconds(VULKAN.name) for each in found.pruned] == [3.0, None]


def test_the_slow_take_fewer_turns() -> None:
    assert [turns_within(ms, 30_000, 7) for ms in (10, 5_000, 10_000, 90_000)] == [7, 6, 3, 1]
    order: list[str] = []

    def turn(name: str) -> list[float]:
        order.append(name)
        return [1.0]

    contenders = {"quick": lambda _: turn("quick"), "slow": lambda _: turn("slow")}  # pyright: ignore[reportUnknownLambdaType]
    samples = interleave(contenders, {"quick": 1, "slow": 1}, 4, {"quick": 4, "slow": 2})
    assert {name: len(each) for name, each in samples.items()} == {"quick": 4, "slow": 2}
    assert order == ["quick", "slow", "quick", "quick", "slow", "quick"]


def test_devices() -> None:
    discrete, software = parse(DEVICES)
    assert discrete == Device("A GPU", "DISCRETE_GPU", "its driver")
    assert software.subgroup == 8
    assert software.driver == "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)"
    assert describe((software,)) == (
        "Vulkan device: llvmpipe (LLVM 15.0.6, 256 bits) (CPU), driver llvmpipe Mesa 22.3.6 (LLVM 15.0.6), subgroups of 8"
    )
    assert "there is A GPU too" in describe((software, discrete))
    assert parse("ERROR: no driver") == ()


def test_a_machine_that_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device.query() == (NONE_KNOWN,)
    tool = tmp_path / "vulkaninfo"
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    assert device.query() == (NONE_KNOWN,)


@pytest.mark.parametrize("text", ["module {\n}\n", "^bb0:\n"])
def test_iree_is_told_the_size_of_subgroups(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], log: Path) -> Done:
        tool, source, _, output = command
        Path(output).write_text(text if tool.endswith("import-onnx") else Path(source).read_text())
        return Done(True, "")

    monkeypatch.setattr(export, "run_logged", run)
    monkeypatch.setattr(export.device, "query", lambda: parse(DEVICES)[1:])
    (tmp_path / "model.onnx").touch()
    sources, environment = Sources("small", tmp_path), Environment(tmp_path, tmp_path / "python")
    if not text.startswith("module"):
        with pytest.raises(ExportError, match="expected iree-import-onnx to begin with a module, got"):
            to_iree(sources, environment, tmp_path)
        return
    artefact = to_iree(sources, environment, tmp_path)
    assert artefact.path.name == "subgroup8.vmfb"
    assert "subgroup_size_choices = [8]" in artefact.path.read_text()


def test_code_for_a_gpu_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from torch import nn

    from benchmarks.models import MODELS

    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()).eval()
    monkeypatch.setitem(
        MODELS, "small", type(MODELS["gru"])("small", "", lambda: (network, (torch.randn(1, 3, 4, 4),)))
    )
    counted: list[int | None] = []
    for options in ("target=vulkan", ""):
        cocomp_adapter.main("small", tmp_path / "model.so", options)
        counted.append(json.loads(capsys.readouterr().out.splitlines()[-1])["spirv_bytes"])
    assert counted[0] and counted[0] % 4 == 0
    assert counted[1] is None


@pytest.mark.parametrize("arguments", [["--models", "lenet"], ["--rows", "lenet"], ["--peers", "lenet"]])
def test_unknown_names(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        gpu.main(arguments)
    assert ended.value.code == 2
    assert "got lenet" in capsys.readouterr().err
