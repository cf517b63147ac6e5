"""Operations that move values: views, joins, pads, gathers, resizes."""

from __future__ import annotations

import random

import pytest
import torch
from differential import Case, check, on_cpus_and_beside_gpus
from torch import Tensor, nn
from torch.nn import functional as F


@pytest.mark.parametrize("seed", range(3))
def test_chains_of_views(seed: int) -> None:
    """Random reshapes, transpositions and slices between two computations, which may end up in one kernel or in two."""
    torch.manual_seed(seed)
    cases = []
    for number in range(12):
        rng = random.Random(1000 * seed + number)
        shape = [rng.choice((1, 2, 3, 4, 6, 8, 12)) for _ in range(rng.randint(1, 4))]
        steps = [
            (rng.choice(("reshape", "permute", "slice", "compute", "reduce", "flip")), rng.random())
            for _ in range(rng.randint(2, 5))
        ]

        def run(x: torch.Tensor, steps: list[tuple[str, float]] = steps) -> torch.Tensor:
            x = x * 2
            for kind, r in steps:
                axis = int(r * x.dim())
                if kind == "reshape":
                    x = (
                        x.reshape(-1, x.shape[-1])
                        if r < 0.3
                        else x.reshape(x.shape[0], -1)
                        if r < 0.6
                        else x.unflatten(axis, _factors(x.shape[axis]))
                    )
                elif kind == "permute":
                    x = x.permute(*range(1, x.dim()), 0) if r < 0.5 else x.transpose(0, -1)
                elif kind == "slice":
                    x = x.narrow(axis, x.shape[axis] // 2, x.shape[axis] - x.shape[axis] // 2)
                elif kind == "compute":
                    x = torch.sigmoid(x) if r < 0.5 else x + 1
                elif kind == "flip":
                    x = x.flip(axis)
                else:
                    x = x - x.mean(axis, keepdim=True)
            return x + 1

        cases.append(Case(f"{shape} {steps}", run, (torch.randn(shape),)))
    check(*cases)


def _factors(extent: int) -> tuple[int, int]:
    return next((d, extent // d) for d in (2, 3, 5, 7, extent) if extent % d == 0)


def test_views() -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 6, 4, 5)
    check(
        Case("flatten", lambda v: v.flatten(1) * 2, (x,)),
        Case("returned view", lambda v: v.transpose(1, 2), (x,)),
        Case("input itself", lambda v: v, (x,)),
        Case("unsqueeze", lambda v: v.unsqueeze(2).squeeze(0) + 1, (x,)),
        Case("split", lambda v: tuple(v.split([1, 2, 3], 1)), (x,)),
        Case("chunk", lambda v: tuple(t + 1 for t in v.chunk(3, 1)), (x,)),
        Case("unbind", lambda v: tuple(v.unbind(2)), (x,)),
        Case("select", lambda v: v[:, 3] + v[:, -1], (x,)),
        Case("strided slice", lambda v: v[:, ::2, 1:4:2] * 3, (x,)),
        Case("movedim", lambda v: v.movedim(1, -1) + 1, (x,)),
        Case("channel shuffle", lambda v: v.view(2, 2, 3, 4, 5).transpose(1, 2).reshape(2, 6, 4, 5) + v, (x,)),
        Case("pixel shuffle", nn.PixelShuffle(2), (torch.randn(1, 8, 3, 5),)),
        Case("pixel unshuffle", nn.PixelUnshuffle(2), (torch.randn(1, 3, 6, 4),)),
        Case("windows", lambda v: v.view(2, 6, 2, 2, 5).permute(0, 2, 3, 1, 4).reshape(4, 2, 30).softmax(-1), (x,)),
        Case("unfold", lambda v: F.unfold(v, (2, 3), padding=1), (x,)),
        Case("fold", lambda v: F.fold(v, (4, 5), (2, 2)), (torch.randn(1, 12, 12),)),
        Case("sliding windows", lambda v: v.unfold(3, 3, 1) * 2, (x,)),
        Case("diagonal", lambda v: v.diagonal(dim1=2, dim2=3) + 1, (x,)),
        Case("tril triu", lambda v: (v.tril(), v.triu(1)), (x,)),
        Case("as strided", lambda v: v.as_strided((3, 4), (1, 2)) + 1, (x,)),
    )


def _merged_patches(x: Tensor) -> Tensor:
    """What Swin does between its stages: every second row and column, side by side as channels, normalised."""
    parts = [x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
    return torch.nn.functional.layer_norm(torch.cat(parts, -1), [4 * x.shape[-1]])


def _rolled_windows(x: Tensor) -> Tensor:
    """What a shifted window attends to."""
    return x.roll((-1, -3), (1, 2)).unflatten(1, (3, 2)).transpose(1, 2).softmax(-1) @ x.mT


def test_joins() -> None:
    torch.manual_seed(4)
    a, b, c = torch.randn(2, 3, 5), torch.randn(2, 7, 5), torch.randn(2, 1, 5)
    check(
        Case("cat", lambda *v: torch.cat(v, 1), (a, b, c)),
        Case("cat of results", lambda x, y: torch.cat([x.relu(), y.sigmoid(), x * y[:, :3]], 1), (a, b)),
        Case("cat of cats", lambda x, y: torch.cat([torch.cat([x, x + 1], 1), y], 1), (a, b)),
        Case("cat twice used", lambda x, y: (torch.cat([x + 1, y], 1), torch.cat([x + 1, y * 2], 1), x + 1), (a, b)),
        Case("cat last", lambda x: torch.cat([x, x * 2], -1), (a,)),
        Case("cat first", lambda x: torch.cat([x, x * 2], 0).softmax(0), (a,)),
        Case("stack", lambda x: torch.stack([x, x + 1, x * 2], 2), (a,)),
        Case("repeat", lambda x: x.repeat(2, 1, 3), (a,)),
        Case("repeat_interleave", lambda x: x.repeat_interleave(3, 1), (a,)),
        Case("tile", lambda x: x.tile(2, 2), (a,)),
        Case("roll", lambda x: (x.roll(2, 2), x.roll((1, -2), (1, 2)), x.roll(3)), (a,)),
        Case("merged patches", _merged_patches, (torch.randn(2, 6, 8, 16),)),
        Case("merged patches of few channels", _merged_patches, (torch.randn(2, 6, 8, 5),)),
        Case("rows from two places", lambda x: torch.cat([x[:, :2], x[:, 1:3]], 1).tanh(), (torch.randn(2, 6, 5),)),
        Case("rolled windows", _rolled_windows, (torch.randn(2, 6, 5),)),
        Case("flip", lambda x: x.flip(1, 2), (a,)),
        Case("rot90", lambda x: x.rot90(1, (1, 2)), (a,)),
        Case("meshgrid", lambda x: tuple(torch.meshgrid(x[0, 0], x[1, 1], indexing="ij")), (a,)),
        Case("into empty", _filled, (a,)),
        threads=(1, 2),
    )


def _filled(x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros(2, 9, 5)
    out[:, 1:4] = x
    out[:, 5:8] = x * 2
    return out


def test_padding() -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 3, 7, 9)
    check(
        Case("zeros", lambda v: F.pad(v, (1, 2, 3, 0)), (x,)),
        Case("value", lambda v: F.pad(v.relu(), (1, 1), value=-2.5), (x,)),
        Case("crop", lambda v: F.pad(v, (-1, -2, 1, -1)), (x,)),
        Case("infinite", lambda v: F.pad(v, (1, 1), value=float("-inf")), (x,)),
        Case("reflect", nn.ReflectionPad2d((2, 3, 1, 4)), (x,)),
        Case("replicate", nn.ReplicationPad2d((2, 3, 1, 4)), (x,)),
        Case("circular", nn.CircularPad2d((2, 3, 1, 4)), (x,)),
        Case("reflect 1-D", nn.ReflectionPad1d(3), (torch.randn(2, 3, 17),)),
        Case("replicate 3-D", nn.ReplicationPad3d(1), (torch.randn(1, 2, 3, 4, 5),)),
        Case("channels", lambda v: F.pad(v, (0, 0, 0, 0, 1, 2)), (x,)),
        Case("of integers", lambda v: F.pad(v, (1, 2), value=7), (torch.arange(12).reshape(3, 4),)),
        Case("then convolved", lambda v: F.avg_pool2d(F.pad(v, (0, 1, 0, 1)), 3, 2), (x,)),
        threads=(1, 2),
    )


@on_cpus_and_beside_gpus
def test_gathers_and_scatters(target: str, fallback: str) -> None:
    torch.manual_seed(6)
    table, x = torch.randn(11, 8), torch.randn(4, 6, 5)
    tokens = torch.randint(0, 11, (3, 7))
    rows = torch.tensor([2, 0, 3, 3])
    check(
        Case("embedding", nn.Embedding(11, 8), (tokens,)),
        Case("embedding in int32", nn.Embedding(11, 17), (tokens.int(),)),
        Case("embedding function", F.embedding, (tokens, table)),
        Case("index_select", lambda v, i: v.index_select(1, i), (x, rows)),
        Case("advanced", lambda v, i: v[i], (x, rows)),
        Case("advanced pair", lambda v, i: v[i, i], (x, rows)),
        Case("negative", lambda v, i: v[:, i], (x, torch.tensor([-1, 0, -2]))),
        Case("gather", lambda v, i: v.gather(1, i), (x, torch.randint(0, 6, (4, 3, 5)))),
        Case("take_along_dim", lambda v, i: v.take_along_dim(i, 2), (x, torch.randint(0, 5, (4, 6, 2)))),
        Case("scatter", lambda v, i, s: v.scatter(1, i, s), (x, torch.arange(6).flip(0).view(1, 6, 1).expand(4, 6, 5)[:, :3], torch.randn(4, 3, 5))),
        Case("scatter_add", lambda v, i, s: v.scatter_add(1, i, s), (x, torch.randint(0, 6, (4, 9, 5)), torch.randn(4, 9, 5))),
        Case("index_add", lambda v, i, s: v.index_add(0, i, s), (x, rows, torch.randn(4, 6, 5))),
        Case("index_put", lambda v, i, s: v.index_put((i,), s), (x, torch.tensor([1, 3]), torch.randn(2, 6, 5))),
        Case("one hot", lambda t: F.one_hot(t, 11).float(), (tokens,)),
        Case("masked choice", lambda v: torch.where(v > 0, v, torch.zeros_like(v)).sum(1), (x,)),
        Case("computed position", lambda v: v.gather(2, v.argmax(2, keepdim=True)), (x,)),
        target=target, fallback=fallback,
    )  # fmt: skip


def test_creation() -> None:
    x = torch.randn(3, 5)
    check(
        Case("arange", lambda v: v + torch.arange(5), (x,)),
        Case("linspace", lambda v: v * torch.linspace(0, 1, 5), (x,)),
        Case("full", lambda v: torch.full((2, 2), 3.5) + v[0, 0], (x,)),
        Case("like", lambda v: (torch.zeros_like(v), torch.ones_like(v) + v, torch.full_like(v, 2)), (x,)),
        Case("eye", lambda v: torch.eye(5) + v[:1], (x,)),
        Case("constant result", lambda v: (torch.arange(4), v + 1), (x,)),
        Case("constant tensor", lambda v: v * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), (x,)),
        Case("triangular", lambda v: torch.ones(3, 5).tril() * v, (x,)),
    )


def test_resizing() -> None:
    torch.manual_seed(7)
    x = torch.randn(2, 5, 7, 6)
    check(
        Case("nearest x2", nn.Upsample(scale_factor=2), (x,)),
        Case("nearest odd", nn.Upsample(size=(11, 17)), (x,)),
        Case("nearest down", nn.Upsample(size=(3, 2)), (x,)),
        Case("bilinear x2", nn.Upsample(scale_factor=2, mode="bilinear"), (x,)),
        Case("bilinear corners", nn.Upsample(size=(13, 9), mode="bilinear", align_corners=True), (x,)),
        Case("bilinear down", nn.Upsample(size=(4, 3), mode="bilinear"), (x,)),
        Case("bicubic", nn.Upsample(size=(9, 10), mode="bicubic"), (x,)),
        Case("nearest 1-D", nn.Upsample(scale_factor=3), (torch.randn(1, 4, 9),)),
        Case("linear 1-D", nn.Upsample(size=13, mode="linear"), (torch.randn(1, 4, 9),)),
        Case("nearest 3-D", nn.Upsample(scale_factor=2), (torch.randn(1, 2, 3, 4, 5),)),
        Case("trilinear", nn.Upsample(scale_factor=2, mode="trilinear"), (torch.randn(1, 2, 3, 4, 5),)),
        Case(
            "grid_sample",
            lambda v, g: F.grid_sample(v, g, align_corners=False),
            (x, torch.rand(2, 4, 5, 2) * 2.2 - 1.1),
        ),
        threads=(1, 2),
    )
