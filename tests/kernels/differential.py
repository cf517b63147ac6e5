"""Many operations in one model, each compared with PyTorch: one compilation pays for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp import Options
from tests.vulkan import needs_device

TOLERANCE = 2e-5
on_cpus_and_beside_gpus = pytest.mark.parametrize(
    ("target", "fallback"), [("host", "none"), pytest.param("vulkan", "cpu", marks=needs_device)], ids=["cpu", "gpu"]
)
"""For tests of what GPUs leave to the CPU."""


@dataclass(frozen=True)
class Case:
    """An operation under test: a module or function, and the tensors it is applied to."""

    name: str
    operation: Callable[..., Any]
    inputs: tuple[Tensor, ...]
    tolerance: float = TOLERANCE


class Together(nn.Module):
    """All cases in one model: inputs side by side, results one after the other."""

    def __init__(self, cases: Sequence[Case]) -> None:
        super().__init__()
        self.operations = [c.operation for c in cases]
        self.counts = [len(c.inputs) for c in cases]
        self.modules_of_cases = nn.ModuleList(o for o in self.operations if isinstance(o, nn.Module))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        results: list[Tensor] = []
        start = 0
        for operation, count in zip(self.operations, self.counts, strict=True):
            result = operation(*inputs[start : start + count])
            results += result if isinstance(result, tuple | list) else [result]
            start += count
        return tuple(results)


def check(*cases: Case, threads: Sequence[int] = (2,), target: str = "host", fallback: str = "none") -> None:
    """Compile all cases as one model and compare every result with PyTorch's."""
    module = Together(cases).eval()
    inputs = [x for c in cases for x in c.inputs]
    artifact = cocomp.compile(module, inputs, options=Options(target=target, fallback=fallback))
    expected = [references(c) for c in cases]
    for count in threads:
        with artifact.load(threads=count) as model:
            found = iter(model.run(inputs))
            problems = [
                p for c, r in zip(cases, expected, strict=True) for e in r if (p := difference(c, next(found), e))
            ]
        assert not problems, f"{count} threads:\n" + "\n".join(problems)


def references(case: Case) -> list[np.ndarray]:
    """What PyTorch computes."""
    with torch.no_grad():
        result = case.operation(*case.inputs)
    results = result if isinstance(result, tuple | list) else [result]
    return [r.detach().contiguous().numpy() for r in results]


def difference(case: Case, found: np.ndarray, expected: np.ndarray) -> str:
    """What is wrong with a result; empty when nothing is. Floats are compared relative to the largest one."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{case.name}: expected {expected.dtype}{expected.shape}, got {found.dtype}{found.shape}"
    if not np.issubdtype(expected.dtype, np.floating):
        wrong = np.flatnonzero(found.ravel() != expected.ravel())
        return f"{case.name}: {_first(wrong, found, expected)}" if wrong.size else ""
    finite = np.isfinite(expected)
    special = np.flatnonzero((~finite & ~((found == expected) | (np.isnan(found) & np.isnan(expected)))).ravel())
    if special.size:
        return f"{case.name}: {_first(special, found, expected)}"
    scale = max(float(np.abs(expected[finite]).max(initial=0.0)), 1e-6)
    error = np.where(finite, np.abs(found.astype(np.float64) - expected), 0.0) / scale
    error = np.where(np.isnan(error), np.inf, error)
    wrong = np.flatnonzero((error > case.tolerance).ravel())
    return f"{case.name}: relative error {error.max():.3g}, {_first(wrong, found, expected)}" if wrong.size else ""


def _first(wrong: np.ndarray, found: np.ndarray, expected: np.ndarray) -> str:
    at = tuple(int(i) for i in np.unravel_index(wrong[0], expected.shape))
    return f"{wrong.size} of {expected.size} wrong, first at {list(at)}: expected {expected[at]}, got {found[at]}"
