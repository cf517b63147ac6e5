"""What is left of reshapes, transposes, slices and concatenations: nothing but what the report gives a reason for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cocomp
from cocomp.passes.layout.eliminate_layout_transforms import BORDER, FOREIGN, ROWS
from cocomp.report import report_of
from tests.e2e.test_models import small_bert
from tests.small_models import residual

Example = tuple[nn.Module, tuple[Any, ...]]


class Chain(nn.Module):
    """Reshapes and transposes in a row, between two products."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(24, 48), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x).unflatten(2, (3, 16)).permute(0, 2, 1, 3).reshape(2, 12, -1)
        return self.second(y.mT.reshape(-1, 32).relu())


class Windows(nn.Module):
    """What Swin does but for its attention: windows of a rotated image, there and back, and the merging of patches."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(16), nn.Linear(16, 16)
        self.merged, self.reduce = nn.LayerNorm(64), nn.Linear(64, 32, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x).roll((-2, -2), (1, 2)).unflatten(1, (2, 4)).unflatten(3, (2, 4)).transpose(2, 3)
        y = self.mix(y.reshape(4, 16, 16)).reshape(1, 2, 2, 4, 4, 16).transpose(2, 3).reshape(1, 8, 8, 16)
        x = x + y.roll((2, 2), (1, 2))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduce(self.merged(torch.cat(parts, -1)))


class Tokens(nn.Module):
    """What ViT does before its first layer: patches as tokens, behind one of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.randn(1, 1, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        return F.layer_norm(torch.cat([self.token, y], 1), [16])


MODELS: dict[str, tuple[Callable[[], Example], list[str]]] = {
    "convolutions": (residual, [BORDER]),
    "chain": (lambda: (Chain().eval(), (torch.randn(2, 8, 24),)), []),
    "windows": (lambda: (Windows().eval(), (torch.randn(1, 8, 8, 16),)), []),
    "tokens": (lambda: (Tokens().eval(), (torch.randn(1, 3, 16, 16),)), [FOREIGN]),
    "bert": (small_bert, [ROWS, ROWS]),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_copy_has_its_reason(name: str) -> None:
    make, reasons = MODELS[name]
    torch.manual_seed(0)
    model, inputs = make()
    artifact = cocomp.compile(model, inputs)
    assert [copy["reason"] for copy in report_of(artifact, name)["copies"]] == reasons
    found = artifact.load(1)(*inputs)
    with torch.no_grad():
        expected = model(*inputs)
    if isinstance(expected, torch.Tensor):
        assert float((torch.from_numpy(found) - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
