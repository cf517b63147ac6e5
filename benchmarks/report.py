"""The results of a run as tables: on a terminal (rich where it is installed), in Markdown and in JSON."""

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from benchmarks.contest import Result
from benchmarks.layers import Layer
from benchmarks.machine import Machine
from benchmarks.peers.catalogue import COCOMP, DENSE_VULKAN, GPU_PEERS, ON_CPU, PEERS, VARIANTS, VULKAN
from benchmarks.peers.sources import Facts
from benchmarks.timing import best, geometric_mean

OURS = {contender.name: contender for contender in (COCOMP, VULKAN, *VARIANTS.values(), DENSE_VULKAN, ON_CPU)}
CONTENDERS = {**PEERS, **GPU_PEERS, **OURS}
TITLES = {name: contender.title for name, contender in CONTENDERS.items()}
ABSENT = "-"


@dataclass(frozen=True)
class Run:
    """All that one run of the benchmark found out. `facts` is by model."""

    machine: Machine
    rounds: int
    contenders: tuple[str, ...]
    facts: dict[str, Facts]
    results: tuple[Result, ...]
    layers: tuple[Layer, ...] = ()

    def medians(self, model: str, threads: int) -> dict[str, float]:
        """Milliseconds by contender, of those that competed."""
        found = (r for r in self.results if (r.model, r.threads) == (model, threads))
        return {r.contender: r.milliseconds.median for r in found if r.milliseconds is not None}

    def best_peer(self, model: str, threads: int) -> str | None:
        medians = self.medians(model, threads)
        return best({name: value for name, value in medians.items() if name not in OURS})

    def ratio(self, contender: str, model: str, threads: int) -> float | None:
        """Time of `contender` over that of the best peer (OURS are none): below 1 is faster than all of them."""
        medians = self.medians(model, threads)
        fastest = self.best_peer(model, threads)
        return medians[contender] / medians[fastest] if fastest and contender in medians else None

    def mean_ratio(self, contender: str, threads: int) -> float | None:
        """The geometric mean of its ratios; None unless it ran every model: one over the easy ones would flatter."""
        ratios = [self.ratio(contender, model, threads) for model in self.facts]
        return geometric_mean([r for r in ratios if r is not None]) if None not in ratios else None

    def contests(self) -> list[tuple[str, int]]:
        """(model, threads) in the order in which they were run."""
        return list(dict.fromkeys((result.model, result.threads) for result in self.results))

    def to_json(self) -> dict[str, object]:
        """For json.dump."""
        thread_counts = sorted({threads for _, threads in self.contests()})
        return {
            "machine": self.machine.to_json(),
            "rounds": self.rounds,
            "packages": {name: _packages(name) for name in self.contenders},
            "models": {model: asdict(facts) for model, facts in self.facts.items()},
            "results": [asdict(result) for result in self.results],
            "layers": [{**asdict(layer), "share": layer.share(self.machine)} for layer in self.layers],
            "ratio_to_best_peer": {
                str(threads): {name: self.mean_ratio(name, threads) for name in self.contenders}
                for threads in thread_counts
            },
        }


@dataclass(frozen=True)
class Table:
    """Rows of text under headers; the first column is left-aligned, the others are right-aligned."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(run: Run) -> list[Table]:
    """Latency, what else was measured, our convolutions one by one, who did not compete and why."""
    found = [_latency(run), details(run), _layers(run), reasons(run)]
    return [table for table in found if table.rows]


def _latency(run: Run) -> Table:
    """Medians, the ratio to the best peer, and the best contender's share of the peak in multiply-adds."""
    judged = COCOMP.name if COCOMP.name in run.contenders else None
    headers = ["model", "threads", *(TITLES[name] for name in run.contenders), "best peer"]
    headers += [f"{TITLES[judged]} / best peer"] if judged else []
    rows: list[tuple[str, ...]] = []
    for model, threads in run.contests():
        medians = run.medians(model, threads)
        fastest = run.best_peer(model, threads)
        row = [model, str(threads), *(number(medians.get(name)) for name in run.contenders)]
        row.append(TITLES[fastest] if fastest else ABSENT)
        row += [number(run.ratio(judged, model, threads))] if judged else []
        subject = judged or fastest
        row.append(_share(run, model, threads, medians.get(subject) if subject else None))
        rows.append(tuple(row))
    for threads in sorted({threads for _, threads in run.contests()}):
        ratios = (number(run.mean_ratio(name, threads)) for name in run.contenders)
        row = ["geometric mean / best peer", str(threads), *ratios, ""]
        row += [number(run.mean_ratio(judged, threads))] if judged else []
        rows.append((*row, ""))
    headers.append(f"{TITLES[judged] if judged else 'best peer'}: share of FMA peak")
    return Table(
        "Median milliseconds (share of peak: by operations of direct convolution, so that Winograd can pass 100 %)",
        tuple(headers),
        tuple(rows),
    )


def details(run: Run) -> Table:
    """All that was measured of who competed."""
    headers = ("model", "threads", "contender", "median", "min", "p90", "error", "load ms", "peak MB", "artefact MB",
               "weights MB", "compile s")  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for result in run.results:
        if (time := result.milliseconds) is None:
            continue
        row = (result.model, str(result.threads), TITLES[result.contender])
        row += (number(time.median), number(time.minimum), number(time.p90))
        row += (f"{result.error:.1e}" if result.error is not None else ABSENT, number(result.load_milliseconds))
        sizes = (result.peak_bytes, result.artefact_bytes, run.facts[result.model].weight_bytes)
        row += tuple(number(size / 1e6 if size is not None else None) for size in sizes)
        rows.append((*row, number(result.compile_seconds)))
    return Table("Details (error: max|error| / max|reference| against PyTorch)", headers, tuple(rows))


def _layers(run: Run) -> Table:
    rows: list[tuple[str, ...]] = []
    for layer in run.layers:
        share = layer.share(run.machine)
        rate = layer.flops / (layer.microseconds * 1e3) if layer.microseconds else None
        row = (
            f"{layer.model} {layer.layer}",
            str(layer.threads),
            layer.kind,
            number(layer.microseconds),
            number(rate),
        )
        rows.append((*row, f"{share:.0%}" if share is not None else ABSENT))
    headers = ("layer", "threads", "kernel", "us", "GFLOP/s", "share of peak")
    return Table("Convolutions and matrix products of cocomp", headers, tuple(rows))


def reasons(run: Run) -> Table:
    """Who did not compete."""
    rows = ((r.model, str(r.threads), TITLES[r.contender], r.reason) for r in run.results if r.reason is not None)
    return Table("Did not compete", ("model", "threads", "contender", "reason"), tuple(rows))


def _share(run: Run, model: str, threads: int, milliseconds: float | None) -> str:
    peak = run.machine.peak(threads)
    flops = run.facts[model].flops
    if peak is None or milliseconds is None or not flops:
        return ABSENT
    return f"{flops / (milliseconds * 1e6) / peak.gflops:.0%}"


def _packages(contender: str) -> list[str]:
    requirements = CONTENDERS[contender].requirements
    return [*requirements.packages, *requirements.alone] if requirements else []


def number(value: float | None) -> str:
    """Three digits, and all of those before the point; ABSENT without a value."""
    if value is None:
        return ABSENT
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def to_markdown(found: Iterable[Table]) -> str:
    """Markdown, one section a table."""
    parts: list[str] = []
    for table in found:
        rule = ["---", *["---:"] * (len(table.headers) - 1)]
        lines = ["| " + " | ".join(row) + " |" for row in (table.headers, rule, *table.rows)]
        parts.append("\n".join([f"### {table.title}", "", *lines]))
    return "\n\n".join(parts) + "\n"


def show(found: Iterable[Table]) -> None:
    """Prints with rich on a terminal; elsewhere in plain columns, which do not fold."""
    if find_spec("rich") and sys.stdout.isatty():
        _show_rich(found)
        return
    for table in found:
        widths = [max(len(row[i]) for row in (table.headers, *table.rows)) for i in range(len(table.headers))]
        print(f"\n{table.title}")
        for first, *others in (table.headers, *table.rows):
            cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
            print("  ".join((first.ljust(widths[0]), *cells)).rstrip())


def _show_rich(found: Iterable[Table]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console()
    for table in found:
        shown = RichTable(title=table.title, title_justify="left")
        for i, header in enumerate(table.headers):
            shown.add_column(header, justify="right" if i else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
