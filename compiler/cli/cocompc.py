"""cocompc: compile a model into one shared library with its weights, and a C header beside it."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cocomp import __version__
from cocomp.options import FALLBACKS, FPGA, MEMORIES, OPTIONAL, Options, names
from cocomp.phases import NAMES
from cocomp.support.diagnostics import CompileError, UsageError

from . import _accelerators as accelerators
from . import _shell
from ._progress import ProgressLines

if TYPE_CHECKING:
    from cocomp.artifact import Artifact
    from cocomp.frontend.imported import Imported
    from cocomp.frontend.inputs import InputSpec

AUTOMATIC = "auto"
EPILOG = """\
MODEL is a file (.pt2 of torch.export, .pt TorchScript, .onnx, .mlir with linalg on tensors), or package.module:function,
a function that takes nothing and returns a torch.nn.Module or (module, example_inputs).

examples:
  cocompc model.pt2 -o model.so --verify
  cocompc model.onnx -target=android-cpu -mcpu=cortex-a78 --precision=f16 --input image:1x3x224x224xf32
  cocompc package.models:resnet18 -target=fpga-hls --device=xc7z045 --quantize=rmsmp -o out/
  cocompc package.models:resnet50 -target=linux-x86-64 -mcpu=x86-64-v4 --report=report.html

exit status: 0 done, 1 the model is rejected, 2 wrong usage, 70 internal error, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    given = [f"--verify={AUTOMATIC}" if word == "--verify" else word for word in given]
    options = _shell.parse_arguments(_parser(), given)
    return _shell.guarded("cocompc", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.list_targets:
        return _list_targets()
    return _list_rewrites() if options.list_rewrites else _compile(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cocompc", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="what to compile; see below")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the library to write (default: the model's name with .so)"
    )
    _shell.add_target_flags(parser)
    parser.add_argument(
        "--input", nargs="+", action="extend", default=[], metavar="[NAME:]1x3x224x224xf32",
        help="shape and type of an input, where the model does not fix them; in order, or by name",
    )  # fmt: skip
    parser.add_argument(
        "--threads",
        type=_shell.count,
        default=0,
        metavar="N",
        help="threads for --verify and --tune (default: all processors)",
    )
    parser.add_argument(
        "--verify", metavar="RTOL",
        help="compare with the original on example, random and structured inputs: max |error| / max |reference| <= RTOL "
        "(default: 1e-4, with f16 5e-2)",
    )  # fmt: skip
    parser.add_argument(
        "--compile-to",
        choices=NAMES,
        default="target",
        metavar="PHASE",
        help=f"stop after a phase and write its IR: {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--sparsity", default="auto", metavar="auto|off|force:ENCODING",
        help="zeros of weights: left out where that is faster (default), never, or everywhere, with all weights that have "
        "zeros in one encoding, such as bcr or 'bcr<16,64>'",
    )  # fmt: skip
    parser.add_argument(
        "--memory", choices=MEMORIES, default="auto",
        help="of tensors between the kernels of a GPU: images wherever one can be, buffers, or as the GPU likes it (default)",
    )  # fmt: skip
    parser.add_argument(
        "--quantize", metavar="WEIGHTS", default="",
        help="round weights row by row, and what is multiplied with them: rmsmp, rmsmp:65:30:5, or a quantiser such as fixed<4> for all rows",
    )  # fmt: skip
    parser.add_argument(
        "--activation-bits",
        type=int,
        metavar="N",
        default=4,
        help="of what is multiplied with quantised weights (default: 4)",
    )
    parser.add_argument(
        "--device", default="", metavar="FPGA",
        help="what an accelerator of fpga-hls is made for: xc7z020, xc7z045 (default), zcu102, ..",
    )  # fmt: skip
    parser.add_argument(
        "--explore", action="store_true", help="list the accelerators that nothing else beats, and write no project"
    )
    parser.add_argument(
        "--fallback", choices=FALLBACKS, default="none",
        help="of kernels that GPUs cannot compute (scans, sorts, scatters, double precision): an error (default), or on the CPU",
    )  # fmt: skip
    parser.add_argument(
        "--fast-math", action="store_true",
        help="allow rewrites that round otherwise, overflow elsewhere or narrow a domain; --list-rewrites tells which",
    )  # fmt: skip
    parser.add_argument(
        "--tune", type=float, metavar="SECONDS",
        help="measure schedules and kernels on this machine for so long, and keep what is faster than predicted; what was measured before "
        "is taken from the database, and 0 measures nothing",
    )  # fmt: skip
    parser.add_argument(
        "--tune-database", type=Path, metavar="FILE",
        help="where --tune keeps its results (default: cocomp/tuning.sqlite in the user's cache)",
    )  # fmt: skip
    parser.add_argument(
        "--without", type=names, default=(), metavar=",".join(OPTIONAL),
        help="leave out some of these, to see what they bring: weights and expressions as the model has them, a kernel for every "
        "operator, row-major tensors",
    )  # fmt: skip
    parser.add_argument("--dump-ir", type=Path, metavar="DIR", help="write the IR after every phase")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what every kernel got, to FILE.json, or FILE.html with a picture of the graph; with --verify times are measured",
    )
    parser.add_argument(
        "--trust-pickle", action="store_true", help="load a pickled module, which runs the code that it names"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="list phases and passes with their times, in a pipe too"
    )
    parser.add_argument("--list-targets", action="store_true", help="list targets and their processors and stop")
    parser.add_argument("--list-rewrites", action="store_true", help="list the rules of rewriting and stop")
    parser.add_argument("--version", action="version", version=f"cocompc {__version__}")
    return parser


def _list_targets() -> int:
    from cocomp.passes.math.accelerator.devices import DEVICES
    from cocomp.support.registry import TARGETS, plugin_names
    from cocomp.targets.cpus import ARM_CPUS, X86_CPUS, X86_LEVELS
    from cocomp.targets.gpus import FAMILIES

    gpus = ", ".join(FAMILIES)
    x86, arm = ", ".join([*X86_LEVELS, *X86_CPUS]), ", ".join(ARM_CPUS)
    print(
        f"host           this machine\nlinux-x86-64   -mcpu={x86}\nlinux-arm64    -mcpu={arm}\nandroid-cpu    -mcpu={arm}\n"
        f"vulkan         the GPU of this machine; -mcpu={gpus}\nandroid-gpu    any GPU with Vulkan 1.1; -mcpu={gpus}\n"
        f"fpga-hls       a Vitis HLS project; --device={', '.join(DEVICES)}"
    )
    for name in plugin_names(TARGETS):
        print(f"{name:<14} of another package")
    return _shell.OK


def _list_rewrites() -> int:
    from cocomp.passes.math.algebra.table import listing

    print("\n".join(listing()))
    print("exact and weights always apply, the latter as the folding of batch norms does; fast-math with --fast-math")
    return _shell.OK


def _compile(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spec, inputs = _model_and_inputs(options)
    chosen = Options(
        target=options.target,
        cpu=options.mcpu,
        precision=options.precision,
        sparsity=options.sparsity.replace(" ", ""),
        memory=options.memory,
        fallback=options.fallback,
        quantize=options.quantize,
        activation_bits=options.activation_bits,
        device=options.device,
        fast_math=options.fast_math,
        tune=options.tune,
        tune_database=options.tune_database,
        threads=options.threads,
        without=options.without,
        compile_to=options.compile_to,
        dump_ir=options.dump_ir,
    )
    tolerance = _tolerance(options)
    output = _output(options, spec)
    _check_writable(output, options)
    _silence_libraries()
    with ProgressLines(options.verbose) as progress:
        imported, seconds = _import(spec, inputs, chosen, options.trust_pickle)
        progress.phase_done("importing", seconds)
        if chosen.target == FPGA and chosen.compile_to == "target":
            return accelerators.emit(imported, chosen, output, options, progress)
        from cocomp.api import compile_imported

        artifact = compile_imported(imported, chosen, progress.phase_done, progress.instruments())
        if artifact is None:
            _write_module(imported, output)
            return _shell.OK
        artifact.facts["phases"] = {"importing": seconds, **artifact.facts["phases"]}
        if tolerance is not None:
            _verify(artifact, imported, options, tolerance, progress)
        _write(artifact, output, options.report, spec)
    _tell_fallback(artifact)
    return _shell.OK


def _model_and_inputs(options: argparse.Namespace) -> tuple[str, list[InputSpec]]:
    from cocomp.frontend.inputs import InputSpec

    model, inputs = options.model, list(options.input)
    if model is None and inputs:  # `--input SPEC MODEL`: the flag has taken what follows it
        model = inputs.pop()
    if model is None:
        raise UsageError("expected a MODEL to compile; --help tells what it can be")
    return model, [InputSpec.parse(text) for text in inputs]


def _tolerance(options: argparse.Namespace) -> float | None:
    if options.verify is None:
        return None
    if options.compile_to != "target":
        raise UsageError(f"expected no --verify with --compile-to={options.compile_to}: there is no artefact to run")
    if options.target == FPGA and options.verify != AUTOMATIC:
        raise UsageError(f"expected --verify without a tolerance with -target={FPGA}: its simulation is exact")
    if options.verify == AUTOMATIC:
        return {"f32": 1e-4, "f16": 5e-2}[options.precision]
    try:
        value = float(options.verify)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"expected a relative error from 0 to 1 for --verify, got '{options.verify}'")
    return value


def _output(options: argparse.Namespace, spec: str) -> Path:
    """Where to write: what -o says, or the model's name in the current directory."""
    if options.output:
        return Path(options.output)
    module, _, function = spec.rpartition(":")
    name = Path(spec).stem if Path(spec).exists() else function
    if name == module:  # NAME.so in the current directory would hide NAME.py from Python
        name += "_model"
    if options.target == FPGA and options.compile_to == "target":
        return Path(f"{name}_hls")
    return Path(f"{name}.so" if options.compile_to == "target" else f"{name}.{options.compile_to}.mlir")


def _check_writable(output: Path, options: argparse.Namespace) -> None:
    """Find out before minutes of work what could only fail after them."""
    if options.target == FPGA and options.compile_to == "target":
        accelerators.check(output, options)
        return
    if options.explore:
        raise UsageError(f"expected no --explore with -target={options.target}: it is for accelerators of {FPGA}")
    for path in filter(None, (output, options.report)):
        if str(path) != "-" and not path.parent.is_dir():
            raise CompileError("cannot write: no such directory", where=str(path.parent))
        if path.is_dir():
            raise CompileError("cannot write: it is a directory", where=str(path))
    if options.report and options.report.suffix not in (".json", ".html"):
        raise UsageError(f"expected FILE.json or FILE.html for --report, got '{options.report}'")
    if options.report and options.compile_to != "target":
        raise UsageError(f"expected no --report with --compile-to={options.compile_to}: there are no kernels to report")


def _check_tuning(options: Options) -> None:
    """Find out early whether the tuner's database can be used."""
    if options.tune is not None:
        from cocomp.support.tuning import TuningDatabase

        with TuningDatabase(options.tune_database, create=options.tune > 0):
            pass


def _silence_libraries() -> None:
    """What PyTorch and its importers say to developers is of no use to who compiles a model."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)


def _import(spec: str, inputs: Sequence[InputSpec], options: Options, trust_pickle: bool) -> tuple[Imported, float]:
    """Load and lower the model; also the seconds it took. A wrong target is reported before."""
    from cocomp.driver import target_of

    target_of(options)
    _check_tuning(options)
    start = time.perf_counter()
    from cocomp.frontend.formats import load_model
    from cocomp.support.mlir import context

    return load_model(spec, inputs, trust_pickle, context()), time.perf_counter() - start


def _write(artifact: Artifact, output: Path, report: Path | None, model: str) -> None:
    """The library, its header and the report: all of them or none."""
    from cocomp.artifact import write_whole

    files = artifact.files(output)
    if report is not None:
        from cocomp.report import render

        files[report] = render(artifact, model, report.suffix)
    write_whole(files, executable=output)


def _tell_fallback(artifact: Artifact) -> None:
    """Which kernels of a model for a GPU the CPU runs, by reason."""
    dispatches = artifact.manifest["dispatches"]
    layers: dict[str, dict[str, None]] = {}
    for dispatch in dispatches:
        if dispatch["on_cpu"]:
            layers.setdefault(dispatch["on_cpu"], {})[dispatch["layer"]] = None
    if layers:
        count = sum(bool(d["on_cpu"]) for d in dispatches)
        print(f"cocompc: {count} of {len(dispatches)} kernels run on the CPU", file=sys.stderr)
    for reason, found in layers.items():
        print(f"note: {reason}: {', '.join(found)}", file=sys.stderr)


def _write_module(imported: Imported, output: Path) -> None:
    """The IR of a phase, with its weights beside it, so that cocomp-opt can go on from there."""
    from cocomp.artifact import write_whole

    text = imported.module.operation.get_asm(enable_debug_info=True)
    if str(output) == "-":
        print(text)
        return
    files = {output: text.encode()}
    if imported.weights:
        files[output.with_suffix(".safetensors")] = imported.weights.to_safetensors()
    write_whole(files)


def _verify(
    artifact: Artifact, imported: Imported, options: argparse.Namespace, tolerance: float, progress: ProgressLines
) -> None:
    from cocomp.verify import verify_artifact

    start = time.perf_counter()
    verdicts = verify_artifact(artifact, imported, options.threads, tolerance)
    artifact.facts["verification"] = {kind: verdict.error for kind, verdict in verdicts.items()}
    for kind, verdict in verdicts.items():
        if not verdict.passed:
            first = (
                f"first wrong: {verdict.first}" if verdict.first else "every kernel on its own agrees with the original"
            )
            raise CompileError(
                f"verification failed: relative error {verdict.error:.2e} on {kind} inputs, expected at most {tolerance:.0e}",
                where=str(options.model),
                notes=[first],
            )
    progress.phase_done("verified", time.perf_counter() - start)
    if options.report is not None:
        from cocomp.record import measure

        measure(artifact, imported.examples, options.threads)


if __name__ == "__main__":
    sys.exit(main())
