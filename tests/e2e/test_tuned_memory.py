"""Memory of tensors on GPUs by measuring: kernels are measured with the memory that they will have, and whatever it is, the model
computes what PyTorch computes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp import Options, driver
from cocomp.pipeline import FROM_SHADES
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import State, run_passes
from cocomp.support.weights import WeightStore
from tests.vulkan import needs_device

Example = tuple[torch.export.ExportedProgram, torch.Tensor]
Measure = Callable[..., np.ndarray]
AN_OUTPUT = "it is an output of the model"


@pytest.fixture(scope="module")
def example() -> Example:
    """Convolutions with a branch that is concatenated, rows that are no whole texels, and a pool."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.left = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(16, 8, 1)
            self.right, self.odd, self.last = nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(32, 6, 1), nn.Conv2d(6, 20, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.first(x))
            x = torch.cat([torch.relu(self.left(x)), torch.relu(self.right(x))], 1)
            return self.last(torch.relu(self.odd(x))).amax((2, 3))

    torch.manual_seed(5)
    x = torch.randn(1, 4, 14, 14)
    return torch.export.export(Model().eval(), (x,)), x


def compiled(example: Example, options: Options) -> tuple[cocomp.Artifact, Counter[str]]:
    """Compile and compare; how many tensors are in which memory."""
    program, x = example
    artifact = cocomp.compile(program, options=options)
    expected = program.module()(x).detach().numpy()
    assert np.abs(artifact.load()(x) - expected).max() <= 1e-4 * np.abs(expected).max()
    written = [w for d in artifact.manifest["dispatches"] for w in d["writes"]]
    return artifact, Counter(w["space"] for w in written if w["in_buffer"] != AN_OUTPUT)


def never(*_: object) -> np.ndarray:
    raise AssertionError("measured again")


def images_take(change: int) -> Measure:
    """Instead of being run, every kernel takes so much more for each of its tensors that is an image."""

    def measure(module: Any, *_: object) -> np.ndarray:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        calls = [op for op in ops_in(functions["main"].regions[0].blocks[0]) if op.name == "func.call"]
        texts = [[str(a) for a in functions[c.attributes["callee"].value].attributes["arg_attrs"]] for c in calls]
        results = [str(functions[c.attributes["callee"].value].attributes["res_attrs"]) for c in calls]
        images = [sum("texture" in t for t in (*own, made)) for own, made in zip(texts, results, strict=True)]
        return np.array([[1000 + change * count for count in images]] * 8)

    return measure


@needs_device
def test_kernels_are_measured_with_the_memory_that_they_will_have(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials: dict[str, set[str]] = {}

    def measure(module: Any, weights: WeightStore, target: Any, *_: object) -> np.ndarray:
        copy = ir.Module.parse(str(module), module.context)
        count = sum(op.name == "func.call" for op in ops_in(ops_in(copy.body)[-1].regions[0].blocks[0]))
        run_passes([step.what for step in FROM_SHADES], copy, State(target, WeightStore(weights)))
        for kernel in ops_in(copy.body):
            name = kernel.attributes["sym_name"].value
            if name.startswith("group"):
                found = sorted(a.value for a in kernel.attributes["kernel.bindings"])
                trials.setdefault(name.rpartition("_")[0], set()).add(str(found))
        return np.full((8, count), 1000)

    monkeypatch.setattr(driver, "measure_here", measure)
    monkeypatch.setattr("cocomp.passes.kernel._tuning.MOST", 1)
    database = tmp_path / "t.sqlite"
    compiled(example, Options(target="vulkan", memory="texture", tune=1e6, tune_database=database, dump_ir=tmp_path))
    text = next(tmp_path.glob("*_kernels.mlir")).read_text()
    kernels = re.findall(r"func private @(\w+)\(.*kernel\.bindings = \[(.*?)\]", text)
    made = {name: str(sorted(re.findall(r'"(.*?)"', bindings))) for name, bindings in kernels}
    assert {name: {made[name]} for name in trials} == trials
    assert sum("image" in bindings for bindings in made.values()) >= 2


@needs_device
def test_tensors_move_where_their_kernels_are_faster(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured once is taken from the database the next time, but on another GPU."""
    file = tmp_path / "t.sqlite"
    _, asked = compiled(example, Options(target="vulkan", memory="texture"))
    monkeypatch.setattr(driver, "measure_here", images_take(-200))
    first, spaces = compiled(example, Options(target="vulkan", tune=1e6, tune_database=file))
    assert spaces == asked and spaces["image"] >= 2 and spaces["arena"] >= 1
    monkeypatch.setattr(driver, "measure_here", never)
    again, spaces = compiled(example, Options(target="vulkan", tune=0, tune_database=file))
    assert spaces == asked and again.data == first.data
    monkeypatch.setattr(driver, "device_here", lambda: "another")
    assert "image" not in compiled(example, Options(target="vulkan", tune=0, tune_database=file))[1]


@needs_device
def test_images_become_buffers_where_these_are_faster(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(target="vulkan", cpu="adreno", tune=1e6, tune_database=tmp_path / "t.sqlite")
    assert compiled(example, Options(target="vulkan", cpu="adreno"))[1]["image"] >= 2
    monkeypatch.setattr(driver, "measure_here", images_take(200))
    artifact, spaces = compiled(example, options)
    assert "image" not in spaces
    reasons = {w["in_buffer"] for d in artifact.manifest["dispatches"] for w in d["writes"]}
    assert "its kernels are faster with a buffer" in reasons


@needs_device
def test_what_is_measured_in_one_memory_says_nothing_of_another(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.sqlite"
    monkeypatch.setattr(driver, "measure_here", images_take(0))
    compiled(example, Options(target="vulkan", memory="buffer", tune=1e6, tune_database=file))
    known = {
        memory: compiled(example, Options(target="vulkan", memory=memory, tune=0, tune_database=file))[0]
        for memory in ("buffer", "texture")
    }
    assert len(known["buffer"].facts["tune-contractions"]) > len(known["texture"].facts.get("tune-contractions", {}))


@needs_device
def test_memory_is_measured(example: Example, tmp_path: Path) -> None:
    """Nothing replaced: kernels are compiled and run with their tensors in both kinds of memory."""
    compiled(example, Options(target="vulkan", tune=1, tune_database=tmp_path / "t.sqlite"))
