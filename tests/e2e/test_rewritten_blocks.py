"""Blocks that rewriting makes cheaper, against PyTorch, with what the report says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from benchmarks.models import calibrate
from cocomp.passes.tensor.rewrite_algebra import RewriteAlgebraPass
from cocomp.report import page, report_of


class Branches(nn.Module):
    """RepVGG's block (arXiv 2101.03697) as it is trained: 3x3, 1x1 and the image, each with a batch norm."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.narrow = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norms[0](self.wide(x)) + self.norms[1](self.narrow(x)) + self.norms[2](x))


class Attention(nn.Module):
    """Self-attention with a linear layer each for queries, keys and values."""

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        split = (batch, tokens, self.heads, width // self.heads)
        q, k, v = (layer(x).view(split).transpose(1, 2) for layer in (self.query, self.key, self.value))
        return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)


class Inception(nn.Module):
    """1x1 convolutions of one image side by side, of which averages are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(32, channels, 1) for channels in (16, 24, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.relu(b(x)).mean((2, 3)) for b in self.branches], 1)


class Chain(nn.Module):
    """Linear layers with nothing between them, the second one narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 256), nn.Linear(256, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


BLOCKS: dict[str, tuple[type[nn.Module], tuple[int, ...], str]] = {
    "branches": (Branches, (1, 24, 14, 14), "identity-branch"),
    "attention": (Attention, (1, 20, 64), "merge-parallel"),
    "inception": (Inception, (1, 32, 14, 14), "merge-parallel"),
    "chain": (Chain, (8, 64), "merge-products"),
}


def without_rewriting(monkeypatch: pytest.MonkeyPatch, module: nn.Module, inputs: Any) -> cocomp.Artifact:
    """The artefact that there would be without the pass."""
    with monkeypatch.context() as patched:
        patched.setattr(RewriteAlgebraPass, "run", lambda *_: None)
        return cocomp.compile(module, inputs)


@pytest.mark.parametrize("name", list(BLOCKS))
def test_a_block_gets_cheaper_and_stays_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    build, shape, rule = BLOCKS[name]
    inputs = (torch.randn(shape),)
    module = calibrate(build().eval(), inputs)
    plain = report_of(without_rewriting(monkeypatch, module, inputs), name)
    artifact = cocomp.compile(module, inputs)
    described = report_of(artifact, name)
    with torch.no_grad(), artifact.load(threads=1) as model:
        expected = module(*inputs).numpy()
        np.testing.assert_allclose(model.run(inputs)[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    rewriting = described["rewriting"]
    assert rule in {r for step in rewriting["steps"] for r in step["rules"]}
    assert rewriting["after"]["cycles"] < rewriting["before"]["cycles"]
    assert all(step["layer"] for step in rewriting["steps"])
    totals, before = described["totals"], plain["totals"]
    assert totals["dispatches"] < before["dispatches"]
    assert totals["flops"] <= before["flops"]
    assert "<h2>Rewriting</h2>" in page(described) and rule in page(described)
    assert plain["rewriting"] is None and "<h2>Rewriting</h2>" not in page(plain)
