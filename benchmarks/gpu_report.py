"""What came of `benchmarks.gpu`, as tables and in JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from benchmarks import report
from benchmarks.contest import Result
from benchmarks.device import Device
from benchmarks.peers.catalogue import DENSE_VULKAN, GPU_PEERS, ON_CPU, VARIANTS, VULKAN
from benchmarks.report import ABSENT, Table, number
from benchmarks.timing import geometric_mean


@dataclass(frozen=True)
class Sizes:
    """Of a model compiled for GPUs: bytes of its SPIR-V, and launches of a run."""

    spirv_bytes: int
    launches: int


@dataclass(frozen=True)
class Pruned:
    """A row of `benchmarks.pruned` beside the same network before it was pruned. `rate` is that of the operations that pruning
    leaves, None where neither could be exported."""

    row: str
    encoding: str
    rate: float | None
    sizes: Sizes | None
    results: tuple[Result, ...]

    def milliseconds(self, contender: str) -> float | None:
        return next((r.milliseconds.median for r in self.results if r.contender == contender and r.milliseconds), None)

    @property
    def speed_up(self) -> float | None:
        before, after = self.milliseconds(DENSE_VULKAN.name), self.milliseconds(VULKAN.name)
        return before / after if before and after else None


@dataclass(frozen=True)
class Run:
    """All that one run of the benchmark found out. `sizes` is by model; `race` has one number of threads, `threads`."""

    devices: tuple[Device, ...]
    race: report.Run
    threads: int
    sizes: Mapping[str, Sizes]
    pruned: tuple[Pruned, ...]

    def to_json(self) -> dict[str, object]:
        """For json.dump."""
        return {
            "devices": [device.to_json() for device in self.devices],
            **self.race.to_json(),
            "sizes": {model: asdict(sizes) for model, sizes in self.sizes.items()},
            "pruned": [{**asdict(pruned), "speed_up": pruned.speed_up} for pruned in self.pruned],
        }


def tables(found: Run) -> list[Table]:
    """Latency beside peers, what pruning brings, what else was measured, who did not compete and why."""
    made = [_latency(found), _pruned(found), report.details(found.race), _absent(found)]
    return [table for table in made if table.rows]


def _latency(found: Run) -> Table:
    race, names = found.race, (VULKAN.name, *(each.name for each in VARIANTS.values()), *GPU_PEERS, ON_CPU.name)
    columns = [name for name in names if name in race.contenders]
    headers = ["model", *(f"{report.TITLES[name]} ms" for name in columns), "cocomp / best peer"]
    rows: list[tuple[str, ...]] = []
    for model in race.facts:
        medians = race.medians(model, found.threads)
        times = (number(medians.get(name)) for name in columns)
        rows.append(
            (model, *times, number(race.ratio(VULKAN.name, model, found.threads)), *_sizes(found.sizes.get(model)))
        )
    if rows:
        means = (number(race.mean_ratio(name, found.threads)) for name in columns)
        rows.append(("geometric mean / best peer", *means, number(race.mean_ratio(VULKAN.name, found.threads)), "", ""))
    return Table(
        "Median milliseconds on the Vulkan device, f32 where nothing else is said",
        (*headers, "SPIR-V bytes", "launches"),
        tuple(rows),
    )


def _pruned(found: Run) -> Table:
    headers = ("model", "encoding", "not pruned ms", "pruned ms", "speed-up", "FLOPs rate", "speed-up / rate",
               "SPIR-V bytes", "launches")  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for each in found.pruned:
        times = (number(each.milliseconds(DENSE_VULKAN.name)), number(each.milliseconds(VULKAN.name)))
        reached = each.speed_up / each.rate if each.speed_up and each.rate else None
        gains = (number(each.speed_up), number(each.rate), number(reached))
        rows.append((each.row, each.encoding, *times, *gains, *_sizes(each.sizes)))
    mean = geometric_mean([each.speed_up for each in found.pruned if each.speed_up])
    if len(rows) > 1:
        rows.append(("geometric mean", "", "", "", number(mean), "", "", "", ""))
    return Table("Pruned models on the same device (FLOPs rate: of what pruning leaves)", headers, tuple(rows))


def _sizes(sizes: Sizes | None) -> tuple[str, str]:
    return (str(sizes.spirv_bytes), str(sizes.launches)) if sizes else (ABSENT, ABSENT)


def _absent(found: Run) -> Table:
    table = report.reasons(found.race)
    rows = [
        (each.row, str(result.threads), report.TITLES[result.contender], result.reason)
        for each in found.pruned
        for result in each.results
        if result.reason is not None
    ]
    return Table(table.title, table.headers, (*table.rows, *rows))
