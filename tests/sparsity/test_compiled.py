"""Pruned layers as compiled: results are PyTorch's, and the arithmetic that is left out is what the masks say."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp.passes.math.encodings import WHOLE, Encoding
from cocomp.passes.math.encodings.bcr import Bcr
from cocomp.passes.math.encodings.kgs import Kgs
from cocomp.targets.cpus import X86_LEVELS, cpu_target

Array = np.ndarray
Prune = Callable[[Tensor], Tensor]


def projected(encoding: Encoding, rate: float) -> Prune:
    def prune(weight: Tensor) -> Tensor:
        whole = weight.detach().reshape(*weight.shape[:2], -1).numpy()
        return weight * torch.from_numpy(encoding.project(whole, rate).reshape(weight.shape))

    return prune


def columns(rate: float, rows: int) -> Prune:
    return projected(Bcr(rows, WHOLE), rate)


def groups(removed: float) -> Prune:
    return projected(Kgs(4, 4), 1 / (1 - removed))


def anywhere(kept: float) -> Prune:
    return lambda weight: weight * (torch.rand_like(weight) < kept)


@dataclass(frozen=True)
class Layer:
    """A pruned layer, its input, and what it should become for x86-64-v3."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    prune: Prune
    encoding: str
    along_pixels: bool


LAYERS = (
    Layer("planes", nn.Conv2d(32, 32, 3, padding=1), (1, 32, 40, 40), groups(0.7), "kgs<4, 4>", along_pixels=True),
    Layer(
        "small planes", nn.Conv2d(32, 32, 3, padding=1), (1, 32, 12, 12), groups(0.7), "kgs<4, 4>", along_pixels=True
    ),
    Layer("lines", nn.Conv2d(48, 48, 3, padding=1), (2, 48, 7, 7), columns(6, 4), "bcr<4, 432>", along_pixels=True),
    Layer("one position", nn.Conv2d(64, 40, 1), (1, 64, 12, 12), columns(4, 8), "bcr<8, 64>", along_pixels=True),
    Layer("stride", nn.Conv2d(16, 40, 3, stride=2), (1, 16, 23, 23), columns(4, 8), "bcr<8, 144>", False),
    Layer(
        "stride of two", nn.Conv2d(32, 64, 3, 2, 1), (1, 32, 24, 24), columns(6, 4), "bcr<4, 512>", along_pixels=True
    ),
    Layer("every second", nn.Conv2d(64, 128, 1, 2), (1, 64, 24, 24), columns(6, 4), "bcr<4, 64>", along_pixels=True),
    Layer("every third", nn.Conv2d(64, 64, 1, 3), (1, 64, 31, 31), columns(6, 4), "bcr<4, 64>", along_pixels=False),
    Layer("odd", nn.Conv2d(64, 64, 1, 2), (1, 64, 57, 57), columns(6, 4), "bcr<4, 64>", along_pixels=True),
    Layer("volume", nn.Conv3d(16, 32, 3, padding=1), (1, 16, 4, 20, 20), groups(0.7), "kgs<4, 4>", along_pixels=True),
    Layer("small volume", nn.Conv3d(16, 32, 3, padding=1), (1, 16, 4, 10, 10), columns(6, 16), "bcr<16, 432>", False),
    Layer(
        "times", nn.Conv3d(32, 32, (3, 1, 1), padding=(1, 0, 0)), (1, 32, 8, 20, 20), columns(6, 4), "bcr<4, 96>", True
    ),
    Layer("rows", nn.Linear(96, 80), (5, 96), columns(4, 8), "bcr<8, 96>", False),
    Layer("one row", nn.Linear(96, 80), (1, 96), columns(4, 16), "bcr<16, 96>", False),
    Layer("grouped", nn.Conv2d(32, 64, 3, groups=2), (1, 32, 12, 12), columns(4, 16), "bcr<16, 144>", False),
    Layer("anywhere", nn.Conv2d(64, 64, 1), (1, 64, 12, 12), anywhere(0.1), "csr", along_pixels=True),
    Layer("in vain", nn.Linear(64, 64), (1, 64), anywhere(0.5), "csr", False),
    Layer("whole", nn.Conv2d(8, 16, 3), (1, 8, 12, 12), anywhere(1.0), "dense", False),
)


class SideBySide(nn.Module):
    """All layers in one model, each with an input of its own: one compilation pays for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({layer.name: layer.module for layer in LAYERS})

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.relu(layer(x)) for layer, x in zip(self.layers.values(), inputs, strict=True))


@dataclass(frozen=True)
class Results:
    """The compiled layers: what each got, and what it computes."""

    dispatches: dict[str, dict[str, Any]]
    found: dict[int, list[Array]]
    """Number of threads -> results."""
    expected: list[Array]


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    torch.manual_seed(0)
    with torch.no_grad():
        for layer in LAYERS:
            weight = layer.module.get_parameter("weight")
            weight.copy_(layer.prune(weight))
    module = SideBySide().eval()
    inputs = tuple(torch.randn(layer.shape) for layer in LAYERS)
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


@x86
@named
def test_structure_and_orientation(results: Results, number: int) -> None:
    layer = LAYERS[number]
    facts = results.dispatches[layer.name]["facts"]
    if "zeros" in facts:
        assert layer.encoding in facts["zeros"]
    else:
        assert facts["encoding"] == layer.encoding
    assert facts["tile"].endswith("x8 pixels") == layer.along_pixels


def rows_together(tile: str) -> int:
    """Rows of the first row group: `4 rows, 2x8 pixels` along pixels, `2x8+1x8 rows, 5 pixels` along rows."""
    first = re.match(r"[\dx]+", tile)
    assert first is not None
    return int(np.prod([int(n) for n in first.group().split("x")]))


@named
def test_arithmetic_is_what_the_mask_leaves(results: Results, number: int) -> None:
    """Row group by row group: as many columns as any of its rows keeps."""
    layer, dispatch = LAYERS[number], results.dispatches[LAYERS[number].name]
    weight = layer.module.get_parameter("weight").detach().numpy()
    size = rows_together(dispatch["facts"]["tile"])
    points = results.expected[number].size // len(weight)
    matrices = (weight != 0).reshape(getattr(layer.module, "groups", 1), -1, weight[0].size)
    blocks = [matrix[first : first + size] for matrix in matrices for first in range(0, len(matrix), size)]
    products = sum(len(block) * int(block.any(0).sum()) for block in blocks)
    left_out = 0 if dispatch["facts"]["encoding"] == "dense" else weight.size - products
    assert dispatch["flops"] - dispatch["executed_flops"] == 2 * points * left_out
    assert 2 * points * weight.size <= dispatch["flops"] <= 2 * points * (weight.size + 2 * len(weight))


def test_zeros_that_do_not_pay_stay(results: Results) -> None:
    """Half of the elements, anywhere: registers of rows would hardly lose a column."""
    dispatch = results.dispatches["in vain"]
    assert dispatch["facts"]["encoding"] == "dense"
    assert dispatch["facts"]["zeros"] == "kept: leaving out those of csr would take longer"
    assert dispatch["executed_flops"] == dispatch["flops"]


def test_dense_layers_say_nothing_of_zeros(results: Results) -> None:
    facts = results.dispatches["whole"]["facts"]
    assert facts["encoding"] == "dense" and "zeros" not in facts
