"""`cocomp.prune`: the share, the largest, in the promised structure; masks hold while a model is trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from benchmarks.models import C3D_KGS
from benchmarks.networks import C3D
from cocomp import prune
from cocomp.passes.math.encodings import find_encoding
from cocomp.support.diagnostics import UsageError


def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 32, 1),
        nn.Conv2d(32, 16, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 16),
        nn.Linear(16, 4),
    )


def shares(model: nn.Module) -> list[float]:
    return [float((m.weight != 0).float().mean()) for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def encoding_of(weight: torch.Tensor) -> str:
    kept = (weight != 0).numpy()
    return str(find_encoding(kept.reshape(*kept.shape[:2], -1)))


def test_first_last_and_depthwise_layers_stay_whole() -> None:
    model = network()
    kept = prune.project(model, "bcr<16, all>", 4)
    assert shares(model) == [1, 1, 0.25, 0.25, 0.25, 1]
    assert kept == dict.fromkeys(["2.weight", "3.weight", "6.weight"], 0.25)


def test_the_largest_stay_as_they_are() -> None:
    model = network()
    before = model[3].get_parameter("weight").detach().clone()
    prune.project(model, "bcr<4, all>", 8)
    prune.finish(model)
    pruned = model[3].get_parameter("weight").detach()
    for first in range(0, 16, 4):
        block, original = pruned[first : first + 4].flatten(1), before[first : first + 4].flatten(1)
        kept = (block != 0).any(0)
        assert int(kept.sum()) == 36
        assert torch.equal(block[:, kept], original[:, kept])
        assert original[:, kept].norm(dim=0).min() >= original[:, ~kept].norm(dim=0).max()
    assert encoding_of(pruned) == "bcr<4, 288>"


def test_a_rate_for_each_layer() -> None:
    model = network()
    prune.project(model, "csr", {"0": 2, "7": 4})
    assert shares(model) == [0.5, 1, 1, 1, 1, 0.25]


def test_layers_by_name_and_by_function() -> None:
    by_name, by_function = network(), network()
    prune.project(by_name, "csr", 2, layers=["2", "3"])
    prune.project(by_function, "csr", 2, layers=lambda name, module: isinstance(module, nn.Conv2d) and name > "1")
    assert shares(by_name) == shares(by_function) == [1, 1, 0.5, 0.5, 1, 1]


def test_one_threshold_for_all_layers() -> None:
    model = network()
    with torch.no_grad():
        model[2].get_parameter("weight").mul_(0.1)
    kept = prune.project(model, "csr", 4, layers=["2", "3"], scope="global")
    sizes = {"2.weight": 512, "3.weight": 4608}
    assert sum(kept[n] * sizes[n] for n in kept) == pytest.approx(sum(sizes.values()) / 4, abs=1)
    assert kept["2.weight"] < 0.05 < kept["3.weight"]


def test_masks_hold_through_training() -> None:
    model = network()
    prune.project(model, "kgs<8, 4>", 2, layers=["3"])
    before = model[3].get_buffer("weight_mask").clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 12, 12)).square().mean().backward()
        optimizer.step()
    prune.finish(model)
    weight = model[3].get_parameter("weight")
    assert isinstance(weight, nn.Parameter) and not list(model.buffers())
    assert torch.equal(weight != 0, before.bool())
    assert encoding_of(weight.detach()) == "kgs<8, 4>"


@pytest.mark.parametrize("finished", [True, False])
def test_masks_are_compiled(finished: bool) -> None:
    """With the masks of torch.nn.utils.prune still in place, too."""
    model = network().eval()
    prune.project(model, "bcr<16, all>", 4)
    x = torch.randn(1, 3, 20, 20)
    expected = model(x).detach().numpy()
    if finished:
        prune.finish(model)
    artifact = cocomp.compile(model, (x,))
    found = {f"{d['facts'].get('encoding')} {d['facts'].get('zeros')}" for d in artifact.manifest["dispatches"]}
    print(found)
    assert any("bcr<16, 288>" in text for text in found)
    assert np.abs(artifact.load()(x) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_recurrent_layers(kind: Callable[..., nn.Module]) -> None:
    torch.manual_seed(3)
    layer = kind(32, 32, batch_first=True)
    kept = prune.project(layer, "bcr<16, all>", 4)
    assert kept == {"weight_ih_l0": 0.25, "weight_hh_l0": 0.25}
    prune.finish(layer)
    assert encoding_of(layer.get_parameter("weight_hh_l0").detach()) == "bcr<16, 32>"


def test_c3d_is_pruned_to_the_published_rate() -> None:
    """3.57 times fewer operations, without weights: sizes are enough."""
    with torch.device("meta"):
        value, layers = torch.empty(1, 3, 16, 112, 112), C3D().features
    whole = left = 0.0
    for name, layer in layers.named_children():
        value = layer(value)
        if isinstance(layer, nn.Conv3d):
            products = layer.weight.numel() * value[0, 0].numel()
            whole += products
            left += products * (1 - C3D_KGS.get(f"features.{name}", 0))
    assert whole / left == pytest.approx(3.57, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bcr<16>", 4), "expected bcr<rows, columns>, got 'bcr<16>'"),
        (("bcr", 4), "expected bcr<rows, columns>, got 'bcr'"),
        (("csr", 0.5), "expected a rate of at least 1, got 0.5"),
        (("csr", {"9": 2}), "no layer '9' that can be pruned; there are 0, 2, 3, 6, 7"),
        (("nm<2, 4>", 3), "layer '2': expected a rate of 2 for nm<2, 4>, got 3"),
        (("nm<2, 4>", 2, None, "global"), "nm<2, 4> ranks nothing across layers: prune layer by layer"),
        (("csr", 2, None, "model"), "expected scope layer, or global with one rate, got model"),
        (("csr", 2, []), "there is nothing to prune: expected convolutions, linear or recurrent layers"),
    ],
)
def test_what_does_not_fit(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        prune.project(network(), *arguments)  # pyright: ignore[reportArgumentType]
    assert str(refused.value) == message
