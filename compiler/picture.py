"""The graph of a report as a picture: SVG with a search box, for a page that loads nothing.

Two views: the operators before kernels are formed, and the kernels as boxes around theirs. Colours are mapping types,
what stands on a line is the shape and the layout of the tensor that it carries.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from string import Template
from typing import Any

from cocomp.passes.math.mapping import MappingType

from .layered import Drawing, Point, draw
from .support.assets import asset

Node = dict[str, Any]
OPERATOR = (172.0, 46.0)
"""Width and height of an operator's box."""
HEADER = 50.0
"""Height of what is written above the operators of a kernel."""
PAD = 10.0
INSIDE = (12.0, 16.0)
"""Gaps between operators of a kernel."""
BETWEEN = (36.0, 46.0)
"""Gaps between everything else; what a line carries is written into the lower one."""
MARGIN = 16.0
CHARACTERS = {"name": 6.7, "": 5.4}
"""Width of a character, by the class of the text."""


def picture(report: dict[str, Any]) -> str:
    """The part of the page that shows `report["graph"]`."""
    graph = report["graph"]
    if graph is None:
        return ""
    before, after = graph["before"], [_with_kernel(node, report["kernels"]) for node in graph["after"]]
    kernels = [node for node in after if node["kind"] == "kernel"]
    return Template(asset("picture.html")).substitute(
        operators=sum(bool(node["mapping"]) for node in before),
        kernels=len(kernels),
        legend="".join(f"<i style='background: var(--{kind})'></i>{kind}" for kind in MappingType),
        time=_time_meaning(kernels, report["measured"]),
        before=_view("before", before),
        after=_view("after", after),
        script=asset("picture.js"),
    )


def _with_kernel(node: Node, kernels: Sequence[dict[str, Any]]) -> Node:
    """A node with what the report says of the kernel that it is, how many share its launch, and its part of the longest time."""
    if node.get("kernel") is None:
        return {**node, "known": None, "share": 0.0}
    known = kernels[node["kernel"]]
    mates = sum(k["launch"] == known["launch"] for k in kernels)
    most = max(k["microseconds"] or 0 for k in kernels)
    return {**node, "known": {**known, "mates": mates}, "share": (known["microseconds"] or 0) / most if most else 0.0}


def _time_meaning(kernels: Sequence[Node], measured: dict[str, Any] | None) -> str:
    if measured is not None:
        return f"measured: the median of {measured['runs']} runs on {measured['threads']} threads"
    if any(k["known"] and k["known"]["predicted_cycles"] for k in kernels):
        return "predicted, as cycles of one core; with --verify it is measured, where the code can run here"
    return "not known; with --verify it is measured, where the code can run here"


def _view(name: str, nodes: Sequence[Node]) -> str:
    """All nodes as one SVG, lines below boxes."""
    inner = [_inside(node) if node["kind"] == "kernel" else None for node in nodes]
    sizes = [_size(drawing) for drawing in inner]
    drawing = draw(sizes, [node["reads"] for node in nodes], BETWEEN)
    height, right = drawing.height + 2 * MARGIN + 14, drawing.width
    shapes = [_lines(drawing)]
    for node, inside, corner, size in zip(nodes, inner, drawing.corners, sizes, strict=True):
        shapes.append(_operator(node, corner) if inside is None else _kernel(node, inside, corner, size))
        if node["kind"] != "output":
            text = " ".join(filter(None, [node["type"], node.get("layout", "")]))
            start = corner[0] + size[0] / 2 + 6
            shapes.append(_text("on", (start, corner[1] + size[1] + 12), text))
            right = max(right, start + len(text) * CHARACTERS[""])
    width = right + 2 * MARGIN
    marker = (
        f"<defs><marker id='tip-{name}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='6' markerHeight='6' orient='auto'>"
        "<path d='M0 0L8 4L0 8z'/></marker></defs>"
    )
    body = "\n".join(shapes)
    return (
        f"<svg id='{name}' data-width='{width:.0f}' data-height='{height:.0f}' width='{width:.0f}' height='{height:.0f}' "
        f"viewBox='{-MARGIN:.0f} {-MARGIN:.0f} {width:.0f} {height:.0f}'{' hidden' * (name == 'before')}>{marker}\n{body}\n</svg>"
    )


def _inside(kernel: Node) -> Drawing:
    operators = kernel["operators"]
    return draw([OPERATOR] * len(operators), [o["reads"] for o in operators], INSIDE)


def _size(inside: Drawing | None) -> tuple[float, float]:
    if inside is None:
        return OPERATOR
    return max(inside.width, OPERATOR[0] + 50) + 2 * PAD, inside.height + HEADER + PAD


def _lines(drawing: Drawing, corner: Point = (0.0, 0.0)) -> str:
    """The lines of a drawing; one that ends in a point of a long edge goes on from there."""
    paths: list[str] = []
    for lines in drawing.lines.values():
        for line in lines:
            (x0, y0), (x1, y1), *rest = [(x + corner[0], y + corner[1]) for x, y in line]
            half = (y0 + y1) / 2
            curve = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {half:.0f} {x1:.0f} {half:.0f} {x1:.0f} {y1:.0f}"
            kind = "line trunk" if rest else "line"
            paths.append(f"<path class='{kind}' d='{curve}{''.join(f'V{y:.0f}' for _, y in rest)}'/>")
    return "".join(paths)


def _kernel(node: Node, inside: Drawing, corner: Point, size: tuple[float, float]) -> str:
    (x, y), (width, height) = corner, size
    known = node["known"]
    start = (x + (width - inside.width) / 2, y + HEADER)
    operators = [
        _operator(o, (start[0] + left, start[1] + top))
        for o, (left, top) in zip(node["operators"], inside.corners, strict=True)
    ]
    bar = f"<rect class='time' x='{x:.0f}' y='{y + HEADER - 9:.0f}' width='{width * node['share']:.1f}' height='3'/>"
    lines = [
        ("name", node["layer"] or node["name"]),
        *(("", text) for text in (_time_of(known), _work_of(node)) if text),
    ]
    texts = [
        _text(kind, (x + PAD, y + 14 + 12 * row), _cut(text, kind, width)) for row, (kind, text) in enumerate(lines)
    ]
    return (
        f"<g class='node kernel'>{_title(node)}<rect x='{x:.0f}' y='{y:.0f}' width='{width:.0f}' height='{height:.0f}' rx='8'/>"
        f"{bar if node['share'] else ''}{''.join(texts)}{_lines(inside, start)}{''.join(operators)}</g>"
    )


def _operator(node: Node, corner: Point) -> str:
    (x, y), (width, height) = corner, OPERATOR
    does = f": {node['does']}" if node["does"] else ""
    work = ", ".join(filter(None, [_count(node["flops"], "FLOP"), _count(node["bytes"], "B")]))
    lines = [("name", node["name"]), ("", node["kind"] + does), ("", work)]
    texts = [_text(kind, (x + 7, y + 14 + 13 * row), _cut(text, kind, width)) for row, (kind, text) in enumerate(lines)]
    return (
        f"<g class='node operator {node['mapping']}'>{_title(node)}<rect x='{x:.0f}' y='{y:.0f}' width='{width:.0f}' height='{height:.0f}' rx='4'/>"
        f"{''.join(texts)}</g>"
    )


def _title(node: Node) -> str:
    """All that is known of a node, a line a thing: shown on hovering and clicking, and what is searched."""
    known = node.get("known") or {}
    described = {
        "name": node["name"],
        "kind": f"{node['kind']}: {node['does']}" if node["does"] else node["kind"],
        "mapping": node["mapping"],
        "layer": node["layer"],
        "source": node.get("source", ""),
        "result": ", ".join(filter(None, [node["type"], node.get("layout", ""), _count(node["bytes"], "B")])),
        "arithmetic": _count(node["flops"], "FLOP"),
        "kernel": known.get("kernel", ""),
        "launch": f"number {known['launch']}, {known['mates']} kernels" if known else "",
        "time": _time_of(known),
        "variant": ", ".join(f"{k} {v}" for k, v in known.get("variant", {}).items()),
        "weights": " ".join(filter(None, [known.get("encoding", ""), _count(known.get("weight_bytes", 0), "B")])),
    }
    return "<title>" + html.escape("\n".join(f"{k}: {v}" for k, v in described.items() if v)) + "</title>"


def _time_of(known: dict[str, Any] | None) -> str:
    """Time of a kernel, and where that is from."""
    if not known:
        return ""
    if known["microseconds"] is not None:
        together = f", {known['mates']} kernels in a launch" if known["mates"] > 1 else ""
        return f"{known['microseconds']:,.1f} us measured{together}"
    return f"{_count(known['predicted_cycles'], 'cycles')} predicted" if known["predicted_cycles"] else ""


def _work_of(kernel: Node) -> str:
    known = kernel["known"]
    parts = [
        _count(known["executed_flops"] if known else kernel["flops"], "FLOP"),
        f"writes {_count(kernel['bytes'], 'B')}",
    ]
    if known and known["weight_bytes"]:
        parts.append(f"weights {_count(known['weight_bytes'], 'B')}")
    return ", ".join(filter(None, parts))


def _count(number: float, unit: str) -> str:
    """A number with a unit, "" for none."""
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.{0 if number >= 100 * size else 1}f} {prefix}{unit}"
    return f"{number:.0f} {unit}" if number else ""


def _cut(text: str, kind: str, width: float) -> str:
    """What of a text fits: of a name the end, which tells layers apart."""
    room = int((width - 14) / CHARACTERS[kind])
    if len(text) <= room:
        return text
    return f"…{text[1 - room :]}" if kind == "name" else f"{text[: room - 1]}…"


def _text(kind: str, at: Point, text: str) -> str:
    named = f" class='{kind}'" if kind else ""
    return f"<text{named} x='{at[0]:.0f}' y='{at[1]:.0f}'>{html.escape(text)}</text>" if text else ""
