"""Pruned weights: results are PyTorch's whatever zeros there are and whichever encoding is found for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from differential import Case, check
from torch import nn

import cocomp


def rows_and_columns(weight: torch.Tensor) -> torch.Tensor:
    """BCR: blocks of 8 rows keep whole columns (and some lose whole rows)."""
    matrix = weight.flatten(1)
    mask = torch.zeros_like(matrix)
    for first in range(0, len(matrix), 8):
        mask[first : first + 8, torch.randperm(matrix.shape[1])[: max(1, matrix.shape[1] // 4)]] = 1
        mask[first + 1 : first + 2] = 0
    return mask.reshape(weight.shape)


def kernel_groups(weight: torch.Tensor) -> torch.Tensor:
    """KGS: groups of 4 filters x 4 channels share kept kernel positions."""
    mask = torch.zeros_like(weight).reshape(*weight.shape[:2], -1)
    for r in range(0, mask.shape[0], 4):
        for c in range(0, mask.shape[1], 4):
            mask[r : r + 4, c : c + 4, torch.randperm(mask.shape[2])[: max(1, mask.shape[2] // 3)]] = 1
    return mask.reshape(weight.shape)


PATTERNS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bcr": rows_and_columns,
    "kgs": kernel_groups,
    "anywhere": lambda w: (torch.rand_like(w) < 0.1).float(),
    "half": lambda w: (torch.rand_like(w) < 0.5).float(),
    "filters": lambda w: (torch.arange(len(w)) % 3 == 0).float().view(-1, *[1] * (w.dim() - 1)).expand_as(w),
    "channels": lambda w: (torch.arange(w.shape[1]) % 4 == 1).float().view(1, -1, *[1] * (w.dim() - 2)).expand_as(w),
    "nothing kept": torch.zeros_like,
    "one kept": lambda w: torch.zeros_like(w).index_fill(0, torch.tensor([1]), 1.0),
}
STRUCTURES = ("bcr", "kgs", "anywhere")


def pruned(layer: nn.Module, pattern: str) -> nn.Module:
    """The layer with what the pattern does not keep set to zero."""
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    with torch.no_grad():
        weight.mul_(PATTERNS[pattern](weight))
    return layer


@pytest.mark.parametrize("pattern", list(PATTERNS))
def test_pruned_layers(pattern: str) -> None:
    torch.manual_seed(len(pattern))
    layers: list[tuple[nn.Module, tuple[int, ...]]] = [
        (nn.Conv2d(16, 32, 3, padding=1), (1, 16, 14, 15)),
        (nn.Conv2d(64, 40, 1), (1, 64, 9, 9)),
        (nn.Conv2d(32, 64, 3, padding=1), (1, 32, 28, 28)),
        (nn.Conv2d(12, 17, 3, stride=2, dilation=1), (2, 12, 13, 11)),
        (nn.Conv2d(16, 32, 3, groups=2), (1, 16, 10, 10)),
        (nn.Conv3d(8, 16, 3, padding=1), (1, 8, 4, 9, 9)),
        (nn.Conv1d(16, 24, 5, padding=2), (1, 16, 33)),
        (nn.Linear(96, 80), (3, 96)),
        (nn.Linear(128, 64), (1, 128)),
        (nn.ConvTranspose2d(16, 8, 2, stride=2), (1, 16, 7, 7)),
    ]
    cases = []
    if pattern not in STRUCTURES:  # zeros of no structure: half of the layers for each pattern, all of them over two
        layers = layers[list(PATTERNS).index(pattern) % 2 :: 2]
    for layer, shape in layers:
        follow = nn.Sequential(pruned(layer, pattern), nn.ReLU())
        cases.append(Case(f"{pattern} {layer}", follow, (torch.randn(shape),)))
    check(*cases, threads=(1, 2))


class Chain(nn.Module):
    """Pruned convolutions one after the other, where layouts of one suit the next, with a residual and a pool."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.middle = nn.ModuleList(pruned(nn.Conv2d(32, 32, 3, padding=1), pattern) for _ in range(3))
        self.last = pruned(nn.Linear(32, 10), "anywhere")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        for layer in self.middle:
            x = layer(x).relu() + x
        return self.last(nn.functional.max_pool2d(x, 2).mean((2, 3)))


@pytest.mark.parametrize("pattern", ["bcr", "kgs", "anywhere"])
def test_pruned_networks(pattern: str) -> None:
    torch.manual_seed(7)
    check(Case(pattern, Chain(pattern).eval(), (torch.randn(1, 3, 24, 20),)), threads=(1, 2))


def test_zeros_are_left_out() -> None:
    """A block-pruned layer stores and computes a fraction of the dense one."""
    torch.manual_seed(8)
    x = torch.randn(1, 64, 28, 28)
    dense = cocomp.compile(nn.Conv2d(64, 128, 1).eval(), (x,))
    sparse = cocomp.compile(pruned(nn.Conv2d(64, 128, 1), "bcr").eval(), (x,))
    assert sparse.manifest["dispatches"][0]["facts"]["encoding"].startswith("bcr")
    assert len(sparse.data) < len(dense.data)


def test_sparse_tensors_of_pytorch() -> None:
    torch.manual_seed(9)
    layer = pruned(nn.Linear(32, 16), "anywhere")
    check(Case("spread", layer, (torch.randn(5, 32),)))


@pytest.mark.parametrize("width", [64, 56, 52])
def test_a_pool_between_channels_last_and_planes(width: int) -> None:
    """Minimal filtering writes channels last, the pruned layer asks for planes: the pool turns its registers."""
    torch.manual_seed(width)
    layers = [nn.Conv2d(3, 32, 7, 2, 3), nn.MaxPool2d(3, 2, 1), pruned(nn.Conv2d(32, 32, 3, padding=1), "anywhere")]
    model, x = nn.Sequential(*layers).eval(), torch.randn(1, 3, 4 * width, 4 * width)
    check(Case("pool", model, (x,)), threads=(1, 2))
    kernels = cocomp.compile(model, (x,)).manifest["dispatches"]
    assert "gathers" not in next(k["facts"] for k in kernels if k["layer"] == "1")


def test_an_input_beyond_the_cache() -> None:
    """Few columns of an input that no cache holds: the next tile's are prefetched, past the end of the input too."""
    torch.manual_seed(0)
    layer = nn.Conv3d(24, 16, (3, 1, 1), padding=(1, 0, 0))
    mask = torch.zeros(2, 1, 24, 3, 1, 1).bernoulli_(0.1).expand(2, 8, 24, 3, 1, 1).reshape(16, 24, 3, 1, 1)
    with torch.no_grad():
        layer.weight.mul_(mask)
    check(Case("temporal", nn.Sequential(layer, nn.ReLU()), (torch.randn(1, 24, 8, 112, 112),)), threads=(1, 2))
