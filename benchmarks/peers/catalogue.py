"""Who is measured: each contender's packages, converter and adapter, as data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cache import versioned_directory
from benchmarks.peers.environments import Environment, Requirements, ensure_environment
from benchmarks.peers.export import (
    Artefact,
    Converter,
    own_environment,
    take_onnx,
    take_weights,
    to_cocomp,
    to_iree,
    to_litert,
    to_mnn,
    to_ncnn,
    to_sparse_mnn,
)
from benchmarks.peers.mnn_pruning import sparse_layers
from benchmarks.peers.sources import ONNX, TORCHSCRIPT, WEIGHTS, Sources

NUMPY = "numpy==2.4.6"


@dataclass(frozen=True)
class Contender:
    """An engine: its title in tables, its pinned packages (None: the harness' own), its converter, its adapter, and the
    format that its converter `reads`.

    `engine` is the contender whose environment it shares. Where zeros are to be skipped, `sparse_layers` counts in the
    converted file where they will be, and `control` is the contender that runs the same weights without skipping any.

    `tolerance` is of the greatest output, None for that of everybody: who has another one has to find the same greatest element of
    the output, too.
    """

    name: str
    title: str
    requirements: Requirements | None
    convert: Converter
    adapter: str
    forbidden_chatter: str | None = None  # a line that the engine prints when it does something else than asked
    reads: str | None = ONNX
    engine: str | None = None
    sparse_layers: Callable[[Path], int] | None = None
    control: str | None = None
    tolerance: float | None = None

    def environment(self, progress: Callable[[str], None]) -> Environment:
        """Where its converter and workers run, made on the first call. Raises InstallError."""
        if self.requirements is None:
            return own_environment()
        return ensure_environment(self.engine or self.name, self.requirements, progress)

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
            reads=TORCHSCRIPT,
        ),
    )
}

_SPARSE_MNN = replace(PEERS["mnn"], engine="mnn", sparse_layers=sparse_layers, control="mnn")

_LITERT = Contender(
    "litert",
    "LiteRT",
    Requirements((NUMPY, "ai-edge-litert==2.3.0", "flatbuffers==25.12.19")),
    to_litert("dense"),
    "benchmarks.peers.litert_adapter:LiteRt",
    reads=WEIGHTS,
)
# XNNPACK's sparse kernels for x86 are written for SSE, and it runs sparse files dense wherever it finds AVX
# (xnn_is_chw_compatible_config). With the same bits as `litert` they were not engaged; a processor without AVX, emulated
# (qemu-x86_64 -cpu Nehalem), runs the sparse file five times faster than the dense one.
_SPARSE_LITERT = replace(
    _LITERT,
    name="litert-sparse",
    title="LiteRT, sparse weights",
    convert=to_litert("sparse"),
    engine="litert",
    control="litert",
)

SPARSE_PEERS: dict[str, Contender] = {
    peer.name: peer
    for peer in (
        PEERS["mnn"],
        replace(_SPARSE_MNN, name="mnn-random", title="MNN sparse, any zeros", convert=to_sparse_mnn(1)),
        replace(_SPARSE_MNN, name="mnn-block4", title="MNN sparse, blocks of 4", convert=to_sparse_mnn(4)),
        Contender(
            "scipy",
            "SciPy CSR",
            Requirements((NUMPY, "scipy==1.17.1")),
            take_weights,
            "benchmarks.peers.scipy_adapter:Scipy",
            reads=WEIGHTS,
        ),
        Contender(
            "torch-csr",
            "PyTorch CSR (MKL)",
            None,
            take_weights,
            "benchmarks.peers.torch_adapter:TorchCsr",
            reads=WEIGHTS,
        ),
        _LITERT,
        _SPARSE_LITERT,
    )
}
"""Who skips zeros, and who shows what is gained by it."""

COCOMP = Contender("cocomp", "cocomp", None, to_cocomp(), "benchmarks.peers.cocomp_adapter:Cocomp", reads=None)
DENSE = replace(COCOMP, name="dense", title="cocomp, not pruned")
"""For the network that a pruned one was made of."""

GPU_PEERS: dict[str, Contender] = {
    peer.name: peer
    for peer in (
        replace(
            PEERS["ncnn"],
            name="ncnn-vulkan",
            title="ncnn Vulkan",
            adapter="benchmarks.peers.ncnn_adapter:NcnnVulkan",
            engine="ncnn",
        ),
        Contender(
            "iree-vulkan",
            "IREE Vulkan",
            Requirements((NUMPY, "iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0", "onnx==1.23.2")),
            to_iree,
            "benchmarks.peers.iree_adapter:IreeVulkan",
        ),
    )
}
"""In f32 on a Vulkan device."""

VULKAN = replace(COCOMP, name="cocomp-vulkan", title="cocomp", convert=to_cocomp("target=vulkan"))
DENSE_VULKAN = replace(VULKAN, name="dense-vulkan", title="cocomp, not pruned")
HALF_TOLERANCE = 4e-2
"""Of what is computed in half precision from end to end: PyTorch is 2.1 % of the greatest output wrong in ResNet-50, 1.6 % in
MobileNetV2."""


def _variant(name: str, title: str, options: str, tolerance: float | None = None) -> Contender:
    convert = to_cocomp(f"target=vulkan {options}")
    return replace(VULKAN, name=f"cocomp-{name}", title=f"cocomp, {title}", convert=convert, tolerance=tolerance)


VARIANTS: dict[str, Contender] = {
    "buffer": _variant("buffer", "buffers", "memory=buffer"),
    "texture": _variant("texture", "textures", "memory=texture"),
    "buffer-f16": _variant("buffer-f16", "buffers, f16", "memory=buffer precision=f16", HALF_TOLERANCE),
    "texture-f16": _variant("texture-f16", "textures, f16", "memory=texture precision=f16", HALF_TOLERANCE),
}
"""cocomp with tensors between kernels in one kind of memory."""
ON_CPU = replace(COCOMP, name="cocomp-cpu", title="cocomp, CPU")
"""On the processor of the machine that the GPU is in, with all its threads."""
