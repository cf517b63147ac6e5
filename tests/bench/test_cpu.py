"""`benchmarks.cpu`: who cannot run a model is listed with the reason, and the run goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cpu
from benchmarks.machine import Machine, Peak
from benchmarks.models import MODELS
from benchmarks.peers.adapter import save_arrays
from benchmarks.peers.catalogue import Contender
from benchmarks.peers.environments import Environment
from benchmarks.peers.export import Artefact
from benchmarks.peers.sources import DONE, INPUTS, ExportError, Sources
from benchmarks.report import TITLES, Run, tables

ADAPTERS = """
import os, numpy

class Double:
    def load(self, path, threads, inputs): pass
    def run(self, inputs): return 2 * inputs[0]

class Wrong(Double):
    def run(self, inputs): return 3 * inputs[0]

class Rounded(Double):
    def run(self, inputs): return 2.1 * inputs[0]

class Turned(Double):
    def run(self, inputs): return 2 * inputs[0][::-1].copy()

class Dies(Double):
    def run(self, inputs): os._exit(3)

class Refuses(Double):
    def load(self, path, threads, inputs): raise ValueError("no such operator: Fold")
"""


def converted(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    return Artefact(directory, 0)


def unconverted(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    raise ExportError("its converter knows no Fold")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A model that doubles its input."""
    x = np.arange(6, dtype=np.float32)
    for kind in INPUTS:
        save_arrays(tmp_path / f"{kind}.npz", [x])
        save_arrays(tmp_path / f"{kind}-reference.npz", [2 * x], "output")
    (tmp_path / DONE).write_text('{"weight_bytes": 0, "flops": 12}')
    return Sources("double", tmp_path)


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The module with engines, where workers find it."""
    (tmp_path / "engines.py").write_text(ADAPTERS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(cpu.__file__).parents[1]}")
    return "engines"


def contender(name: str, adapter: str) -> Contender:
    return Contender(name, name, None, converted, adapter)


def run(models: Sequence[str], contenders: Sequence[Contender]) -> Run:
    return cpu.run(models, contenders, [1], 1, lambda _: None)


def test_the_run_goes_on(sources: Sources, adapters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu.machine, "measure", lambda _: Machine("a processor", 16, {}, (Peak(1, 100, {}),)))
    names = ("Double", "Wrong", "Dies", "Refuses")
    contenders = [contender(name.lower(), f"{adapters}:{name}") for name in names]
    contenders.append(dataclasses.replace(contender("unconverted", ""), convert=unconverted))
    half = [contender(name, f"{adapters}:{name.title()}") for name in ("rounded", "turned")]
    contenders += [dataclasses.replace(each, tolerance=2.0) for each in half]
    monkeypatch.setattr("benchmarks.report.TITLES", {**TITLES, **{each.name: each.title for each in contenders}})

    def ensure(model: str) -> Sources:
        if model == "unexported":
            raise ExportError("export failed: exit 1")
        return sources

    monkeypatch.setattr(cpu, "ensure_sources", ensure)
    found = run(["unexported", "double"], contenders)
    reasons = {(r.model, r.contender): r.reason for r in found.results}
    assert {reasons[("unexported", each.name)] for each in contenders} == {"export failed: exit 1"}
    assert reasons[("double", "double")] is None
    assert reasons[("double", "wrong")] == "wrong result: error 0.5 of the greatest output"
    assert reasons[("double", "dies")] == "exit 3"
    assert reasons[("double", "refuses")] == "ValueError: no such operator: Fold"
    assert reasons[("double", "unconverted")] == "its converter knows no Fold"
    assert reasons[("double", "rounded")] is None
    assert (
        reasons[("double", "turned")] == "wrong result: another element of the output is the greatest for random inputs"
    )
    assert found.medians("double", 1).keys() == {"double", "rounded"}
    (*_, absent) = tables(found)
    assert ("double", "1", "refuses", "ValueError: no such operator: Fold") in absent.rows


def test_models_are_chosen_by_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Sequence[str]] = []

    def stop(models: Sequence[str], *_: object) -> Run:
        chosen.append(models)
        raise KeyboardInterrupt

    monkeypatch.setattr(cpu, "run", stop)
    for text in ("*", "gru,resnet*,gru"):
        with pytest.raises(KeyboardInterrupt):
            cpu.main(["--models", text])
    assert chosen == [tuple(MODELS), ("gru", "resnet18", "resnet50", "resnet50_bcr8")]


@pytest.mark.parametrize("arguments", [["--models", "lenet"], ["--peers", "lenet"]])
def test_unknown_names(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cpu.main(arguments)
    assert ended.value.code == 2
    assert "got lenet" in capsys.readouterr().err
