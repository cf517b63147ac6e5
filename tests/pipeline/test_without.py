"""Compilations that leave something out: they differ from PyTorch by no more than others do, and show what is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from benchmarks.models import calibrate
from cocomp.artifact import Artifact
from cocomp.options import OPTIONAL

SETS = [OPTIONAL, ("fusion", "layout"), ("rewriting", "layout"), ("layout",), ("fusion",), ("rewriting",)]


class Bottleneck(nn.Module):
    """Convolutions of every kind with batch norms, a gate, a shortcut, a concatenation and a rotation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 5, 2, padding=2, groups=16), nn.BatchNorm2d(16), nn.SiLU())
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Sigmoid())
        self.pool = nn.MaxPool2d(3, 1, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        value = self.depthwise(self.first(image))
        value = value + self.gate(value) * self.grouped(value)
        return torch.cat((self.pool(value), value.roll(2, dims=3)), 1)


class Attention(nn.Module):
    """Two heads over one product of queries, keys and values, between layer norms."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(24), nn.LayerNorm(24)
        self.mixed, self.out = nn.Linear(24, 72), nn.Linear(24, 24)
        self.wide = nn.Sequential(nn.Linear(24, 60), nn.GELU(), nn.Linear(60, 24))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        mixed = self.mixed(self.before(tokens)).unflatten(2, (3, 2, 12)).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(mixed[0] @ mixed[1].transpose(-1, -2) / 12**0.5, dim=-1)
        tokens = tokens + self.out((scores @ mixed[2]).transpose(1, 2).flatten(2))
        return tokens + self.wide(self.after(tokens))


def convolutional() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(1)
    image = torch.randn(1, 3, 20, 28)
    return calibrate(Bottleneck(), (image,)), image


def attention() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(2)
    return Attention().eval(), torch.randn(2, 11, 24)


def compiled(module: nn.Module, x: torch.Tensor, *without: str) -> Artifact:
    """The artefact, compared with PyTorch."""
    artifact = cocomp.compile(module, (x,), options=cocomp.Options(without=without))
    with torch.no_grad():
        expected = module(x).numpy()
    with artifact.load(threads=2) as model:
        np.testing.assert_allclose(model(x), expected, atol=2e-5 * float(np.abs(expected).max()), rtol=0)
    return artifact


@pytest.mark.parametrize("without", SETS, ids="-".join)
@pytest.mark.parametrize("make", [convolutional, attention])
def test_results_are_those_of_pytorch(make: type, without: tuple[str, ...]) -> None:
    compiled(*make(), *without)


def operators(artifact: Artifact) -> list[str]:
    """The layer of each kernel."""
    return [dispatch["layer"] for dispatch in artifact.manifest["dispatches"]]


def test_without_fusion_an_operator_is_a_kernel() -> None:
    """Batch norm and GELU, which come in parts, are one each; convolutions have a kernel more for their padding."""
    module, image = convolutional()
    layers = operators(compiled(module, image, *OPTIONAL))
    for layer, kernels in {
        "first.0": 2,
        "first.1": 1,
        "first.2": 1,
        "depthwise.1": 1,
        "gate.1": 1,
        "gate.2": 1,
    }.items():
        assert layers.count(layer) == kernels, layer
    module, tokens = attention()
    layers = operators(compiled(module, tokens, *OPTIONAL))
    assert [layers.count(layer) for layer in ("before", "mixed", "wide.0", "wide.1", "wide.2")] == [1] * 5
    assert len(operators(compiled(module, tokens))) < len(layers)


def test_without_rewriting_batch_norms_stay() -> None:
    module, image = convolutional()
    artifact = compiled(module, image, "rewriting", "fusion")
    assert "first.1" in operators(artifact) and "rewrite-algebra" not in artifact.facts
    assert "first.1" not in operators(compiled(module, image, "fusion"))


def test_names_that_are_not_known() -> None:
    with pytest.raises(cocomp.UsageError, match="without 'tiling': expected some of rewriting, fusion, layout"):
        cocomp.Options(without=("tiling",))


def test_the_order_of_names_does_not_matter() -> None:
    options = cocomp.Options(without=("layout", "fusion", "layout"))
    assert options == cocomp.Options(without=("fusion", "layout"))
    assert "without=fusion,layout" in str(options).split()
    assert cocomp.Options.parse(str(options)) == options
    assert cocomp.Options.parse("without=layout, fusion".replace(" ", "")).digest == options.digest
