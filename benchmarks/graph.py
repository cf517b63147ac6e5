"""What rewriting, fusion and layouts bring, one after the other: latency, kernels and memory of the same models.

    python -m benchmarks.graph --models resnet50,gpt2 --threads 1,2 --json result.json
    python -m benchmarks.graph --models mobilenet_v2,swin_t --target vulkan --tune 60

The plain road is cocomp without the three (`cocompc --without=rewriting,fusion,layout`), on the same kernels. It folds no
scale into weights and rewrites no expression; what hangs on weights alone is computed by the compiler all the same. Every
operator of the model as `torch.export` gives it is a kernel of its own (batch norm, softmax and GELU are one each, a bias is
part of its convolution), and so is every padding, transpose, slice and part of a concatenation, while reshapes, broadcasts and
contiguous slices cost nothing. Tensors are row-major, and copied where a kernel needs rows contiguous. Each stage adds to the one before it; the
last is what cocompc does by default, or with `--tune` what measuring adds to that. With `--target vulkan` the same on a GPU, in
buffers, and then in images where tensors can be images.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import contest, machine
from benchmarks.cpu import counts, names_of
from benchmarks.models import MODELS
from benchmarks.peers.catalogue import COCOMP, Contender
from benchmarks.peers.export import to_cocomp
from benchmarks.peers.sources import ExportError, ensure_sources
from benchmarks.report import ABSENT, Table, number, show
from benchmarks.timing import geometric_mean
from cocomp.options import Options
from cocomp.runtime.manifest import read_manifest

DEFAULT_MODELS = ("resnet50", "mobilenet_v2", "efficientnet_b0", "bert_base", "vit_b_16", "swin_t", "gpt2")
DEFAULT_ROUNDS = 9
TOLERANCE = (
    1e-3  # of the greatest output: all stages have the same arithmetic but for its order and the minimal filtering
)
RUNS = 3  # at least so many of a turn are timed


@dataclass(frozen=True)
class Stage:
    """A compilation."""

    name: str
    title: str
    options: Options

    @property
    def contender(self) -> Contender:
        return replace(COCOMP, name=self.name, title=f"cocomp, {self.title}", convert=to_cocomp(str(self.options)))


def stages(target: str = "host", tune: float | None = None) -> tuple[Stage, ...]:
    """What is compared, for a target; `tune` gives the seconds that a last stage may measure for."""
    on_gpu = target == "vulkan"
    first, last = ("buffer", "texture") if on_gpu else ("auto", "auto")
    found = [
        Stage("plain", "plain", Options(target=target, memory=first, without=("rewriting", "fusion", "layout"))),
        Stage("rewriting", "+ rewriting", Options(target=target, memory=first, without=("fusion", "layout"))),
        Stage("fusion", "+ fusion", Options(target=target, memory=first, without=("layout",))),
        Stage("everything", "+ layout", Options(target=target, memory=first)),
    ]
    if on_gpu:
        found.append(Stage("textures", "+ textures", Options(target=target, memory=last)))
    if tune is not None:
        found.append(Stage("tuned", "+ tuning", Options(target=target, memory=last, tune=tune)))
    return tuple(found)


@dataclass(frozen=True)
class Sizes:
    """Of a compiled model: kernels that a run executes, launches that they share, and bytes of intermediate tensors at their
    peak."""

    kernels: int
    launches: int
    arena_bytes: int

    @property
    def text(self) -> str:
        """The kernels, and the launches where these are fewer."""
        return str(self.kernels) if self.launches == self.kernels else f"{self.kernels} in {self.launches}"


@dataclass(frozen=True)
class Outcome:
    """A model at all stages, by name. `reasons` are of those that could not take part."""

    model: str
    sizes: Mapping[str, Sizes]
    results: tuple[contest.Result, ...]
    reasons: Mapping[str, str]

    def medians(self, threads: int) -> dict[str, float]:
        """Milliseconds by stage."""
        found = (r for r in self.results if r.threads == threads and r.milliseconds)
        return {r.contender: r.milliseconds.median for r in found if r.milliseconds}

    def gain(self, before: str, after: str, threads: int) -> float | None:
        """The speed-up of one stage over another; None unless both ran."""
        medians = self.medians(threads)
        return medians[before] / medians[after] if {before, after} <= medians.keys() else None


@dataclass(frozen=True)
class Run:
    """All that one run of the benchmark found out."""

    machine: machine.Machine
    stages: tuple[Stage, ...]
    rounds: int
    threads: tuple[int, ...]
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> dict[str, object]:
        """For json.dump."""
        models = [
            {
                "model": outcome.model,
                "sizes": {name: asdict(sizes) for name, sizes in outcome.sizes.items()},
                "results": [asdict(result) for result in outcome.results],
                "reasons": dict(outcome.reasons),
            }
            for outcome in self.outcomes
        ]
        stages = {stage.name: str(stage.options) for stage in self.stages}
        return {"machine": self.machine.to_json(), "stages": stages, "rounds": self.rounds, "models": models}


def run(
    models: Sequence[str],
    compared: tuple[Stage, ...],
    thread_counts: Sequence[int],
    rounds: int,
    progress: Callable[[str], None],
) -> Run:
    """Compiles every model at every stage and times the stages in turns; a stage that fails costs a line, not the run."""
    progress("measuring the machine")
    ceilings = machine.measure(tuple(thread_counts))
    outcomes = [_outcome(model, compared, thread_counts, rounds, progress) for model in models]
    return Run(ceilings, compared, rounds, tuple(thread_counts), tuple(outcomes))


def _outcome(
    model: str,
    compared: Sequence[Stage],
    thread_counts: Sequence[int],
    rounds: int,
    progress: Callable[[str], None],
) -> Outcome:
    progress(f"{model}: exporting")
    try:
        sources = ensure_sources(model, ())
    except ExportError as error:
        return Outcome(model, {}, (), {stage.name: str(error) for stage in compared})
    entries, reasons = contest.prepare([stage.contender for stage in compared], sources, progress)
    results: list[contest.Result] = []
    for threads in thread_counts:
        found = contest.hold(entries, threads, rounds, progress, TOLERANCE, RUNS)
        times = [f"{r.contender} {r.milliseconds.median:.3g} ms" for r in found if r.milliseconds]
        progress(f"{model}, {threads} thread{'s' * (threads > 1)}: {', '.join(times)}")
        results += found
    sizes = {entry.contender.name: _sizes(entry.artefact.path) for entry in entries}
    for entry in entries:
        entry.artefact.path.unlink()  # as large as the weights, and never used again
    return Outcome(model, sizes, tuple(results), reasons)


def _sizes(artefact: Path) -> Sizes:
    raw = read_manifest(artefact, check=False).raw
    return Sizes(len(raw["dispatches"]), raw["launches"], raw["arena_bytes"])


def tables(found: Run) -> list[Table]:
    """Latency, kernels and memory, who did not compete and why."""
    return [table for table in (_latency(found), _kernels(found), _absent(found)) if table.rows]


def _latency(found: Run) -> Table:
    """Medians, the gain of each stage over the one before, and that of all over the first."""
    first, *others = found.stages
    headers = ["model", "threads", f"{first.title} ms"]
    for stage in others:
        headers += [f"{stage.title} ms", "gain"]
    pairs = [*zip(found.stages, others, strict=False), (first, found.stages[-1])]
    rows: list[tuple[str, ...]] = []
    for threads in found.threads:
        gains = [[outcome.gain(a.name, b.name, threads) for a, b in pairs] for outcome in found.outcomes]
        for outcome, own in zip(found.outcomes, gains, strict=True):
            medians = outcome.medians(threads)
            rows.append((outcome.model, str(threads), *_alternate([medians.get(s.name) for s in found.stages], own)))
        complete = [own for own in gains if None not in own]
        means = [geometric_mean([g for g in column if g]) for column in zip(*complete, strict=True)]
        if means:
            rows.append(("geometric mean", str(threads), *_alternate([None] * len(found.stages), means)))
    title = "Median milliseconds (gain: over the stage before; all: of the last stage over the first)"
    return Table(title, (*headers, "all"), tuple(rows))


def _alternate(medians: Sequence[float | None], gains: Sequence[float | None]) -> list[str]:
    """The cells of a row: a median, then median and gain for each stage that follows, then the gain of all."""
    cells = [number(medians[0])]
    for median, gain in zip(medians[1:], gains, strict=False):
        cells += [number(median), f"{gain:.2f}" if gain else ABSENT]
    return [*cells, f"{gains[-1]:.2f}" if gains[-1] else ABSENT]


def _kernels(found: Run) -> Table:
    titles = [stage.title for stage in found.stages]
    headers = ("model", *(f"{t}: kernels" for t in titles), *(f"{t}: MB" for t in titles), "error")
    rows: list[tuple[str, ...]] = []
    for outcome in found.outcomes:
        sizes = [outcome.sizes.get(stage.name) for stage in found.stages]
        errors = [result.error for result in outcome.results if result.error is not None]
        row = (outcome.model, *(s.text if s else ABSENT for s in sizes))
        row += tuple(f"{s.arena_bytes / 1e6:.2f}" if s else ABSENT for s in sizes)
        rows.append((*row, f"{max(errors):.1e}" if errors else ABSENT))
    title = "Kernels (n in m: n in m launches), peak memory of activations (error: max|error| / max|reference| against PyTorch)"
    return Table(title, headers, tuple(rows))


def _absent(found: Run) -> Table:
    titles = {stage.name: stage.title for stage in found.stages}
    rows: list[tuple[str, ...]] = []
    for outcome in found.outcomes:
        rows += [(outcome.model, ABSENT, titles[name], reason) for name, reason in outcome.reasons.items()]
        rows += [(r.model, str(r.threads), titles[r.contender], r.reason) for r in outcome.results if r.reason]
    return Table("Did not compete", ("model", "threads", "stage", "reason"), tuple(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models", type=names_of(MODELS), default=DEFAULT_MODELS, metavar="A,B*",
        help=f"names or patterns: {', '.join(MODELS)}",
    )  # fmt: skip
    parser.add_argument("--target", choices=("host", "vulkan"), default="host", help="default: host")
    parser.add_argument("--tune", type=float, metavar="SECONDS", help="one more stage, which may measure for so long")
    parser.add_argument("--threads", type=counts, default=(1,), metavar="1,2")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N", help="turns of each stage")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    compared = stages(options.target, options.tune)
    found = run(options.models, compared, options.threads, options.rounds, _say)
    print(machine.describe(found.machine))
    show(tables(found))
    if options.json:
        options.json.write_text(json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    return 0


def _say(line: str) -> None:
    print(f"benchmarks.graph: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
