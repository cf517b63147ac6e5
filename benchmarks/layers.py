"""Every convolution and matrix product of a compiled model against the machine's peak."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import Machine

KINDS = ("gather-gemm", "winograd 4x4", "depth-wise")
"""Kernels that multiply and accumulate with weights."""
RUNS = 20


@dataclass(frozen=True)
class Layer:
    """A kernel of a model: what it computes and how long it takes. `flops` are those of the direct computation."""

    model: str
    threads: int
    layer: str
    kind: str
    flops: int
    microseconds: float

    def share(self, machine: Machine) -> float | None:
        """Part of the peak in multiply-adds; above 1 where minimal filtering saves more than it costs."""
        peak = machine.peak(self.threads)
        return self.flops / (self.microseconds * 1e3) / peak.gflops if peak and self.microseconds else None


def measure(model: str, artefact: Path, threads: int) -> list[Layer]:
    """Median times of the kernels of an artefact, on random inputs."""
    import cocomp
    from cocomp.runtime.loader import DTYPES
    from cocomp.runtime.manifest import launches

    with cocomp.load(artefact, threads) as loaded:
        generator = np.random.default_rng(0)
        inputs = [generator.random(t.shape).astype(DTYPES[t.type]) for t in loaded.manifest.inputs]
        for _ in range(3):
            loaded.run(inputs)
        times = loaded.profile(inputs, RUNS)
        alone = (
            (kernels[0], time)
            for kernels, time in zip(launches(loaded.manifest.raw), times, strict=True)
            if len(kernels) == 1
        )
        return [
            Layer(model, threads, d["layer"], d["facts"]["kind"], d["flops"], time.microseconds)
            for d, time in alone
            if d["facts"].get("kind") in KINDS
        ]
