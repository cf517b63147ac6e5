"""Who is measured: each contender's packages, converter and adapter, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cache import versioned_directory
from benchmarks.peers.environments import Environment, Requirements, ensure_environment
from benchmarks.peers.export import Artefact, Converter, own_environment, take_onnx, to_cocomp, to_mnn, to_ncnn
from benchmarks.peers.sources import Sources

NUMPY = "numpy==2.4.6"


@dataclass(frozen=True)
class Contender:
    """An engine: its title in tables, its pinned packages (None: the harness' own), its converter and adapter."""

    name: str
    title: str
    requirements: Requirements | None
    convert: Converter
    adapter: str
    forbidden_chatter: str | None = None  # a line that the engine prints when it does something else than asked

    def environment(self, progress: Callable[[str], None]) -> Environment:
        """Where its converter and workers run, made on the first call. Raises InstallError."""
        if self.requirements is None:
            return own_environment()
        return ensure_environment(self.name, self.requirements, progress)

    def artefact(self, sources: Sources, environment: Environment) -> Artefact:
        """The model in its format, converted on the first call. Raises ExportError."""
        version = self.requirements.digest() if self.requirements else "own"
        return self.convert(sources, environment, self._directory(sources, version))

    def _directory(self, sources: Sources, version: str) -> Path:
        return versioned_directory(sources.directory, self.name, version)


PEERS: dict[str, Contender] = {
    peer.name: peer
    for peer in (
        Contender(
            "onnxruntime",
            "ONNX Runtime",
            Requirements((NUMPY, "onnxruntime==1.31.1")),
            take_onnx,
            "benchmarks.peers.onnxruntime_adapter:OnnxRuntime",
        ),
        Contender(
            "openvino",
            "OpenVINO",
            Requirements((NUMPY, "openvino==2026.4.1")),
            take_onnx,
            "benchmarks.peers.openvino_adapter:OpenVino",
        ),
        Contender(
            "mnn",
            "MNN",
            Requirements((NUMPY, "MNN==3.6.1")),
            to_mnn,
            "benchmarks.peers.mnn_adapter:Mnn",
            # A missing backend is not an error for MNN: it says so and takes the next best.
            forbidden_chatter="Can't Find type",
        ),
        Contender(
            "ncnn",
            "ncnn",
            Requirements((NUMPY, "ncnn==1.0.20261020"), alone=("pnnx==20261020",)),
            to_ncnn,
            "benchmarks.peers.ncnn_adapter:Ncnn",
        ),
    )
}

COCOMP = Contender("cocomp", "cocomp", None, to_cocomp, "benchmarks.peers.cocomp_adapter:Cocomp")
