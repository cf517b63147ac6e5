"""torch dialect -> linalg on tensors."""

from __future__ import annotations

import re

from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, origins, passmanager, source_line

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
    return module


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
