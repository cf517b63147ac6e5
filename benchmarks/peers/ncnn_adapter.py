"""ncnn: a pair of files converted by pnnx, in f32, on the CPU or on a GPU."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from benchmarks.peers.adapter import Array


class Ncnn:
    """An Adapter over Net. ncnn has no batch axis: inputs lose theirs, and so does the output."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        self._net = ncnn.Net()
        option = self._net.opt
        option.num_threads = threads
        self._prepare(option)
        for switch in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            setattr(option, f"use_{switch}", False)
        for code, file in (
            (self._net.load_param(str(path)), path),
            (self._net.load_model(str(path.with_suffix(".bin"))), path.with_suffix(".bin")),
        ):
            if code != 0:
                raise RuntimeError(f"loading {file.name} returned {code}")

    def _prepare(self, option: Any) -> None:
        pass

    def run(self, inputs: list[Array]) -> Array:
        extractor = self._net.create_extractor()
        for index, value in enumerate(inputs):
            array = value if value.dtype == np.float32 else value.astype(np.int32)
            extractor.input(f"in{index}", ncnn.Mat(array[0]))
        code, output = extractor.extract("out0")
        if code != 0:
            raise RuntimeError(f"extracting the output returned {code}")
        return np.array(output)


class NcnnVulkan(Ncnn):
    """On its default Vulkan device. It would take the CPU without a word where there is none."""

    def _prepare(self, option: Any) -> None:
        if ncnn.get_gpu_count() < 1:
            raise RuntimeError("ncnn finds no Vulkan device")
        option.use_vulkan_compute = True
