"""From a module to an accelerator's project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cocomp.passes.math.accelerator import Exploration, find_device
from cocomp.support.mlir import ir
from cocomp.support.weights import WeightStore
from cocomp.targets.fpga.reports import reports
from cocomp.targets.fpga.rtl.project import rtl_files

from .network import Array, Network, read_network
from .project import files, manifest

NAME = "accelerator"


def emit(
    module: ir.Module, weights: WeightStore, examples: Sequence[Any], device: str, title: str, found: Exploration
) -> tuple[dict[str, bytes], dict[str, object]]:
    """Files and manifest of the project of a module that `size-buffers` has left; its test bench has the examples, its reports what was
    explored, under a title."""
    network = read_network(module, weights, NAME)
    part = find_device(device).part
    inputs = integers_of(network, examples)
    made = files(network, inputs, part) | rtl_files(network, inputs)
    told = {path: text.encode() for path, text in reports(title, found).items()}
    return made | told, manifest(network, part)


def integers_of(network: Network, inputs: Sequence[Any]) -> list[Array]:
    """What a host gives the accelerator for inputs of the model: int64[..] each."""
    found: list[Array] = []
    for x, tensor, scale in zip(inputs, network.inputs, network.scales[0], strict=True):
        levels = np.rint(np.asarray(x, np.float64) / scale)
        found.append(np.clip(levels, tensor.kind.low, tensor.kind.high).astype(np.int64))
    return found
