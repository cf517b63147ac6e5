"""Which machine of a model for a GPU computes a kernel.

    func.func private @group_3(..) attributes {kernel.on_cpu = "operation 'tm_tensor.scan' is not supported on GPUs"} ..

`place-groups` writes it on a group that the processor beside the GPU computes, with the reason; the kernel that the group becomes
keeps it. What says nothing runs on the target.
"""

from __future__ import annotations

from cocomp.support.mlir import ir, walk

from . import structured

ON_CPU = "kernel.on_cpu"
SEQUENTIAL = "tm_tensor."


def beyond_gpus(op: ir.Operation) -> str:
    """Why no kernel for GPUs computes an operation; empty where one does."""
    if op.name.startswith(SEQUENTIAL):
        return f"operation '{op.name}' is not supported on GPUs"
    computes = op.name != "tensor.empty"
    return "double precision is not supported on GPUs" if computes and _has_doubles(op) else ""


def _has_doubles(op: ir.Operation) -> bool:
    found: list[ir.Operation] = []
    walk(op, found.append)
    double = ir.F64Type.get(op.context)
    return any(structured.element_of(value) == double for one in found for value in (*one.operands, *one.results))


def on_cpu(function: ir.Operation) -> str:
    """Why a processor computes a group or kernel of a model for a GPU; empty where the target computes it."""
    return function.attributes[ON_CPU].value if ON_CPU in function.attributes else ""


def put_on_cpu(function: ir.Operation, reason: str) -> None:
    """Say why a processor computes a group or kernel; an empty reason says nothing."""
    if reason:
        function.attributes[ON_CPU] = ir.StringAttr.get(reason, function.context)
