"""Pools of convolutions, in the convolution's kernel where windows fit its tiles, as kernels of their own elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from differential import Case, check
from torch import nn

import cocomp

SIZES = ((16, 16), (17, 15), (18, 22), (13, 30), (9, 9))
"""Of the convolution's result: multiples of a tile, odd, of a window only, neither."""


def parts(seed: int) -> Iterator[Case]:
    """Convolutions with and without bias, activation, and a padded convolution behind the pool."""
    torch.manual_seed(seed)
    for number, (down, across) in enumerate(SIZES):
        bias, activation, padded = (number + seed) % 2 == 0, (number + seed) % 3 != 0, number % 2 == seed % 2
        pool = (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d((2, 1)), nn.MaxPool2d(4))[seed]
        layers: list[nn.Module] = [nn.Conv2d(16, 32, 1), nn.Conv2d(32, 40, 3, padding=1, bias=bias)]
        layers += [nn.ReLU()] if activation else []
        layers += [pool, nn.Conv2d(40, 24, 3, padding=1)] if padded else [pool]
        image = torch.randn(1 + number % 2, 16, down, across)
        yield Case(f"{image.shape} {layers[1:]}", nn.Sequential(*layers), (image,))


@pytest.mark.parametrize("seed", range(4))
def test_pools_of_convolutions(seed: int) -> None:
    check(*parts(seed), threads=(1, 2))


def test_other_pools_of_convolutions() -> None:
    """Windows that overlap, leave gaps, are padded, straddle tiles, or give their positions; strides; images of the model."""
    torch.manual_seed(4)
    pools = [nn.MaxPool2d(3, 2), nn.MaxPool2d(2, 3), nn.MaxPool2d(2, padding=1), nn.MaxPool2d(3), nn.MaxPool2d(14)]
    pools += [nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d(2, stride=1), nn.MaxPool2d(2, return_indices=True)]
    cases = [
        Case(f"{p}", nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU(), p), (torch.randn(1, 32, 28, 27),)) for p in pools
    ]
    strided = [nn.Sequential(nn.Conv2d(32, 32, 5, 2), nn.ReLU(), p) for p in (nn.MaxPool2d(2), nn.MaxPool2d(3))]
    check(*cases, *(Case(f"{m}", m, (torch.randn(1, 32, 28, 28),)) for m in strided))


class Shortcut(nn.Module):
    """Something computed is added before the pool, and something is divided by what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(16, 32, 1), nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        pooled = nn.functional.max_pool2d(torch.sigmoid(self.second(y)) + y, 2)
        return pooled / (1 + pooled.abs())


def test_what_stands_around_a_pool() -> None:
    torch.manual_seed(5)
    check(Case("shortcut", Shortcut(), (torch.randn(2, 16, 21, 20),)))


@pytest.mark.parametrize("without", ["fusion", "layout"])
def test_without_fusion_or_layouts(without: str) -> None:
    torch.manual_seed(6)
    x = torch.randn(1, 32, 24, 26)
    model = nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2)).eval()
    artifact = cocomp.compile(model, (x,), options=cocomp.Options(without=(without,)))
    expected = model(x).detach()
    error = (torch.from_numpy(artifact.load()(x)) - expected).abs().max()
    assert float(error) <= 2e-5 * float(expected.abs().max())


def test_not_a_number_stays_where_it_is() -> None:
    torch.manual_seed(7)
    model = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.MaxPool2d(2)).eval()
    x = torch.randn(1, 32, 24, 24)
    x[0, 3, 11, 5] = float("nan")
    found, expected = torch.from_numpy(cocomp.compile(model, (x,)).load()(x)), model(x).detach()
    assert bool(torch.isnan(found)[torch.isnan(expected)].all())  # a tile spreads it further
