"""`--report`: what every kernel got, as JSON or as a page of HTML that needs nothing else.

The JSON object, version `REPORT_FORMAT`:

    format, model, compiler     version of this format, what was compiled, version of cocomp
    target, cpu, triple, precision
    inputs, outputs             [{name, type, shape}]
    artifact_bytes              size of the library
    weight_bytes                constants in it, as the kernels read them (a shared one counts once)
    arena_bytes                 memory of intermediate tensors, allocated when the model is created
    persistent_bytes            memory that is computed once, when the model is created
    phases                      [{name, seconds}]
    rewriting                   what rewriting by algebra did, null where constants alone were compiled:
        before, after               {cycles, flops, bytes, kernels} of the graph by the model that decides; null where there is none
        steps                       [{rules, layer, cycles, flops, bytes, kernels}], the last four being saved, in order
        stopped                     what ended the search for rules to apply: "" nothing was left, nodes, rounds or seconds
    verification                {kind of inputs: relative error}, with --verify
    totals                      {launches, dispatches, kernels, flops, executed_flops}: what is started in a run, kernels that run in
                                it, different ones among them
    kernels                     one entry a dispatch, in the order in which they run:
        launch                      number of the launch that it is part of: neighbours may share one
        kernel, layer, source       function, PyTorch module path, line of the model
        nodes                       graph nodes that it computes
        variant                     {fact: value}: how it was lowered (kind, tile, vector, ...)
        encoding                    encoding of its weight, "" without a weight
        flops, executed_flops       of the dense computation, and without what sparsity leaves out
        kept                        executed_flops / flops
        weight_bytes, written_bytes
        tasks                       independent pieces of work that threads share
        schedule                    how its loops were chosen: "predicted" by counted cycles, "tuned" by measuring
        measured_gain               speed-up over the predicted schedule, 1 where none was faster; null where none was measured
        sparsity                    of the predicted schedule; null where the weight has no zeros worth a look, else
            zeros, rate             share of zeros; elements for each one that is kept
            encoding                their arrangement
            predicted_speed_up      over the best dense kernel, by counted cycles
            reasons                 why that stays behind the rate, the weightiest first
            advice                  what would pay, "" where nothing would
            reordered               {rows of a group: [columns that groups keep on average before, after]} where rows were
                                    permuted, else empty
            picture                 per cent that is kept, in the cells of a grid over the weight's matrix
"""

from __future__ import annotations

import base64
import html
import json
import math
import struct
import zlib
from string import Template
from typing import Any

from cocomp import __version__

from .artifact import Artifact

REPORT_FORMAT = 1


def render(artifact: Artifact, model: str, suffix: str) -> bytes:
    """The report of an artefact as a file with the suffix `.json` or `.html`."""
    described = report_of(artifact, model)
    return (page(described) if suffix == ".html" else json.dumps(described, indent=2) + "\n").encode()


def report_of(artifact: Artifact, model: str) -> dict[str, Any]:
    """The report as the docstring of this module describes it."""
    manifest, facts = artifact.manifest, artifact.facts
    count = len(manifest["dispatches"])
    sizes = facts.get("weights", {"total": 0, "dispatches": [0] * count, "packed": [""] * count})
    described = zip(manifest["dispatches"], sizes["dispatches"], sizes["packed"], strict=True)
    tuned = facts.get("tune-contractions", {})
    kernels = [
        {**_kernel(d, size), **_schedule(tuned.get(d["kernel"])), "sparsity": _sparsity(name, facts)}
        for d, size, name in described
    ]
    copied = ("target", "cpu", "triple", "precision", "inputs", "outputs", "arena_bytes", "persistent_bytes")
    return {
        "format": REPORT_FORMAT,
        "model": model,
        "compiler": __version__,
        **{key: manifest[key] for key in copied},
        "artifact_bytes": len(artifact.data),
        "weight_bytes": sizes["total"],
        "phases": [{"name": name, "seconds": seconds} for name, seconds in facts.get("phases", {}).items()],
        "rewriting": facts.get("rewrite-algebra"),
        "verification": facts.get("verification", {}),
        "totals": {
            "launches": manifest["launches"],
            "dispatches": len(kernels),
            "kernels": len({k["kernel"] for k in kernels}),
            "flops": sum(k["flops"] for k in kernels),
            "executed_flops": sum(k["executed_flops"] for k in kernels),
        },
        "kernels": kernels,
    }


def _schedule(tuned: dict[str, Any] | None) -> dict[str, Any]:
    """Who chose a kernel's schedule."""
    if tuned is None:
        return {"schedule": "predicted", "measured_gain": None}
    return {"schedule": tuned["schedule"], "measured_gain": tuned["gain"]}


def _sparsity(weight: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of the zeros of a weight."""
    found = facts.get("schedule-contractions", {}).get(weight)
    reordered, picture = (facts.get(by, {}).get(weight) for by in ("reorder-rows", "encode-weights"))
    return found and {**found, "reordered": reordered or {}, "picture": picture or []}


def _kernel(dispatch: dict[str, Any], weight_bytes: int) -> dict[str, Any]:
    variant = dict(dispatch["facts"])
    flops, executed = dispatch["flops"], dispatch["executed_flops"]
    return {
        "launch": dispatch["launch"],
        "kernel": dispatch["kernel"],
        "layer": dispatch["layer"],
        "source": dispatch["source"],
        "nodes": dispatch["nodes"],
        "encoding": variant.pop("encoding", ""),
        "variant": variant,
        "flops": flops,
        "executed_flops": executed,
        "kept": executed / flops if flops else 1.0,
        "weight_bytes": weight_bytes,
        "written_bytes": sum(math.prod(w["shape"]) * w["bytes"] for w in dispatch["writes"]),
        "tasks": dispatch["tasks"],
    }


PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$model - cocomp</title>
<style>
  body { font: 14px/1.45 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
  h1 { font-size: 1.4em; margin: 0 } h2 { font-size: 1.1em; margin: 1.6em 0 .4em }
  table { border-collapse: collapse } th, td { padding: .2em .8em .2em 0; text-align: left; vertical-align: top }
  th { border-bottom: 1px solid #999; position: sticky; top: 0; background: #fff }
  tr:nth-child(even) td { background: #f6f6f6 } .number { text-align: right; font-variant-numeric: tabular-nums }
  .share { background: linear-gradient(#9cd, #9cd) no-repeat left / var(--share) 100% } small { color: #666 }
  img { image-rendering: pixelated; border: 1px solid #999; max-width: 16em }
</style>
<h1>$model</h1>
<p>$target ($cpu), $precision, cocomp $compiler</p>
<h2>Sizes</h2>
<table>$sizes</table>
<h2>Phases</h2>
<table>$phases</table>
$verification
$rewriting
<h2>Kernels</h2>
<table>
<tr><th class=number>launch<th>layer<th>kernel<th>what it got<th>schedule<th>encoding<th class=number>kept<th class=number>MFLOP<th class=number>executed
<th class=number>weights<th class=number>written<th class=number>tasks</tr>
$kernels
</table>
$sparsity
</html>
""")


def page(report: dict[str, Any]) -> str:
    """The report as HTML."""
    totals = report["totals"]
    sizes = {
        "artefact": _bytes(report["artifact_bytes"]),
        "weights": _bytes(report["weight_bytes"]),
        "arena": _bytes(report["arena_bytes"]),
        "persistent": _bytes(report["persistent_bytes"]),
        "launches": f"{totals['launches']} of {totals['dispatches']} kernels, {totals['kernels']} different ones",
        "arithmetic": f"{totals['executed_flops'] / 1e6:,.1f} MFLOP of {totals['flops'] / 1e6:,.1f} dense",
    }
    phases = {p["name"]: f"{p['seconds']:.2f} s" for p in report["phases"]}
    errors = {kind: f"relative error {error:.2e}" for kind, error in report["verification"].items()}
    most = max((k["executed_flops"] for k in report["kernels"]), default=0) or 1
    return PAGE.substitute(
        {key: html.escape(str(report[key])) for key in ("model", "target", "cpu", "precision", "compiler")},
        sizes=_pairs(sizes),
        phases=_pairs(phases),
        verification=f"<h2>Verification</h2>\n<table>{_pairs(errors)}</table>" if errors else "",
        rewriting=_rewriting_table(report["rewriting"]),
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
    gain = "" if kernel["measured_gain"] is None else f" {kernel['measured_gain']:.2f}x"
    texts = [
        f"<td class=number>{kernel['launch']}<td>{html.escape(kernel['layer'])}<br><small>{html.escape(kernel['source'])}</small>",
        f"<td title='{html.escape(', '.join(kernel['nodes']))}'>{html.escape(kernel['kernel'])}",
        f"<td>{html.escape(variant)}<td>{kernel['schedule']}{gain}<td>{html.escape(kernel['encoding'])}",
    ]
    kept = f"{kernel['kept']:.0%}" if kernel["encoding"] not in ("", "dense") else ""
    numbers = [
        kept, f"{kernel['flops'] / 1e6:,.2f}", f"{kernel['executed_flops'] / 1e6:,.2f}", _bytes(kernel["weight_bytes"]),
        _bytes(kernel["written_bytes"]), str(kernel["tasks"]),
    ]  # fmt: skip
    cells = [f"<td class=number>{n}" for n in numbers]
    cells[2] = f"<td class='number share' style='--share:{share:.1%}'>{numbers[2]}"
    return f"<tr>{''.join(texts + cells)}</tr>"


def _bytes(count: int) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"
