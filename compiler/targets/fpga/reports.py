"""What a project's `reports/` tell: estimates of its stages, and the designs that were compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cocomp.passes.math.accelerator import Estimate, Exploration, Stage, explore
from cocomp.passes.math.accelerator.explore import NoneFitsError
from cocomp.passes.math.accelerator.stages import mixed
from cocomp.passes.math.quantisers.rows import Mixture, parse_mixture, rmsmp

from .designs import HEADERS, numbers, page, text

NOTE = (
    "Estimated: cycles by a model that agrees with simulations of the engine's RTL twin, LUTs and DSPs of cores as yosys 0.23 counts them, "
    "everything else by judgement (`cocomp.passes.math.accelerator.costs`). A LUT of yosys is not one of Vivado."
)
FRONT = 20
"""Designs that are listed, at most."""
RATIOS = ("50:45:5", "60:35:5", "65:30:5", "70:25:5", "80:15:5")


def reports(title: str, found: Exploration) -> dict[str, str]:
    """Files of a project's reports by their paths."""
    explorations = {title: found}
    return {
        "reports/estimate.json": json.dumps(as_json(found.best), indent=2) + "\n",
        "reports/table.md": table(found.best),
        "reports/designs.html": page(title, explorations),
    }


def as_json(best: Estimate) -> dict[str, object]:
    """An estimate for programs: seconds, joules, and counts."""
    return {
        "device": best.device.name,
        "clock_mhz": best.device.clock_mhz,
        "design": str(best.design),
        "cycles": best.cycles,
        "seconds": best.seconds,
        "gops": best.gops,
        "joules": best.joules,
        "luts": best.demand.luts,
        "dsps": best.demand.dsps,
        "brams": best.demand.brams,
        "parts": [{"name": p.name, "luts": p.demand.luts, "dsps": p.demand.dsps, "brams": p.demand.brams} for p in best.parts],
        "stages": [
            {"name": s.name, "cycles": s.cycles, "bound": s.bound, "operations": s.operations, "ddr_bytes": s.ddr_bytes, "joules": s.joules}
            for s in best.stages
        ],
        "note": NOTE,
    }  # fmt: skip


def table(best: Estimate) -> str:
    """An estimate for people: the whole, its parts, its stages."""
    whole = _rows(HEADERS, [numbers(best)])
    parts = _rows(
        ("part", "LUT", "DSP", "BRAM"),
        [(p.name, f"{p.demand.luts:,.0f}", f"{p.demand.dsps:,.0f}", f"{p.demand.brams:,.1f}") for p in best.parts],
    )
    stages = _rows(
        ("stage", "cycles", "share", "bound by", "10^6 operations", "DDR kB", "mJ"),
        [
            (
                s.name, f"{s.cycles:,}", f"{s.cycles / best.cycles:.1%}", s.bound, f"{s.operations / 1e6:.2f}",
                f"{s.ddr_bytes / 1e3:,.1f}", f"{s.joules * 1e3:.3f}",
            )
            for s in best.stages
        ],
    )  # fmt: skip
    return (
        f"# {best.device.name} at {best.device.clock_mhz:g} MHz: {best.design}\n\n{whole}\n{parts}\n{stages}\n{NOTE}\n"
    )


def _rows(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |\n" for line in lines)


def alternatives(quantize: str, stages: Sequence[Stage], found: Exploration) -> Mapping[str, Exploration]:
    """The exploration of a model as it is quantised, then those of other ratios of RMSMP where that is how; ratios that nothing fits are
    left out."""
    mixture, device = parse_mixture(quantize), found.best.device
    name = f"rmsmp {mixture.ratio}" if quantize.startswith("rmsmp") else quantize
    explored = {name: found}
    if not quantize.startswith("rmsmp"):
        return explored
    for ratio in RATIOS:
        other: Mixture = rmsmp(ratio)
        if other.ratio != mixture.ratio:
            try:
                explored[f"rmsmp {ratio}"] = explore(mixed(stages, other), other.quantisers, 4, device)
            except NoneFitsError:
                continue
    return explored


def designs(explorations: Mapping[str, Exploration]) -> str:
    """The fastest design of each exploration, and the front of the first: designs that no other beats in time, LUTs and DSPs."""
    first = next(iter(explorations.values()))
    clock = first.best.device.clock_mhz
    step = max(-(-len(first.front) // FRONT), 1)
    lines = [f"{p.cycles / clock / 1e3:10.3f} ms  {p.demand!s:40}  {p.design}" for p in first.front[::step]]
    some = f", every {step}th" if step > 1 else ""
    return (
        text(explorations)
        + f"\nof {first.designs:,} designs the {len(first.front)} that none beats{some}:\n"
        + "\n".join(lines)
    )
