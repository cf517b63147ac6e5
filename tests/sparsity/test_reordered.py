"""`reorder-rows`: filters in any order run like filters in blocks, and everything around them still fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp.api import import_model
from cocomp.driver import Compilation
from cocomp.options import Options
from cocomp.passes.math.encodings.bcr import Bcr
from cocomp.passes.math.encodings.csr import Csr
from cocomp.passes.math.encodings.kgs import Kgs
from cocomp.report import report_of
from cocomp.support.mlir import context
from cocomp.verify import read_tensor, verify

Array = np.ndarray
BLOCKS = Bcr(8, 1 << 30)


class Bottleneck(nn.Module):
    """Convolutions with batch norm, one of them depth-wise, two shortcuts, two pools, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.widen, self.norm1 = nn.Conv2d(64, 96, 1, bias=False), nn.BatchNorm2d(96)
        self.depth, self.norm2 = nn.Conv2d(96, 96, 3, padding=1, groups=96, bias=False), nn.BatchNorm2d(96)
        self.narrow, self.norm3 = nn.Conv2d(96, 64, 1, bias=False), nn.BatchNorm2d(64)
        self.last, self.norm4 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        y = nn.functional.relu6(self.norm1(self.widen(x)))
        y = nn.functional.hardswish(self.norm2(self.depth(y)))
        x = self.pool(x + self.norm3(self.narrow(y)))
        x = torch.relu(self.norm4(self.last(x)) + x)
        return self.head(x.mean((2, 3)))


def bottleneck(shuffled: bool) -> nn.Module:
    """The network with blocks of 8 filters that keep a quarter of their columns; shuffled, the filters come in another order,
    the same for the two whose results are added to the same sum."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    module = Bottleneck()
    sums = rng.permutation(64)
    for layer, order in ((module.widen, rng.permutation(96)), (module.narrow, sums), (module.last, sums)):
        weight = layer.weight.detach()
        kept = BLOCKS.project(weight.flatten(2).numpy(), 4).reshape(weight.shape)
        layer.weight.data *= torch.from_numpy(kept[order] if shuffled else kept)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
    with torch.no_grad():
        for _ in range(3):
            module.train()(torch.randn(4, 3, 20, 20))
    return module.eval()


INPUTS = (torch.linspace(-2, 2, 3 * 20 * 20).reshape(1, 3, 20, 20).sin() + torch.arange(3).reshape(1, 3, 1, 1),)


def executed(artifact: cocomp.Artifact) -> int:
    return sum(d["executed_flops"] for d in artifact.manifest["dispatches"])


@pytest.fixture(scope="module")
def artifacts() -> dict[bool, cocomp.Artifact]:
    return {shuffled: cocomp.compile(bottleneck(shuffled), INPUTS) for shuffled in (False, True)}


@pytest.mark.parametrize("shuffled", [False, True])
def test_results_are_pytorch_s(artifacts: dict[bool, cocomp.Artifact], shuffled: bool) -> None:
    with torch.no_grad():
        expected = bottleneck(shuffled)(*INPUTS).numpy()
    for threads in (1, 2):
        with artifacts[shuffled].load(threads) as model:
            np.testing.assert_allclose(model(*INPUTS), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_shuffled_filters_execute_as_much_as_blocks(artifacts: dict[bool, cocomp.Artifact]) -> None:
    assert executed(artifacts[True]) == executed(artifacts[False])
    stays = cocomp.compile(bottleneck(True), INPUTS, options=Options(sparsity="off"))
    assert executed(artifacts[True]) < 0.6 * executed(stays)


def test_the_report_says_what_was_reordered(artifacts: dict[bool, cocomp.Artifact]) -> None:
    found = {
        shuffled: {k["layer"]: k["sparsity"]["reordered"] for k in report_of(made, "m")["kernels"] if k["sparsity"]}
        for shuffled, made in artifacts.items()
    }
    assert found[False] == {"widen": {}, "narrow": {}, "last": {}}
    assert list(found[True]) == list(found[False])
    for columns in found[True].values():
        assert list(columns) == ["4", "8", "16"]
        assert columns["4"][1] == columns["8"][1] < 0.5 * columns["8"][0]


def test_blocks_are_left_exactly_as_they_are() -> None:
    assert reordered(bottleneck(False), INPUTS) == set()


def test_the_first_wrong_kernel_is_found_behind_another_order() -> None:
    """Values in between are compared in the order that they have."""
    imported = import_model(bottleneck(True), INPUTS, context())
    artifact = cocomp.compile_module(imported.module, imported.weights, Options())
    assert artifact is not None and imported.reference is not None
    inputs = [x.numpy() for x in INPUTS]
    dispatches = artifact.manifest["dispatches"]
    broken = next(n for n, d in enumerate(dispatches) if d["layer"] == "head")
    orders = artifact.facts["channel-orders"]
    with artifact.load(1) as model:

        def run_some(inputs: list[Array], count: int) -> tuple[Array, list[Array]]:
            arena, outputs = model.run_partly(inputs, count)
            if count > dispatches[broken]["launch"]:
                read_tensor(dispatches[broken]["writes"][0], arena, outputs)[...] += 100
            return arena, outputs

        first = [verify(imported.reference, artifact.manifest, inputs, run_some, 1e-4, o).first for o in (orders, None)]  # pyright: ignore[reportArgumentType]
    assert first[0] is not None and first[0].kernel == dispatches[broken]["kernel"]
    assert first[1] is not None and first[1].layer == "stem"


# What can be followed, and what cannot -------------------------------------------------------------------------------------


def reordered(module: nn.Module, inputs: tuple[Tensor, ...], sparsity: str = "auto") -> set[str]:
    """Weights that have another order than the model's."""
    imported = import_model(module.eval(), inputs, context())
    compilation = Compilation(imported.module, imported.weights, Options(compile_to="sparse", sparsity=sparsity))
    compilation.run()
    names = {name for name in imported.weights if name.endswith(":reordered")}
    return {name.removesuffix(":reordered").removesuffix(":folded") for name in names}


def thinned(layer: nn.Module, encoding: Csr | Kgs | Bcr, rate: float, seed: int = 0) -> nn.Module:
    """A layer with a tenth of its weights, anywhere or in shuffled blocks."""
    weight = layer.get_parameter("weight").detach()
    kept = encoding.project(weight.reshape(*weight.shape[:2], -1).numpy(), rate)
    if not isinstance(encoding, Kgs):
        kept = kept[np.random.default_rng(seed).permutation(len(kept))]
    weight *= torch.from_numpy(kept.reshape(weight.shape))
    return layer


def shuffled(layer: nn.Module) -> nn.Module:
    return thinned(layer, BLOCKS, 6)


class Chain(nn.Module):
    """Layers with a function between them."""

    def __init__(self, first: nn.Module, between: Callable[[Tensor], Tensor], second: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.second = first, between, second

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.between(self.first(x)))


class Joined(nn.Module):
    """Two convolutions whose results are concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = shuffled(nn.Conv2d(16, 32, 1)), shuffled(nn.Conv2d(16, 32, 1))
        self.last = nn.Conv2d(64, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cat([self.one(x), self.other(x)], 1))


class Excited(nn.Module):
    """Channels that are scaled by what a small network makes of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = shuffled(nn.Conv2d(16, 64, 1)), nn.Conv2d(64, 8, 1)
        self.squeeze, self.excite = nn.Linear(64, 16), shuffled(nn.Linear(16, 64))
        self.excite.weight.data = self.first.get_parameter("weight").data[:, :, 0, 0].clone()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x * torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))[:, :, None, None])


class Shortcut(nn.Module):
    """What is added has the order of the model's input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = shuffled(conv(16, 16)), conv(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x) + x.tanh()))


def halves(x: Tensor) -> Tensor:
    """The channel shuffle of ShuffleNet."""
    return x.reshape(1, 2, 32, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def conv(channels: int, filters: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, 1, groups=groups)


IMAGE, ROWS = (1, 16, 8, 8), (3, 16)
FOLLOWED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "perceptron": (
        lambda: Chain(shuffled(nn.Linear(16, 64)), nn.functional.gelu, nn.Linear(64, 5)),
        ROWS,
        {"first.weight", "first.bias", "second.weight"},
    ),
    "layer norm": (
        lambda: Chain(shuffled(nn.Linear(16, 64)), nn.LayerNorm(64), nn.Linear(64, 5)),
        ROWS,
        {"first.weight", "first.bias", "second.weight", "between.weight", "between.bias"},
    ),
    "flattened planes": (
        lambda: Chain(shuffled(conv(16, 64)), lambda x: nn.functional.avg_pool2d(x, 4).flatten(1), nn.Linear(256, 5)),
        IMAGE,
        {"first.weight", "first.bias", "second.weight"},
    ),
    "squeeze and excite": (
        Excited,
        IMAGE,
        {f"{layer}.weight" for layer in ("first", "excite", "squeeze", "last")} | {"first.bias", "excite.bias"},
    ),
    "grouped": (
        lambda: Chain(thinned(conv(16, 64, groups=2), Csr(), 8), torch.relu, conv(64, 5)),
        IMAGE,
        {"first.weight", "first.bias", "second.weight"},
    ),
    "slice of pixels": (
        lambda: Chain(shuffled(conv(16, 64)), lambda x: torch.relu(x[:, :, 1:-1, ::2]), conv(64, 5)),
        IMAGE,
        {"first.weight", "first.bias", "second.weight"},
    ),
    "rows beside rows": (
        lambda: Chain(shuffled(conv(16, 64)), lambda x: torch.cat([x, torch.relu(x)], 3), conv(64, 5)),
        IMAGE,
        {"first.weight", "first.bias", "second.weight"},
    ),
    "numbers of channels": (
        lambda: Chain(shuffled(conv(16, 64)), lambda x: torch.relu(x) + torch.arange(64.0)[:, None, None], conv(64, 5)),
        IMAGE,
        {"first.weight", "first.bias", "second.weight", "constant"},
    ),
    "circular": (
        lambda: Chain(shuffled(conv(16, 64)), torch.relu, nn.Conv2d(64, 5, 3, padding=1, padding_mode="circular")),
        IMAGE,
        {"first.weight", "first.bias", "second.weight"},
    ),
}
LEFT_ALONE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "result of the model": (lambda: Chain(conv(16, 16), torch.relu, shuffled(conv(16, 64))), IMAGE),
    "channel shuffle": (lambda: Chain(shuffled(conv(16, 64)), halves, conv(64, 5)), IMAGE),
    "groups behind": (lambda: Chain(shuffled(conv(16, 64)), torch.relu, conv(64, 6, groups=2)), IMAGE),
    "group norm behind": (lambda: Chain(shuffled(conv(16, 64)), nn.GroupNorm(4, 64), conv(64, 6)), IMAGE),
    "concatenation": (Joined, IMAGE),
    "half of the channels": (lambda: Chain(shuffled(conv(16, 64)), lambda x: x[:, :32], conv(32, 5)), IMAGE),
    "heads": (lambda: Chain(shuffled(nn.Linear(16, 64)), lambda x: x.reshape(3, 4, 16).sum(1), nn.Linear(16, 5)), ROWS),
    "number of the largest": (
        lambda: Chain(shuffled(nn.Linear(16, 64)), lambda x: x.argmax(1), nn.Embedding(64, 5)),
        ROWS,
    ),
    "running sum": (lambda: Chain(shuffled(nn.Linear(16, 64)), lambda x: x.cumsum(1), nn.Linear(64, 5)), ROWS),
    "image from a row": (
        lambda: Chain(shuffled(nn.Linear(16, 64)), lambda x: x.reshape(3, 4, 4, 4), nn.Conv2d(4, 5, 1)),
        ROWS,
    ),
    "an input is added": (Shortcut, IMAGE),
    "kernel groups behind": (
        lambda: Chain(thinned(conv(16, 64), Csr(), 10), torch.relu, thinned(nn.Conv2d(64, 64, 3), Kgs(8, 4), 3)),
        IMAGE,
    ),
    "nothing to gain": (lambda: Chain(thinned(nn.Linear(512, 64), Csr(), 4), torch.relu, nn.Linear(64, 5)), (1, 512)),
    "no zeros": (lambda: Chain(conv(16, 64), torch.relu, conv(64, 5)), IMAGE),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed(name: str) -> None:
    torch.manual_seed(0)
    factory, shape, wanted = FOLLOWED[name]
    module, inputs = factory().eval(), (torch.randn(shape),)
    assert reordered(module, inputs) == wanted
    assert reordered(module, inputs, "off") == reordered(module, inputs, "force:csr") == set()
    with torch.no_grad():
        expected = module(*inputs).numpy()
    with cocomp.compile(module, inputs).load(1) as model:
        np.testing.assert_allclose(model(*inputs), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone(name: str) -> None:
    torch.manual_seed(0)
    factory, shape = LEFT_ALONE[name]
    assert reordered(factory(), (torch.randn(shape),)) == set()
