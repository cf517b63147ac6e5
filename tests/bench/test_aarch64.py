"""`benchmarks.aarch64`: instructions are counted exactly, and fall with the operations when a layer is pruned."""

from __future__ import annotations

import dataclasses
import functools
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import cocomp
from benchmarks.aarch64 import main
from benchmarks.counts import BETWEEN, Count, LayerCount, build_plugin, by_function, by_layer, unfiltered
from benchmarks.falls import LEAST, fall, parts, table
from benchmarks.inner_loops import find_tool
from cocomp import prune
from cocomp.runtime import emulator
from cocomp.runtime.emulator import Executed

Layer = Callable[[], tuple[nn.Module, torch.Tensor]]
LAYERS: dict[str, Layer] = {
    "1x1": lambda: (nn.Conv2d(256, 128, 1), torch.randn(1, 256, 14, 14)),
    "3x3": lambda: (nn.Conv2d(64, 64, 3, padding=1), torch.randn(1, 64, 28, 28)),
    "3x3x3": lambda: (nn.Conv3d(64, 64, 3, padding=1), torch.randn(1, 64, 4, 14, 14)),
}

emulated = pytest.mark.skipif(
    platform.machine() != "x86_64" or emulator.find_emulator("aarch64") is None or shutil.which("cc") is None,
    reason="needs qemu-aarch64 and a C compiler",
)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_plugin(tmp_path_factory.mktemp("plugin"))


@functools.cache
def executed(layer: str, encoding: str, rate: float, plugin: Path) -> tuple[Executed, float]:
    """A run of one convolution, and the share of its weights that is not zero. It is direct, as minimal filtering takes fewer
    instructions than operations to begin with."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(7)
        module, x = LAYERS[layer]()
    module.eval()
    weight = module.get_parameter("weight")
    if rate > 1:
        prune.project(module, encoding, rate, [""])
        prune.finish(module)
        weight = module.get_parameter("weight")
    with unfiltered():
        artifact = cocomp.compile(module, (x,), options=cocomp.Options(target="android-cpu"))
    with emulator.opened(artifact.data, artifact.manifest, threads=1) as model:
        counted = model.count([x.numpy()], plugin)
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(counted.outputs[0]), module(x), rtol=1e-4, atol=1e-4)
    return counted, float((weight != 0).float().mean())


@emulated
@pytest.mark.parametrize(
    ("layer", "encoding", "rate"),
    [
        ("1x1", "bcr<16, all>", 2),
        ("1x1", "bcr<16, all>", 4),
        ("3x3", "bcr<16, all>", 4),
        ("3x3", "bcr<16, all>", 8),
        ("3x3", "kgs<8, 4>", 3),
        ("3x3x3", "kgs<8, 4>", 3.57),
    ],
)
def test_instructions_fall_with_operations(layer: str, encoding: str, rate: float, plugin: Path) -> None:
    dense, _ = executed(layer, encoding, 1, plugin)
    pruned, kept = executed(layer, encoding, rate, plugin)
    assert dense.instructions / pruned.instructions >= LEAST / kept


@emulated
def test_counts_are_exact(plugin: Path) -> None:
    """What the emulator counts does not depend on when, nor on what else runs: to the instruction."""
    module, x = LAYERS["1x1"]()
    artifact = cocomp.compile(module.eval(), (x,), options=cocomp.Options(target="android-cpu"))
    found: list[Executed] = []
    for _ in range(2):
        with emulator.opened(artifact.data, artifact.manifest, threads=1) as model:
            found.append(model.count([x.numpy()], plugin))
    assert found[0].instructions == found[1].instructions == sum(found[0].blocks.values())


@emulated
@pytest.mark.skipif(find_tool("llvm-nm") is None, reason="needs llvm-nm")
def test_counts_by_layer(plugin: Path, tmp_path: Path) -> None:
    """Layers and what runs between them add up to the whole; the same convolution takes as much again."""
    network = nn.Sequential(nn.Conv2d(16, 16, 1), nn.Sigmoid(), nn.Conv2d(16, 16, 1)).eval()
    x = torch.randn(1, 16, 12, 12)
    artifact = cocomp.compile(network, (x,), options=cocomp.Options(target="android-cpu"))
    with emulator.opened(artifact.data, artifact.manifest, threads=1) as model:
        counted = model.count([x.numpy()], plugin)
        layers = {
            c.layer: c for c in by_layer(artifact.manifest["dispatches"], by_function(model.library, counted.blocks))
        }
    assert sum(c.instructions for c in layers.values()) == counted.instructions
    assert layers["0"].instructions > layers["0"].flops / 8, "a multiply-add of four lanes is eight operations"
    assert 0 < layers[BETWEEN].instructions < 0.2 * counted.instructions


# ---- without an emulator ----


def test_layers_share_a_kernel_by_their_operations() -> None:
    dispatches = [
        {"kernel": "a", "layer": "one", "executed_flops": 100},
        {"kernel": "a", "layer": "two", "executed_flops": 300},
        {"kernel": "b", "layer": "two", "executed_flops": 0},
    ]
    found = list(by_layer(dispatches, {"a": 80, "b": 5, "cocomp_run": 3}))
    assert found == [LayerCount("one", 20, 100), LayerCount("two", 65, 300), LayerCount(BETWEEN, 3, 0)]


def count_of(instructions: int, kept_flops: int, layers: dict[str, tuple[float, int]]) -> Count:
    found = tuple(LayerCount(name, *values) for name, values in layers.items())
    return Count("small", "f32", instructions, 0, kept_flops, 0, 0, found)


DENSE = count_of(1000, 8000, {"stem": (200, 1600), "body": (800, 6400)})
PRUNED = count_of(410, 3200, {"stem": (200, 1600), "body": (210, 1600)})


def test_falls() -> None:
    whole = fall("row", "dense", DENSE, PRUNED)
    assert (whole.ratio, whole.rate, whole.met) == (pytest.approx(2.439, abs=1e-3), 2.5, True)
    thinned, others = parts("row", "dense", DENSE, PRUNED)
    assert (thinned.before, thinned.after, thinned.rate) == (800, 210, 4)
    assert (others.before, others.after, others.rate) == (200, 200, 1)
    assert thinned.reached == pytest.approx(0.952, abs=1e-3) and thinned.met is None
    slow = dataclasses.replace(PRUNED, instructions=500)
    assert fall("row", "dense", DENSE, slow).met is False
    assert parts("row", "dense", DENSE, DENSE) == []
    assert table([whole, thinned]).rows[0] == (
        "row", "f32", "dense", "whole", "0.0", "0.0", "2.44", "2.50", "0.98", "0.85", "yes",
    )  # fmt: skip
    assert table([thinned]).rows[0][-2:] == ("-", "-")


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--models", "lenet"], "got lenet"), (["--rows", "lenet-*"], "got lenet-*")]
)
def test_unknown_names(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
