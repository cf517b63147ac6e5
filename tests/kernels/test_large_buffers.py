"""Kernels that see buffers through several bindings, compared with PyTorch: limits so small that small tensors are beyond them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import Case, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import cocomp
from cocomp import Options
from cocomp.passes.gpu.split_bindings import SplitBindingsPass
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import State
from cocomp.targets.gpus import target_called
from tests.vulkan import limited, needs_device

TEXELS = st.sampled_from([1 << 27, 64, 0])
"""That a buffer is seen as: all reads, those of small tensors, and none are past bindings of buffers."""


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where the windows of kernels that are compiled begin, in bytes."""
    found: list[int] = []
    original = SplitBindingsPass.run

    def run(self: SplitBindingsPass, module: ir.Module, state: State) -> None:
        original(self, module, state)
        for function in ops_in(module.body):
            if "kernel.windows" in function.attributes:
                found.extend(function.attributes["kernel.windows"])

    monkeypatch.setattr(SplitBindingsPass, "run", run)
    return found


@needs_device
@pytest.mark.parametrize("texels", [1 << 27, 64])
def test_loops(split: list[int], texels: int) -> None:
    torch.manual_seed(0)
    x, y, odd = torch.randn(3, 8, 40), torch.randn(8, 1), torch.randn(5, 7, 13)
    with limited(buffer_bytes=768, texel_elements=texels):
        check(
            Case("gelu", F.gelu, (x,)),
            Case("broadcast", torch.mul, (x, y)),
            Case("exp of odd", torch.exp, (odd,)),
            Case("transposed", lambda x: x.transpose(1, 2).contiguous() + 1, (x,)),
            Case("softmax", lambda x: x.softmax(-1), (x,)),
            Case("softmax of odd", lambda x: x.softmax(1), (odd,)),
            Case("argmax", lambda x: x.argmax(-1), (x,)),
            Case("comparison", lambda x: (x > 0) & (x < 1), (x,)),
            Case("integers", lambda i: (i > 0, i * 3 - 1), (torch.randint(-9, 9, (5, 77), dtype=torch.int32),)),
            Case("long integers", lambda i: i * 3 - 1, (torch.randint(-9, 9, (5, 77)),)),
            Case("embedding", F.embedding, (torch.randint(0, 40, (7,)), torch.randn(40, 12))),
            Case("concatenation", lambda x: torch.cat([x, x * 2], 1), (x,)),
            Case("padding", lambda x: F.pad(x, (1, 2), value=3.0), (x,)),
            Case("pool", lambda x: F.max_pool2d(x, 3, 2, 1), (x,)),
            target="vulkan",
        )
    assert max(split) >= 4 * 768


@needs_device
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.sampled_from([1, 3, 4, 10, 16]),
    channels=st.sampled_from([1, 3, 4, 8]),
    kernel=st.sampled_from([1, 3]),
    stride=st.integers(1, 2),
    size=st.tuples(st.integers(1, 2), st.integers(10, 13), st.integers(10, 13)),
    groups=st.booleans(),
    half=st.booleans(),
    texels=TEXELS,
    most=st.sampled_from([3072, 3328, 4096]),
    seed=st.integers(0, 1000),
)
def test_any_convolution_with_a_pool(
    rows: int, channels: int, kernel: int, stride: int, size: tuple[int, int, int], groups: bool, half: bool,
    texels: int, most: int, seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    batch, *image = size
    divided = channels if groups and rows % channels == 0 else 1
    convolution = nn.Conv2d(channels, rows, kernel, stride, kernel // 2, groups=divided)
    network = nn.Sequential(convolution, nn.SiLU(), nn.MaxPool2d(2), nn.Conv2d(rows, 5, 3, padding=1)).eval()
    compare(network, torch.randn(batch, channels, *image), most, texels, half)


@needs_device
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tokens=st.integers(1, 40),
    columns=st.sampled_from([7, 24, 64]),
    rows=st.sampled_from([1, 33, 40]),
    half=st.booleans(),
    texels=TEXELS,
    seed=st.integers(0, 1000),
)
def test_any_linear_layer(tokens: int, columns: int, rows: int, half: bool, texels: int, seed: int) -> None:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(columns, rows), nn.Softmax(-1)).eval()
    compare(network, torch.randn(tokens, columns), 1792, texels, half)


def compare(network: nn.Module, x: Tensor, most: int, texels: int, half: bool) -> None:
    with limited(buffer_bytes=most, texel_elements=texels):
        options = Options(target="vulkan", precision="f16" if half else "f32")
        artifact = cocomp.compile(network, (x,), options=options)
    with artifact.load() as model, torch.no_grad():
        expected = network(x).numpy()
        assert np.abs(model(x) - expected).max() <= (5e-3 if half else 2e-5) * max(1.0, np.abs(expected).max())


def test_too_many_windows() -> None:
    with limited(buffer_bytes=256, texel_elements=0), pytest.raises(CompileError) as caught:
        cocomp.compile(nn.Sequential(nn.ReLU()), (torch.randn(80, 64),), options=Options(target="vulkan"))
    assert caught.value.where.startswith("0 (")
    assert caught.value.message == "the tensors of a kernel make 160 bindings, expected at most 64"
    assert caught.value.notes == ["smaller tensors, or --without=fusion, make fewer"]


def test_windows_begin_where_a_device_can_bind() -> None:
    with limited(buffer_bytes=300), pytest.raises(ValueError, match="of a multiple of 256 bytes, got 300"):
        target_called("vulkan")
