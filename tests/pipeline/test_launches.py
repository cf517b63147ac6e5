"""What shares a launch: the kernels of attention, matrix products of some tokens each, and small work of any kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import cocomp
from benchmarks.networks import C3D
from cocomp.runtime.manifest import launches


def compiled(module: nn.Module, *inputs: torch.Tensor) -> list[list[dict[str, Any]]]:
    """Launches of a compiled module, which gives PyTorch's results on one thread and on several."""
    module = module.eval()
    artifact = cocomp.compile(module, inputs)
    with torch.no_grad():
        expected = module(*inputs)
    for threads in (1, 3):
        with artifact.load(threads) as model:
            for _ in range(3):
                error = (torch.from_numpy(model(*inputs)) - expected).abs().max()
                assert float(error) <= 1e-5 * float(expected.abs().max())
    return launches(artifact.manifest)


class Attention(nn.Module):
    """Scaled dot products of several heads, between two projections."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.into(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).flatten(2))


def test_attention_is_one_launch_and_its_scores_are_never_in_memory() -> None:
    torch.manual_seed(0)
    found = compiled(Attention(256, 8), torch.randn(1, 128, 256))
    (attention,) = [kernels for kernels in found if len(kernels) > 1]
    assert len(found) == 3
    assert attention[-1]["writes"][0]["space"] == "arena"
    assert all(k["writes"][0]["space"] == "local" for k in attention[:-1])
    assert any(k["writes"][0]["shape"][-2:] == [128, 128] for k in attention[:-1])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 3),
    st.sampled_from([1, 2, 5, 8, 12]),
    st.integers(1, 9),
    st.integers(1, 70),
    st.integers(0, 1000),
)
def test_attention_of_any_shape(batch: int, heads: int, depth: int, tokens: int, seed: int) -> None:
    torch.manual_seed(seed)
    compiled(Attention(heads * depth, heads), torch.randn(batch, tokens, heads * depth))


def perceptron(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.LayerNorm(width))


def images(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1), nn.Hardswish())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: perceptron(32, 64), (512, 32)),
        (lambda: perceptron(32, 64), (509, 32)),
        (lambda: perceptron(24, 200), (2, 300, 24)),
        (lambda: images(16), (1, 16, 64, 48)),
        (lambda: images(16), (2, 16, 31, 29)),
    ],
)
def test_what_chains_pass_on_is_right(make: Callable[[], nn.Module], shape: Sequence[int]) -> None:
    torch.manual_seed(1)
    compiled(make(), torch.randn(*shape))


def test_small_kernels_share_a_launch() -> None:
    torch.manual_seed(2)
    (kernels,) = compiled(nn.Sequential(nn.Linear(8, 8), nn.Softmax(-1), nn.Linear(8, 8)), torch.randn(2, 8))
    assert len(kernels) == 3
    assert {k["tasks"] for k in kernels} == {1}


def test_pools_of_volumes_are_part_of_the_convolutions_before_them() -> None:
    """C3D: eight convolutions, three linear layers, and the padding of its input."""
    network = C3D().eval()
    clip = torch.randn(1, 3, 16, 112, 112)
    assert len(launches(cocomp.compile(network, (clip,)).manifest)) == 12
