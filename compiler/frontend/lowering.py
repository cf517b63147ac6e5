"""torch dialect -> linalg on tensors."""

from __future__ import annotations

import re

from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import apply_transform, arith, ir, ops_in, origins, passmanager, run_upstream, source_line

from .not_a_number import keep_not_a_number

TO_LINALG = "torch-backend-to-linalg-on-tensors-backend-pipeline"
FROM_EXPORT = (
    "func.func(torch-match-quantized-custom-ops),"
    "torchdynamo-export-to-torch-backend-pipeline{extra-library= backend-legal-ops=}"
)
FROM_ONNX = "torch-onnx-to-torch-backend-pipeline"

WAY_OUT = (
    "replace the operation in the model by supported ones, or export the part before and after it separately "
    "(torch.export of two submodules)"
)

MAX_TRIPS = 512
UNROLL = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op) {
    %loops = transform.structured.match ops{["scf.for"]} attributes {cocomp.trips = COUNT : i64} in %root
      : (!transform.any_op) -> !transform.any_op
    transform.loop.unroll %loops {factor = COUNT} : !transform.any_op
    transform.yield
  }
}
"""


def lower_torch(module: ir.Module, origin: str = FROM_EXPORT) -> ir.Module:
    """Lower in place; an operator that cannot be lowered is reported with its place in the model.

    origin: the pipeline that brings what the importer made to torch-mlir's backend contract.
    """
    with module.context as context, ir.Location.unknown():
        context.emit_error_diagnostics = False
        try:
            passmanager.PassManager.parse(f"builtin.module({origin},{TO_LINALG})").run(module.operation)
        except ir.MLIRError as error:
            raise _unsupported(error) from error
    _unroll_loops(module)
    with module.context, ir.Location.unknown():
        keep_not_a_number(module.body.operations[0].operation)
    return module


def _unroll_loops(module: ir.Module) -> None:
    """Recurrent layers of ONNX arrive as loops over time; with every step written out the rest sees ordinary operations."""
    trips: set[int] = set()
    with module.context:
        for op in ops_in(module.body.operations[0].regions[0].blocks[0]):
            count = _trip_count(op) if op.name == "scf.for" else None
            if count is not None and count <= MAX_TRIPS:
                op.attributes["cocomp.trips"] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), count)
                trips.add(count)
    for count in trips:
        apply_transform(module, UNROLL.replace("COUNT", str(count)))
    if trips:
        run_upstream(module, "canonicalize,cse")


def _trip_count(loop: ir.Operation) -> int | None:
    """How often a loop runs, where its bounds are constants."""
    owners = [value.owner for value in list(loop.operands)[:3]]
    if not all(isinstance(owner, ir.OpView) and isinstance(owner, arith.ConstantOp) for owner in owners):
        return None
    first, end, step = (ir.IntegerAttr(owner.attributes["value"]).value for owner in owners)
    return max(0, -(-(end - first) // step))


def _unsupported(error: ir.MLIRError) -> CompileError:
    for diagnostic in error.error_diagnostics:
        message = diagnostic.message
        named = re.search(r'name = "(?:torch\.)?([\w.]+)"', message) or re.search(r"operation '([\w.]+)'", message)
        name = named.group(1).replace("torch.aten", "aten") if named else ""
        text = f"operator '{name}' is not supported" if name else message.splitlines()[0]
        return CompileError(text, where=_place_of(diagnostic.location), notes=[WAY_OUT])
    return CompileError(f"the model cannot be lowered: {error}", notes=[WAY_OUT])


def _place_of(loc: ir.Location) -> str:
    paths = [path or node for node, path in origins(loc)]
    line = source_line(loc)
    return " ".join(filter(None, [paths[0] if paths else "", f"({line})" if line else ""]))
