"""One contest: the contenders run one zoo model with one number of threads, checked first, then in rounds."""

import hashlib
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.peers.adapter import read_arrays
from benchmarks.peers.catalogue import Contender
from benchmarks.peers.environments import Environment, InstallError
from benchmarks.peers.export import Artefact
from benchmarks.peers.process import REPLY_SECONDS, Worker, WorkerError
from benchmarks.peers.sources import INPUTS, ExportError, Sources
from benchmarks.timing import Statistics, interleave, relative_error, runs_per_turn, summarise, turns_within

TOLERANCE = 1e-2  # a greater error than any rounding: the contender computed something else
TURN_MILLISECONDS = 500.0
WARM_UP = 1  # runs of a turn that are not timed: the first finds another contender's weights in the caches
SLOW_MILLISECONDS = 2000.0  # such a contender is not run more often than it must be

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A contender that is ready to run a model."""

    contender: Contender
    sources: Sources
    environment: Environment
    artefact: Artefact


@dataclass(frozen=True)
class Result:
    """One cell of the table. Without `milliseconds` the contender did not compete, and `reason` tells why.

    `error` is the greater of max|error|/max|reference| on random and on structured inputs. `digest` is of the bits of both
    outputs: who computes in the same order gets the same. Memory is the peak resident
    set of the whole process, of which `baseline_bytes` were the interpreter's and numpy's.
    """

    model: str
    threads: int
    contender: str
    milliseconds: Statistics | None = None
    reason: str | None = None
    error: float | None = None
    digest: str | None = None
    load_milliseconds: float | None = None
    peak_bytes: int | None = None
    baseline_bytes: int | None = None
    artefact_bytes: int | None = None
    compile_seconds: float | None = None


def prepare(contenders: list[Contender], sources: Sources, progress: Progress) -> tuple[list[Entry], dict[str, str]]:
    """Environments and artefacts: the contenders that are ready, and the reasons of those that are not."""
    ready: list[Entry] = []
    reasons: dict[str, str] = {}
    for contender in contenders:
        try:
            environment = contender.environment(progress)
            progress(f"{sources.name}: converting for {contender.title}")
            ready.append(Entry(contender, sources, environment, contender.artefact(sources, environment)))
        except (InstallError, ExportError) as error:
            reasons[contender.name] = str(error)
    return ready, reasons


@dataclass
class _Competitor:
    """A loaded and checked contender, and what went wrong since then."""

    worker: Worker
    checked: Result
    runs: int  # of a turn
    turns: int
    failure: str | None = None

    def turn(self, runs: int) -> list[float]:
        """A Turn; after a failure there are no more samples."""
        if self.failure is not None:
            return []
        self.worker.resume()
        try:
            return self.worker.ask("run", runs=runs, warmup=min(WARM_UP, runs - 1))["milliseconds"]
        except WorkerError as error:
            self.failure = f"while it was timed: {error}"
            return []
        finally:
            self.worker.pause()

    def result(self, samples: list[float]) -> Result:
        if self.failure is not None:
            return replace(self.checked, reason=self.failure)
        self.worker.resume()
        try:
            memory = self.worker.ask("memory")
        except WorkerError as error:
            return replace(self.checked, reason=f"after it was timed: {error}")
        return replace(
            self.checked,
            milliseconds=summarise(samples),
            peak_bytes=memory["peak"],
            baseline_bytes=memory["baseline"],
        )


def hold(
    entries: list[Entry],
    threads: int,
    rounds: int,
    progress: Progress,
    tolerance: float = TOLERANCE,
    least_runs: int = 1,
    budget_seconds: float = math.inf,
    patience: float = REPLY_SECONDS,
) -> list[Result]:
    """Loads and checks every contender, then times those that pass, in interleaved rounds of at least `least_runs`.

    Who would need more than `budget_seconds` for all turns takes fewer of them, at least one. Who has not answered after
    `patience` seconds is out.
    """
    results: list[Result] = []
    competitors: dict[str, _Competitor] = {}
    with ExitStack() as stack, TemporaryDirectory() as scratch:
        for entry in entries:
            name = entry.contender.name
            progress(f"{entry.sources.name}: loading {entry.contender.title}, {threads} thread{'s' * (threads > 1)}")
            log = Path(scratch, f"{name}.log")
            worker = stack.enter_context(
                Worker(entry.environment.python, entry.contender.adapter, threads, log, patience)
            )
            try:
                checked = _load_and_check(worker, entry, threads, Path(scratch), tolerance)
                estimate = _estimate(worker)
            except WorkerError as error:
                size = entry.artefact.bytes
                failed = Result(entry.sources.name, threads, name, reason=str(error), artefact_bytes=size)
                results.append(failed)
                worker.close()
                continue
            runs = max(least_runs, runs_per_turn(estimate, TURN_MILLISECONDS))
            turns = turns_within(estimate * runs, 1e3 * budget_seconds, rounds)
            competitors[name] = _Competitor(worker, checked, runs, turns)
            worker.pause()
        progress(f"timing {len(competitors)} contenders, {rounds} rounds")
        samples = interleave(
            {name: competitor.turn for name, competitor in competitors.items()},
            {name: competitor.runs for name, competitor in competitors.items()},
            rounds,
            {name: competitor.turns for name, competitor in competitors.items()},
        )
        return results + [competitor.result(samples[name]) for name, competitor in competitors.items()]


def _load_and_check(worker: Worker, entry: Entry, threads: int, scratch: Path, tolerance: float) -> Result:
    sources = entry.sources
    inputs = str(sources.inputs(INPUTS[0]))
    loaded = worker.ask("load", path=str(entry.artefact.path), threads=threads, inputs=inputs)
    error, digest = 0.0, hashlib.sha256()
    for kind in INPUTS:
        output = scratch / f"{entry.contender.name}-{kind}.npz"
        worker.ask("output", inputs=str(sources.inputs(kind)), save=str(output))
        error = max(error, compare(output, sources.reference(kind)))
        if entry.contender.tolerance is not None and not agree(output, sources.reference(kind)):
            raise WorkerError(f"wrong result: another element of the output is the greatest for {kind} inputs")
        digest.update(read_arrays(output, "output")[0].tobytes())
    if not error <= (tolerance if entry.contender.tolerance is None else entry.contender.tolerance):
        raise WorkerError(f"wrong result: error {error:.2g} of the greatest output")
    forbidden = entry.contender.forbidden_chatter
    if forbidden and forbidden in worker.chatter():
        raise WorkerError(f"did not run as asked: it printed '{forbidden}'")
    return Result(
        sources.name,
        threads,
        entry.contender.name,
        error=error,
        digest=digest.hexdigest()[:16],
        load_milliseconds=loaded["milliseconds"],
        artefact_bytes=entry.artefact.bytes,
        compile_seconds=entry.artefact.compile_seconds,
    )


def _estimate(worker: Worker) -> float:
    """About how many milliseconds a run takes; what is slow to start has started afterwards."""
    first: float = worker.ask("run", runs=1)["milliseconds"][0]
    return first if first > SLOW_MILLISECONDS else min(worker.ask("run", runs=2, warmup=1)["milliseconds"])


def compare(output: Path, reference: Path) -> float:
    """max|error| / max|reference| of two files' output0. Raises WorkerError if the sizes differ.

    Axes of length 1 may differ: ncnn has no batch axis.
    """
    got, expected = read_arrays(output, "output")[0], read_arrays(reference, "output")[0]
    if [n for n in got.shape if n != 1] != [n for n in expected.shape if n != 1]:
        raise WorkerError(f"expected an output of shape {expected.shape}, got {got.shape}")
    difference = np.abs(got.astype(np.float64).ravel() - expected.astype(np.float64).ravel())
    return relative_error(float(difference.max()), float(np.abs(expected).max()))


def agree(output: Path, reference: Path) -> bool:
    """Whether the greatest element of two files' output0 is the same one."""
    got, expected = (int(read_arrays(file, "output")[0].argmax()) for file in (output, reference))
    return got == expected
