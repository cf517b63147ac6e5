"""What ends up in one kernel: nothing is written to memory between a contraction and what follows it element by element."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import cocomp


def dispatches(module: nn.Module, *inputs: torch.Tensor) -> list[dict[str, Any]]:
    """The kernels of a compiled module, which also gives PyTorch's results."""
    module = module.eval()
    artifact = cocomp.compile(module, inputs)
    with torch.no_grad():
        expected = module(*inputs)
    error = (torch.from_numpy(artifact.load()(*inputs)) - expected).abs().max()
    assert float(error) <= 1e-5 * float(expected.abs().max())
    return artifact.manifest["dispatches"]


def calibrated(norm: nn.Module) -> nn.Module:
    """A batch norm whose statistics and coefficients are not trivial."""
    with torch.no_grad():
        for name, value in [*norm.named_parameters(), *norm.named_buffers()]:
            if value.is_floating_point():
                value.uniform_(0.5, 2) if name in ("running_var", "weight") else value.normal_()
    return norm


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_batch_norm_becomes_weights_and_bias(rank: int, bias: bool, batch: int) -> None:
    """One contraction, and after it an addition and the activation: no multiplication is left of the batch norm."""
    torch.manual_seed(rank)
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1](8, 16, 1, bias=bias)
    norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[rank - 1](16)
    x = torch.randn(batch, 8, *[6] * rank)
    (kernel,) = dispatches(nn.Sequential(convolution, calibrated(norm), nn.ReLU()), x)
    assert kernel["facts"]["kind"] == "gather-gemm"
    addition, activation = 1, 2  # a comparison and a choice
    assert kernel["flops"] == (2 * 8 + addition + activation) * batch * 6**rank * 16
    assert kernel["nodes"][-1].startswith("relu")
    assert not any(node.startswith("mul") for node in kernel["nodes"])


def test_padding_is_all_that_a_convolution_needs_beside_its_kernel() -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, bias=True), calibrated(nn.BatchNorm2d(16)), nn.ReLU())
    padding, kernel = dispatches(model, torch.randn(1, 8, 12, 12))
    assert padding["facts"]["kind"] == "pointwise"
    assert kernel["facts"]["kind"] == "gather-gemm"


class Residual(nn.Module):
    """Two convolutions with batch norms, and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.Conv2d(16, 16, 1), calibrated(nn.BatchNorm2d(16))) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + x)


def test_a_shortcut_is_added_where_the_sum_is_written() -> None:
    torch.manual_seed(5)
    first, second = dispatches(Residual(), torch.randn(1, 16, 8, 8))
    assert {d["facts"]["kind"] for d in (first, second)} == {"gather-gemm"}
    assert len([node for node in second["nodes"] if node.startswith(("add", "relu"))]) >= 3


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_a_pool_is_part_of_the_convolution_before_it(pool: nn.Module) -> None:
    """Where minimal filtering computes that: its tiles hold whole windows, so the convolution's result is never written."""
    torch.manual_seed(6)
    layers = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 64, 3), nn.ReLU(), pool
    first, second = dispatches(nn.Sequential(*layers), torch.randn(1, 32, 27, 30))
    assert first["facts"]["kind"] == "gather-gemm"
    assert second["facts"]["kind"] == "winograd 4x4"
    assert [node.split("_2d")[0].rstrip("_0123456789") for node in second["nodes"]][1] == "relu"
    assert len(second["nodes"]) == 3


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 2), nn.MaxPool2d(3), nn.MaxPool2d(2, padding=1)])
def test_a_pool_whose_windows_straddle_tiles_is_a_kernel_of_its_own(pool: nn.Module) -> None:
    torch.manual_seed(7)
    layers = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 64, 3), nn.ReLU(), pool
    kernels = dispatches(nn.Sequential(*layers), torch.randn(1, 32, 26, 26))
    assert "reduction" in {kernel["facts"]["kind"] for kernel in kernels}
