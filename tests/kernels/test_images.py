"""Tensors in images between the kernels of a GPU: what is computed with them, compared with PyTorch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cocomp
from cocomp import Options
from tests.vulkan import limited, needs_device

IMAGES = Options(target="vulkan", memory="texture")


def run(
    module: nn.Module,
    inputs: Sequence[Tensor],
    options: Options = IMAGES,
    tolerance: float = 2e-5,
    limits: tuple[int, int] = (4096, 256),
) -> Counter[str]:
    """Compile with images of at most so many texels each way, compare with PyTorch; how many tensors are in which memory, `volume` for
    images of three dimensions, and why not in images."""
    with limited(image_extent=limits[0], volume_extent=limits[1]):
        artifact = cocomp.compile(module.eval(), tuple(inputs), options=options)
    with torch.no_grad():
        expected = module(*inputs)
    wanted = [w.numpy() for w in (expected if isinstance(expected, tuple) else (expected,))]
    with artifact.load() as model:
        for found, value in zip(model.run(inputs), wanted, strict=True):
            assert np.abs(found - value).max() <= tolerance * max(1.0, np.abs(value).max())
    written = [w for d in artifact.manifest["dispatches"] for w in d["writes"]]
    return Counter(w["in_buffer"] or ("volume" if len(w["texels"] or ()) == 3 else w["space"]) for w in written)


class Chain(nn.Module):
    """Two convolutions, and what is done to a tensor between them."""

    def __init__(self, channels: tuple[int, int, int], kernel: int, stride: int, between: str) -> None:
        super().__init__()
        first, middle, last = channels
        self.between = between
        self.first = nn.Conv2d(first, middle, kernel, padding=kernel // 2)
        self.depthwise = nn.Conv2d(middle, middle, 3, padding=1, groups=middle)
        self.norm = nn.LayerNorm(middle)
        self.last = nn.Conv2d(2 * middle if between == "concatenated" else middle, last, kernel, stride, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first(x))
        made: dict[str, Callable[[Tensor], Tensor]] = {
            "nothing": lambda y: y,
            "concatenated": lambda y: torch.cat([y, self.depthwise(y)], 1),
            "added": lambda y: y + self.depthwise(y),
            "pooled": lambda y: torch.max_pool2d(y, 2, 1),
            "turned": lambda y: y.transpose(2, 3) * 2,
            "normalised": lambda y: self.norm(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        }
        return self.last(made[self.between](y))


@needs_device
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    channels=st.tuples(*[st.sampled_from([1, 3, 4, 6, 8, 20])] * 3),
    kernel=st.sampled_from([1, 3]),
    stride=st.integers(1, 2),
    size=st.tuples(st.integers(1, 2), st.integers(4, 20), st.integers(4, 20)),
    between=st.sampled_from(["nothing", "concatenated", "added", "pooled", "turned", "normalised"]),
    precision=st.sampled_from(["f32", "f16"]),
    limits=st.sampled_from([(4096, 256), (16, 64), (3, 64), (3, 20)]),
    seed=st.integers(0, 1000),
)
def test_any_chain(
    channels: tuple[int, int, int],
    kernel: int,
    stride: int,
    size: tuple[int, int, int],
    between: str,
    precision: str,
    limits: tuple[int, int],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    batch, height, width = size
    x = torch.randn(batch, channels[0], height, width)
    options = replace(IMAGES, precision=precision)
    run(Chain(channels, kernel, stride, between), (x,), options, 2e-5 if precision == "f32" else 2e-2, limits)


@needs_device
@pytest.mark.parametrize("between", ["nothing", "concatenated", "added", "pooled", "turned", "normalised"])
def test_whole_texels_are_images(between: str) -> None:
    torch.manual_seed(1)
    spaces = run(Chain((4, 8, 12), 3, 1, between), (torch.randn(2, 4, 9, 10),))
    assert spaces["image"] >= 1
    assert set(spaces) <= {"image", "it is an output of the model"}


@needs_device
@pytest.mark.parametrize("between", ["nothing", "concatenated", "added", "pooled", "turned", "normalised"])
def test_what_is_too_large_for_two_dimensions_has_three(between: str) -> None:
    torch.manual_seed(1)
    spaces = run(Chain((4, 8, 12), 3, 1, between), (torch.randn(2, 4, 9, 10),), limits=(12, 64))
    assert spaces["volume"] >= 1
    assert set(spaces) <= {"image", "volume", "it is an output of the model"}


@needs_device
def test_channels_that_are_no_texels_stay_in_buffers() -> None:
    torch.manual_seed(2)
    spaces = run(Chain((4, 6, 8), 3, 1, "nothing"), (torch.randn(1, 4, 9, 10),))
    assert any(reason.endswith("writes it element by element") for reason in spaces)


@needs_device
def test_attention_and_one_dimension() -> None:
    torch.manual_seed(3)
    layer = nn.TransformerEncoderLayer(24, 3, 48, batch_first=True)
    assert run(layer, (torch.randn(2, 16, 24),))["image"] >= 4
    lines = nn.Sequential(nn.Conv1d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 8, 3, padding=1))
    assert run(lines, (torch.randn(2, 8, 37),))["image"] >= 1
    vectors = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 32), nn.Softmax(-1), nn.Linear(32, 5))
    assert run(vectors, (torch.randn(1, 8),))["image"] >= 2


@needs_device
def test_volumes() -> None:
    torch.manual_seed(4)
    volumes = nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 4, 3, padding=1))
    x = torch.randn(1, 4, 5, 6, 7)
    assert run(volumes, (x,))["image"] >= 1
    assert run(volumes, (x,), limits=(10, 64))["volume"] >= 1


@needs_device
@pytest.mark.parametrize("kept", [(8, 4), (1, 1)])
@pytest.mark.parametrize(("limits", "space"), [((4096, 256), "image"), ((16, 64), "volume")])
def test_zeros_are_left_out_of_images(kept: tuple[int, int], limits: tuple[int, int], space: str) -> None:
    torch.manual_seed(5)
    first, last = nn.Conv2d(4, 16, 1), nn.Conv2d(16, 32, 3, padding=1)
    rows, columns = kept
    with torch.no_grad():
        mask = torch.rand(32 // rows, 144 // columns) < 0.25
        mask = mask.repeat_interleave(rows, 0).repeat_interleave(columns, 1)
        last.weight *= mask.reshape(32, 9, 16).permute(0, 2, 1).reshape(32, 16, 3, 3)
    module, x = nn.Sequential(first, nn.ReLU(), last), torch.randn(1, 4, 9, 10)
    options = replace(IMAGES, sparsity="force:bcr" if rows > 1 else "force:csr")
    assert run(module, (x,), options, limits=limits)[space] >= 1


@needs_device
def test_what_is_larger_than_an_image_may_be_stays_in_a_buffer() -> None:
    torch.manual_seed(6)
    wide = nn.Sequential(nn.Linear(4, 20000), nn.ReLU(), nn.Linear(20000, 4))
    spaces = run(wide, (torch.randn(1, 4),))
    assert spaces["an image of 5000 x 1 texels is more than the 4096 each way that are certain"] == 1
    assert run(wide, (torch.randn(1, 4),), replace(IMAGES, cpu="adreno"))["image"] == 1


@needs_device
def test_a_kernel_of_images_and_of_buffers() -> None:
    """One structure, once between images, once before the output."""
    torch.manual_seed(7)
    layers = [nn.Linear(8, 8) for _ in range(4)]
    spaces = run(nn.Sequential(*(m for layer in layers for m in (layer, nn.Tanh()))), (torch.randn(3, 8),))
    assert spaces == {"image": 3, "it is an output of the model": 1}


@needs_device
def test_one_tensor_is_a_buffer_for_all_that_read_it() -> None:
    """A gather reads lines that it computes; the kernels of the other tensors keep their images."""

    class Gathered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return torch.index_select(x, 0, index), self.layers[0](x)

    torch.manual_seed(8)
    spaces = run(Gathered(), (torch.randn(6, 8), torch.tensor([3, 1])))
    assert spaces["image"] >= 3
