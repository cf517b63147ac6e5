"""Instructions of AArch64 artefacts under emulation, layer by layer: exact, whatever else this machine does."""

import bisect
import contextlib
import re
import subprocess
import unittest.mock
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

import cocomp
from benchmarks.inner_loops import find_tool
from benchmarks.models import Model
from benchmarks.peers.sources import count_kept_flops
from cocomp.passes.kernel import schedule_contractions
from cocomp.passes.tensor import split_strides
from cocomp.runtime import emulator

PLUGIN = Path(__file__).parent / "native" / "instructions.c"
FUNCTION = re.compile(r"^([0-9a-f]+) ([0-9a-f]+) [tT] (\S+)$")
BETWEEN = "(between kernels)"


@dataclass(frozen=True)
class LayerCount:
    """What a module of the network executes. Operations of minimal filtering are counted as those of what it replaces."""

    layer: str
    instructions: float
    flops: int


@dataclass(frozen=True)
class Count:
    """A model on AArch64, one run on one thread. `flops` are what is executed, `kept_flops` those of layers if no zero was
    multiplied with; `error` is max|error| / max|reference| against PyTorch."""

    model: str
    precision: str
    instructions: int
    flops: int
    kept_flops: int
    error: float
    bytes: int
    layers: tuple[LayerCount, ...]


def build_plugin(directory: Path) -> Path:
    """The plugin that counts, compiled. Raises subprocess.CalledProcessError."""
    output = directory / "instructions.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", str(PLUGIN), "-o", str(output)], check=True)
    return output


def count(model: Model, precision: str, plugin: Path, direct: bool = False) -> tuple[Count, bytes]:
    """Compiles a model for android-cpu and counts; beside it, the artefact. Where convolutions are to be `direct`, none is by minimal
    filtering: of that, zeros cannot be left out."""
    module, inputs = model.factory()
    options = cocomp.Options(target="android-cpu", precision=precision)
    with unfiltered() if direct else contextlib.nullcontext():
        artifact = cocomp.compile(module, inputs, options=options)
    arrays = [leaf.numpy() for leaf in pytree.tree_leaves(inputs)]
    with torch.no_grad():
        expected = pytree.tree_leaves(module(*inputs))[0].numpy()
        kept = count_kept_flops(module, inputs)
    dispatches = artifact.manifest["dispatches"]
    with emulator.opened(artifact.data, artifact.manifest, threads=1) as emulated:
        executed = emulated.count(arrays, plugin)
        functions = by_function(emulated.library, executed.blocks)
    error = float(np.max(np.abs(executed.outputs[0] - expected)) / np.max(np.abs(expected)))
    flops = sum(dispatch["executed_flops"] for dispatch in dispatches)
    layers = tuple(by_layer(dispatches, functions))
    size = len(artifact.data)
    return Count(model.name, precision, executed.instructions, flops, kept, error, size, layers), artifact.data


@contextlib.contextmanager
def unfiltered() -> Iterator[None]:
    """Compilations inside choose among direct kernels alone, which no option asks for: it only makes models slower."""
    with contextlib.ExitStack() as patches:
        for module, chooses in ((schedule_contractions, "choose_winograd"), (split_strides, "schedule_filtering")):
            patches.enter_context(unittest.mock.patch.object(module, chooses, return_value=None))
        yield


def by_function(library: Path, blocks: Mapping[int, int]) -> dict[str, int]:
    """Instructions by function of a library from those by offset in it; what lies outside of all is BETWEEN."""
    nm = find_tool("llvm-nm")
    assert nm is not None
    text = subprocess.run([nm, "--print-size", str(library)], capture_output=True, text=True, check=True).stdout
    found = (FUNCTION.match(line) for line in text.splitlines())
    functions = sorted((int(f.group(1), 16), int(f.group(2), 16), f.group(3)) for f in found if f)
    starts = [start for start, _, _ in functions]
    counts: Counter[str] = Counter()
    for place, instructions in blocks.items():
        number = bisect.bisect_right(starts, place) - 1
        start, size, name = functions[number] if number >= 0 else (0, 0, BETWEEN)
        counts[name if place < start + size else BETWEEN] += instructions
    return dict(counts)


def by_layer(dispatches: Sequence[Mapping[str, Any]], functions: Mapping[str, int]) -> Iterator[LayerCount]:
    """Instructions by module. Layers that share a kernel share its instructions in proportion to their operations."""
    sharing: Counter[str] = Counter()
    for dispatch in dispatches:
        sharing[dispatch["kernel"]] += _weight(dispatch)
    of_layer: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for dispatch in dispatches:
        of_layer[dispatch["layer"]].append(dispatch)
    for layer, parts in of_layer.items():
        shares = (functions.get(d["kernel"], 0) * _weight(d) / sharing[d["kernel"]] for d in parts)
        yield LayerCount(layer, sum(shares), sum(d["executed_flops"] for d in parts))
    known = {dispatch["kernel"] for dispatch in dispatches}
    yield LayerCount(BETWEEN, sum(n for name, n in functions.items() if name not in known), 0)


def _weight(dispatch: Mapping[str, Any]) -> int:
    return max(1, dispatch["executed_flops"])
