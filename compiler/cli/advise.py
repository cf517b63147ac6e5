"""cocomp-advise: what each layer of a model would gain from pruning, by block size and rate, before anything is pruned."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocomp import __version__
from cocomp.support.diagnostics import UsageError

from . import _shell

if TYPE_CHECKING:
    from cocomp.passes.kernel._prospects import Prospect

EPILOG = """\
Blocks of ROWS rows keep the same columns: 1 is unstructured (csr), others are bcr<ROWS, all> or, for convolutions,
kgs<ROWS, channels>. Speed-ups are over the best dense kernel, by counted cycles of the target, or with --measure by the
clock: for every block and rate the whole model is pruned, compiled and run here. Zeros that the model has are ignored.
`block` is the smallest one within 10 % of the fastest.

examples:
  cocomp-advise benchmarks.models:resnet50 -target=android-cpu -mcpu=cortex-a78
  cocomp-advise model.pt2 --rates 2,4,8 --rows 1,4,8,16 --json advice.json
  cocomp-advise model.pt2 --rates 4 --measure --threads 2

exit status: 0 done, 1 the model is rejected, 2 wrong usage, 70 internal error, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    options = _shell.parse_arguments(_parser(), arguments)
    return _shell.guarded("cocomp-advise", lambda: _advise(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cocomp-advise", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="as for cocompc")
    _shell.add_target_flags(parser)
    parser.add_argument(
        "--input", action="append", default=[], metavar="[NAME:]1x3x224x224xf32", help="as for cocompc, once an input"
    )
    parser.add_argument("--rows", type=_rows, default=[1, 4, 8, 16, 32], metavar="1,4,8,16,32", help="block heights")
    parser.add_argument("--rates", type=_rates, default=[2.0, 4.0, 8.0], metavar="2,4,8", help="pruning rates")
    parser.add_argument("--measure", action="store_true", help="time pruned models on this machine")
    parser.add_argument("--threads", type=_shell.positive, default=1, metavar="N", help="for --measure (default: 1)")
    parser.add_argument("--trust-pickle", action="store_true", help="as for cocompc")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE too")
    parser.add_argument("--version", action="version", version=f"cocomp-advise {__version__}")
    return parser


def _rows(text: str) -> list[int]:
    return [_shell.positive(word) for word in text.split(",")]


def _rates(text: str) -> list[float]:
    try:
        rates = [float(word) for word in text.split(",")]
    except ValueError:
        rates = [0.0]
    if min(rates) < 1:
        raise argparse.ArgumentTypeError(f"expected rates from 1, got '{text}'")
    return rates


def _advise(options: argparse.Namespace) -> int:
    if options.json is not None and not options.json.parent.is_dir():
        raise UsageError(f"{options.json.parent}: no such directory")
    found = _prospects(options)
    if not found:
        print("no layer of the model has a weight that could be pruned", file=sys.stderr)
        return _shell.OK
    _show(found, options.rows, options.rates)
    if options.json is not None:
        from cocomp.artifact import write_whole

        write_whole({options.json: (json.dumps([_described(p) for p in found], indent=1) + "\n").encode()})
    return _shell.OK


def _prospects(options: argparse.Namespace) -> list[Prospect]:
    """Lay the dense model out and ask for every layer."""
    import logging
    import warnings

    from cocomp import dialects
    from cocomp.driver import Compilation, evaluate_on_host
    from cocomp.frontend.formats import load_model
    from cocomp.frontend.inputs import InputSpec
    from cocomp.options import Options
    from cocomp.passes.kernel._prospects import prospects
    from cocomp.prospects import copy_of, measured
    from cocomp.support.mlir import context, ir
    from cocomp.support.passes import State
    from cocomp.support.weights import WeightStore
    from cocomp.targets.cpus import cpu_target, runs_here

    from ._progress import ProgressLines

    target = cpu_target(options.target, options.mcpu, options.precision)
    if options.measure and not runs_here(target):
        raise UsageError(f"expected no --measure with -target={options.target}: this machine cannot run its code")
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    mine = context()
    dialects.register(mine)
    imported = load_model(options.model, [InputSpec.parse(t) for t in options.input], options.trust_pickle, mine)
    given = dataclasses.replace(imported, module=copy_of(imported.module), weights=WeightStore(imported.weights))
    chosen = Options(options.target, options.mcpu, options.precision)
    predicting = dataclasses.replace(chosen, sparsity="off", compile_to="laid-out")
    state = State(target, imported.weights, evaluate=evaluate_on_host)
    Compilation(imported.module, imported.weights, predicting).lower(state)
    with mine, ir.Location.unknown():
        predicted = prospects(imported.module, state, options.rows, options.rates)
        if not options.measure or not predicted:
            return predicted
        with ProgressLines(verbose=False) as progress:
            return measured(given, chosen, predicted, options.threads, progress.news)


def _show(found: Sequence[Prospect], sizes: Sequence[int], rates: Sequence[float]) -> None:
    """One row a layer: what it takes dense, then for each rate the speed-up of every block height and the one to take."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer")
    scale, unit = (1e3, "ms") if found[0].unit == "us" else (1e6, "Mcycles")
    for text in ("rows x columns", "pixels", f"dense {unit}"):
        table.add_column(text, justify="right")
    for rate in rates:
        for rows in sizes:
            table.add_column(f"{rate:g}x/{rows}", justify="right")
        table.add_column("block", justify="right")
    for p in found:
        cells = [p.layer, f"{p.rows}x{p.columns}", str(p.pixels), f"{p.dense / scale:.2f}"]
        for rate in rates:
            cells += [f"{p.dense / p.options[rows, rate]:.1f}" for rows in sizes]
            cells.append(str(p.smallest_block(rate)))
        table.add_row(*cells)
    console = Console()
    Console(width=console.width if console.is_terminal else 400).print(table)


def _described(p: Prospect) -> dict[str, Any]:
    return {
        "layer": p.layer,
        "rows": p.rows,
        "columns": p.columns,
        "pixels": p.pixels,
        f"dense_{p.unit}": p.dense,
        "options": [
            {"rows": rows, "rate": rate, p.unit: time, "speed_up": p.dense / time}
            for (rows, rate), time in p.options.items()
        ],
        "blocks": {f"{rate:g}": p.smallest_block(rate) for rate in dict.fromkeys(r for _, r in p.options)},
    }


if __name__ == "__main__":
    sys.exit(main())
