"""What torch.export gives and we refuse, each with its place and a way out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cocomp.api import import_model
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import context


class Complex(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft(x).real


class DataDependent(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0]


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum() > 0 else x - 1


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count: torch.Tensor
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count.add_(1)
        return x + self.count


class NoTensor(nn.Module):
    def forward(self, x: torch.Tensor) -> int:
        return x.shape[0]


CASES = [
    (Complex, "complex numbers, which are not supported", "two real tensors"),
    (DataDependent, "depends on values", "replace selecting elements by masking them"),
    (Branching, "torch.export cannot export the model", "shows the whole message"),
    (Counting, "the model changes its buffer or input 'count'", "export an inference graph"),
    (NoTensor, "the model returns no tensor", "return at least one tensor"),
]


@pytest.mark.parametrize(("network", "message", "note"), CASES, ids=[c[0].__name__ for c in CASES])
def test_model_is_rejected(network: type[nn.Module], message: str, note: str):
    with pytest.raises(CompileError) as caught:
        import_model(network(), (torch.randn(4, 4),), context())
    assert message in caught.value.message
    assert any(note in n for n in caught.value.notes)


def test_dynamic_shapes_are_refused(network: tuple[nn.Module, tuple[torch.Tensor, ...]]):
    batch = {0: torch.export.Dim("batch", min=1, max=8)}
    program = torch.export.export(network[0], (torch.randn(2, 3, 8, 8),), dynamic_shapes=(batch,))
    with pytest.raises(CompileError, match="input 'x' has a dynamic shape"):
        import_model(program, (), context())


def test_what_is_no_module_is_refused():
    with pytest.raises(CompileError, match=r"expected a torch.nn.Module or an exported program, got int"):
        import_model(3, (), context())


def test_example_inputs_are_asked_for(network: tuple[nn.Module, tuple[torch.Tensor, ...]]):
    with pytest.raises(CompileError, match="expected example inputs to export the model with"):
        import_model(network[0], (), context())
