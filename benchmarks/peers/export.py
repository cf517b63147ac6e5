"""From an exported zoo model to the file that a peer loads, with the peer's own converter; cached."""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.adapter import read_arrays
from benchmarks.peers.environments import Environment
from benchmarks.peers.process import run_logged
from benchmarks.peers.sources import ExportError, Sources

REPOSITORY = Path(__file__).parents[2]

# The `mnnconvert` script is this call and usage statistics: on import it runs whatever `pip` is on the path to install
# a logging SDK, then reports each conversion to the vendor. Neither belongs in a benchmark.
MNN_CONVERT = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


@dataclass(frozen=True)
class Artefact:
    """What a worker loads: `path`, the bytes of all its files, and how long its own compiler took if it told."""

    path: Path
    bytes: int
    compile_seconds: float | None = None


Converter = Callable[[Sources, Environment, Path], Artefact]


def take_onnx(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """The ONNX file as it is."""
    return _artefact(sources.onnx)


def to_mnn(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """ONNX to .mnn."""
    output = directory / "model.mnn"
    if not output.exists():
        partial = directory / "partial.mnn"
        arguments = ["-f", "ONNX", "--modelFile", str(sources.onnx), "--MNNModel", str(partial), "--bizCode", "zoo"]
        log = directory / "convert.log"
        done = run_logged([str(environment.python), "-c", MNN_CONVERT, *arguments], log)
        if not done.succeeded or not partial.exists():
            named = [line.strip() for line in log.read_text(errors="replace").splitlines() if "Not Support" in line]
            raise ExportError(f"mnnconvert failed: {'; '.join(named) or done.reason}")
        partial.rename(output)
    return _artefact(output)


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


def to_cocomp(sources: Sources, environment: Environment, directory: Path) -> Artefact:
    """The zoo's module to a shared library. Never cached: it is what is being worked on."""
    output, log = directory / "model.so", directory / "convert.log"
    output.unlink(missing_ok=True)
    command = [str(environment.python), "-m", "benchmarks.peers.cocomp_adapter", sources.name, str(output)]
    done = run_logged(command, log, cwd=REPOSITORY)
    if not done.succeeded or not output.exists():
        raise ExportError(f"cocomp failed: {done.reason}")
    return _artefact(output, compile_seconds=json.loads(log.read_text().splitlines()[-1])["compile_seconds"])


def own_environment() -> Environment:
    """The harness' environment, where cocomp lives."""
    return Environment(Path(sys.prefix), Path(sys.executable))


def _artefact(path: Path, *more: Path, compile_seconds: float | None = None) -> Artefact:
    return Artefact(path, sum(file.stat().st_size for file in (path, *more)), compile_seconds)
