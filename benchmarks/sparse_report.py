"""What came of the rows of `benchmarks.sparse`: goals and how far they were reached, as tables and in JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from benchmarks.contest import Result
from benchmarks.machine import Machine
from benchmarks.peers.catalogue import COCOMP, DENSE, SPARSE_PEERS
from benchmarks.pruned import Goal, Row
from benchmarks.report import ABSENT, Table

TITLES = {contender.name: contender.title for contender in (COCOMP, DENSE, *SPARSE_PEERS.values())}


@dataclass(frozen=True)
class Sizes:
    """Of a compiled model: operations that are executed (minimal filtering counted as what it replaces), those that are not
    with zeros, bytes of weights and of what says where they belong, bytes of the file."""

    flops: int
    kept_flops: int
    weight_bytes: int
    file_bytes: int


@dataclass(frozen=True)
class Verdict:
    """A goal with some number of threads. `rate` is what the speed-up was to reach a share of, 1 without."""

    row: str
    threads: int
    goal: Goal
    milliseconds: float
    against_milliseconds: float
    rate: float

    @property
    def speed_up(self) -> float:
        return self.against_milliseconds / self.milliseconds

    @property
    def reached(self) -> float:
        """What the goal is asked of."""
        return self.speed_up / self.rate

    @property
    def met(self) -> bool | None:
        return None if self.goal.least is None else self.reached >= self.goal.least


@dataclass(frozen=True)
class Skipping:
    """An engine that skips zeros beside itself on the same weights in a file that says nothing of them.

    `layers` have sparse parameters in its file (None where files cannot tell). `same_bits`: both gave the same output to
    the last bit, which other kernels than the dense ones would not. `disagreement` bounds the relative difference of its
    output to ours.
    """

    row: str
    threads: int
    engine: str
    layers: int | None
    milliseconds: float
    control_milliseconds: float | None
    same_bits: bool | None
    disagreement: float


@dataclass(frozen=True)
class Outcome:
    """A row with all its results. `sparse_layers` is by contender; `reasons` are of those that could not take part."""

    row: Row
    dense: Sizes | None
    pruned: Sizes | None
    results: tuple[Result, ...]
    sparse_layers: Mapping[str, int]
    reasons: Mapping[str, str]

    @property
    def flops_rate(self) -> float | None:
        return self.dense.flops / self.pruned.flops if self.dense and self.pruned else None

    @property
    def zeros_rate(self) -> float | None:
        """The FLOPs rate if every zero was skipped."""
        return self.dense.kept_flops / self.pruned.kept_flops if self.dense and self.pruned else None

    @property
    def byte_rate(self) -> float | None:
        return self.dense.weight_bytes / self.pruned.weight_bytes if self.dense and self.pruned else None

    def verdicts(self) -> list[Verdict]:
        """Every goal with every number of threads, as far as both contenders ran."""
        rates = {None: 1.0, "FLOPs": self.flops_rate, "bytes": self.byte_rate}
        found: list[Verdict] = []
        for result in self.results:
            for goal in self.row.goals if result.contender == COCOMP.name else ():
                ours, theirs, rate = (
                    _median(result),
                    _median(self._result(goal.against, result.threads)),
                    rates[goal.over],
                )
                if ours and theirs and rate:
                    found.append(Verdict(self.row.name, result.threads, goal, ours, theirs, rate))
        return found

    def skipping(self) -> list[Skipping]:
        """What the engines gain by skipping zeros, as far as they ran."""
        found: list[Skipping] = []
        for result in self.results:
            ours, milliseconds = self._result(COCOMP.name, result.threads), _median(result)
            own = result.contender in (COCOMP.name, DENSE.name) or result.contender not in {
                g.against for g in self.row.goals
            }
            if own or milliseconds is None or result.error is None or ours is None or ours.error is None:
                continue
            control = self._result(SPARSE_PEERS[result.contender].control, result.threads)
            same_bits = control.digest == result.digest if control and control.digest else None
            found.append(
                Skipping(
                    self.row.name, result.threads, result.contender, self.sparse_layers.get(result.contender),
                    milliseconds, _median(control), same_bits, result.error + ours.error,
                )
            )  # fmt: skip
        return found

    def _result(self, contender: str | None, threads: int) -> Result | None:
        return next((r for r in self.results if (r.contender, r.threads) == (contender, threads)), None)


@dataclass(frozen=True)
class Run:
    """All that one run of the benchmark found out."""

    machine: Machine
    rounds: int
    threads: tuple[int, ...]
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> dict[str, object]:
        """For json.dump."""
        return {"machine": self.machine.to_json(), "rounds": self.rounds, "rows": [_row(o) for o in self.outcomes]}


def _row(outcome: Outcome) -> dict[str, object]:
    row = outcome.row
    return {
        "name": row.name,
        "model": row.model,
        "encoding": row.encoding,
        "rate": dict(row.rate) if isinstance(row.rate, Mapping) else row.rate,
        "dense": asdict(outcome.dense) if outcome.dense else None,
        "pruned": asdict(outcome.pruned) if outcome.pruned else None,
        "flops_rate": outcome.flops_rate,
        "zeros_rate": outcome.zeros_rate,
        "byte_rate": outcome.byte_rate,
        "goals": [
            {**asdict(v), "speed_up": v.speed_up, "reached": v.reached, "met": v.met} for v in outcome.verdicts()
        ],
        "engines": [asdict(s) for s in outcome.skipping()],
        "results": [asdict(result) for result in outcome.results],
        "reasons": dict(outcome.reasons),
    }


def tables(run: Run) -> list[Table]:
    """Goals, what was pruned away, how engines skip zeros, who did not compete and why."""
    return [table for table in (_goals(run), _sizes(run), _engines(run), _absent(run)) if table.rows]


def _goals(run: Run) -> Table:
    headers = ("row", "threads", "cocomp ms", "against", "ms", "speed-up", "rate", "speed-up / rate", "goal", "met")
    rows: list[tuple[str, ...]] = []
    for v in (verdict for outcome in run.outcomes for verdict in outcome.verdicts()):
        rate = (f"{v.goal.over} {v.rate:.2f}", f"{v.reached:.2f}") if v.goal.over else (ABSENT, ABSENT)
        goal = (ABSENT, ABSENT) if v.goal.least is None else (f"{v.goal.least:g}", "yes" if v.met else "no")
        times = (_number(v.milliseconds), TITLES[v.goal.against], _number(v.against_milliseconds), f"{v.speed_up:.2f}")
        rows.append((v.row, str(v.threads), *times, *rate, *goal))
    return Table(
        "Pruned models (medians; goals are of the speed-up, or of its share of the rate)", headers, tuple(rows)
    )


def _sizes(run: Run) -> Table:
    headers = ("row", "encoding", "FLOPs rate", "if no zero was left", "bytes rate", "weights MB", "pruned MB", "file MB",
               "pruned MB", "error")  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for outcome in run.outcomes:
        if outcome.dense is None or outcome.pruned is None:
            continue
        before, after = outcome.dense, outcome.pruned
        sizes = (before.weight_bytes, after.weight_bytes, before.file_bytes, after.file_bytes)
        errors = [r.error for r in outcome.results if r.contender == COCOMP.name and r.error is not None]
        row = (outcome.row.name, outcome.row.encoding)
        row += tuple(_number(rate) for rate in (outcome.flops_rate, outcome.zeros_rate, outcome.byte_rate))
        rows.append((*row, *(f"{size / 1e6:.2f}" for size in sizes), f"{max(errors):.1e}" if errors else ABSENT))
    return Table("What was pruned away (error: max|error| / max|reference| against PyTorch)", headers, tuple(rows))


def _engines(run: Run) -> Table:
    headers = (
        "row",
        "threads",
        "engine",
        "sparse layers",
        "ms",
        "without ms",
        "gain",
        "same bits",
        "differs from ours",
    )
    rows: list[tuple[str, ...]] = []
    for s in (skipping for outcome in run.outcomes for skipping in outcome.skipping()):
        gain = f"{s.control_milliseconds / s.milliseconds:.2f}" if s.control_milliseconds else ABSENT
        bits = ABSENT if s.same_bits is None else "yes" if s.same_bits else "no"
        layers = str(s.layers) if s.layers is not None else ABSENT
        times = (_number(s.milliseconds), _number(s.control_milliseconds))
        rows.append((s.row, str(s.threads), TITLES[s.engine], layers, *times, gain, bits, f"<= {s.disagreement:.1e}"))
    title = "Engines that skip zeros (without: the same engine and weights, nothing skipped)"
    return Table(title, headers, tuple(rows))


def _absent(run: Run) -> Table:
    rows: list[tuple[str, ...]] = []
    for outcome in run.outcomes:
        rows += [(outcome.row.name, ABSENT, TITLES[name], reason) for name, reason in outcome.reasons.items()]
        rows += [
            (outcome.row.name, str(result.threads), TITLES[result.contender], result.reason)
            for result in outcome.results
            if result.reason is not None
        ]
    return Table("Did not compete", ("row", "threads", "contender", "reason"), tuple(rows))


def _median(result: Result | None) -> float | None:
    return result.milliseconds.median if result and result.milliseconds else None


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
