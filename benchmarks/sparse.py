"""Pruned models against the same networks before pruning, and against engines that skip zeros, on the same weights.

    python -m benchmarks.sparse --rows 'resnet50-bcr-*,gru*' --threads 1,2 --json result.json

The rows are those of `benchmarks/pruned.py`. Contenders take turns of several consecutive runs of which the first is not
timed, so that whatever else the machine does meets all of them; each is checked against PyTorch first.
"""

import argparse
import fnmatch
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import contest, machine
from benchmarks.peers.catalogue import COCOMP, DENSE, SPARSE_PEERS, Contender
from benchmarks.peers.sources import ExportError, ensure_sources
from benchmarks.pruned import ROWS, Row
from benchmarks.report import show
from benchmarks.sparse_report import Outcome, Run, Sizes, tables
from cocomp.runtime.manifest import read_manifest

TOLERANCE = 5e-3  # of the greatest output: minimal filtering on pruned weights costs some engines 3e-3
RUNS = 4  # at least so many of a turn are timed
DEFAULT_ROUNDS = 10

Progress = Callable[[str], None]


def run(rows: Sequence[Row], thread_counts: Sequence[int], rounds: int, progress: Progress) -> Run:
    """Runs every row with each number of threads; a contender that cannot take part costs a line, not the run."""
    progress("measuring the machine")
    ceilings = machine.measure(tuple(thread_counts))
    dense: dict[str, contest.Entry] = {}
    outcomes: list[Outcome] = []
    for row in rows:
        try:
            if row.dense not in dense:
                dense[row.dense] = _prepare_dense(row, progress)
            outcomes.append(_outcome(row, dense[row.dense], thread_counts, rounds, progress))
        except ExportError as error:
            progress(f"{row.name}: {error}")
            outcomes.append(Outcome(row, None, None, (), {}, {COCOMP.name: str(error)}))
    for entry in dense.values():
        entry.artefact.path.unlink(missing_ok=True)  # as large as the weights, and never used again
    return Run(ceilings, rounds, tuple(thread_counts), tuple(outcomes))


def _prepare_dense(row: Row, progress: Progress) -> contest.Entry:
    progress(f"{row.dense}: exporting")
    entries, reasons = contest.prepare([DENSE], ensure_sources(row.dense, ()), progress)
    if not entries:
        raise ExportError(reasons[DENSE.name])
    return entries[0]


def _outcome(row: Row, dense: contest.Entry, thread_counts: Sequence[int], rounds: int, progress: Progress) -> Outcome:
    progress(f"{row.name}: pruning and exporting")
    contenders = [COCOMP, *rivals(row)]
    sources = ensure_sources(row.name, sorted({c.reads for c in contenders if c.reads}))
    entries, reasons = contest.prepare(contenders, sources, progress)
    if COCOMP.name in reasons:
        raise ExportError(reasons[COCOMP.name])
    ours = entries[0]
    results: list[contest.Result] = []
    for threads in thread_counts:
        found = contest.hold([ours, dense, *entries[1:]], threads, rounds, progress, TOLERANCE, RUNS)
        times = [f"{r.contender} {r.milliseconds.median:.3g} ms" for r in found if r.milliseconds]
        progress(f"{row.name}, {threads} thread{'s' * (threads > 1)}: {', '.join(times)}")
        results += found
    skipped = {e.contender.name: c(e.artefact.path) for e in entries if (c := e.contender.sparse_layers)}
    outcome = Outcome(row, _sizes(dense), _sizes(ours), tuple(results), skipped, reasons)
    ours.artefact.path.unlink()
    return outcome


def rivals(row: Row) -> list[Contender]:
    """The peers that a row runs against, each followed by what shows that it skips zeros."""
    found: dict[str, Contender] = {}
    for goal in row.goals:
        if goal.against != DENSE.name:
            rival = SPARSE_PEERS[goal.against]
            found[rival.name] = rival
            if rival.control:
                found[rival.control] = SPARSE_PEERS[rival.control]
    return list(found.values())


def _sizes(entry: contest.Entry) -> Sizes:
    dispatches = read_manifest(entry.artefact.path, check=False).raw["dispatches"]
    flops = sum(dispatch["executed_flops"] for dispatch in dispatches)
    return Sizes(flops, entry.sources.facts.kept_flops, entry.artefact.weight_bytes or 0, entry.artefact.bytes)


def choose(rows: str | None, models: str | None) -> list[Row]:
    """Rows by names or shell patterns and by models, both separated by commas. Raises ValueError for what fits none."""
    for text, known in ((rows, ROWS), (models, {row.model for row in ROWS.values()})):
        for pattern in text.split(",") if text else []:
            if not fnmatch.filter(known, pattern):
                raise ValueError(f"expected some of {', '.join(known)}, got {pattern}")
    return [row for row in ROWS.values() if _fits(row.name, rows) and _fits(row.model, models)]


def _fits(name: str, patterns: str | None) -> bool:
    return patterns is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", metavar="A,B*", help=f"names or patterns: {', '.join(ROWS)}")
    parser.add_argument("--models", metavar="A,B*", help="only the rows of these models")
    parser.add_argument("--threads", type=_counts, default=_counts("1,2"), metavar="1,2")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N", help="turns of each contender")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        rows = choose(options.rows, options.models)
    except ValueError as error:
        parser.error(str(error))
    found = run(rows, options.threads, options.rounds, _say)
    print(machine.describe(found.machine))
    show(tables(found))
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    return 0


def _say(line: str) -> None:
    print(f"benchmarks.sparse: {line}", file=sys.stderr)


def _counts(text: str) -> tuple[int, ...]:
    """Numbers of threads, as far as there are processors."""
    return tuple(sorted({min(int(part), len(os.sched_getaffinity(0))) for part in text.split(",")}))


if __name__ == "__main__":
    sys.exit(main())
