"""The manifest: what an artefact says of itself."""

from __future__ import annotations

from typing import Any

from cocomp.dialects import layout, places, plan, structured
from cocomp.passes.math.image import Image
from cocomp.runtime.manifest import FORMAT
from cocomp.support.machine import GpuTarget, Target
from cocomp.support.mlir import ir, ops_in, origins, source_line
from cocomp.support.weights import WeightStore

PACKED = ":packed"
"""Behind the name of a weight: its packed form, see `pack-weights`."""


def manifest_of(module: ir.Module, target: Target, precision: str) -> dict[str, Any]:
    """Everything the runtime and the tools want to know about a planned module of kernels."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    main = functions.pop("main")
    dispatches = [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "plan.dispatch"]
    launches = plan.launches(op for op in dispatches if "once" not in op.attributes)
    return {
        "format": FORMAT,
        "target": target.name,
        "triple": target.triple,
        "cpu": target.processor,
        "precision": precision,
        "inputs": [_tensor(t) for t in main.attributes["plan.inputs"]],
        "outputs": [_tensor(t) for t in main.attributes["plan.outputs"]],
        "arena_bytes": main.attributes["plan.arena_bytes"].value,
        "image_bytes": main.attributes["plan.image_bytes"].value,
        "persistent_bytes": main.attributes["plan.persistent_bytes"].value,
        "launches": len(launches),
        "dispatches": [_dispatch(op, functions, n, target) for n, launch in enumerate(launches) for op in launch],
    }


def weights_of(module: ir.Module, weights: WeightStore) -> dict[str, Any]:
    """Bytes of constants: of all together (`total`), and of those that each dispatch of the manifest reads; and the weight that
    a dispatch reads in packed form (`packed`, empty where there is none)."""
    main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
    dispatches: list[int] = []
    packed: list[str] = []
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name == "plan.dispatch" and "once" not in op.attributes:
            sources = [value.owner.operation for value in op.operands]
            names = [s.attributes["weight"].value for s in sources if s.name == "plan.constant"]
            dispatches.append(sum(weights[name].nbytes for name in names))
            packed.append(next((name.partition(PACKED)[0] for name in names if PACKED in name), ""))
    return {"total": sum(array.nbytes for array in weights.values()), "dispatches": dispatches, "packed": packed}


def copies_of(module: ir.Module) -> list[str | None]:
    """Of each dispatch of the manifest why it is there though it only moves values; None where it computes something."""
    main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
    dispatches = [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "plan.dispatch"]
    return [layout.copy_reason(op) for op in dispatches if "once" not in op.attributes]


def layer_of(dispatch: ir.Operation) -> str:
    """What the model calls what a dispatch computes."""
    found = origins(dispatch.location)
    return next((path for _, path in found if path), found[0][0] if found else dispatch.attributes["kernel"].value)


def _tensor(described: ir.DictAttr) -> dict[str, Any]:
    kind = ir.RankedTensorType(described["type"].value)
    return {"name": described["name"].value, "type": str(kind.element_type), "shape": list(kind.shape)}


def _dispatch(op: ir.Operation, functions: dict[str, ir.Operation], launch: int, target: Target) -> dict[str, Any]:
    kernel = op.attributes["kernel"].value
    function = functions[kernel]
    found = origins(op.location)
    facts = function.attributes["kernel.facts"]
    flops = function.attributes["kernel.flops"].value
    skipped, added = (op.attributes[n].value if n in op.attributes else 0 for n in ("skipped_flops", "added_flops"))
    return {
        "kernel": kernel,
        "launch": launch,
        "layer": layer_of(op),
        "nodes": [node for node, _ in found],
        "source": source_line(op.location),
        "processor": "gpu" if isinstance(target, GpuTarget) and not places.on_cpu(function) else "cpu",
        "on_cpu": places.on_cpu(function),
        "tasks": function.attributes["kernel.tasks"].value,
        "flops": flops - added,
        "executed_flops": flops - skipped,
        "facts": {fact.name: fact.attr.value for fact in facts},
        "writes": [_written(w, op) for w in op.attributes["writes"]],
    }


def _written(described: ir.DictAttr, op: ir.Operation) -> dict[str, Any]:
    """A tensor that a kernel writes: shape, strides and start in elements, and the memory it lies in, with the extents of an image
    in texels and why there is none; where it has a border, shape and start of what is inside."""
    kind = ir.RankedTensorType(described["type"].value)
    position = layout.position_of(described["layout"], kind.shape)
    buffer = op.operands[described["argument"].value].owner.operation
    offset = buffer.attributes["offset" if "offset" in buffer.attributes else "index"].value
    inside = None
    if "inside" in described:
        low = [position.coefficient(axis) * n for axis, n in enumerate(described["low"])]
        shape = ir.RankedTensorType(described["inside"].value).shape
        inside = {"start": position.constant + sum(low), "shape": list(shape)}
    return {
        "inside": inside,
        "space": buffer.name.removeprefix("plan."),
        "texels": _extents(buffer) if buffer.name == "plan.image" else None,
        "in_buffer": described["in_buffer"].value if "in_buffer" in described else "",
        "offset": offset,
        "type": str(kind.element_type),
        "shape": list(kind.shape),
        "start": position.constant,
        "strides": [position.coefficient(axis) for axis in range(len(kind.shape))],
        "bytes": structured.bytes_of(kind.element_type),
    }


def _extents(image: ir.Operation) -> list[int]:
    """Texels each way, two or three."""
    return list(Image(*(image.attributes[n].value for n in ("width", "height", "depth"))).extents)
