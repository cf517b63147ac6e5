"""Latency of the zoo on one Vulkan device, beside ncnn and IREE, and what pruning brings there.

    python -m benchmarks.gpu --models mobilenet_v2,resnet50 --rows= --json result.json

Contenders take turns and are checked against PyTorch as in `benchmarks.cpu`, and so is what they are asked: arrays of numpy
in, an array of numpy out, copies to the device and back included. All compute in f32, but for the variants of cocomp that say
otherwise, which may be 4 % of the greatest output wrong and have to find the same greatest one; cocomp on the CPU, with all its
threads, is there for reference and no peer. Each engine takes the device that it likes best.

A software device has the whole CPU, and engines may be slow there: who would need more than `--budget` seconds for its turns
takes fewer of them, and who does not answer for `--patience` seconds is listed with this reason.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import contest, device, machine, report
from benchmarks.cpu import names_of
from benchmarks.gpu_report import Pruned, Run, Sizes, tables
from benchmarks.models import MODELS
from benchmarks.peers.catalogue import DENSE_VULKAN, GPU_PEERS, ON_CPU, VARIANTS, VULKAN, Contender
from benchmarks.peers.sources import ExportError, Facts, ensure_sources
from benchmarks.pruned import ROWS, Row
from cocomp.runtime.manifest import read_manifest

DEFAULT_MODELS = ("mobilenet_v2", "resnet50", "efficientnet_b0", "vit_b_16", "swin_t")
DEFAULT_ROWS = ("resnet50-bcr-8x", "c3d-kgs")
DEFAULT_VARIANTS = ("texture", "buffer-f16", "texture-f16")
"""On a device of a desktop `auto` is buffers."""
DEFAULT_ROUNDS = 7
BUDGET_SECONDS = 30.0
PATIENCE_SECONDS = 300.0

Progress = Callable[[str], None]
Hold = Callable[[list[contest.Entry]], list[contest.Result]]


def run(
    models: Sequence[str],
    rows: Sequence[Row],
    contenders: Sequence[Contender],
    rounds: int,
    progress: Progress,
    budget_seconds: float = BUDGET_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> Run:
    """Runs every contest and returns what was found; a contender that cannot take part costs a line, not the run."""
    threads = len(os.sched_getaffinity(0))
    progress("measuring the machine")
    ceilings = machine.measure((threads,))
    facts: dict[str, Facts] = {}
    sizes: dict[str, Sizes] = {}
    results: list[contest.Result] = []

    def hold(entries: list[contest.Entry]) -> list[contest.Result]:
        found = contest.hold(entries, threads, rounds, progress, budget_seconds=budget_seconds, patience=patience)
        times = [f"{r.contender} {r.milliseconds.median:.3g} ms" for r in found if r.milliseconds]
        progress(f"{entries[0].sources.name if entries else 'nobody'}: {', '.join(times)}")
        return found

    for model in models:
        progress(f"{model}: exporting")
        try:
            sources = ensure_sources(model)
        except ExportError as error:
            facts[model] = Facts(0, 0)
            results += _absent(model, threads, {each.name: str(error) for each in contenders})
            continue
        facts[model] = sources.facts
        entries, reasons = contest.prepare(list(contenders), sources, progress)
        for entry in entries:
            if entry.contender is VULKAN and (made := _sizes(entry)):
                sizes[model] = made
        results += _absent(model, threads, reasons) + hold(entries)
    race = report.Run(ceilings, rounds, tuple(each.name for each in contenders), facts, tuple(results))
    pruned = [_pruned(row, threads, hold, progress) for row in rows]
    return Run(device.query(), race, threads, sizes, tuple(pruned))


def _pruned(row: Row, threads: int, hold: Hold, progress: Progress) -> Pruned:
    progress(f"{row.name}: pruning and exporting")
    try:
        sides = [(DENSE_VULKAN, ensure_sources(row.dense, ())), (VULKAN, ensure_sources(row.name, ()))]
    except ExportError as error:
        reasons = {each.name: str(error) for each in (DENSE_VULKAN, VULKAN)}
        return Pruned(row.name, row.encoding, None, None, tuple(_absent(row.name, threads, reasons)))
    entries: list[contest.Entry] = []
    results: list[contest.Result] = []
    for contender, sources in sides:
        ready, reasons = contest.prepare([contender], sources, progress)
        entries += ready
        results += _absent(row.name, threads, reasons)
    dense, pruned = (sources.facts.kept_flops for _, sources in sides)
    sizes = [_sizes(entry) for entry in entries if entry.contender is VULKAN]
    results += hold(entries)
    for entry in entries:
        entry.artefact.path.unlink()  # as large as the weights, and never used again
    return Pruned(
        row.name, row.encoding, dense / pruned if pruned else None, sizes[0] if sizes else None, tuple(results)
    )


def _sizes(entry: contest.Entry) -> Sizes | None:
    """None for what is not ours, or not for GPUs."""
    if entry.artefact.spirv_bytes is None:
        return None
    launches = read_manifest(entry.artefact.path, check=False).raw["launches"]
    return Sizes(entry.artefact.spirv_bytes, launches)


def _absent(model: str, threads: int, reasons: dict[str, str]) -> list[contest.Result]:
    return [contest.Result(model, threads, name, reason=text) for name, text in reasons.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    variants = [VARIANTS[name] for name in options.variants]
    contenders = [VULKAN, *variants, *(GPU_PEERS[name] for name in options.peers), *([ON_CPU] if options.cpu else [])]
    rows = [ROWS[name] for name in options.rows]
    found = run(options.models, rows, contenders, options.rounds, _say, options.budget, options.patience)
    about = f"{machine.describe(found.race.machine)}\n{device.describe(found.devices)}"
    print(about)
    made = tables(found)
    report.show(made)
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    if options.markdown:
        options.markdown.write_text(f"```\n{about}\n```\n\n{report.to_markdown(made)}")
    return 0


def _say(line: str) -> None:
    print(f"benchmarks.gpu: {line}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models", type=names_of(MODELS), default=DEFAULT_MODELS, metavar="A,B*",
        help=f"names or patterns: {', '.join(MODELS)}",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=names_of(ROWS), default=DEFAULT_ROWS, metavar="A,B*",
        help=f"pruned models, beside the same not pruned: {', '.join(ROWS)}",
    )  # fmt: skip
    parser.add_argument(
        "--variants", type=names_of(VARIANTS), default=DEFAULT_VARIANTS, metavar="A,B*",
        help=f"of cocomp: {', '.join(VARIANTS)}",
    )  # fmt: skip
    parser.add_argument("--peers", type=names_of(GPU_PEERS), default=tuple(GPU_PEERS), metavar="A,B")
    parser.add_argument("--no-cpu", dest="cpu", action="store_false", help="leave the CPU out")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N", help="turns of each contender")
    parser.add_argument(
        "--budget", type=float, default=BUDGET_SECONDS, metavar="SECONDS", help="of a contender's turns"
    )
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS", help="for one answer")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
