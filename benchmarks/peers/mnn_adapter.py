"""MNN: the CPU backend on a converted file, in full precision."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path

import MNN
import MNN.nn
import numpy as np

from benchmarks.peers.adapter import Array


class Mnn:
    """An Adapter over MNN's Module API."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads, "precision": "high"},))
        names = [f"input{i}" for i in range(len(inputs))]
        self._module = MNN.nn.load_module_from_file(str(path), names, ["output0"], runtime_manager=runtime)
        self._variables = [MNN.expr.placeholder(list(x.shape), MNN.expr.NCHW, _dtype(x)) for x in inputs]

    def run(self, inputs: list[Array]) -> Array:
        for variable, value in zip(self._variables, inputs, strict=True):
            # Token ids: MNN has no 64-bit integers, its converter makes such inputs 32-bit.
            variable.write(value if value.dtype == np.float32 else value.astype(np.int32))
        outputs = self._module.forward(self._variables)
        first = outputs[0] if isinstance(outputs, list) else outputs
        return MNN.expr.convert(first, MNN.expr.NCHW).read()


def _dtype(value: Array) -> object:
    return MNN.expr.float if value.dtype == np.float32 else MNN.expr.int
