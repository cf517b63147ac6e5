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
    verification                {kind of inputs: relative error}, with --verify
    totals                      {dispatches, kernels, flops, executed_flops}
    kernels                     one entry a dispatch, in the order in which they run:
        kernel, layer, source       function, PyTorch module path, line of the model
        nodes                       graph nodes that it computes
        variant                     {fact: value}: how it was lowered (kind, tile, vector, ...)
        encoding                    encoding of its weight, "" without a weight
        flops, executed_flops       of the dense computation, and without what sparsity leaves out
        kept                        executed_flops / flops
        weight_bytes, written_bytes
        tasks                       independent pieces of work that threads share
"""

from __future__ import annotations

import html
import json
import math
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
    sizes = facts.get("weights", {"total": 0, "dispatches": [0] * len(manifest["dispatches"])})
    kernels = [_kernel(d, size) for d, size in zip(manifest["dispatches"], sizes["dispatches"], strict=True)]
    copied = ("target", "cpu", "triple", "precision", "inputs", "outputs", "arena_bytes", "persistent_bytes")
    return {
        "format": REPORT_FORMAT,
        "model": model,
        "compiler": __version__,
        **{key: manifest[key] for key in copied},
        "artifact_bytes": len(artifact.data),
        "weight_bytes": sizes["total"],
        "phases": [{"name": name, "seconds": seconds} for name, seconds in facts.get("phases", {}).items()],
        "verification": facts.get("verification", {}),
        "totals": {
            "dispatches": len(kernels),
            "kernels": len({k["kernel"] for k in kernels}),
            "flops": sum(k["flops"] for k in kernels),
            "executed_flops": sum(k["executed_flops"] for k in kernels),
        },
        "kernels": kernels,
    }


def _kernel(dispatch: dict[str, Any], weight_bytes: int) -> dict[str, Any]:
    variant = dict(dispatch["facts"])
    flops, executed = dispatch["flops"], dispatch["executed_flops"]
    return {
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
</style>
<h1>$model</h1>
<p>$target ($cpu), $precision, cocomp $compiler</p>
<h2>Sizes</h2>
<table>$sizes</table>
<h2>Phases</h2>
<table>$phases</table>
$verification
<h2>Kernels</h2>
<table>
<tr><th>layer<th>kernel<th>what it got<th>encoding<th class=number>kept<th class=number>MFLOP<th class=number>executed
<th class=number>weights<th class=number>written<th class=number>tasks</tr>
$kernels
</table>
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
        "dispatches": f"{totals['dispatches']} of {totals['kernels']} kernels",
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
        kernels="\n".join(_row(k, k["executed_flops"] / most) for k in report["kernels"]),
    )


def _pairs(values: dict[str, str]) -> str:
    return "".join(f"<tr><td>{html.escape(k)}<td class=number>{html.escape(v)}</tr>" for k, v in values.items())


def _row(kernel: dict[str, Any], share: float) -> str:
    variant = ", ".join(
        v if k == "kind" else f"{k} {v}" for k, v in sorted(kernel["variant"].items(), key=lambda i: i[0] != "kind")
    )
    texts = [
        f"<td>{html.escape(kernel['layer'])}<br><small>{html.escape(kernel['source'])}</small>",
        f"<td title='{html.escape(', '.join(kernel['nodes']))}'>{html.escape(kernel['kernel'])}",
        f"<td>{html.escape(variant)}<td>{html.escape(kernel['encoding'])}",
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
