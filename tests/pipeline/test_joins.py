"""Yellow cells are decided by the cost model, or by what was measured on the target, which is kept for other models."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp import driver
from cocomp.artifact import Artifact


class Normalised(nn.Module):
    """A softmax of rows under a name, and of so many of them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        setattr(self, name, nn.Softmax(-1))
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(x * 2)


def compiled(name: str, file: Path | None, tune: float | None, rows: int = 8, threads: int = 1) -> Artifact:
    """A module that gives PyTorch's results, whatever kernels it has."""
    model, x = Normalised(name), torch.randn(rows, 64)
    options = cocomp.Options(tune=tune, tune_database=file, threads=threads)
    artifact = cocomp.compile(model, (x,), options=options)
    np.testing.assert_allclose(artifact.load()(x), model(x).numpy(), atol=1e-6)
    return artifact


def joins(file: Path) -> list[tuple[Any, ...]]:
    return sqlite3.connect(file).execute("SELECT key, layer, pays, gain FROM joins ORDER BY key").fetchall()


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Instead of being run, every kernel takes as long, so that two take twice as long as one. Names of the kernels of each trial."""
    seen: list[list[str]] = []

    def measure(module: Any, *_: object) -> np.ndarray:
        kernels = [str(op.attributes["sym_name"].value) for op in module.body.operations][1:]
        seen.append(kernels)
        return np.array([[100] * len(kernels)] * 8)

    monkeypatch.setattr(driver, "measure_here", measure)
    return seen


@pytest.fixture
def alone_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """One kernel of two operations takes ten times as long as both on their own."""

    def measure(module: Any, *_: object) -> np.ndarray:
        names = [str(op.attributes["sym_name"].value) for op in module.body.operations]
        calls = list(module.body.operations[names.index("main")].regions[0].blocks[0].operations)[:-1]
        return np.array([[1000 if "group_0" in str(call) else 50 for call in calls]] * 8)

    monkeypatch.setattr(driver, "measure_here", measure)


def test_predicted_where_nothing_is_tuned(trials: Sequence[list[str]]) -> None:
    (softmax,) = compiled("rows", None, None).manifest["dispatches"]
    assert len(softmax["nodes"]) >= 2 and not trials


def test_joins_are_measured_once_and_known_to_other_models(here: Path, trials: list[list[str]]) -> None:
    file = here / "t.sqlite"
    assert len(compiled("rows", file, 100.0).manifest["dispatches"]) == 1
    assert trials and all({"group_0", "group_1", "group_2"} <= set(kernels) for kernels in trials)
    known = joins(file)
    assert {(layer, pays) for _, layer, pays, _ in known} == {("rows", 1)}
    trials.clear()
    for tune in (100.0, 0.0):
        assert len(compiled("others", file, tune).manifest["dispatches"]) == 1
        assert not trials and joins(file) == known


@pytest.mark.parametrize(("rows", "threads"), [(9, 1), (8, 2)])
def test_joins_hang_on_shapes_and_threads(here: Path, trials: list[list[str]], rows: int, threads: int) -> None:
    compiled("rows", here / "t.sqlite", 100.0)
    known = joins(here / "t.sqlite")
    compiled("rows", here / "t.sqlite", 100.0, rows, threads)
    assert len(joins(here / "t.sqlite")) == 2 * len(known)


@pytest.mark.usefixtures("alone_is_faster")
def test_what_is_faster_apart_stays_apart(here: Path) -> None:
    kernels = compiled("rows", here / "t.sqlite", 100.0).manifest["dispatches"]
    assert len(kernels) > 1
    assert {pays for _, _, pays, _ in joins(here / "t.sqlite")} == {0}
    assert min(gain for _, _, _, gain in joins(here / "t.sqlite")) >= 10
    assert len(compiled("rows", here / "t.sqlite", 0.0).manifest["dispatches"]) == len(kernels)
    assert len(compiled("rows", None, None).manifest["dispatches"]) == 1


def test_without_time_joins_are_predicted(here: Path, trials: list[list[str]]) -> None:
    compiled("rows", here / "t.sqlite", 1e-9)
    assert len(joins(here / "t.sqlite")) == 1
    assert len(compiled("rows", here / "t.sqlite", 0.0).manifest["dispatches"]) == 1


def test_joins_are_measured(here: Path) -> None:
    """Nothing replaced: kernels are compiled and run."""
    compiled("rows", here / "t.sqlite", 4.0)
    assert all(gain >= 1 for _, _, _, gain in joins(here / "t.sqlite"))
