"""ResNet-50 dense and pruned 8 times, compiled for this machine and for an Android phone, run and compared.

    python -m examples.demo

The pruned model keeps 1/8 of the columns in blocks of 16 filters (BCR); the compiler finds the structure in the zeros.
The Android artefacts run under QEMU where it is installed: right results, no times.
"""

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import cocomp
from benchmarks.models import MODELS, Example
from cocomp.runtime import emulator

DIRECTORY = Path("build/demo")
NAMES = {"resnet50": "dense", "resnet50_bcr8": "pruned 8x"}
TARGETS = ("host", "android-cpu")
RUNS, WARM_UP = 30, 5


@dataclass(frozen=True)
class Outcome:
    """One artefact: how it was made, and whether it is right. `error` is max|error| / max|PyTorch|, None if it was not run."""

    seconds: float
    megabytes: float
    gigaflops: float
    error: float | None


def make(example: Example, target: str, output: Path) -> Outcome:
    """Compile, save, run once where that is possible."""
    module, inputs = example
    start = time.perf_counter()
    artifact = cocomp.compile(module, inputs, target=target)
    seconds = time.perf_counter() - start
    artifact.save(output)
    with torch.no_grad():
        expected = module(*inputs).numpy()
    arrays = [x.numpy() for x in inputs]
    found = None
    if target == "host":
        with cocomp.load(output, threads=1) as model:
            found = model(*arrays)
    elif emulator.find_emulator("aarch64"):
        with emulator.opened(artifact.data, artifact.manifest, threads=1) as emulated:
            found = emulated.run_partly(arrays, artifact.manifest["launches"])[1][0]
    error = None if found is None else float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    flops = sum(d["executed_flops"] for d in artifact.manifest["dispatches"])
    return Outcome(seconds, len(artifact.data) / 1e6, flops / 1e9, error)


def race(libraries: dict[str, Path], arrays: list[np.ndarray]) -> dict[str, float]:
    """Median milliseconds of each, run in turns, so that whatever else the machine does meets all of them."""
    models = {name: cocomp.load(path, threads=1) for name, path in libraries.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(WARM_UP + RUNS):
        for name, model in models.items():
            start = time.perf_counter()
            model(*arrays)
            if turn >= WARM_UP:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(samples) for name, samples in times.items()}


def main() -> int:
    console = Console()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    outcomes: dict[tuple[str, str], Outcome] = {}
    arrays: list[np.ndarray] = []
    for name, title in NAMES.items():
        example = MODELS[name].factory()
        arrays = [x.numpy() for x in example[1]]
        for target in TARGETS:
            console.print(f"compiling ResNet-50 {title} for {target} ...")
            outcomes[name, target] = make(example, target, DIRECTORY / f"{name}.{target}.so")
    milliseconds = race({name: DIRECTORY / f"{name}.host.so" for name in NAMES}, arrays)
    console.print(_table(outcomes, milliseconds))
    dense, pruned = milliseconds.values()
    console.print(f"the pruned model is {dense / pruned:.1f} times faster on this machine, one thread")
    console.print(f"artefacts and their C headers: {DIRECTORY}/")
    wrong = [key for key, found in outcomes.items() if found.error is not None and found.error > 1e-4]
    return 1 if wrong else 0


def _table(outcomes: dict[tuple[str, str], Outcome], milliseconds: dict[str, float]) -> Table:
    table = Table(title="ResNet-50, one image, single precision", title_justify="left")
    for column in ("model", "target", "compile s", "MB", "GFLOP", "error", "ms, 1 thread"):
        table.add_column(column, justify="left" if column in ("model", "target") else "right", no_wrap=True)
    for (name, target), found in outcomes.items():
        error = "no emulator" if found.error is None else f"{found.error:.1e}"
        latency = f"{milliseconds[name]:.1f}" if target == "host" else ""
        sizes = (f"{found.seconds:.1f}", f"{found.megabytes:.1f}", f"{found.gigaflops:.2f}")
        table.add_row(NAMES[name], target, *sizes, error, latency)
    return table


if __name__ == "__main__":
    sys.exit(main())
