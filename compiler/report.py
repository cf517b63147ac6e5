"""`--report`: what every kernel got, as JSON or as a page of HTML that needs nothing else.

The JSON object, version `REPORT_FORMAT`:

    format, model, compiler     version of this format, what was compiled, version of cocomp
    target, cpu, triple, precision
    inputs, outputs             [{name, type, shape}]
    artifact_bytes              size of the library
    weight_bytes                constants in it, as the kernels read them (a shared one counts once)
    arena_bytes                 memory of intermediate tensors, allocated when the model is created
    image_bytes                 of those in images of a GPU, which have memory of their own
    persistent_bytes            memory that is computed once, when the model is created
    phases                      [{name, seconds}]
    rewriting                   what rewriting by algebra did, null where constants alone were compiled:
        before, after               {cycles, flops, bytes, kernels} of the graph by the model that decides; null where there is none
        steps                       [{rules, layer, cycles, flops, bytes, kernels}], the last four being saved, in order
        stopped                     what ended the search for rules to apply: "" nothing was left, nodes, rounds or seconds
    verification                {kind of inputs: relative error}, with --verify
    totals                      {launches, dispatches, kernels, flops, executed_flops}: what is started in a run, kernels that run in
                                it, different ones among them
    measured                    {runs, threads} behind the times of kernels; null where there are none
    graph                       what is computed, as nodes in an order in which each reads earlier ones; null where nothing was recorded:
        before                      inputs, operators and outputs of the rewritten model
        after                       inputs, kernels, what joins their results in place (concatenations), and outputs
        each node:
        name, layer, source         what the model calls it, module path, line of the model
        kind                        input, output, kernel, contraction, reduction, element-wise, copy, transpose, pad, ...
        does                        operations of an element-wise or reducing body
        mapping                     mapping type (`passes/math/mapping.py`), "" for inputs, outputs and kernels
        reads                       numbers of the nodes in the same list whose results it reads
        type, bytes                 of its result: shape x element, bytes of all results
        flops                       of the dense computation
        layout                      after: order of the axes in memory, and whether there are gaps
        kernel                      after, of kind kernel: which of `kernels` it is; null where that cannot be told
        operators                   after, of kind kernel: its operators, as nodes that read one another, without source and layout
    copies                      one entry a kernel that only moves values, in the order in which they run:
        dispatch                    which of `kernels` it is
        launch, kernel, layer       as there
        bytes                       that it writes
        reason                      why no kernel beside it reads or writes those values where they are wanted
    kernels                     one entry a dispatch, in the order in which they run:
        launch                      number of the launch that it is part of: neighbours may share one
        kernel, layer, source       function, PyTorch module path, line of the model
        nodes                       graph nodes that it computes
        variant                     {fact: value}: how it was lowered (kind, tile, vector, ...)
        encoding                    encoding of its weight, "" without a weight
        flops, executed_flops       of the dense computation, and without what sparsity leaves out
        kept                        executed_flops / flops
        weight_bytes, written_bytes
        memory                      [{space, texels, reason}] of what it writes on a GPU: output, arena, or image with its
                                    extents in texels (else null); why it is no image ("" for one)
        processor                   "gpu" or "cpu", what runs it
        on_cpu                      of a model for a GPU: why the CPU runs it; else ""
        tasks                       independent pieces of work that threads share
        schedule                    how its loops were chosen: "predicted" by counted cycles, "tuned" by measuring
        predicted_cycles            of one core, by counting instructions; null for all but contractions, and where it was tuned
        microseconds                median time of its launch, all kernels of it together, with --verify where the code can run here; else null
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

import json
import math
from typing import Any

from cocomp import __version__

from .artifact import Artifact
from .page import page

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
    measured = facts.get("profile")
    kernels = [
        {
            **_kernel(d, size),
            **_schedule(tuned.get(d["kernel"])),
            **_times(d, facts),
            "sparsity": _sparsity(name, facts),
        }
        for d, size, name in described
    ]
    copied = (
        "target",
        "cpu",
        "triple",
        "precision",
        "inputs",
        "outputs",
        "arena_bytes",
        "image_bytes",
        "persistent_bytes",
    )
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
        "copies": _copies(facts.get("copies", []), kernels),
        "kernels": kernels,
        "measured": measured and {"runs": measured["runs"], "threads": measured["threads"]},
        "graph": _graph(facts.get("graph"), kernels),
    }


def _copies(reasons: list[str | None], kernels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Kernels that only move values, with the reason for each."""
    return [
        {
            "dispatch": number,
            **{key: kernels[number][key] for key in ("launch", "kernel", "layer")},
            "bytes": kernels[number]["written_bytes"],
            "reason": reason,
        }
        for number, reason in enumerate(reasons)
        if reason is not None
    ]


def _graph(recorded: dict[str, Any] | None, kernels: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The recorded graph, with the number of each kernel where dispatches are the calls, in their order."""
    if recorded is None:
        return None
    is_known = recorded["calls"] == [kernel["kernel"] for kernel in kernels]
    numbers = iter(range(len(kernels)) if is_known else [None] * len(recorded["calls"]))
    after = [{**n, "kernel": next(numbers)} if n["kind"] == "kernel" else n for n in recorded["after"]]
    return {"before": recorded["before"], "after": after}


def _schedule(tuned: dict[str, Any] | None) -> dict[str, Any]:
    """Who chose a kernel's schedule."""
    if tuned is None:
        return {"schedule": "predicted", "measured_gain": None}
    return {"schedule": tuned["schedule"], "measured_gain": tuned["gain"]}


def _times(dispatch: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """What a kernel takes: predicted by the schedule that it has, and measured."""
    kernel, measured = dispatch["kernel"], facts.get("profile")
    tuned = facts.get("tune-contractions", {}).get(kernel, {}).get("schedule") == "tuned"
    cycles = None if tuned else facts.get("predicted-cycles", {}).get(kernel)
    return {"predicted_cycles": cycles, "microseconds": measured and measured["microseconds"][dispatch["launch"]]}


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
        "memory": [
            {"space": w["space"], "texels": w["texels"], "reason": w["in_buffer"]}
            for w in dispatch["writes"]
            if w["texels"] or w["in_buffer"]
        ],
        "processor": dispatch["processor"],
        "on_cpu": dispatch["on_cpu"],
        "tasks": dispatch["tasks"],
    }
