"""Pools in the kernel of a convolution by the gather-GEMM: any shape, any weights, whatever stands between and behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from differential import Case, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import cocomp
from cocomp import Options
from cocomp.support.machine import GpuTarget
from tests.vulkan import needs_device

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLS: tuple[tuple[Any, ...], ...] = (
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
)
BETWEEN: dict[str, Callable[[], nn.Module]] = {"nothing": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU}
Shape = tuple[int, ...]


class Residual(nn.Module):
    """A convolution, something of its result's shape added, a pool, something of the pool's shape added."""

    def __init__(self, convolution: nn.Module, between: nn.Module, pool: nn.Module, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.convolution, self.between, self.pool = convolution, between, pool
        self.added = nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in shapes])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.pool(self.between(self.convolution(x) + self.added[0])) + self.added[1])


def thinned(convolution: nn.Module, pattern: str) -> nn.Module:
    """Zeros in the weight: of groups of kernels (kgs), of blocks of rows (bcr), or anywhere."""
    weight = convolution.weight
    assert isinstance(weight, torch.Tensor)
    rows, channels = weight.shape[:2]
    heights = {"kgs": 4, "bcr": 8, "csr": 1}
    with torch.no_grad():
        if pattern in heights:
            kept = torch.rand(-(-rows // heights[pattern]), channels, *weight.shape[2:]) < 0.2
            weight *= kept.repeat_interleave(heights[pattern], 0)[:rows]
    return convolution


@st.composite
def layers(draw: st.DrawFn) -> tuple[nn.Module, torch.Tensor]:
    """A convolution and a pool whose windows lie side by side, with or without something around."""
    rank = draw(st.sampled_from([1, 2, 2, 3, 3]))
    channels, rows = draw(st.sampled_from([1, 3, 8, 20])), draw(st.sampled_from([2, 5, 8, 16, 33, 48]))
    kernel = draw(st.sampled_from([1, 3, 5]))
    window = tuple(draw(st.sampled_from([1, 2, 2, 3, 4])) for _ in range(rank))
    size = tuple(draw(st.integers(max(w, kernel), 40 if rank < 3 else 14)) for w in window)
    stride, border = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([0, kernel // 2]))
    torch.manual_seed(draw(st.integers(0, 1000)))
    convolution = CONVOLUTIONS[rank - 1](channels, rows, kernel, stride, border, bias=draw(st.booleans()))
    thinned(convolution, draw(st.sampled_from(["dense", "kgs", "bcr", "csr"])))
    between = BETWEEN[draw(st.sampled_from(list(BETWEEN)))]()
    padding = tuple(draw(st.integers(0, w // 2)) if draw(st.booleans()) else 0 for w in window)
    kind = POOLS[draw(st.integers(0, 1))][rank - 1]
    pool = kind(window, padding=padding, ceil_mode=draw(st.booleans()))
    x = torch.randn(draw(st.sampled_from([1, 2])), channels, *size)
    with torch.no_grad():
        wide = convolution(x).shape
    if any(n < w for n, w in zip(wide[2:], window, strict=True)):
        pool = nn.Identity()
    if draw(st.booleans()):
        small = pool(torch.zeros(wide)).shape
        return Residual(convolution, between, pool, (wide[1:], small[1:])), x
    return nn.Sequential(convolution, between, pool, *([nn.Tanh()] if draw(st.booleans()) else [])), x


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(layers(), min_size=5, max_size=5))
def test_any_pool_of_any_convolution(drawn: list[tuple[nn.Module, torch.Tensor]]) -> None:
    check(*(Case(f"{module} {tuple(x.shape)}", module, (x,)) for module, x in drawn), threads=(1, 2))


@needs_device
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(layers(), min_size=3, max_size=3))
def test_any_pool_of_any_convolution_on_a_gpu(drawn: list[tuple[nn.Module, torch.Tensor]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(GpuTarget, "busy_elements", 0)
        check(*(Case(f"{module} {tuple(x.shape)}", module, (x,)) for module, x in drawn), target="vulkan")


@needs_device
def test_half_precision_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GpuTarget, "busy_elements", 0)
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv3d(3, 18, 3, padding=1), nn.ReLU(), nn.MaxPool3d((1, 2, 2))).eval()
    x = torch.randn(1, 3, 3, 11, 12)
    artifact = cocomp.compile(network, (x,), options=Options(target="vulkan", precision="f16"))
    (kernel,) = [d for d in artifact.manifest["dispatches"] if d["facts"]["kind"] == "gather-gemm"]
    assert any(node.startswith("max_pool3d") for node in kernel["nodes"])
    with artifact.load() as model, torch.no_grad():
        expected = network(x).numpy()
        assert np.abs(model(x) - expected).max() < 2e-2 * np.abs(expected).max()


def kernels(module: nn.Module, x: torch.Tensor, target: str = "host") -> list[str]:
    """Kinds of a compiled module's kernels that compute something, which gives PyTorch's results on the host."""
    artifact = cocomp.compile(module.eval(), (x,), target)
    if target == "host":
        expected = module(x).detach()
        error = (torch.from_numpy(artifact.load()(x)) - expected).abs().max()
        assert float(error) <= 1e-5 * float(expected.abs().max())
    return [d["facts"]["kind"] for d in artifact.manifest["dispatches"] if d["facts"]["kind"] != "pointwise"]


@pytest.mark.parametrize(
    ("pool", "alone"),
    [
        (nn.MaxPool3d(2), False),
        (nn.AvgPool3d(2), False),
        (nn.MaxPool3d((1, 2, 2)), False),
        (nn.MaxPool3d((2, 1, 4)), False),
        (nn.MaxPool3d((4, 2, 2)), False),  # one window of four images
        (nn.MaxPool3d(2, padding=1), False),  # those at the border have fewer points
        (nn.MaxPool3d(2, ceil_mode=True), False),
        (nn.Sequential(nn.ConstantPad3d(1, -1.0), nn.MaxPool3d(2)), True),  # which the border's value may win
        (nn.MaxPool3d(3, 2), True),  # windows overlap
        (nn.MaxPool3d(2, 3), True),  # or leave gaps
        (nn.MaxPool3d((1, 6, 6)), True),  # or are larger than tiles may have to be
    ],
)
def test_windows_side_by_side_are_reduced_where_they_are_computed(pool: nn.Module, alone: bool) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv3d(3, 16, 3, padding=1), nn.ReLU(), pool)
    found = kernels(model, torch.randn(1, 3, 4, 13, 18))
    assert found == ["gather-gemm", *(["reduction"] if alone else [])]


@pytest.mark.parametrize(("side", "alone"), [(255, True), (256, False)])
def test_a_gpu_pools_where_enough_is_computed(side: int, alone: bool) -> None:
    """The result of 128x128 pixels by eight channels has as many elements as it takes."""
    model = nn.Sequential(nn.Conv2d(4, 8, 1), nn.MaxPool2d(2))
    found = kernels(model, torch.randn(1, 4, side, 256), "vulkan")
    assert found == ["gather-gemm", *(["reduction"] if alone else [])]


def test_depth_wise_convolutions_and_products_of_activations_pool_alone() -> None:
    torch.manual_seed(3)
    x = torch.randn(1, 16, 12, 12)
    assert len(kernels(nn.Sequential(nn.Conv2d(16, 16, 3, groups=16), nn.MaxPool2d(2)), x)) == 2

    class Product(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.max_pool2d(x @ x.transpose(-1, -2), 2)

    assert "gather-gemm" in kernels(Product(), x)


def test_each_point_of_a_convolution_is_computed_once() -> None:
    torch.manual_seed(4)
    x = torch.randn(1, 8, 4, 14, 14)
    layers = nn.Conv3d(8, 32, 3, padding=1), nn.MaxPool3d(2)
    (kernel,) = [d for d in cocomp.compile(nn.Sequential(*layers).eval(), (x,)).manifest["dispatches"] if d["flops"]]
    points = 4 * 14 * 14 * 32
    assert kernel["flops"] == points * (2 * 8 * 27 + 2)  # a bias and a maximum each
    assert kernel["executed_flops"] == kernel["flops"]
