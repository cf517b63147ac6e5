"""cocomp-run: run a compiled model, measure it, see where its time goes. Needs numpy only, never PyTorch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocomp import __version__
from cocomp.support.diagnostics import CompileError, UsageError

from . import _shell

if TYPE_CHECKING:
    import numpy as np

    from cocomp.runtime.loader import Model

RUNS = 50
EPILOG = """\
examples:
  cocomp-run model.so --input image.npy --output scores.npy
  cocomp-run model.so --threads 2 --benchmark
  cocomp-run model.so --profile --json profile.json

exit status: 0 done, 1 the artefact or an input is rejected, 2 wrong usage, 70 internal error, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    given = [f"--benchmark={RUNS}" if word == "--benchmark" else word for word in given]
    options = _shell.parse_arguments(_parser(), given)
    return _shell.guarded("cocomp-run", lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cocomp-run", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", metavar="MODEL.so", help="what cocompc has written")
    parser.add_argument(
        "--input", nargs="+", action="extend", default=[], metavar="[NAME=]x.npy",
        help="inputs, in order or by name (default: random ones, the same in every run)",
    )  # fmt: skip
    parser.add_argument(
        "--output", nargs="+", action="extend", default=[], metavar="y.npy",
        help="files for the outputs: one .npy each, or one .npz for all of them",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_shell.count, default=0, metavar="N", help="threads (default: all processors)"
    )
    parser.add_argument("--seed", type=_shell.count, default=0, metavar="N", help="seed of random inputs (default: 0)")
    parser.add_argument(
        "--benchmark", type=_shell.positive, metavar="RUNS", help=f"measure the latency of RUNS runs (default: {RUNS})"
    )
    parser.add_argument("--profile", action="store_true", help="measure every kernel")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured to FILE")
    parser.add_argument("--version", action="version", version=f"cocomp-run {__version__}")
    return parser


def _run(options: argparse.Namespace) -> int:
    from cocomp.runtime.loader import InputError, load
    from cocomp.runtime.measure import Stopwatch, benchmark, peak_memory

    path, files = _model_and_inputs(options)
    before = peak_memory()
    watch = Stopwatch()
    try:
        with load(path, options.threads) as model:
            loading = watch.seconds()
            inputs = _inputs(model, files, options.seed)
            outputs = model.run(inputs)
            _write_outputs(model, outputs, options.output)
            measured: dict[str, Any] = {
                "model": str(path),
                "target": model.manifest.target,
                "cpu": model.manifest.raw["cpu"],
                "threads": model.threads,
                "load_seconds": loading,
            }
            if options.benchmark:
                measured["latency"] = benchmark(lambda: model.run(inputs, outputs), options.benchmark)
            if options.profile:
                measured["kernels"] = _profile(model, inputs)
            measured["peak_bytes"] = {"before_loading": before, "process": peak_memory()}
    except InputError as error:
        raise CompileError(str(error)) from None
    _print_measured(measured, options)
    if options.json:
        _write_json(options.json, measured)
    return _shell.OK


def _model_and_inputs(options: argparse.Namespace) -> tuple[Path, list[str]]:
    model, files = options.model, list(options.input)
    if model is None and files:  # `--input x.npy MODEL.so`: the flag has taken what follows it
        model = files.pop()
    if model is None:
        raise UsageError("expected a MODEL.so to run; cocompc makes one")
    return Path(model), files


def _inputs(model: Model, files: Sequence[str], seed: int) -> list[np.ndarray]:
    from cocomp.frontend.inputs import InputSpec

    wanted = model.manifest.inputs
    if not files:
        names = ", ".join(str(InputSpec(t.type, t.shape, t.name)) for t in wanted)
        print(f"no --input: random values for {names}", file=sys.stderr)
        return [InputSpec(t.type, t.shape, t.name).example(seed + number) for number, t in enumerate(wanted)]
    names = [t.name for t in wanted]
    placed: dict[str, str] = {}
    for position, word in enumerate(files):
        name, separator, file = word.partition("=")
        if not separator:
            name, file = names[position] if position < len(names) else "", word
        if name not in names or name in placed:
            raise UsageError(
                f"cannot place the input '{word}': the model takes {len(names)} inputs ({', '.join(names)})"
            )
        placed[name] = file
    missing = [name for name in names if name not in placed]
    if missing:
        raise UsageError(f"expected a file for every input: {', '.join(missing)} is missing")
    return [_load(placed[name]) for name in names]


def _load(file: str) -> np.ndarray:
    import numpy as np

    try:
        array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise CompileError(f"cannot be read: {error.strerror or error}", where=file) from None
    except (ValueError, EOFError) as error:
        raise CompileError(
            f"cannot be read as an array of numpy: {error}", where=file, notes=["numpy.save writes such files"]
        ) from None
    if not isinstance(array, np.ndarray):
        raise CompileError("expected one array (.npy), got an archive of several", where=file)
    return array


def _write_outputs(model: Model, outputs: Sequence[np.ndarray], files: Sequence[str]) -> None:
    import io

    import numpy as np

    from cocomp.artifact import write_whole

    if not files:
        return
    names = [t.name for t in model.manifest.outputs]
    contents: dict[Path, bytes] = {}
    if len(files) == 1 and files[0].endswith(".npz"):
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(zip(names, outputs, strict=True)))
        contents[Path(files[0])] = buffer.getvalue()
    elif len(files) == len(outputs):
        for file, array in zip(files, outputs, strict=True):
            buffer = io.BytesIO()
            np.save(buffer, array)
            contents[Path(file)] = buffer.getvalue()
    else:
        raise UsageError(
            f"expected one .npz or {len(outputs)} .npy for the outputs ({', '.join(names)}), got {len(files)} files"
        )
    write_whole(contents)


def _profile(model: Model, inputs: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """A row for each launch; rates come from the arithmetic that the manifest says is executed."""
    from cocomp.runtime.manifest import launches

    times = model.profile(inputs)
    total = sum(t.microseconds for t in times) or 1.0
    rows: list[dict[str, Any]] = []
    for time, kernels in zip(times, launches(model.manifest.raw), strict=True):
        flops = sum(k["executed_flops"] for k in kernels)
        rows.append(
            {
                "kernel": time.kernel,
                "layer": time.layer,
                "layers": list(dict.fromkeys(k["layer"] for k in kernels)),
                "source": kernels[0]["source"],
                "processor": kernels[0]["processor"],
                "on_cpu": kernels[0]["on_cpu"],
                "microseconds": time.microseconds,
                "share": time.microseconds / total,
                "flops": flops,
                "gflops_per_second": flops / time.microseconds / 1e3 if flops and time.microseconds else None,
            }
        )
    return rows


def _print_measured(measured: dict[str, Any], options: argparse.Namespace) -> None:
    print(f"{measured['model']}: {measured['target']} ({measured['cpu']}), {measured['threads']} threads")
    print(f"  load         {measured['load_seconds'] * 1e3:10.3f} ms")
    if "latency" in measured:
        latency = measured["latency"]
        print(
            f"  latency      min {latency['min'] * 1e3:.3f} ms, median {latency['median'] * 1e3:.3f} ms, p90 {latency['p90'] * 1e3:.3f} ms"
        )
        print(f"               {latency['runs']} runs after {latency['warm_up']} to warm up")
    peak = measured["peak_bytes"]
    print(
        f"  peak memory  {peak['process'] / 2**20:10.1f} MiB ({peak['before_loading'] / 2**20:.1f} MiB before loading)"
    )
    if options.profile:
        _print_profile(measured["kernels"])


def _print_profile(rows: Sequence[dict[str, Any]]) -> None:
    width = max((len(row["layer"]) for row in rows), default=0)
    print(f"\n{'time':>10} {'share':>6} {'GFLOP/s':>8}  {'layer':<{width}}  kernel")
    for row in rows:
        rate = f"{row['gflops_per_second']:8.1f}" if row["gflops_per_second"] else " " * 8
        place = f" on the CPU: {row['on_cpu']}" if row["on_cpu"] else ""
        print(
            f"{row['microseconds']:7.1f} us {row['share']:6.1%} {rate}  {row['layer']:<{width}}  {row['kernel']}{place}"
        )
    print(f"{sum(row['microseconds'] for row in rows):7.1f} us in {len(rows)} kernels")


def _write_json(path: Path, measured: dict[str, Any]) -> None:
    import json

    from cocomp.artifact import write_whole

    write_whole({path: (json.dumps(measured, indent=2) + "\n").encode()})


if __name__ == "__main__":
    sys.exit(main())
