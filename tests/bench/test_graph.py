"""`benchmarks.graph`: every stage adds to the one before it, and the tables say what that brings."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import graph
from benchmarks.contest import Result
from benchmarks.graph import Outcome, Run, Sizes, main, stages, tables
from benchmarks.machine import Machine, Peak
from benchmarks.models import MODELS
from benchmarks.peers import cocomp_adapter
from benchmarks.timing import summarise
from cocomp.options import OPTIONAL, Options
from cocomp.runtime.manifest import read_manifest

MACHINE = Machine("a processor", 16, {}, (Peak(1, 100, {}),))


STAGES = stages()


@pytest.mark.parametrize(("target", "memories"), [("host", ["auto"] * 5), ("vulkan", ["buffer"] * 4 + ["texture"] * 2)])
def test_every_stage_adds_one_thing(target: str, memories: list[str]) -> None:
    compared = [stage.options for stage in stages(target, tune=3)]
    assert {options.target for options in compared} == {target}
    assert [options.memory for options in compared] == memories
    assert compared[0].without == OPTIONAL and not compared[3].without
    for before, after in itertools.pairwise(compared[:4]):
        assert (before.without[0], *after.without) == before.without
    assert not any(options.without for options in compared[3:])
    assert [options.tune for options in compared] == [None] * (len(compared) - 1) + [3]


def test_the_adapter_leaves_out_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU()).eval()
    model = type(MODELS["gru"])("small", "", lambda: (network, (torch.randn(1, 3, 4, 4),)))
    monkeypatch.setitem(MODELS, "small", model)
    found: list[Sizes] = []
    for names in (OPTIONAL, ()):
        cocomp_adapter.main("small", tmp_path / "model.so", str(Options(without=names)))
        found.append(graph._sizes(tmp_path / "model.so"))  # pyright: ignore[reportPrivateUsage]
    assert [sizes.kernels for sizes in found] == [3, 1]
    assert found[0].arena_bytes > found[1].arena_bytes == 0
    assert read_manifest(tmp_path / "model.so").raw["target"] == Options().target


def outcome(model: str, *milliseconds: float | None) -> Outcome:
    """A model with one thread, and a stage without a number dead."""
    results: list[Result] = []
    for stage, time in zip(STAGES, milliseconds, strict=True):
        times = None if time is None else summarise([time])
        results.append(Result(model, 1, stage.name, times, None if times else "it died", error=1e-6))
    counts = (9, 8, 4, 3)
    sizes = {stage.name: Sizes(n, min(n, 7), n << 20) for stage, n in zip(STAGES, counts, strict=True)}
    return Outcome(model, sizes, tuple(results), {})


def test_tables_and_json() -> None:
    failed = Outcome("third", {}, (), {"plain": "cocomp failed: exit 1"})
    run = Run(MACHINE, STAGES, 5, (1,), (outcome("small", 12, 8, 4, 2), outcome("other", 12, None, 4, 2), failed))
    latency, kernels, absent = tables(run)
    assert latency.headers[2:6] == ("plain ms", "+ rewriting ms", "gain", "+ fusion ms")
    assert latency.rows[0] == ("small", "1", "12", "8", "1.50", "4", "2.00", "2", "2.00", "6.00")
    assert latency.rows[1] == ("other", "1", "12", "-", "-", "4", "-", "2", "2.00", "6.00")
    # A mean over other models than its neighbour's would say nothing: only those that ran at every stage count.
    assert latency.rows[3] == ("geometric mean", "1", "-", "-", "1.50", "-", "2.00", "-", "2.00", "6.00")
    assert kernels.rows[0] == ("small", "9 in 7", "8 in 7", "4", "3", "9.44", "8.39", "4.19", "3.15", "1.0e-06")
    assert absent.rows == (("other", "1", "+ rewriting", "it died"), ("third", "-", "plain", "cocomp failed: exit 1"))
    (model, _, _) = run.to_json()["models"]  # pyright: ignore[reportGeneralTypeIssues]
    assert run.to_json()["stages"]["fusion"] == str(Options(without=("layout",)))  # pyright: ignore[reportIndexIssue]
    assert model["sizes"]["fusion"] == {"kernels": 4, "launches": 4, "arena_bytes": 4 << 20}


def test_an_unknown_model_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--models", "lenet"])
    assert ended.value.code == 2
    assert "got lenet" in capsys.readouterr().err
