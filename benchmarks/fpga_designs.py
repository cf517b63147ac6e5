"""The fastest accelerators for models on devices, estimated: RMSMP's mixture beside Fixed-4 alone under the same budget, and beside what
was published.

The tiles are what the search finds, of no published design. Estimates count LUTs as yosys does, and no more than judgement for what is
around the engine: they are of this engine, not of the published one.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.fpga_stages import list_stages
from benchmarks.report import ABSENT, Table
from cocomp.api import import_model, register_dialects
from cocomp.driver import Compilation
from cocomp.options import Options
from cocomp.passes.math.accelerator import Demand, Device, Exploration, Stage, explore, explore_mixtures, find_device
from cocomp.passes.math.accelerator.design import Multipliers
from cocomp.passes.math.accelerator.stages import mixed, products_of
from cocomp.passes.math.quantisers import Fixed
from cocomp.passes.math.quantisers.rows import Mixture, all_of, rmsmp
from cocomp.support.mlir import context as new_context
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
TOKENS = 128


@dataclass(frozen=True)
class Row:
    """An exploration, and milliseconds that were published of something like it."""

    name: str
    found: Exploration
    published: float | None = None


def image(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A model of torchvision without values."""
    models = importlib.import_module("benchmarks._torchvision").models
    with torch.device("meta"):
        return models.get_model(name, weights=None), (torch.empty(1, 3, 224, 224),)


def text(_: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """BERT without values."""
    importlib.import_module("benchmarks._torchvision")
    hub = importlib.import_module("transformers")
    with torch.device("meta"):
        return hub.BertModel(hub.BertConfig(), add_pooling_layer=False), (torch.zeros(1, TOKENS, dtype=torch.int64),)


MODELS: dict[str, Callable[[str], tuple[nn.Module, tuple[torch.Tensor, ...]]]] = {
    "resnet18": image, "resnet50": image, "mobilenet_v2": image, "vgg16": image, "bert_base": text,
}  # fmt: skip


def valued(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A model of torchvision with random values."""
    torch.manual_seed(0)
    models = importlib.import_module("benchmarks._torchvision").models
    return models.get_model(name, weights=None).eval(), (torch.randn(1, 3, 224, 224),)


EMITTED: dict[str, Callable[[str], tuple[nn.Module, tuple[torch.Tensor, ...]]]] = {"resnet18": valued}
"""Models whose stages are the emitter's own, which takes minutes each; those of others are listed by their shapes."""


def stages_of(name: str, mixture: Mixture) -> list[Stage]:
    """All stages of a model."""
    if name in EMITTED:
        return mixed(emitted(name), mixture)
    model, inputs = MODELS[name](name)
    return list_stages(model, inputs, mixture)


@functools.cache
def emitted(name: str) -> tuple[Stage, ...]:
    """Stages of a model as it is compiled."""
    print(f"benchmarks.fpga: compiling {name}", file=sys.stderr)
    context = new_context()
    register_dialects(context)
    imported = import_model(*EMITTED[name](name), context)
    options = Options(target="fpga-hls", quantize="rmsmp", activation_bits=ACTIVATION_BITS, compile_to="dataflow")
    compilation = Compilation(imported.module, imported.weights, options, examples=imported.examples)
    compilation.run()
    return tuple(compilation.facts["tile-to-device"]["stages"])


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
    """All stages of every model, on both devices."""
    rows: list[tuple[str, ...]] = []
    explorations: dict[str, Exploration] = {}
    for name in MODELS:
        for device in map(find_device, RATIOS):
            print(f"benchmarks.fpga: {name} on {device.name}", file=sys.stderr)
            mixture = rmsmp(RATIOS[device.name])
            stages = stages_of(name, mixture)
            found = explore(stages, mixture.quantisers, ACTIVATION_BITS, device)
            explorations[f"{name} {device.name}"] = found
            best = found.best
            products = {product.name for product in products_of(stages)}
            share = sum(stage.cycles for stage in best.stages if stage.name in products) / best.cycles
            memory = sum(stage.cycles for stage in best.stages if stage.bound == "memory") / best.cycles
            rows.append((f"{name}, {device.name}", *numbers(best), f"{share:.0%}", f"{memory:.0%}", str(best.design)))
    title = "Whole models, RMSMP at the device's ratio, 100 MHz, estimated"
    headers = ("model", *HEADERS, "in products", "waits for DDR", "design")
    return Table(title, headers, tuple(rows)), explorations


def run() -> tuple[list[Table], object, dict[str, str]]:
    """Tables, the same for json.dump, and pages by name."""
    tables: list[Table] = []
    pages: dict[str, str] = {}
    found: dict[str, Exploration] = {}
    for device in map(find_device, RATIOS):
        print(f"benchmarks.fpga: ResNet-18's products on {device.name}", file=sys.stderr)
        rows = contenders(products_of(stages_of("resnet18", rmsmp(RATIOS[device.name]))), device)
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
