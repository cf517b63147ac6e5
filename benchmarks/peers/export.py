"""From an exported zoo model to the file that a peer loads, with the peer's own converter; cached."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import device
from benchmarks.peers.adapter import read_arrays
from benchmarks.peers.environments import Environment
from benchmarks.peers.mnn_pruning import pruning_parameters, sparse_layers
from benchmarks.peers.process import run_logged
from benchmarks.peers.sources import ExportError, Sources

REPOSITORY = Path(__file__).parents[2]

# The `mnnconvert` script is this call and usage statistics: on import it runs whatever `pip` is on the path to install
# a logging SDK, then reports each conversion to the vendor. Neither belongs in a benchmark.
MNN_CONVERT = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"

IREE_SUBGROUP = 64
IREE_TARGET = """\
#hal.device.target<"vulkan", [#hal.executable.target<"vulkan-spirv", "vulkan-spirv-fb", {iree_codegen.target_info =
#iree_gpu.target<arch = "vp_android_baseline_2022", features = "spirv:v1.3,cap:Shader", wgp = <compute = fp32|int32,
storage = b32, subgroup = none, subgroup_size_choices = [%d], max_workgroup_sizes = [128, 128, 64],
max_thread_count_per_workgroup = 128, max_workgroup_memory_bytes = 16384,
max_workgroup_counts = [65535, 65535, 65535]>>}>]> : !hal.device"""
"""What `--iree-hal-target-device=vulkan` stands for, but for the size of a subgroup, there IREE_SUBGROUP: where a device has
smaller ones (lavapipe: 8) that computes something else, as barriers are left out inside of what it takes for a subgroup."""


@dataclass(frozen=True)
class Artefact:
    """What a worker loads: `path`, the bytes of all its files; how long its own compiler took, the bytes of the weights
    and indices in it and those of code for a GPU, if it told."""

    path: Path
    bytes: int
    compile_seconds: float | None = None
    weight_bytes: int | None = None
    spirv_bytes: int | None = None


Converter = Callable[[Sources, Environment, Path], Artefact]


def take_onnx(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """The ONNX file as it is."""
    return _artefact(sources.onnx)


def take_weights(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """The weights alone, by name."""
    return _artefact(sources.weights)


def to_mnn(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """ONNX to .mnn."""
    output = directory / "model.mnn"
    if not output.exists():
        _run_mnnconvert(sources, environment, output, [])
    return _artefact(output)


def to_sparse_mnn(block: int) -> Converter:
    """ONNX to .mnn with sparse convolutions: zeros anywhere (1), or in blocks of so many output channels."""

    def convert(sources: Sources, environment: Environment, directory: Path) -> Artefact:
        output, parameters = directory / "model.mnn", directory / "pruning.bin"
        if not output.exists():
            parameters.write_bytes(pruning_parameters(block))
            options = ["--compressionParamsFile", str(parameters), "--detectSparseSpeedUp"]
            _run_mnnconvert(sources, environment, output, options)
        if not sparse_layers(output):
            raise ExportError("mnnconvert made no convolution sparse")
        return _artefact(output)

    return convert


def _run_mnnconvert(sources: Sources, environment: Environment, output: Path, options: list[str]) -> None:
    partial, log = output.with_name("partial.mnn"), output.with_name("convert.log")
    arguments = ["-f", "ONNX", "--modelFile", str(sources.onnx), "--MNNModel", str(partial), "--bizCode", "zoo"]
    done = run_logged([str(environment.python), "-c", MNN_CONVERT, *arguments, *options], log)
    if not done.succeeded or not partial.exists():
        named = [line.strip() for line in log.read_text(errors="replace").splitlines() if "Not Support" in line]
        raise ExportError(f"mnnconvert failed: {'; '.join(named) or done.reason}")
    partial.rename(output)


def to_litert(weights: str) -> Converter:
    """MobileNetV2's weights to .tflite, `sparse` or `dense`: the only network that there is a writer for."""

    def convert(sources: Sources, environment: Environment, directory: Path) -> Artefact:
        output, log = directory / "model.tflite", directory / "convert.log"
        output.unlink(missing_ok=True)
        writer = [str(environment.python), "-P", str(Path(__file__).parent / "litert_mobilenet.py")]
        done = run_logged([*writer, str(sources.weights), str(output), weights], log)
        if not done.succeeded or not output.exists():
            raise ExportError(f"no LiteRT file could be written: {done.reason}")
        return _artefact(output)

    return convert


def to_ncnn(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """TorchScript to .param and .bin, without the fp16 storage that is pnnx's default."""
    output = directory / "model.param"
    if not output.exists():
        _run_pnnx(sources, environment, output)
    kinds = {line.split()[0] for line in output.read_text().splitlines()[2:]}
    foreign = sorted(kind for kind in kinds if "." in kind or ":" in kind)  # F.xyz, aten::xyz: passed through
    if foreign:
        raise ExportError(f"pnnx found no ncnn layers for {', '.join(foreign)}")
    return _artefact(output, output.with_suffix(".bin"))


def _run_pnnx(sources: Sources, environment: Environment, output: Path) -> None:
    shapes = ",".join(
        f"[{','.join(map(str, array.shape))}]{'f32' if array.dtype.kind == 'f' else 'i64'}"
        for array in read_arrays(sources.inputs("random"))
    )
    # Of the seven files that pnnx writes, some as large as the weights, two are needed.
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        files = {"pnnxparam": "a.param", "pnnxbin": "a.bin", "pnnxpy": "a.py", "pnnxonnx": "a.onnx", "ncnnpy": "b.py"}
        settings = [f"{key}={scratch}/{file}" for key, file in files.items()]
        settings += [f"ncnnparam={scratch}/b.param", f"ncnnbin={scratch}/b.bin", f"inputshape={shapes}", "fp16=0"]
        tool = str(environment.file("pnnx/pnnx"))
        done = run_logged([tool, str(sources.torchscript), *settings], output.parent / "convert.log")
        if not done.succeeded or not Path(scratch, "b.param").exists():
            raise ExportError(f"pnnx failed: {done.reason}")
        Path(scratch, "b.bin").rename(output.with_suffix(".bin"))
        Path(scratch, "b.param").rename(output)


def to_iree(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """ONNX to .vmfb for the Vulkan device of this machine."""
    subgroup = device.query()[0].subgroup or IREE_SUBGROUP
    output, log = directory / f"subgroup{subgroup}.vmfb", directory / "convert.log"
    if not output.exists():
        # The text form of the weights is as large as they are, and never used again.
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            imported, targeted, partial = (Path(scratch, name) for name in ("a.mlir", "b.mlir", "c.vmfb"))
            _run_iree(environment, "import-onnx", sources.onnx, imported, log)
            _declare_target(imported, targeted, subgroup)
            _run_iree(environment, "compile", targeted, partial, log)
            partial.rename(output)
    return _artefact(output)


def _run_iree(environment: Environment, tool: str, source: Path, output: Path, log: Path) -> None:
    command = environment.python.with_name(f"iree-{tool}")
    done = run_logged([str(command), str(source), "-o", str(output)], log)
    if not done.succeeded:
        raise ExportError(f"{command.name} failed: {done.reason}")


def _declare_target(imported: Path, output: Path, subgroup: int) -> None:
    with imported.open() as source, output.open("w") as sink:
        first = source.readline()
        if first.strip() != "module {":
            raise ExportError(f"expected iree-import-onnx to begin with a module, got {first[:80].strip()}")
        sink.write(f"module attributes {{hal.device.targets = [{IREE_TARGET % subgroup}]}} {{\n")
        shutil.copyfileobj(source, sink)


def to_cocomp(options: str = "") -> Converter:
    """The zoo's module, or a pruned one, to a shared library; `options` is the text form of `cocomp.Options`. Never cached: it is
    what is being worked on."""

    def convert(sources: Sources, environment: Environment, directory: Path) -> Artefact:
        output, log = directory / "model.so", directory / "convert.log"
        output.unlink(missing_ok=True)
        module = "benchmarks.peers.cocomp_adapter"
        command = [str(environment.python), "-m", module, sources.name, str(output), options]
        done = run_logged(command, log, cwd=REPOSITORY)
        if not done.succeeded or not output.exists():
            raise ExportError(f"cocomp failed: {done.reason}")
        told = json.loads(log.read_text().splitlines()[-1])
        return replace(_artefact(output), **told)

    return convert


def own_environment() -> Environment:
    """The harness' environment, where cocomp lives."""
    return Environment(Path(sys.prefix), Path(sys.executable))


def _artefact(path: Path, *more: Path) -> Artefact:
    return Artefact(path, sum(file.stat().st_size for file in (path, *more)))
