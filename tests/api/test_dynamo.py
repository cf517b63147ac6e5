"""torch.compile(model, backend="cocomp")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from cocomp import dynamo
from cocomp.support.diagnostics import CompileError
from tests.small_models import residual


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Several(nn.Module):
    """Results that are tensors, sizes and nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.offset = torch.ones(4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int, None, torch.Tensor]:
        return self.linear(x) + self.offset, x.shape[0], None, x * 2


def agree(compiled: Callable[..., Any], module: nn.Module, x: torch.Tensor) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(compiled(x), module(x), atol=1e-5, rtol=1e-4)


def test_backend_is_found_by_name():
    assert "cocomp" in torch._dynamo.list_backends()


def test_network_shapes_and_weights():
    module, (x,) = residual()
    compiled = torch.compile(module, backend="cocomp")
    agree(compiled, module, x)
    agree(compiled, module, torch.randn(1, 3, 10, 10))
    with torch.no_grad():
        module.get_parameter("head.weight").mul_(2)
    agree(compiled, module, x)


def test_results_that_are_no_tensors():
    module = Several().eval()
    compiled = torch.compile(module, backend="cocomp", options={"threads": 1})
    for rows in (2, 3, 4):  # dynamic from the second on
        x = torch.randn(rows, 4)
        with torch.inference_mode():
            results, wanted = compiled(x), module(x)
        torch.testing.assert_close(results, wanted, atol=1e-5, rtol=1e-4)
        assert results[1:3] == (rows, None)


def test_artefacts_are_kept(monkeypatch: pytest.MonkeyPatch):
    module, (x,) = residual()
    agree(torch.compile(module, backend="cocomp"), module, x)
    torch._dynamo.reset()
    monkeypatch.setattr(dynamo, "compile_model", None)  # would fail when called
    agree(torch.compile(module, backend="cocomp"), module, x)


def test_function_without_weights():
    compiled = torch.compile(lambda a, b: torch.softmax(a @ b, -1), backend="cocomp")
    a, b = torch.randn(4, 8), torch.randn(8, 4)
    with torch.inference_mode():
        torch.testing.assert_close(compiled(a, b), torch.softmax(a @ b, -1), atol=1e-5, rtol=1e-4)


def test_training_is_refused():
    module, (x,) = residual()
    with pytest.raises(CompileError, match="compiles for inference, and gradients are asked for") as caught:
        torch.compile(module, backend="cocomp")(x)
    assert "torch.inference_mode()" in caught.value.notes[0]


def test_other_devices_are_refused():
    graph = torch.fx.symbolic_trace(nn.ReLU())
    with pytest.raises(CompileError, match="runs on the CPU, got a tensor on meta"):
        dynamo.CompiledGraph(graph, dynamo.Options(), 0)(torch.ones(3, device="meta"))


def test_wrong_options_are_refused():
    module, (x,) = residual()
    with pytest.raises(Exception, match="unknown precision 'f12'"), torch.inference_mode():
        torch.compile(module, backend="cocomp", options={"precision": "f12"})(x)
