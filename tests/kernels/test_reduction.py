"""Reductions, norms, softmax, pooling, scans and sorts."""

from __future__ import annotations

import random

import pytest
import torch
from differential import Case, check, on_cpus_and_beside_gpus
from torch import nn
from torch.nn import functional as F

REDUCTIONS = {
    "sum": lambda x, d, k: x.sum(d, keepdim=k), "mean": lambda x, d, k: x.mean(d, keepdim=k), "amax": lambda x, d, k: x.amax(d, keepdim=k),
    "amin": lambda x, d, k: x.amin(d, keepdim=k), "var": lambda x, d, k: x.var(d, keepdim=k, correction=0),
    "std": lambda x, d, k: x.std(d, keepdim=k), "norm": lambda x, d, k: torch.linalg.vector_norm(x, dim=d, keepdim=k),
    "norm1": lambda x, d, k: torch.linalg.vector_norm(x, 1, dim=d, keepdim=k), "logsumexp": lambda x, d, k: torch.logsumexp(x, d, keepdim=k),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_reductions_over_any_dimensions(seed: int) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    cases = []
    for _ in range(14):
        shape = [rng.choice((1, 2, 3, 5, 7, 17, 31, 33)) for _ in range(rng.randint(1, 4))]
        dims = sorted(rng.sample(range(len(shape)), rng.randint(1, len(shape))))
        name = rng.choice(list(REDUCTIONS))
        if name in ("var", "std") and all(shape[d] == 1 for d in dims):
            name = "sum"
        keep = rng.random() < 0.5
        reduce = REDUCTIONS[name]
        cases.append(
            Case(f"{name} {shape} over {dims}", lambda x, r=reduce, d=dims, k=keep: r(x, d, k), (torch.randn(shape),))
        )
    check(*cases, threads=(1, 2))


def test_reductions_with_positions() -> None:
    torch.manual_seed(3)
    x = torch.randn(3, 17, 5)
    ties = torch.randint(0, 3, (4, 33)).float()
    check(
        Case("argmax", lambda v: (v.argmax(1), v.argmax(-1), v.argmax()), (x,)),
        Case("argmin", lambda v: (v.argmin(0), v.argmin(2, keepdim=True)), (x,)),
        Case("max", lambda v: tuple(v.max(1)), (x,)),
        Case("min", lambda v: tuple(v.min(2)), (x,)),
        Case("first of equals", lambda v: v.argmax(1), (ties,)),
        Case("prod", lambda v: v.prod(1), (x,)),
        Case("all reduced", lambda v: (v.sum(), v.mean(), v.max(), v.min()), (x,)),
        Case("var_mean", lambda v: torch.var_mean(v, 1), (x,)),
    )


def test_norms() -> None:
    torch.manual_seed(4)
    layers: list[tuple[nn.Module, tuple[int, ...]]] = [
        (nn.LayerNorm(33), (2, 5, 33)), (nn.LayerNorm([5, 33]), (2, 5, 33)), (nn.LayerNorm(768), (1, 3, 768)),
        (nn.GroupNorm(3, 12), (2, 12, 5, 7)), (nn.GroupNorm(1, 8), (1, 8, 17)), (nn.InstanceNorm2d(6, affine=True), (2, 6, 7, 9)),
        (nn.BatchNorm1d(17), (3, 17, 5)), (nn.BatchNorm1d(17), (3, 17)), (nn.BatchNorm2d(5), (2, 5, 7, 7)), (nn.BatchNorm3d(3), (2, 3, 4, 5, 6)),
        (nn.RMSNorm(48), (2, 7, 48)), (nn.LocalResponseNorm(3), (2, 6, 5, 5)),
    ]  # fmt: skip
    for layer, _ in layers:
        for tensor in [*layer.parameters(), *(b for b in layer.buffers() if b.is_floating_point())]:
            with torch.no_grad():
                tensor.uniform_(0.2, 1.5)
    cases = [Case(f"{layer} {shape}", layer.eval(), (torch.randn(shape) * 3 + 1,)) for layer, shape in layers]
    cases.append(Case("normalize", lambda x: F.normalize(x, dim=1), (torch.randn(3, 17, 5),)))
    cases.append(Case("far from zero", nn.LayerNorm(64).eval(), (torch.randn(4, 64) + 100,), 2e-4))
    check(*cases, threads=(1, 2))


def test_softmax() -> None:
    torch.manual_seed(5)
    cases = []
    for shape, dim in (
        ((3, 33), 1),
        ((2, 3, 17), 1),
        ((1, 4, 9, 31), -1),
        ((5,), 0),
        ((2, 1000), 1),
        ((2, 3, 5, 7), 1),
        ((4, 1), 1),
    ):
        x = torch.randn(shape) * 10
        cases += [Case(f"softmax {shape}", nn.Softmax(dim), (x,)), Case(f"log {shape}", nn.LogSoftmax(dim), (x,))]
    masked = torch.randn(3, 9).masked_fill(torch.rand(3, 9) > 0.6, float("-inf"))
    masked[:, 0] = 1.0
    cases += [
        Case("softmin", nn.Softmin(1), (torch.randn(3, 7),)),
        Case("large", nn.Softmax(1), (torch.tensor([[1000.0, 1001.0, -1000.0], [0.0, 0.0, 0.0]]),)),
        Case("masked", nn.Softmax(1), (masked,)),
    ]
    check(*cases, threads=(1, 2))


@pytest.mark.parametrize("seed", range(2))
def test_pooling(seed: int) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    pools = {1: (nn.MaxPool1d, nn.AvgPool1d), 2: (nn.MaxPool2d, nn.AvgPool2d), 3: (nn.MaxPool3d, nn.AvgPool3d)}
    cases = []
    for _ in range(12):
        rank = rng.choice((1, 2, 2, 3))
        channels, batch = rng.choice((1, 3, 8, 17, 64)), rng.choice((1, 2))
        kernel = [rng.choice((1, 2, 3)) for _ in range(rank)]
        stride = [rng.choice((1, 2, 3)) for _ in range(rank)]
        padding = [rng.choice((0, k // 2)) for k in kernel]
        size = [rng.choice((3, 5, 7, 8, 14)) for _ in range(rank)]
        ceil = rng.random() < 0.3
        average = rng.random() < 0.5
        extra = {"count_include_pad": rng.random() < 0.5} if average else {}
        layer = pools[rank][average](kernel, stride, padding, ceil_mode=ceil, **extra)
        cases.append(Case(f"{layer} on {channels}x{size}", layer, (torch.randn(batch, channels, *size),)))
    check(*cases)


def test_adaptive_and_global_pooling() -> None:
    torch.manual_seed(6)
    image = torch.randn(2, 17, 14, 9)
    check(
        Case("average to 1", nn.AdaptiveAvgPool2d(1), (image,)),
        Case("average to 7x3", nn.AdaptiveAvgPool2d((7, 3)), (image,)),
        Case("average to uneven", nn.AdaptiveAvgPool2d((5, 4)), (image,)),
        Case("average 1-D", nn.AdaptiveAvgPool1d(4), (torch.randn(2, 5, 11),)),
        Case("average 3-D", nn.AdaptiveAvgPool3d((1, 2, 2)), (torch.randn(1, 3, 4, 6, 6),)),
        Case("maximum to 1", nn.AdaptiveMaxPool2d(1), (image,)),
        Case("maximum to 7x3", nn.AdaptiveMaxPool2d((7, 3)), (image,)),
        Case("maximum with dilation", nn.MaxPool2d(3, 1, 1, dilation=2), (image,)),
        Case("maximum with positions", nn.MaxPool2d(2, return_indices=True), (torch.randn(1, 2, 6, 6),)),
        Case("power average", nn.LPPool2d(2, 2), (image.abs(),)),
    )


@on_cpus_and_beside_gpus
def test_scans_sorts_and_choices(target: str, fallback: str) -> None:
    torch.manual_seed(7)
    x = torch.randn(3, 17, 5)
    check(
        Case("cumsum", lambda v: (v.cumsum(0), v.cumsum(1), v.cumsum(-1)), (x,)),
        Case("cumprod", lambda v: v.cumprod(1), (x,)),
        Case("topk", lambda v: tuple(v.topk(4, dim=1)), (x,)),
        Case("smallest", lambda v: tuple(v.topk(3, dim=-1, largest=False)), (x,)),
        Case("sort", lambda v: tuple(v.sort(1)), (x,)),
        Case("descending", lambda v: tuple(v.sort(-1, descending=True)), (x,)),
        Case("argsort", lambda v: v.argsort(0), (x,)),
        target=target,
        fallback=fallback,
    )
