"""Pruned models against the same models dense, both compiled here: how much of the FLOPs rate arrives as speed.

    python -m benchmarks.sparse --threads 1,2 --json result.json

Dense and pruned run in turns, so that whatever else the machine does meets both.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import cocomp
from benchmarks.models import MODELS
from benchmarks.report import Table, show

PAIRS = {"resnet50_bcr8": "resnet50", "c3d_kgs": "c3d"}
"""Pruned model of the zoo -> the dense one."""
WARM_UP, RUNS = 1, 4
"""Runs of a turn that are not timed, and that are: the first finds the other model's weights in the caches."""


@dataclass(frozen=True)
class Comparison:
    """Median milliseconds, and operations that are executed (minimal filtering counted as what it replaces)."""

    model: str
    threads: int
    dense_milliseconds: float
    pruned_milliseconds: float
    dense_flops: int
    pruned_flops: int
    dense_bytes: int
    pruned_bytes: int

    @property
    def speed_up(self) -> float:
        return self.dense_milliseconds / self.pruned_milliseconds

    @property
    def flops_rate(self) -> float:
        return self.dense_flops / self.pruned_flops


def compare(pruned: str, dense: str, thread_counts: Sequence[int], rounds: int, directory: Path) -> list[Comparison]:
    """Compile both models and time them."""
    libraries: dict[str, Path] = {}
    flops: dict[str, int] = {}
    arrays: list[np.ndarray] = []
    for name in (dense, pruned):
        module, inputs = MODELS[name].factory()
        arrays = [x.numpy() for x in inputs]
        artifact = cocomp.compile(module, inputs)
        libraries[name] = artifact.save(directory / f"{name}.so", header=False)
        flops[name] = sum(d["executed_flops"] for d in artifact.manifest["dispatches"])
    found: list[Comparison] = []
    for threads in thread_counts:
        medians = _race(libraries, arrays, threads, rounds)
        sizes = {name: path.stat().st_size for name, path in libraries.items()}
        found.append(
            Comparison(
                pruned,
                threads,
                medians[dense],
                medians[pruned],
                flops[dense],
                flops[pruned],
                sizes[dense],
                sizes[pruned],
            )
        )
    return found


def _race(libraries: dict[str, Path], arrays: list[np.ndarray], threads: int, rounds: int) -> dict[str, float]:
    models = {name: cocomp.load(path, threads=threads) for name, path in libraries.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            for run in range(WARM_UP + RUNS):
                start = time.perf_counter()
                model.run(arrays)
                if run >= WARM_UP:
                    times[name].append((time.perf_counter() - start) * 1e3)
    for model in models.values():
        model.close()
    return {name: statistics.median(samples) for name, samples in times.items()}


def table(found: Sequence[Comparison]) -> Table:
    """One row a comparison."""
    headers = (
        "model",
        "threads",
        "dense ms",
        "pruned ms",
        "speed-up",
        "FLOPs rate",
        "speed-up / rate",
        "dense MB",
        "pruned MB",
    )
    rows = tuple(
        (
            c.model, str(c.threads), f"{c.dense_milliseconds:.1f}", f"{c.pruned_milliseconds:.1f}", f"{c.speed_up:.2f}",
            f"{c.flops_rate:.2f}", f"{c.speed_up / c.flops_rate:.2f}", f"{c.dense_bytes / 1e6:.1f}", f"{c.pruned_bytes / 1e6:.1f}",
        )
        for c in found
    )  # fmt: skip
    return Table("Pruned against dense", headers, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2], metavar="1,2")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory() as name:
        for pruned, dense in PAIRS.items():
            print(f"benchmarks.sparse: {pruned}", file=sys.stderr)
            found += compare(pruned, dense, options.threads, options.rounds, Path(name))
    show([table(found)])
    if options.json:
        rows = [{**asdict(c), "speed_up": c.speed_up, "flops_rate": c.flops_rate} for c in found]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
