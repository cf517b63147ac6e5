"""The pruned models that are raced, as data: what each is pruned to, whom it runs against, and what is to be reached.

Weights are those of the zoo's model with the smallest set to zero, scaled back to their norm and calibrated anew: a signal
that fades on its way would make a comparison of outputs mean nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from benchmarks.inputs import calibrate
from benchmarks.models import C3D_KGS, MODELS, SEED, Example, Model
from cocomp import prune

DENSE = "dense"
"""As a contender: the same network by the same compiler, before it was pruned."""
DENSE_SUFFIX = f"-{DENSE}"

Layers = Callable[[nn.Module], list[str]]
Rate = Literal["FLOPs", "bytes"]


@dataclass(frozen=True)
class Goal:
    """A contender to run against, and how many times faster to be: `least` (None: nothing is asked for) is of the speed-up,
    or of the speed-up over a rate, that of the operations or that of the bytes of weights before and after pruning."""

    against: str
    least: float | None = None
    over: Rate | None = None


@dataclass(frozen=True)
class Row:
    """Layers of a zoo model, pruned to an encoding at a rate (elements for each that is kept), or each layer at its own."""

    name: str
    model: str
    encoding: str
    rate: float | Mapping[str, float]
    goals: tuple[Goal, ...]
    layers: Layers | None = None

    @property
    def dense(self) -> str:
        """Name of the same network before it is pruned."""
        return self.model + DENSE_SUFFIX

    def factory(self) -> Example:
        """The pruned network and its example inputs, like a model of the zoo."""
        module, inputs = MODELS[self.model].factory()
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(SEED)
            before = {name: parameter.norm() for name, parameter in module.named_parameters()}
            chosen = self.layers(module) if self.layers else None
            kept = prune.project(module, self.encoding, self.rate, chosen)
            prune.finish(module)
            for name in kept:
                parameter = module.get_parameter(name)
                parameter.mul_(before[name] / parameter.norm())
            return calibrate(module, inputs), inputs


def all_but_the_first(network: nn.Module) -> list[str]:
    """Convolutions other than the first and depth-wise ones."""
    return [name for name, layer in _convolutions(network)[1:] if layer.groups == 1]


def pointwise(network: nn.Module) -> list[str]:
    """Convolutions over one pixel."""
    return [name for name, layer in _convolutions(network) if layer.groups == 1 and set(layer.kernel_size) == {1}]


def _convolutions(network: nn.Module) -> list[tuple[str, nn.Conv1d | nn.Conv2d | nn.Conv3d]]:
    return [(name, layer) for name, layer in network.named_modules() if isinstance(layer, prune.CONVOLUTIONS)]


# ---- shares of kernel positions that RT3D's released models leave out (arXiv 2007.09835) ----


def _r2plus1d_shares() -> dict[str, float]:
    """R(2+1)D: 0.9 of stage 1 and 0.8 of stage 2, shortcuts apart: 3.23x fewer operations."""
    stages = {"layer1": 0.9, "layer2": 0.8}
    return {
        f"{stage}.{block}.conv{number}.0.{part}": share
        for stage, share in stages.items()
        for block in (0, 1)
        for number in (1, 2)
        for part in (0, 3)  # in space, in time
    }


def _s3d_shares() -> dict[str, float]:
    """S3D: both stem convolutions, and the 3x3 branch of some blocks; 1x1 convolutions stay whole."""
    stems = {"features.0": 0.2, "features.3": 0.8}
    branches = {"features.5": 0.5, "features.6": 0.7, "features.10": 0.5, "features.11": 0.5, "features.12": 0.7}
    pairs = {**stems, **{f"{block}.branch1.1": share for block, share in branches.items()}}
    return {f"{pair}.{part}.0": share for pair, share in pairs.items() for part in (0, 1)}


def _rates(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: 1 / (1 - share) for name, share in shares.items()}


# ---- the rows ----


def _rows() -> list[Row]:
    rows = [
        Row(
            f"{model}-bcr-{rate}x", model, "bcr<16, all>", rate,
            (Goal(DENSE, 0.8 if rate == 16 else 0.9, "FLOPs"),), all_but_the_first,
        )
        for model in ("resnet50", "vgg16") for rate in (2, 4, 8, 16)
    ]  # fmt: skip
    patterns = {"block": ("block<4, 1>", "mnn-block4"), "random": ("csr", "mnn-random")}
    rows += [
        Row(
            f"mobilenet_v2-{pattern}-{percent}", "mobilenet_v2", encoding, 100 / (100 - percent),
            (Goal(rival, 1.5), Goal("litert-sparse", 1), Goal(DENSE, over="FLOPs")), pointwise,
        )
        for pattern, (encoding, rival) in patterns.items() for percent in (70, 90)
    ]  # fmt: skip
    rows += [
        Row(
            f"resnet50-block-{percent}", "resnet50", "block<4, 1>", 100 / (100 - percent),
            (Goal("mnn-block4", 1.8), Goal(DENSE, 0.85, "FLOPs")), all_but_the_first,
        )
        for percent in (70, 90)
    ]  # fmt: skip
    rows += [
        Row(f"{model}-kgs", model, "kgs<8, 4>", _rates(shares), (Goal(DENSE, 0.95, "FLOPs"),))
        for model, shares in (("c3d", C3D_KGS), ("r2plus1d_18", _r2plus1d_shares()), ("s3d", _s3d_shares()))
    ]
    rows += [
        Row(
            f"gru-bcr-{rate}x", "gru", "bcr<16, all>", rate,
            (Goal(DENSE, 0.8, "bytes"), Goal("scipy", 5), Goal("torch-csr", 5)),
        )
        for rate in (10, 29, 103)
    ]  # fmt: skip
    goals = (Goal(DENSE, 3), Goal("mnn-random", 1.8))
    return [*rows, Row("resnet50-random-90", "resnet50", "csr", 10, goals, all_but_the_first)]


ROWS = {row.name: row for row in _rows()}


def find(name: str) -> Model:
    """A model of the zoo, a pruned one by the name of its row, or with `-dense` what such a one is raced against."""
    if name in ROWS:
        row = ROWS[name]
        return Model(name, f"{row.model}, {row.encoding}", row.factory)
    return MODELS[name.removesuffix(DENSE_SUFFIX)]


def is_raced(name: str) -> bool:
    """Whether a name is not one of the zoo's own."""
    return name not in MODELS
