"""The fastest accelerators for models on devices, estimated: RMSMP's mixture beside Fixed-4 alone under the same budget, and beside what
was published.

The tiles are what the search finds, of no published design. Estimates count LUTs as yosys does, and no more than judgement for what is
around the engine: they are of this engine, not of the published one.
"""

import functools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.models import MODELS
from benchmarks.report import ABSENT, Table
from cocomp.api import accelerator
from cocomp.options import Options
from cocomp.passes.math.accelerator import Demand, Device, Exploration, Stage, explore, explore_mixtures, find_device
from cocomp.passes.math.accelerator.design import Multipliers
from cocomp.passes.math.accelerator.explore import NoneFitsError
from cocomp.passes.math.accelerator.stages import mixed, products_of
from cocomp.passes.math.quantisers import Fixed
from cocomp.passes.math.quantisers.rows import Mixture, all_of, rmsmp
from cocomp.targets.fpga.designs import HEADERS, numbers, page

ACTIVATION_BITS = 4
RATIOS = {"xc7z020": "60:35:5", "xc7z045": "65:30:5"}
"""Device -> RMSMP's ratio for it (ICCV 2021)."""
PUBLISHED = {"xc7z020": (40.7, 122.6), "xc7z045": (8.6, 31.4)}
"""Device -> milliseconds of ResNet-18 with RMSMP, and with Fixed-4 alone, as published; neither their tiles nor what is counted is known."""
DSP_ONLY: list[Multipliers] = [("fabric", "dsp", "fabric")]
PACKED_ONLY: list[Multipliers] = [("fabric", "packed", "fabric")]
IN_DSPS: list[Multipliers] = [("fabric", "dsp", "dsp")]
FABRIC_ONLY: list[Multipliers] = [("fabric", "fabric", "fabric")]
BESIDE: list[Multipliers] = [("fabric", "dsp", "fabric"), ("fabric", "packed", "fabric")]
STEP = 5
"""Percentages that are tried."""
COMPARED = "resnet18"
"""What was published."""
EMITTED = {
    "resnet18": "xc7z045", "resnet50": "xc7z045", "mobilenet_v2": "xc7z045", "vgg16": "xc7z045", "bert_base_embedded": "zcu102",
}  # fmt: skip
"""Model -> the device that its project is for."""
WHOLE = {**RATIOS, "zcu102": "65:30:5"}
"""Device -> RMSMP's ratio for it, where whole models are estimated."""


@dataclass(frozen=True)
class Row:
    """An exploration, and milliseconds that were published of something like it."""

    name: str
    found: Exploration
    published: float | None = None


@dataclass(frozen=True)
class Emitted:
    """A project that was written: the stages that it has, and its bytes."""

    stages: tuple[Stage, ...]
    seconds: float
    weights: int
    sources: int


@functools.cache
def emit(name: str) -> Emitted:
    """The whole project of a model, compiled once."""
    print(f"benchmarks.fpga: compiling {name}", file=sys.stderr)
    module, inputs = MODELS[name].factory()
    start = time.perf_counter()
    options = Options(target="fpga-hls", quantize="rmsmp", activation_bits=ACTIVATION_BITS, device=EMITTED[name])
    project = accelerator(module, inputs, options)
    seconds = time.perf_counter() - start
    sizes = {path: len(data) for path, data in project.files.items()}
    weights = sum(size for path, size in sizes.items() if path.startswith("src/weights/"))
    sources = sum(size for path, size in sizes.items() if path.startswith("src/")) - weights
    return Emitted(tuple(project.facts["tile-to-device"]["stages"]), seconds, weights, sources)


def contenders(products: Sequence[Stage], device: Device) -> list[Row]:
    """RMSMP and Fixed-4 on a device, in the ways that differ. Fixed-4 in DSPs and LUTs at once has rows in cores of both kinds, in the
    shares that are fastest."""
    mixture, (mixed_ms, fixed_ms) = rmsmp(RATIOS[device.name]), PUBLISHED[device.name]
    fixed, plain = all_of(Fixed(4)), mixed(products, all_of(Fixed(4)))

    def of(stages: Sequence[Stage], by: Mixture, multipliers: list[Multipliers] | None = None) -> Exploration:
        return explore(stages, by.quantisers, ACTIVATION_BITS, device, multipliers)

    splits = [Mixture((Fixed(4), Fixed(4), Fixed(4)), (p, 100 - p, 0)) for p in range(STEP, 100, STEP)]
    split, both = explore_mixtures(products, splits, ACTIVATION_BITS, device, BESIDE)
    ratios = [rmsmp(f"{p}:{95 - p}:5") for p in range(0, 96, STEP)]
    ratio, best = explore_mixtures(products, ratios, ACTIVATION_BITS, device)
    return [
        Row(f"RMSMP {mixture.ratio}", of(products, mixture), mixed_ms),
        Row(f"RMSMP {mixture.ratio}, Fixed in DSPs, not packed", of(products, mixture, IN_DSPS), mixed_ms),
        Row(f"PoT-4 : Fixed-4 : Fixed-8 at their fastest, {ratio.ratio}", best),
        Row("Fixed-4 in DSPs, not packed", of(plain, fixed, DSP_ONLY), fixed_ms),
        Row("Fixed-4 in DSPs, packed", of(plain, fixed, PACKED_ONLY), fixed_ms),
        Row("Fixed-4 in LUTs", of(plain, fixed, FABRIC_ONLY)),
        Row(f"Fixed-4 in LUTs and DSPs, {split.percent[0]:g}:{split.percent[1]:g}", both),
    ]


def comparison(device: Device, rows: Sequence[Row]) -> Table:
    """What RMSMP brings over each kind of Fixed-4, here and as published."""
    first = rows[0].found.best.seconds
    title = (
        f"Matrix products of ResNet-18, 224 x 224, on {device.name} at {device.clock_mhz:g} MHz, estimated (LUTs by yosys, of at most "
        f"{device.caps.luts:.0%} LUT, {device.caps.dsps:.0%} DSP, {device.caps.brams:.0%} BRAM); published: tiles and what is counted unknown"
    )
    found = [
        (
            row.name, *numbers(row.found.best), f"{row.found.best.seconds / first:.2f}",
            ABSENT if row.published is None else f"{row.published:g}",
            ABSENT if row.published is None else f"{row.published / PUBLISHED[device.name][0]:.2f}",
            str(row.found.best.design.multiply_adds), str(row.found.best.design),
        )
        for row in rows
    ]  # fmt: skip
    headers = (
        "cores", *HEADERS, "time / RMSMP's", "published ms", "published / RMSMP's", "MAC / cycle", "design",
    )  # fmt: skip
    return Table(title, headers, tuple(found))


def whole_models() -> tuple[Table, dict[str, Exploration]]:
    """All stages of every model, on every device that they fit."""
    rows: list[tuple[str, ...]] = []
    explorations: dict[str, Exploration] = {}
    for name in EMITTED:
        made = emit(name)
        for device in map(find_device, WHOLE):
            print(f"benchmarks.fpga: {name} on {device.name}", file=sys.stderr)
            mixture = rmsmp(WHOLE[device.name])
            stages = mixed(made.stages, mixture)
            written = f"{made.weights / 1e6:.1f}", f"{made.sources / 1e3:.0f}", f"{made.seconds:.0f}"
            try:
                found = explore(stages, mixture.quantisers, ACTIVATION_BITS, device)
            except NoneFitsError as error:
                rows.append((f"{name}, {device.name}", *[ABSENT] * (len(HEADERS) + 2), str(error), *written))
                continue
            explorations[f"{name} {device.name}"] = found
            best = found.best
            products = {product.name for product in products_of(stages)}
            share = sum(stage.cycles for stage in best.stages if stage.name in products) / best.cycles
            memory = sum(stage.cycles for stage in best.stages if stage.bound == "memory") / best.cycles
            rows.append(
                (f"{name}, {device.name}", *numbers(best), f"{share:.0%}", f"{memory:.0%}", str(best.design), *written)
            )
    title = "Whole models, emitted, RMSMP at the device's ratio, 100 MHz, estimated"
    headers = (
        "model", *HEADERS, "in products", "waits for DDR", "design", "weights MB", "sources kB", "seconds to emit",
    )  # fmt: skip
    return Table(title, headers, tuple(rows)), explorations


def run() -> tuple[list[Table], object, dict[str, str]]:
    """Tables, the same for json.dump, and pages by name."""
    tables: list[Table] = []
    pages: dict[str, str] = {}
    found: dict[str, Exploration] = {}
    for device in map(find_device, RATIOS):
        print(f"benchmarks.fpga: ResNet-18's products on {device.name}", file=sys.stderr)
        rows = contenders(products_of(mixed(emit(COMPARED).stages, rmsmp(RATIOS[device.name]))), device)
        tables.append(comparison(device, rows))
        shown = {row.name: row.found for row in rows if row.name != rows[1].name}
        pages[f"resnet18-{device.name}"] = page(f"Matrix products of ResNet-18 on {device.name}", shown)
        found |= {f"{row.name} {device.name}": row.found for row in rows}
    models, explorations = whole_models()
    json = {name: to_json(exploration) for name, exploration in (found | explorations).items()}
    return [*tables, models], json, pages


def to_json(found: Exploration) -> dict[str, object]:
    """The best design in numbers."""
    best = found.best
    return {
        "design": str(best.design), "device": best.device.name, "designs": found.designs, "milliseconds": best.seconds * 1e3,
        "gops": best.gops, "joules": best.joules, "demand": _plain(best.demand), "shares": _plain(best.shares),
    }  # fmt: skip


def _plain(demand: Demand) -> dict[str, float]:
    return {"luts": demand.luts, "dsps": demand.dsps, "brams": demand.brams}
