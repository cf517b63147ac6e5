"""Latency of the zoo on cocomp and its peers, side by side on this CPU.

    python -m benchmarks.cpu --models resnet50,bert_base --threads 1,2 --json result.json --markdown result.md
    python -m benchmarks.cpu --models '*' --rounds 3

A contender that cannot run a model is listed with the reason, and the others go on. The first run makes the peers' environments and converts the models, which takes minutes and some gigabytes of cache.
"""

import argparse
import fnmatch
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks import contest, layers, machine, report
from benchmarks.models import MODELS
from benchmarks.peers.catalogue import COCOMP, PEERS, Contender
from benchmarks.peers.sources import ExportError, Facts, ensure_sources

DEFAULT_MODELS = ("resnet50", "mobilenet_v2", "vgg16", "efficientnet_b0", "vit_b_16", "bert_base")
DEFAULT_ROUNDS = 7


def run(
    models: Sequence[str],
    contenders: Sequence[Contender],
    thread_counts: Sequence[int],
    rounds: int,
    progress: Callable[[str], None],
) -> report.Run:
    """Runs every contest and returns what was found; a contender that cannot take part costs a row, not the run."""
    progress("measuring the machine")
    ceilings = machine.measure(tuple(thread_counts))
    facts: dict[str, Facts] = {}
    results: list[contest.Result] = []
    kernels: list[layers.Layer] = []
    for model in models:
        progress(f"{model}: exporting")
        try:
            sources = ensure_sources(model)
        except ExportError as error:
            facts[model] = Facts(0, 0)
            results += _absent(model, thread_counts, {each.name: str(error) for each in contenders})
            continue
        facts[model] = sources.facts
        entries, reasons = contest.prepare(list(contenders), sources, progress)
        results += _absent(model, thread_counts, reasons)
        ours = [entry.artefact.path for entry in entries if entry.contender is COCOMP]
        for threads in thread_counts:
            found = contest.hold(entries, threads, rounds, progress)
            results += found
            if any(result.contender == COCOMP.name and result.milliseconds for result in found):
                kernels += [layer for path in ours for layer in layers.measure(model, path, threads)]
    return report.Run(ceilings, rounds, tuple(each.name for each in contenders), facts, tuple(results), tuple(kernels))


def _absent(model: str, thread_counts: Sequence[int], reasons: dict[str, str]) -> list[contest.Result]:
    return [contest.Result(model, n, name, reason=text) for n in thread_counts for name, text in reasons.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    contenders = [PEERS[name] for name in options.peers]
    if options.cocomp:
        if not find_spec(COCOMP.name):
            _say("cocomp is not installed here; --no-cocomp measures the peers alone")
            return 1
        contenders.insert(0, COCOMP)
    if not contenders:
        _say("expected a contender, got none")
        return 2
    found = run(options.models, contenders, options.threads, options.rounds, _say)
    print(machine.describe(found.machine))
    tables = report.tables(found)
    report.show(tables)
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    if options.markdown:
        options.markdown.write_text(f"```\n{machine.describe(found.machine)}\n```\n\n{report.to_markdown(tables)}")
    return 0


def _say(line: str) -> None:
    print(f"benchmarks.cpu: {line}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    cpus = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models",
        type=names_of(MODELS),
        default=DEFAULT_MODELS,
        metavar="A,B*",
        help=f"names or patterns: {', '.join(MODELS)}",
    )
    parser.add_argument("--peers", type=names_of(PEERS), default=tuple(PEERS), metavar="A,B", help=", ".join(PEERS))
    parser.add_argument("--no-cocomp", dest="cocomp", action="store_false", help="measure the peers alone")
    parser.add_argument("--threads", type=counts, default=tuple(sorted({1, min(2, cpus)})), metavar="1,2")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N", help="turns of each contender")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser


def names_of(known: Mapping[str, object]) -> Callable[[str], tuple[str, ...]]:
    """A parser of names and shell patterns, in the order given, each name once."""

    def parse(text: str) -> tuple[str, ...]:
        names: list[str] = []
        for pattern in filter(None, text.split(",")):
            fitting = fnmatch.filter(known, pattern)
            if not fitting:
                raise argparse.ArgumentTypeError(f"expected some of {', '.join(known)}, got {pattern}")
            names += fitting
        return tuple(dict.fromkeys(names))

    return parse


def counts(text: str) -> tuple[int, ...]:
    """A parser of numbers of threads, as many as there are processors at most."""
    cpus = len(os.sched_getaffinity(0))
    found = tuple(int(part) for part in text.split(","))
    if not all(1 <= count <= cpus for count in found):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to {cpus}, got {text}")
    return found


if __name__ == "__main__":
    sys.exit(main())
