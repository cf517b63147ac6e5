"""Layers whose blocks lose rows and columns of their own, as compiled: in pieces, with PyTorch's results and no more products."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cocomp
from cocomp.passes.math.pieces import count_pieces
from cocomp.runtime import emulator
from cocomp.targets.cpus import X86_LEVELS, cpu_target

Array = np.ndarray


@dataclass(frozen=True)
class Layer:
    """A layer, its input, and the block of which it keeps half of the rows and a quarter of the columns."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    block: tuple[int, int]


LAYERS = (
    Layer("one position", nn.Conv2d(256, 128, 1), (1, 256, 14, 14), (64, 128)),
    Layer("image", nn.Conv2d(64, 64, 3, padding=1), (1, 64, 17, 19), (32, 64)),
    Layer("low blocks", nn.Conv2d(64, 64, 3, padding=1), (1, 64, 16, 16), (8, 64)),
    Layer("rows left over", nn.Conv2d(96, 84, 3, padding=1), (2, 96, 16, 16), (16, 64)),
    Layer("blocks of 24", nn.Conv2d(128, 72, 1), (1, 128, 20, 20), (24, 128)),
    Layer("no padding", nn.Conv2d(64, 64, 3, bias=False), (1, 64, 15, 15), (64, 64)),
    Layer("stride", nn.Conv2d(64, 64, 3, 2, 1), (1, 64, 32, 32), (32, 64)),
    Layer("every second", nn.Conv2d(128, 128, 1, 2), (1, 128, 32, 32), (64, 128)),
    Layer("volume", nn.Conv3d(32, 64, 3, padding=1), (1, 32, 4, 16, 16), (32, 96)),
    Layer("grouped", nn.Conv2d(128, 128, 3, padding=1, groups=2), (1, 128, 16, 16), (32, 64)),
)


def prune(weight: Tensor, block: tuple[int, int], rng: np.random.Generator) -> None:
    """Keep other rows and columns in every block of the weight's matrix."""
    matrix = weight.reshape(len(weight), -1)
    kept = np.zeros(matrix.shape, bool)
    for row in range(0, kept.shape[0], block[0]):
        for column in range(0, kept.shape[1], block[1]):
            part = kept[row : row + block[0], column : column + block[1]]
            rows, columns = (rng.permutation(n)[: max(1, n // k)] for n, k in zip(part.shape, (2, 4), strict=True))
            part[np.ix_(rows, columns)] = True
    with torch.no_grad():
        weight.mul_(torch.from_numpy(kept.reshape(weight.shape)))


class SideBySide(nn.Module):
    """All layers in one model: one compilation pays for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({layer.name: layer.module for layer in LAYERS})

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        results = [layer(x) for layer, x in zip(self.layers.values(), inputs, strict=True)]
        results[0] = F.gelu(results[0])  # a dear epilogue
        results[1] = results[1] + inputs[1]
        return tuple(torch.relu(y) for y in results)


@dataclass(frozen=True)
class Results:
    """The compiled layers: what each got, and what it computes."""

    dispatches: dict[str, dict[str, Any]]
    found: dict[int, list[Array]]
    """Number of threads -> results."""
    expected: list[Array]


def model_and_inputs() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The layers, pruned, and the same inputs every time."""
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    for layer in LAYERS:
        prune(layer.module.get_parameter("weight"), layer.block, rng)
    return SideBySide().eval(), tuple(torch.randn(layer.shape, generator=generator) for layer in LAYERS)


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    module, inputs = model_and_inputs()
    options = cocomp.Options("linux-x86-64", "x86-64-v3") if platform.machine() == "x86_64" else cocomp.Options()
    artifact = cocomp.compile(module, inputs, options=options)
    dispatches = {
        d["layer"].removeprefix("layers."): d for d in artifact.manifest["dispatches"] if "encoding" in d["facts"]
    }
    with torch.no_grad():
        expected = [y.numpy() for y in module(*inputs)]
    if platform.machine() == "x86_64" and cpu_target("host").cpu not in list(X86_LEVELS)[1:]:
        pytest.skip("this machine is no x86-64-v3")
    found: dict[int, list[Array]] = {}
    for threads in (1, 2):
        with artifact.load(threads) as model:
            found[threads] = model.run(inputs)
    yield Results(dispatches, found, expected)


named = pytest.mark.parametrize("number", range(len(LAYERS)), ids=[layer.name for layer in LAYERS])
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="tiles are those of x86-64-v3")


@named
@pytest.mark.parametrize("threads", [1, 2])
def test_results(results: Results, number: int, threads: int) -> None:
    found, expected = results.found[threads][number], results.expected[number]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or emulator.find_emulator("aarch64") is None, reason="needs qemu-aarch64"
)
def test_results_on_aarch64(results: Results) -> None:
    module, inputs = model_and_inputs()
    artifact = cocomp.compile(module, inputs, options=cocomp.Options("linux-arm64"))
    dispatches = artifact.manifest["dispatches"]
    assert sum("packing" in d["facts"] for d in dispatches) >= len(LAYERS) - 1
    with emulator.opened(artifact.data, artifact.manifest, 2, "max") as model:
        found = model.run_partly([x.numpy() for x in inputs], artifact.manifest["launches"])[1]
    for y, expected in zip(found, results.expected, strict=True):
        assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max()


@x86
@named
def test_blocks_are_packed_as_such(results: Results, number: int) -> None:
    facts = results.dispatches[LAYERS[number].name]["facts"]
    assert re.fullmatch(r"blocks of \d+ rows", facts["packing"])
    assert facts["tile"].endswith("x8 pixels")


@x86
@named
def test_arithmetic_is_what_pieces_hold(results: Results, number: int) -> None:
    """Kept elements, and what fills up pieces to a height: nothing where that divides the rows that blocks keep."""
    layer, dispatch = LAYERS[number], results.dispatches[LAYERS[number].name]
    weight = layer.module.get_parameter("weight").detach().numpy()
    matrices = (weight != 0).reshape(getattr(layer.module, "groups", 1), -1, weight[0].size)
    band, height = (int(re.findall(r"\d+", dispatch["facts"][fact])[0]) for fact in ("packing", "tile"))
    pieces = count_pieces(matrices, [band], [height])[band, height]
    products = height * round(pieces.columns * len(matrices) * -(-matrices.shape[1] // band))
    points = results.expected[number].size // len(weight)
    assert dispatch["flops"] - dispatch["executed_flops"] == 2 * points * (weight.size - products)
    assert np.count_nonzero(weight) <= products <= 1.2 * np.count_nonzero(weight)
    if layer.block[0] == band and band // 2 % height == 0 == matrices.shape[1] % band:
        assert products == np.count_nonzero(weight)
