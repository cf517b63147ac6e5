"""Verification finds the first kernel that is wrong, and only a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp.api import compile_imported, import_model
from cocomp.frontend.imported import Imported
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import context
from cocomp.verify import read_tensor, relative_error, verify, verify_artifact
from tests.small_models import residual

Compiled = tuple[cocomp.Artifact, Imported]


class FoldedNorm(nn.Module):
    """A batch norm that is folded, but whose shift ends up in a kernel of its own: no value in between is one of the model's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x))).mean((2, 3))


def compiled(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Compiled:
    imported = import_model(module, inputs, context())
    imported.examples = [x.numpy() for x in inputs]
    artifact = compile_imported(imported, cocomp.Options())
    assert artifact is not None
    return artifact, imported


@pytest.fixture(scope="module")
def small() -> Compiled:
    return compiled(*residual())


def test_right_artefact_passes(small: Compiled):
    verdicts = verify_artifact(*small, threads=1, tolerance=1e-5)
    assert list(verdicts) == ["example", "random", "structured"]
    assert all(v.passed and v.first is None for v in verdicts.values())


@pytest.mark.parametrize("broken", [1, 3])
def test_first_wrong_kernel_is_named(small: Compiled, broken: int):
    """What a kernel has written is changed behind its back, and everything after it."""
    artifact, imported = small
    assert imported.reference is not None
    dispatches = artifact.manifest["dispatches"]
    place = dispatches[broken]["writes"][0]
    assert place["space"] == "arena"
    with artifact.load(threads=1) as model:

        def run_some(inputs: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, list[np.ndarray]]:
            arena, outputs = model.run_partly(inputs, count)
            if count > dispatches[broken]["launch"]:
                tensor = read_tensor(place, arena, outputs)
                tensor[...] = tensor + 1
                outputs = [o + 1 for o in outputs]
            return arena, outputs

        verdict = verify(imported.reference, artifact.manifest, imported.examples, run_some, 1e-4)
    assert not verdict.passed
    assert verdict.first is not None
    assert verdict.first.kernel == dispatches[broken]["kernel"]
    assert verdict.first.layer == dispatches[broken]["layer"]
    assert "small_models.py" in verdict.first.source
    assert str(verdict.first).startswith(f"kernel '{verdict.first.kernel}' of {verdict.first.layer} (")


def test_values_that_are_not_the_model_s_are_skipped():
    artifact, imported = compiled(FoldedNorm().eval(), (torch.randn(1, 3, 8, 8),))
    assert imported.reference is not None
    with artifact.load(threads=1) as model:
        verdict = verify(imported.reference, artifact.manifest, imported.examples, model.run_partly, 0.0)
    assert verdict.first is None or verdict.first.error < 1e-5


def test_model_without_original_is_refused(small: Compiled):
    imported = Imported(small[1].module, small[1].weights, None, small[1].examples)
    with pytest.raises(CompileError, match="there is no original to compare with"):
        verify_artifact(small[0], imported, 1, 1e-4)


def test_output_without_original_is_refused(small: Compiled):
    artifact, imported = small

    class Silent:
        outputs = ("y",)

        def values(self, inputs: Sequence[np.ndarray], nodes: set[str]) -> dict[str, np.ndarray]:
            return {}

    with artifact.load() as model, pytest.raises(CompileError, match="the original gives no value for the output y"):
        verify(Silent(), artifact.manifest, imported.examples, model.run_partly, 1e-4)


ERRORS = [
    ([1.0, 2.0], [1.0, 2.0], 0.0),
    ([1.0, 2.2], [1.0, 2.0], 0.1),
    ([np.nan, np.inf], [np.nan, np.inf], 0.0),
    ([1.0, np.nan], [1.0, 2.0], np.inf),
    ([np.inf], [-np.inf], np.inf),
    ([0.5], [0.0], 0.5),
    ([], [], 0.0),
]


@pytest.mark.parametrize(("actual", "expected", "error"), ERRORS, ids=range(len(ERRORS)))
def test_relative_error(actual: list[float], expected: list[float], error: float):
    assert relative_error(np.array(actual), np.array(expected)) == pytest.approx(error)
