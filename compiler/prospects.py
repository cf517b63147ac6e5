"""What every layer of a model would take at other sparsities: measured on this machine, with weights pruned for the purpose."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cocomp.passes.kernel._prospects import Option, Prospect
from cocomp.passes.sparsity.prune_weights import PruneWeightsPass
from cocomp.runtime.loader import Model
from cocomp.runtime.manifest import launches
from cocomp.support.mlir import ir
from cocomp.support.passes import State, run_passes
from cocomp.support.weights import WeightStore

from .artifact import Artifact
from .driver import Compilation, evaluate_on_host, target_of
from .frontend.imported import Imported, module_inputs
from .options import Options

TURNS, RUNS = 5, 4
"""Turns that a pruned model and the dense one take, and runs of a turn."""


def measured(
    imported: Imported,
    options: Options,
    predicted: Sequence[Prospect],
    threads: int,
    tell: Callable[[str], None],
) -> list[Prospect]:
    """The prospects with microseconds in place of cycles. For every option the whole model is pruned, compiled and run in
    turns with the dense one, so that each layer is timed among its neighbours, in the layout that it would have.

    `imported` is as the front end made it; its module is used up. A layer that is not run as a kernel of its own is left out.
    """
    chosen = dataclasses.replace(options, compile_to="rewritten")
    state = State(target_of(options), imported.weights, evaluate=evaluate_on_host)
    Compilation(imported.module, imported.weights, chosen).lower(state)
    inputs = [spec.example() for spec in module_inputs(imported.module)]
    dense = _compiled(imported, options, None)
    times: dict[str, float] = {}
    found: dict[str, dict[Option, float]] = {}
    wanted = list(dict.fromkeys(option for p in predicted for option in p.options))
    for number, (rows, rate) in enumerate(wanted):
        tell(f"measuring {number + 1} of {len(wanted)}: blocks of {rows} rows at {rate:g}x")
        pruned = _compiled(imported, options, (rows, rate))
        of_dense, of_pruned = _layer_times((dense, pruned), inputs, threads)
        times = {layer: min(time, times.get(layer, time)) for layer, time in of_dense.items()}
        for layer, time in of_pruned.items():
            found.setdefault(layer, {})[rows, rate] = time
    return [
        dataclasses.replace(p, unit="us", dense=times[p.layer], options=found[p.layer])
        for p in predicted
        if p.layer in times and len(found.get(p.layer, {})) == len(wanted)
    ]


def _compiled(imported: Imported, options: Options, option: Option | None) -> Artifact:
    """An artefact of the rewritten model, pruned as `option` says."""
    copy = copy_of(imported.module)
    weights = WeightStore(imported.weights)
    if option is not None:
        rows, rate = option
        prune = PruneWeightsPass("csr" if rows == 1 else f"bcr<{rows}, all>", rate)
        run_passes([prune], copy, State(target_of(options), weights))
    artifact = Compilation(copy, weights, options).run()
    assert artifact is not None
    return artifact


def copy_of(module: ir.Module) -> ir.Module:
    """The same operations at the same places in another module."""
    return ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)


def _layer_times(artifacts: Sequence[Artifact], inputs: Sequence[np.ndarray], threads: int) -> list[dict[str, float]]:
    """Microseconds of each layer's arithmetic, median of the runs, for every artefact; they run in turns."""
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        models: list[Model] = []
        try:
            for number, artifact in enumerate(artifacts):
                path = Path(name) / f"{number}.so"
                path.write_bytes(artifact.data)
                models.append(Model(path, threads, check=False))
            for model in models:
                model.launch_times(inputs, 1)
            turns = [[model.launch_times(inputs, RUNS) for model in models] for _ in range(TURNS)]
        finally:
            for model in models:
                model.close()
    found: list[dict[str, float]] = []
    for number, artifact in enumerate(artifacts):
        medians = np.median(np.concatenate([turn[number] for turn in turns]), axis=0) / 1e3
        layers: dict[str, float] = {}
        for kernels, time in zip(launches(artifact.manifest), medians, strict=True):
            flops = sum(k["executed_flops"] for k in kernels)
            for kernel in kernels if flops else ():  # what shares a launch shares its time
                share = float(time) * kernel["executed_flops"] / flops
                layers[kernel["layer"]] = layers.get(kernel["layer"], 0.0) + share
        found.append(layers)
    return found
