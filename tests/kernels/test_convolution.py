"""Convolutions of every rank, stride, dilation, grouping and padding."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from differential import Case, check
from torch import nn

PLAIN = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 16, 17, 24, 31, 32, 33, 48, 64)
EXTENTS = {1: (1, 2, 3, 7, 16, 31, 64, 100), 2: (1, 2, 3, 5, 7, 8, 14, 17, 28, 33), 3: (1, 2, 3, 4, 5, 7, 9)}


def describe(**choices: Any) -> str:
    return " ".join(f"{k}={v}" for k, v in choices.items())


def drawn_convolution(rng: random.Random, rank: int) -> Case:
    """A random convolution and an input on which it has a result."""
    kernel = tuple(rng.choice((1, 1, 2, 3, 3, 5, 7)[: 7 if rank < 3 else 5]) for _ in range(rank))
    stride = tuple(rng.choice((1, 1, 1, 2, 3)) for _ in range(rank))
    dilation = tuple(rng.choice((1, 1, 1, 2, 3)) for _ in range(rank))
    padding = tuple(rng.choice((0, 0, 1, 2, k // 2)) for k in kernel)
    mode = rng.choice(("zeros", "zeros", "zeros", "reflect", "replicate", "circular"))
    size = []
    for k, d, p in zip(kernel, dilation, padding, strict=True):
        reach = (k - 1) * d + 1
        extent = max(rng.choice(EXTENTS[rank]), reach - (2 * p if mode == "zeros" else 0), 1)
        size.append(max(extent, p + 1) if mode != "zeros" else extent)
    grouping = rng.choice(("none", "none", "none", "groups", "depthwise"))
    inputs, outputs, groups = rng.choice(CHANNELS), rng.choice(CHANNELS), 1
    if grouping == "groups":
        groups = rng.choice((2, 3, 4))
        inputs, outputs = groups * rng.choice((1, 2, 5, 8, 16)), groups * rng.choice((1, 3, 4, 8, 17))
    elif grouping == "depthwise":
        groups, outputs = inputs, inputs * rng.choice((1, 1, 1, 2))
    batch = rng.choice((1, 1, 2, 3))
    layer = PLAIN[rank](
        inputs, outputs, kernel, stride, padding, dilation, groups, bias=rng.random() < 0.7, padding_mode=mode
    )  # fmt: skip
    name = describe(rank=rank, channels=(inputs, outputs), size=size, batch=batch, kernel=kernel, stride=stride,
                    dilation=dilation, padding=padding, groups=groups, mode=mode)  # fmt: skip
    return Case(name, layer, (torch.randn(batch, inputs, *size),))


def drawn_transposed(rng: random.Random, rank: int) -> Case:
    """A random transposed convolution."""
    kernel = tuple(rng.choice((1, 2, 3, 4)) for _ in range(rank))
    stride = tuple(rng.choice((1, 2, 2, 3)) for _ in range(rank))
    padding = tuple(rng.randint(0, (k - 1) // 2) for k in kernel)
    output_padding = tuple(rng.randint(0, s - 1) if s > 1 else 0 for s in stride)
    groups = rng.choice((1, 1, 2))
    inputs, outputs = groups * rng.choice((1, 3, 8, 16, 20)), groups * rng.choice((1, 3, 5, 8, 16))
    size = [rng.choice((2, 3, 5, 8, 9)) for _ in range(rank)]
    batch = rng.choice((1, 1, 2))
    layer = TRANSPOSED[rank](inputs, outputs, kernel, stride, padding, output_padding, groups, bias=rng.random() < 0.7)
    name = describe(rank=rank, channels=(inputs, outputs), size=size, batch=batch, kernel=kernel, stride=stride,
                    padding=padding, output_padding=output_padding, groups=groups)  # fmt: skip
    return Case(name, layer, (torch.randn(batch, inputs, *size),))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_any_convolution(seed: int, rank: int) -> None:
    rng = random.Random(100 * seed + rank)
    torch.manual_seed(seed)
    check(*(drawn_convolution(rng, rank) for _ in range(10 if rank < 3 else 6)))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_any_transposed_convolution(seed: int, rank: int) -> None:
    rng = random.Random(100 * seed + rank)
    torch.manual_seed(seed)
    check(*(drawn_transposed(rng, rank) for _ in range(8 if rank < 3 else 4)))


def test_minimal_filtering_and_what_is_around_it() -> None:
    """3x3 layers large enough for Winograd, with odd sizes, one row of tiles, batches, and epilogues."""
    torch.manual_seed(3)
    cases = []
    for channels, filters, size, batch in (
        (64, 64, (56, 56), 1),
        (32, 48, (17, 31), 1),
        (64, 33, (4, 13), 2),
        (128, 128, (7, 7), 1),
    ):
        layer = nn.Sequential(nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU())
        cases.append(Case(describe(c=channels, f=filters, size=size), layer, (torch.randn(batch, channels, *size),)))
    valid = nn.Conv2d(64, 64, 3)
    cases.append(Case("no padding", valid, (torch.randn(1, 64, 30, 30),)))
    check(*cases, threads=(1, 2))


def test_split_strides() -> None:
    """Strided layers that minimal filtering serves once their places are channels: odd extents, uneven padding, batches."""
    torch.manual_seed(4)
    cases = []
    for kernel, stride, padding, size, batch in (
        (7, 2, 3, (64, 64), 1),
        (7, 2, 3, (57, 63), 2),
        (7, 2, 2, (64, 61), 1),
        (6, 2, 2, (64, 64), 1),
        (5, 2, 1, (63, 64), 1),
        (11, 3, 4, (96, 95), 1),
        (7, 2, 0, (64, 65), 1),
    ):
        layer = nn.Sequential(nn.Conv2d(3, 40, kernel, stride, padding), nn.ReLU())
        cases.append(Case(describe(k=kernel, s=stride, p=padding, size=size), layer, (torch.randn(batch, 3, *size),)))
    check(*cases, threads=(1, 2))


class Residual(nn.Module):
    """Convolution, batch norm, addition of what went in, activation: one kernel."""

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = activation
        with torch.no_grad():
            for tensor in (self.norm.weight, self.norm.bias, self.norm.running_mean):
                assert tensor is not None
                tensor.uniform_(-1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.norm(self.conv(x)) + x)


@pytest.mark.parametrize("channels", [3, 16, 33])
def test_epilogues(channels: int) -> None:
    torch.manual_seed(channels)
    activations = [
        nn.ReLU(),
        nn.ReLU6(),
        nn.SiLU(),
        nn.Hardswish(),
        nn.GELU(),
        nn.LeakyReLU(0.1),
        nn.PReLU(channels),
        nn.Sigmoid(),
    ]
    check(*(Case(str(a), Residual(channels, a), (torch.randn(1, channels, 9, 11),)) for a in activations))
