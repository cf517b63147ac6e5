"""Kernels for GPUs, each compared with PyTorch on whatever Vulkan device there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import Case, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import cocomp
from cocomp import Options
from cocomp.support.diagnostics import CompileError, UsageError
from tests.vulkan import needs_device


@needs_device
def test_element_wise_and_reductions() -> None:
    torch.manual_seed(0)
    x, y, odd = torch.randn(3, 8, 20), torch.randn(8, 1), torch.randn(5, 7, 3)
    check(
        Case("gelu", F.gelu, (x,)),
        Case("broadcast", torch.mul, (x, y)),
        Case("exp of odd", torch.exp, (odd,)),
        Case("transposed", lambda x: x.transpose(1, 2).contiguous() + 1, (x,)),
        Case("softmax", lambda x: x.softmax(-1), (x,)),
        Case("softmax of odd", lambda x: x.softmax(1), (odd,)),
        Case("layer norm", lambda x: F.layer_norm(x, (20,)), (x,)),
        Case("maximum and where", lambda x: x.amax(-1), (x,)),
        Case("argmax", lambda x: x.argmax(-1), (x,)),
        Case("variance", lambda x: x.var(1), (x,)),
        Case("comparison", lambda x: (x > 0) & (x < 1), (x,)),
        Case("integers", lambda i: (i > 0, i * 3 - 1), (torch.randint(-9, 9, (5, 17), dtype=torch.int32),)),
        Case("embedding", lambda i: F.embedding(i, torch.arange(120.0).reshape(10, 12)), (torch.randint(0, 10, (7,)),)),
        Case("concatenation", lambda x: torch.cat([x, x * 2], 1), (x,)),
        Case("padding", lambda x: F.pad(x, (1, 2), value=3.0), (x,)),
        target="vulkan",
    )


@needs_device
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.sampled_from([1, 3, 4, 10, 16, 40]),
    channels=st.sampled_from([1, 3, 4, 12]),
    kernel=st.sampled_from([1, 3]),
    stride=st.integers(1, 2),
    size=st.tuples(st.integers(3, 20), st.integers(3, 20)),
    groups=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_convolution(
    rows: int, channels: int, kernel: int, stride: int, size: tuple[int, int], groups: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    divided = channels if groups and rows % channels == 0 else 1
    convolution = nn.Conv2d(channels, rows, kernel, stride, kernel // 2, groups=divided)
    check(
        Case("convolution", nn.Sequential(convolution, nn.ReLU()), (torch.randn(1, channels, *size),)), target="vulkan"
    )


@needs_device
def test_matrix_products() -> None:
    torch.manual_seed(2)
    x = torch.randn(2, 17, 24)
    check(
        Case("linear", nn.Linear(24, 40), (x,)),
        Case("one token", nn.Linear(24, 33), (x[0, :1],)),
        Case("batched", torch.bmm, (torch.randn(3, 5, 8), torch.randn(3, 8, 12))),
        Case("batched, odd", torch.bmm, (torch.randn(3, 5, 7), torch.randn(3, 7, 9))),
        Case("layer", nn.TransformerEncoderLayer(24, 3, 48, batch_first=True).eval(), (x,)),
        target="vulkan",
    )


@needs_device
@pytest.mark.parametrize(("rows", "channels", "sparsity"), [(8, 4, "auto"), (16, 1, "auto"), (1, 1, "force:csr")])
def test_zeros_are_left_out(rows: int, channels: int, sparsity: str) -> None:
    """`rows` output channels keep the same weights, of `channels` input channels together."""
    torch.manual_seed(3)
    convolution = nn.Conv2d(16, 40, 3, padding=1)
    mask = torch.rand(40 // rows + 1, 16 // channels, 3, 3) < 0.15
    with torch.no_grad():
        convolution.weight *= mask.repeat_interleave(rows, 0).repeat_interleave(channels, 1)[:40]
    x = torch.randn(1, 16, 9, 10)
    artifact = cocomp.compile(convolution.eval(), (x,), options=Options(target="vulkan", sparsity=sparsity))
    (kernel,) = [d for d in artifact.manifest["dispatches"] if d["facts"]["kind"] == "gather-gemm"]
    assert kernel["facts"]["encoding"] != "dense"
    assert kernel["executed_flops"] < kernel["flops"]
    with artifact.load() as model, torch.no_grad():
        assert np.abs(model(x) - convolution(x).numpy()).max() < 1e-5


@needs_device
def test_half_precision() -> None:
    torch.manual_seed(4)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.Flatten(), nn.Linear(1024, 10)
    ).eval()
    x = torch.randn(1, 3, 8, 8)
    single, half = (
        cocomp.compile(network, (x,), options=Options(target="vulkan", precision=p)) for p in ("f32", "f16")
    )
    assert half.manifest["arena_bytes"] < single.manifest["arena_bytes"]
    with half.load() as model, torch.no_grad():
        expected = network(x).numpy()
        assert np.abs(model(x) - expected).max() < 2e-2 * np.abs(expected).max()


class Turns(nn.Module):
    """Convolutions with a scan between them, and products in double precision that read a tensor of the GPU in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 6, 3)
        self.wide = nn.Linear(6, 5).double()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made = self.last(self.first(x).relu().cumsum(2) * 0.1)
        doubled = made.double() * y
        return made, self.wide(doubled.mean((2, 3))), torch.bmm(doubled[0], doubled[0].mT), x.var()


@needs_device
@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-5), ("f16", 2e-2)])
@pytest.mark.parametrize("without", [(), ("fusion", "layout")], ids=["whole", "plain"])
def test_a_gpu_and_a_cpu_take_turns(precision: str, tolerance: float, without: tuple[str, ...]) -> None:
    torch.manual_seed(8)
    module = Turns().eval()
    inputs = (torch.randn(1, 3, 12, 10), torch.randn(1, 6, 10, 8, dtype=torch.float64))
    options = Options(target="vulkan", precision=precision, without=without, fallback="cpu", memory="texture")
    artifact = cocomp.compile(module, inputs, options=options)
    kinds = {(d["processor"], d["facts"]["kind"]) for d in artifact.manifest["dispatches"]}
    assert {("gpu", "gather-gemm"), ("cpu", "scan"), ("cpu", "gather-gemm"), ("gpu", "reduction")} <= kinds
    with torch.no_grad():
        expected = [r.numpy() for r in module(*inputs)]
    with artifact.load(threads=2) as model:
        found = model.run(inputs)
    for one, wanted in zip(found, expected, strict=True):
        assert one.dtype == wanted.dtype
        assert np.abs(one - wanted).max() < tolerance * np.abs(wanted).max()


def test_zeros_are_left_out_in_double_precision() -> None:
    torch.manual_seed(9)
    linear = nn.Linear(64, 64).double()
    with torch.no_grad():
        linear.weight *= (torch.rand(4, 64) < 0.2).repeat_interleave(16, 0)
    x = torch.randn(16, 64, dtype=torch.float64)
    artifact = cocomp.compile(linear, (x,), options=Options(target="android-gpu", fallback="cpu"))
    (kernel,) = [d for d in artifact.manifest["dispatches"] if d["facts"]["kind"] == "gather-gemm"]
    assert kernel["processor"] == "cpu" and kernel["facts"]["encoding"] != "dense"


def test_what_gpus_cannot_do_is_said() -> None:
    x = torch.randn(2, 5)
    with pytest.raises(
        CompileError, match="'tm_tensor.scan' is not supported on GPUs\nnote: compile with --fallback=cpu"
    ):
        cocomp.compile(type("Sum", (nn.Module,), {"forward": lambda _, x: x.cumsum(1)})(), (x,), "vulkan")
    with pytest.raises(CompileError, match="double precision, which vulkan does not have\nnote: .*--fallback=cpu"):
        cocomp.compile(nn.ReLU(), (x.double(),), "vulkan")
    with pytest.raises(UsageError, match="no --fallback=cpu with -target=host: all kernels run on the CPU there"):
        cocomp.compile(nn.ReLU(), (x,), options=Options(fallback="cpu"))
    with pytest.raises(UsageError, match="unknown fallback 'gpu': expected one of none, cpu"):
        Options(target="vulkan", fallback="gpu")
    with pytest.raises(
        UsageError,
        match="unknown GPU 'cortex-a76' for -target=android-gpu: expected one of adreno, powervr, mali, desktop",
    ):
        cocomp.compile(nn.ReLU(), (x,), options=Options(target="android-gpu", cpu="cortex-a76"))
    with pytest.raises(UsageError, match="no --memory=texture with -target=host: processors have no textures"):
        cocomp.compile(nn.ReLU(), (x,), options=Options(memory="texture"))
    with pytest.raises(UsageError, match="unknown memory 'images': expected one of auto, texture, buffer"):
        Options(target="vulkan", memory="images")
    with pytest.raises(UsageError, match="no --tune=1 with -target=android-gpu: its GPUs cannot be asked"):
        cocomp.compile(nn.ReLU(), (x,), options=Options(target="android-gpu", tune=1.0))
