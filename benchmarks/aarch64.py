"""What AArch64 artefacts execute, counted: instructions of whole models under emulation, cycles of inner loops by model.

    python -m benchmarks.aarch64 --models resnet18,mobilenet_v2 --precision f32,f16

Neither depends on the load of this machine. Needs qemu-aarch64, llvm-mca and llvm-objdump (Debian: qemu-user, llvm-19).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils import _pytree as pytree

import cocomp
from benchmarks.inner_loops import PIPES, cycles, find_tool, hot_loops
from benchmarks.models import MODELS
from benchmarks.report import Table, show
from cocomp.runtime import emulator

SMALL = ("resnet18", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0")
NATIVE = Path(__file__).parent / "native"


@dataclass(frozen=True)
class Count:
    """A model on AArch64. `error` is max|error| / max|reference| against PyTorch."""

    model: str
    precision: str
    instructions: int
    flops: int
    error: float
    bytes: int


@dataclass(frozen=True)
class LoopCycles:
    """An inner loop on a CPU: modelled cycles of an iteration, and those of its multiply-adds alone."""

    model: str
    precision: str
    kernel: str
    cpu: str
    multiply_adds: int
    cycles: float

    @property
    def share(self) -> float:
        """Part of the multiply-add bound that the loop reaches."""
        return self.multiply_adds / PIPES[self.cpu] / self.cycles


def measure(model: str, precision: str, plugin: Path) -> tuple[Count, list[LoopCycles]]:
    """Compile a zoo model for android-cpu and count."""
    module, inputs = MODELS[model].factory()
    options = cocomp.Options(target="android-cpu", precision=precision)
    artifact = cocomp.compile(module, inputs, options=options)
    arrays = [leaf.numpy() for leaf in pytree.tree_leaves(inputs)]
    with torch.no_grad():
        expected = pytree.tree_leaves(module(*inputs))[0].numpy()
    with emulator.opened(artifact.data, artifact.manifest, threads=1) as emulated:
        _, outputs = emulated.run_partly(arrays, len(artifact.manifest["dispatches"]))
        instructions = emulated.instructions(arrays, plugin)
        loops = [
            LoopCycles(model, precision, loop.kernel, cpu, loop.multiply_adds, cycles(loop, cpu))
            for loop in hot_loops(emulated.library)
            for cpu in PIPES
        ]
    error = float(np.max(np.abs(outputs[0] - expected)) / np.max(np.abs(expected)))
    flops = sum(d["executed_flops"] for d in artifact.manifest["dispatches"])
    return Count(model, precision, instructions, flops, error, len(artifact.data)), loops


def tables(counts: Sequence[Count], loops: Sequence[LoopCycles]) -> list[Table]:
    """Instructions by model; for each CPU the share of the bound that the loops reach."""
    rows = [
        (
            c.model,
            c.precision,
            f"{c.instructions / 1e6:.1f}",
            f"{c.flops / c.instructions:.2f}",
            f"{c.error:.1e}",
            f"{c.bytes / 1e6:.1f}",
        )
        for c in counts
    ]
    headers = ("model", "precision", "million instructions", "operations / instruction", "error", "artefact MB")
    first = Table("Executed instructions, one run, one thread (qemu-aarch64)", headers, tuple(rows))
    keys = dict.fromkeys((loop.model, loop.precision) for loop in loops)
    summary: list[tuple[str, ...]] = []
    for key in keys:
        for cpu in PIPES:
            shares = sorted(loop.share for loop in loops if (loop.model, loop.precision, loop.cpu) == (*key, cpu))
            middle = shares[len(shares) // 2]
            summary.append((*key, cpu, str(len(shares)), f"{shares[0]:.0%}", f"{middle:.0%}", f"{shares[-1]:.0%}"))
    second = Table(
        "Inner loops: share of the multiply-add bound by llvm-mca",
        ("model", "precision", "cpu", "loops", "lowest", "median", "highest"),
        tuple(summary),
    )
    return [first, second]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aarch64", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(SMALL), metavar="A,B")
    parser.add_argument("--precision", type=lambda text: text.split(","), default=["f32"], metavar="f32,f16")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    missing = [t for t in ("llvm-mca", "llvm-objdump") if find_tool(t) is None]
    missing += [] if emulator.find_emulator("aarch64") else ["qemu-aarch64"]
    if missing:
        print(
            f"benchmarks.aarch64: {', '.join(missing)} not found; install Debian's qemu-user and llvm-19",
            file=sys.stderr,
        )
        return 1
    counts: list[Count] = []
    loops: list[LoopCycles] = []
    with tempfile.TemporaryDirectory() as directory:
        plugin = Path(directory) / "instructions.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", str(NATIVE / "instructions.c"), "-o", str(plugin)], check=True)
        for model in options.models:
            for precision in options.precision:
                print(f"benchmarks.aarch64: {model} {precision}", file=sys.stderr)
                count, found = measure(model, precision, plugin)
                counts.append(count)
                loops += found
    show(tables(counts, loops))
    if options.json:
        found = {"counts": [asdict(c) for c in counts], "loops": [{**asdict(x), "share": x.share} for x in loops]}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
