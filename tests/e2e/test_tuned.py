"""Whatever schedules the tuner picks, the model computes what PyTorch computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp import driver
from cocomp.support.diagnostics import UsageError
from tests.vulkan import needs_device

Example = tuple[torch.export.ExportedProgram, torch.Tensor]


@pytest.fixture(scope="module")
def example() -> Example:
    """Convolutions that minimal filtering serves or not, in lines and in planes, with and without zeros; a linear layer. Exported once."""
    torch.manual_seed(7)
    module = nn.Sequential(
        nn.Conv2d(3, 24, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(24, 40, 3, padding=1), nn.ReLU(),
        nn.Conv2d(40, 32, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(32, 48, 1), nn.ReLU(),
        nn.Conv2d(48, 20, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 35), nn.Linear(35, 70),
    )  # fmt: skip
    for layer, encoding in (
        (module[4], "kgs<8, 4>"),
        (module[6], "bcr<16, all>"),
        (module[8], "csr"),
        (module[12], "csr"),
    ):
        cocomp.prune.project(layer, encoding, {"": 6})
    x = torch.randn(2, 3, 26, 26)
    return torch.export.export(cocomp.prune.finish(module).eval(), (x,)), x


def check(example: Example, options: cocomp.Options) -> set[str]:
    """Compile and compare; who chose the schedules."""
    program, x = example
    artifact = cocomp.compile(program, options=options)
    assert artifact.facts["tune-contractions"], "no kernel was tuned"
    expected = program.module()(x).detach().numpy()
    assert np.abs(artifact.load(threads=2)(x) - expected).max() <= 1e-4 * np.abs(expected).max()
    return {fact["schedule"] for fact in artifact.facts["tune-contractions"].values()}


def test_a_tuned_model(example: Example, tmp_path: Path) -> None:
    check(example, cocomp.Options(tune=2, tune_database=tmp_path / "t.sqlite", threads=1))


@needs_device
def test_a_model_tuned_for_a_gpu(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured once is taken from the database the next time."""
    first = cocomp.Options(target="vulkan", tune=1, tune_database=tmp_path / "t.sqlite")
    check(example, first)

    def never(*_: object) -> np.ndarray:
        raise AssertionError("measured again")

    monkeypatch.setattr(driver, "measure_here", never)
    check(example, cocomp.Options(target="vulkan", tune=0, tune_database=tmp_path / "t.sqlite"))
    monkeypatch.setattr(driver, "device_here", lambda: "another")
    artifact = cocomp.compile(
        example[0], options=cocomp.Options(target="vulkan", tune=0, tune_database=tmp_path / "t.sqlite")
    )
    assert not artifact.facts.get("tune-contractions"), "what one GPU did is taken for what another does"


def test_tuning_for_a_gpu_needs_one(monkeypatch: pytest.MonkeyPatch, example: Example) -> None:
    monkeypatch.setenv("COCOMP_VULKAN_LOADER", "/nonexistent/libvulkan.so")
    driver.device_here.cache_clear()
    with pytest.raises(UsageError, match="expected a GPU to tune for: .*Vulkan"):
        cocomp.compile(example[0], options=cocomp.Options(target="vulkan", tune=1))


RANKS = [(1, "auto"), (3, "auto"), (8, "auto"), (20, "auto"), (12, "off"), (6, "force:csr")]


@pytest.mark.parametrize(("wanted", "sparsity"), RANKS)
@pytest.mark.parametrize("target", ["host", pytest.param("vulkan", marks=needs_device)])
def test_every_schedule_is_right(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, wanted: int, sparsity: str
) -> None:
    """The schedule that the cost model ranks so, or the last, is made to seem the fastest."""
    seen: dict[str, list[str]] = {}

    def measure(module: Any, *_: object) -> np.ndarray:
        versions = [op.attributes for op in module.body.operations][:-1]
        texts = [str(v["kernel.schedule" if "kernel.schedule" in v else "kernel.winograd"]) for v in versions]
        ranking = seen.setdefault(versions[0]["sym_name"].value, [])
        ranking += [text for text in texts if text not in ranking]
        ranks = [ranking.index(text) for text in texts]
        return np.array([[1000 if rank > wanted else 1000 - 40 * rank for rank in ranks]] * 8)

    monkeypatch.setattr(driver, "measure_here", measure)
    memory = "auto" if target == "host" else "buffer"
    database = tmp_path / "t.sqlite"
    options = cocomp.Options(target=target, memory=memory, tune=1e6, tune_database=database, sparsity=sparsity)
    assert check(example, options) == {"tuned"}


@needs_device
@pytest.mark.parametrize("wanted", [2, 9])
def test_every_workgroup_is_right(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    """The workgroup that is the most promising but so many, or the last, is made to seem the fastest."""
    seen: dict[str, list[str]] = {}

    def measure(module: Any, *_: object) -> np.ndarray:
        versions = [op.attributes for op in module.body.operations][:-1]
        schedules = [v["kernel.schedule"] for v in versions]
        ranking = seen.setdefault(versions[0]["sym_name"].value, [])
        ranking += [str(s) for s in schedules if "workgroup" in s and str(s) not in ranking]
        ranks = [1 + ranking.index(str(s)) if "workgroup" in s else 0 for s in schedules]
        return np.array([[1000 if rank > wanted else 1000 - 40 * rank for rank in ranks]] * 8)

    monkeypatch.setattr(driver, "measure_here", measure)
    options = cocomp.Options(target="vulkan", memory="buffer", tune=1e6, tune_database=tmp_path / "t.sqlite")
    assert "tuned" in check(example, options)
    assert any(seen.values())
