"""LiteRT: its interpreter with XNNPACK, which it takes by itself, on a file of ours. Images are channels-last."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.peers.adapter import Array


class LiteRt:
    """An Adapter over the interpreter. An image that was seen last is not turned again: the engine asks for its layout."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._seen: Array | None = None
        self._turned = np.zeros(0, np.float32)

    def run(self, inputs: list[Array]) -> Array:
        if inputs[0] is not self._seen:
            self._seen, self._turned = inputs[0], np.ascontiguousarray(inputs[0].transpose(0, 2, 3, 1))
        self._interpreter.set_tensor(self._input, self._turned)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)
