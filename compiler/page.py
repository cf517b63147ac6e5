"""The report as a page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from string import Template
from typing import Any

from .picture import picture
from .support.assets import asset


def page(report: dict[str, Any]) -> str:
    """The report as HTML."""
    totals = report["totals"]
    sizes = {
        "artefact": _bytes(report["artifact_bytes"]),
        "weights": _bytes(report["weight_bytes"]),
        "arena": _bytes(report["arena_bytes"]),
        "images": _bytes(report["image_bytes"]),
        "persistent": _bytes(report["persistent_bytes"]),
        "launches": f"{totals['launches']} of {totals['dispatches']} kernels, {totals['kernels']} different ones",
        "arithmetic": f"{totals['executed_flops'] / 1e6:,.1f} MFLOP of {totals['flops'] / 1e6:,.1f} dense",
    }
    phases = {p["name"]: f"{p['seconds']:.2f} s" for p in report["phases"]}
    errors = {kind: f"relative error {error:.2e}" for kind, error in report["verification"].items()}
    most = max((k["executed_flops"] for k in report["kernels"]), default=0) or 1
    return Template(asset("page.html")).substitute(
        {key: html.escape(str(report[key])) for key in ("model", "target", "cpu", "precision", "compiler")},
        style=asset("page.css"),
        graph=picture(report),
        sizes=_pairs(sizes),
        phases=_pairs(phases),
        verification=f"<h2>Verification</h2>\n<table>{_pairs(errors)}</table>" if errors else "",
        rewriting=_rewriting_table(report["rewriting"]),
        copies=_copies_table(report["copies"]),
        fallback=_fallback_table(report["kernels"]),
        sparsity=_sparsity_table(report["kernels"]),
        kernels="\n".join(_row(k, k["executed_flops"] / most) for k in report["kernels"]),
    )


def _rewriting_table(rewriting: dict[str, Any] | None) -> str:
    """Which rules fired where, and what they saved."""
    if not rewriting or not rewriting["steps"]:
        return ""
    rows = [
        f"<tr><td>{html.escape(s['layer'])}<td>{html.escape(', '.join(s['rules']))}<td class=number>{s['flops'] / 1e6:,.2f}"
        f"<td class=number>{s['bytes'] / 1e3:,.1f}<td class=number>{s['kernels']}</tr>"
        for s in rewriting["steps"]
    ]
    head = (
        "<tr><th>layer<th>rules<th class=number>MFLOP saved<th class=number>kB saved<th class=number>kernels saved</tr>"
    )
    return "<h2>Rewriting</h2>\n<table>" + "\n".join([head, *rows]) + "</table>"


def _copies_table(copies: list[dict[str, Any]]) -> str:
    """Kernels that only move values, and why there are any."""
    rows = [
        f"<tr><td class=number>{c['launch']}<td>{html.escape(c['layer'])}<td>{html.escape(c['kernel'])}"
        f"<td class=number>{_bytes(c['bytes'])}<td>{html.escape(c['reason'])}</tr>"
        for c in copies
    ]
    head = "<tr><th class=number>launch<th>layer<th>kernel<th class=number>written<th>why it is there</tr>"
    return "<h2>Copies</h2>\n<table>" + "\n".join([head, *rows]) + "</table>" if rows else ""


def _fallback_table(kernels: list[dict[str, Any]]) -> str:
    """Kernels of a model for a GPU that the CPU runs, and why."""
    rows = [
        f"<tr><td class=number>{k['launch']}<td>{html.escape(k['layer'])}<td>{html.escape(k['kernel'])}<td>{html.escape(k['on_cpu'])}</tr>"
        for k in kernels
        if k["on_cpu"]
    ]
    head = "<tr><th class=number>launch<th>layer<th>kernel<th>why it is not on the GPU</tr>"
    return "<h2>On the CPU</h2>\n<table>" + "\n".join([head, *rows]) + "</table>" if rows else ""


def _sparsity_table(kernels: list[dict[str, Any]]) -> str:
    """Every weight with zeros: what they bring, why not more, and where they are."""
    rows = [
        f"<tr><td>{html.escape(k['layer'])}<td>{html.escape(k['sparsity']['encoding'])}"
        f"<td class=number>{k['sparsity']['zeros']:.0%}<td class=number>{k['sparsity']['rate']:.2f}x"
        f"<td class=number>{k['sparsity']['predicted_speed_up']:.2f}x"
        f"<td>{'<br>'.join(map(html.escape, k['sparsity']['reasons']))}<td>{html.escape(k['sparsity']['advice'])}"
        f"<td><img alt='what is kept' src='data:image/png;base64,{_png(k['sparsity']['picture'])}'></tr>"
        for k in kernels
        if k["sparsity"]
    ]
    if not rows:
        return ""
    head = (
        "<tr><th>layer<th>encoding<th class=number>zeros<th class=number>rate<th class=number>predicted speed-up"
        "<th>why not more<th>what would pay<th>what is kept (dark)</tr>"
    )
    return "<h2>Zeros</h2>\n<table>" + "\n".join([head, *rows]) + "</table>"


def _png(picture: list[list[int]]) -> str:
    """Per cents as the grey of a PNG, in base 64."""
    lines = b"".join(b"\0" + bytes(255 - 255 * cell // 100 for cell in line) for line in picture)
    size = struct.pack(">IIBBBBB", len(picture[0]) if picture else 0, len(picture), 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _pairs(values: dict[str, str]) -> str:
    return "".join(f"<tr><td>{html.escape(k)}<td class=number>{html.escape(v)}</tr>" for k, v in values.items())


def _row(kernel: dict[str, Any], share: float) -> str:
    variant = ", ".join(
        v if k == "kind" else f"{k} {v}" for k, v in sorted(kernel["variant"].items(), key=lambda i: i[0] != "kind")
    )
    place = "<br><small>on the CPU</small>" if kernel["on_cpu"] else ""
    memory = "".join(f"<br><small>{html.escape(_memory(m))}</small>" for m in kernel["memory"])
    gain = "" if kernel["measured_gain"] is None else f" {kernel['measured_gain']:.2f}x"
    texts = [
        f"<td class=number>{kernel['launch']}<td>{html.escape(kernel['layer'])}<br><small>{html.escape(kernel['source'])}</small>",
        f"<td title='{html.escape(', '.join(kernel['nodes']))}'>{html.escape(kernel['kernel'])}",
        f"<td>{html.escape(variant)}{place}{memory}<td>{kernel['schedule']}{gain}<td>{html.escape(kernel['encoding'])}",
    ]
    kept = f"{kernel['kept']:.0%}" if kernel["encoding"] not in ("", "dense") else ""
    numbers = [
        kept, f"{kernel['flops'] / 1e6:,.2f}", f"{kernel['executed_flops'] / 1e6:,.2f}", _bytes(kernel["weight_bytes"]),
        _bytes(kernel["written_bytes"]), str(kernel["tasks"]), _time(kernel),
    ]  # fmt: skip
    cells = [f"<td class=number>{n}" for n in numbers]
    cells[2] = f"<td class='number share' style='--part:{share:.1%}'>{numbers[2]}"
    return f"<tr>{''.join(texts + cells)}</tr>"


def _memory(memory: dict[str, Any]) -> str:
    """Where a kernel of a GPU writes a tensor."""
    if memory["texels"]:
        return f"writes an image of {' x '.join(map(str, memory['texels']))} texels"
    return f"writes a buffer: {memory['reason']}"


def _time(kernel: dict[str, Any]) -> str:
    """What was measured, or else what was predicted."""
    if kernel["microseconds"] is not None:
        return f"{kernel['microseconds']:,.1f} us"
    return f"{kernel['predicted_cycles'] / 1e3:,.0f} kcycles predicted" if kernel["predicted_cycles"] else ""


def _bytes(count: int) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"
