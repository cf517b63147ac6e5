"""OpenVINO: the CPU device on the ONNX file, in f32."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path

import openvino

from benchmarks.peers.adapter import Array


class OpenVino:
    """An Adapter over an infer request; inputs and outputs are shared with numpy, not copied."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        configuration = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # On CPUs with bf16 instructions the default is bf16.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = openvino.Core().compile_model(str(path), "CPU", configuration).create_infer_request()

    def run(self, inputs: list[Array]) -> Array:
        return self._request.infer(dict(enumerate(inputs)), share_inputs=True, share_outputs=True)[0]
