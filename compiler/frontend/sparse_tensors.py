"""Weights in one of PyTorch's sparse layouts."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from cocomp.support.diagnostics import CompileError


def with_dense_layout(program: ExportedProgram) -> ExportedProgram:
    """The program with every sparse weight (COO, CSR, CSC, BSR, BSC) spread out: what its zeros are worth is found later, from
    the values. A program without one is returned as it is, the given one is not changed."""
    _reject_sparse_inputs(program)
    state, constants = _spread(program.state_dict), _spread(program.constants)
    if state is program.state_dict and constants is program.constants:
        return program
    weights = {**state, **constants}
    module = copy.deepcopy(program.graph_module)
    names = {spec.arg.name: spec.target or "" for spec in program.graph_signature.input_specs}
    for node in module.graph.nodes:
        if node.op == "placeholder" and _is_sparse(node.meta.get("val")):
            node.meta["val"] = node.meta["val"].fake_mode.from_tensor(weights[names[node.name]], static_shapes=True)
        elif node.target == torch.ops.aten._sparse_mm.default:
            node.target = torch.ops.aten.mm.default
    return ExportedProgram(
        module,
        module.graph,
        program.graph_signature,
        state,
        program.range_constraints,
        program.module_call_graph,
        program.example_inputs,
        constants,
        verifiers=program.verifiers,
    )


def _spread(weights: dict[str, Any]) -> dict[str, Any]:
    """The weights with sparse ones spread out; the very same where none is."""
    if not any(map(_is_sparse, weights.values())):
        return weights
    return {name: _dense(w) if _is_sparse(w) else w for name, w in weights.items()}


def _dense(weight: torch.Tensor) -> torch.Tensor:
    dense = weight.detach().to_dense()
    return torch.nn.Parameter(dense, weight.requires_grad) if isinstance(weight, torch.nn.Parameter) else dense


def _is_sparse(tensor: object) -> bool:
    return isinstance(tensor, torch.Tensor) and tensor.layout != torch.strided


def _reject_sparse_inputs(program: ExportedProgram) -> None:
    inputs = {s.arg.name for s in program.graph_signature.input_specs if s.kind == InputKind.USER_INPUT}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in inputs and _is_sparse(node.meta.get("val")):
            raise CompileError(
                f"input '{node.name}' has the layout {node.meta['val'].layout}",
                notes=[
                    "pass it dense (tensor.to_dense()); weights may be sparse, inputs of an artefact are plain arrays"
                ],
            )
