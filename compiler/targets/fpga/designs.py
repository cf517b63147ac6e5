"""Explorations of accelerators as a page of HTML that needs nothing else, and as text.

An exploration has a name, such as its quantisers; the first is the one that the page is about, the others stand beside it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

from cocomp.passes.math.accelerator import Demand, Device, Estimate, Exploration, Point
from cocomp.support.assets import asset

COLOURS = 6
WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 14, 40
PANELS = ("luts", "LUT"), ("dsps", "DSP")


def page(title: str, explorations: Mapping[str, Exploration]) -> str:
    """The fastest design of each exploration, fronts of latency, LUTs and DSPs, and parts and stages of the first. Raises ValueError
    for none, for too many, or for different devices."""
    best = _checked(explorations)
    first = best[0]
    return Template(asset("designs.html")).substitute(
        title=html.escape(title),
        device=html.escape(device_text(first.device)),
        style=asset("page.css"),
        colours="\n".join(
            f".series-{i} {{ fill: var(--series-{i}); background: var(--series-{i}); stroke: var(--series-{i}) }}"
            for i in range(len(best))
        ),
        designs="\n".join(
            _design_row(i, name, found) for i, (name, found) in enumerate(zip(explorations, best, strict=True))
        ),
        panels="\n".join(_panel(kind, label, list(explorations.items()), first.device) for kind, label in PANELS),
        parts="\n".join(_part_row(p.name, p.demand) for p in first.parts) + _part_row("all", first.demand),
        stages="\n".join(_stage_rows(first)),
    )


def text(explorations: Mapping[str, Exploration]) -> str:
    """The fastest designs as a table of text. Raises ValueError as `page` does."""
    best = _checked(explorations)
    rows = [("cores", *HEADERS, "design")]
    rows += [(name, *numbers(found), str(found.design)) for name, found in zip(explorations, best, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(
            cell.rjust(width) if 0 < i < len(row) - 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip() + "\n"
        for row in rows
    )  # fmt: skip


HEADERS = ("ms", "inputs / s", "GOPS", "mJ / input", "LUT", "DSP", "BRAM")


def numbers(found: Estimate) -> tuple[str, ...]:
    """What stands under `HEADERS`."""
    shares = found.shares
    return (
        f"{found.seconds * 1e3:.2f}", f"{found.fps:,.1f}", f"{found.gops:.1f}", f"{found.joules * 1e3:.1f}",
        *(f"{share:.0%}" for share in (shares.luts, shares.dsps, shares.brams)),
    )  # fmt: skip


def device_text(device: Device) -> str:
    """A device in a line."""
    return (
        f"{device.name} ({device.part}), {device.clock_mhz:g} MHz, {device.ddr_bytes_per_second / 1e9:g} GB/s, "
        f"{device.luts:,} LUT, {device.dsps:,} DSP, {device.brams:,} BRAM of 36 Kbit"
    )


def staircase(points: Sequence[Point], kind: str) -> list[Point]:
    """Of points, the fastest first, those with fewer `luts` or `dsps` than all that are as fast."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cycles, getattr(p.demand, kind))):
        if not found or getattr(point.demand, kind) < getattr(found[-1].demand, kind):
            found.append(point)
    return found


def _checked(explorations: Mapping[str, Exploration]) -> list[Estimate]:
    best = [exploration.best for exploration in explorations.values()]
    if not 1 <= len(best) <= COLOURS:
        raise ValueError(f"expected 1 to {COLOURS} explorations, got {len(best)}")
    names = dict.fromkeys(found.device.name for found in best)
    if len(names) > 1:
        raise ValueError(f"expected explorations of one device, got {', '.join(names)}")
    return best


def _design_row(series: int, name: str, found: Estimate) -> str:
    cells = "".join(f"<td class=number>{number}" for number in numbers(found))
    return f"<tr><td><i class='key series-{series}'></i>{html.escape(name)}<td>{html.escape(str(found.design))}{cells}</tr>"


def _part_row(name: str, demand: Demand) -> str:
    return (
        f"<tr><td>{html.escape(name)}<td class=number>{demand.luts:,.0f}<td class=number>{demand.dsps:,.0f}"
        f"<td class=number>{demand.brams:,.1f}</tr>"
    )


def _stage_rows(found: Estimate) -> list[str]:
    return [
        f"<tr><td>{html.escape(s.name)}<td class=number>{s.cycles / 1e3:,.1f}"
        f"<td class='number share' style='--part:{s.cycles / found.cycles:.1%}'>{s.cycles / found.cycles:.1%}<td>{s.bound}"
        f"<td class=number>{s.operations / 1e6:,.2f}<td class=number>{s.ddr_bytes / 1e3:,.1f} kB"
        f"<td class=number>{s.joules * 1e3:.2f}</tr>"
        for s in found.stages
    ]


@dataclass(frozen=True)
class _Scale:
    """Milliseconds from `low` to `high`, every decade as wide, and shares from 0 to 1, as places in a panel."""

    low: float
    high: float

    def x(self, milliseconds: float) -> float:
        across = math.log(milliseconds / self.low) / math.log(self.high / self.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        """1, 2 and 5 of every decade."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [m * 10.0**d for d in decades for m in (1, 2, 5) if self.low <= m * 10.0**d <= self.high]


def _panel(kind: str, label: str, explorations: Sequence[tuple[str, Exploration]], device: Device) -> str:
    """Fronts of latency and of the share of LUTs or DSPs, drawn as stairs."""
    have = max(getattr(device, kind), 1)
    stairs = [staircase(found.front, kind) for _, found in explorations]
    times = [_milliseconds(point, device) for stair in stairs for point in stair]
    scale = _Scale(min(times) / 1.1, max(times) * 1.1)
    shapes = [
        _axes(scale, label),
        f"<path class=cap d='M{LEFT} {scale.y(getattr(device.caps, kind)):.1f}H{WIDTH - RIGHT}'/>",
    ]
    for series, ((name, found), stair) in enumerate(zip(explorations, stairs, strict=True)):
        places = [(scale.x(_milliseconds(p, device)), scale.y(getattr(p.demand, kind) / have)) for p in stair]
        (x0, y0), *others = places
        path = f"M{x0:.1f} {y0:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in others)
        shapes.append(f"<path class='front series-{series}' style='fill: none' d='{path}'/>")
        for point, (x, y) in zip(stair, places, strict=True):
            best = point.design == found.best.design
            shapes.append(
                f"<circle class='series-{series}{' best' * best}' cx='{x:.1f}' cy='{y:.1f}' r='{5 if best else 2.6}'>"
                f"<title>{html.escape(_described(name, point, device))}</title></circle>"
            )
    body = "\n".join(shapes)
    return (
        f"<svg role='img' aria-label='{label} against latency' width='{WIDTH}' height='{HEIGHT}' "
        f"viewBox='0 0 {WIDTH} {HEIGHT}'>{body}</svg>"
    )


def _axes(scale: _Scale, label: str) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    shapes = [f"<path class=axis fill=none d='M{LEFT} {TOP}V{bottom}H{right}'/>"]
    for percent in (0, 20, 40, 60, 80, 100):
        y = scale.y(percent / 100)
        shapes.append(f"<path class=grid d='M{LEFT} {y:.1f}H{right}'/>")
        shapes.append(f"<text x='{LEFT - 5}' y='{y + 3:.1f}' text-anchor='end'>{percent} %</text>")
    for tick in scale.ticks():
        x = scale.x(tick)
        shapes.append(f"<path class=grid d='M{x:.1f} {TOP}V{bottom}'/>")
        shapes.append(f"<text x='{x:.1f}' y='{bottom + 13}' text-anchor='middle'>{tick:g}</text>")
    shapes.append(f"<text class=name x='{right}' y='{HEIGHT - 8}' text-anchor='end'>milliseconds</text>")
    shapes.append(f"<text class=name x='{LEFT + 5}' y='{TOP + 8}'>{label}</text>")
    return "".join(shapes)


def _milliseconds(point: Point, device: Device) -> float:
    return point.cycles / device.clock_mhz / 1e3


def _described(name: str, point: Point, device: Device) -> str:
    return f"{name}\n{_milliseconds(point, device):.2f} ms\n{point.design}\n{point.demand}"
