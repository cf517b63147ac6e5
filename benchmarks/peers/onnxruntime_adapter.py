"""ONNX Runtime: the CPU provider on the ONNX file, with its default graph optimisations."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path

import onnxruntime

from benchmarks.peers.adapter import Array


class OnnxRuntime:
    """An Adapter over InferenceSession."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [argument.name for argument in self._session.get_inputs()]

    def run(self, inputs: list[Array]) -> Array:
        return self._session.run(None, dict(zip(self._names, inputs, strict=True)))[0]
