"""torch.export -> linalg on tensors, with every weight as a named function argument."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, location, passmanager, source_line
from cocomp.support.weights import WeightStore

from . import decompositions

TO_LINALG = (
    "builtin.module(func.func(torch-match-quantized-custom-ops),"
    "torchdynamo-export-to-torch-backend-pipeline{extra-library= backend-legal-ops=},"
    "torch-backend-to-linalg-on-tensors-backend-pipeline)"
)


@dataclass
class Imported:
    """A model in the compiler's hands: the module of phase `imported` and the weights beside it."""

    module: ir.Module
    weights: WeightStore
    reference: ExportedProgram | None = None
    """The program whose nodes the locations name, where there is one: what results are compared with."""


def export(model: Any, example_inputs: Sequence[Any]) -> ExportedProgram:
    """An exported program of `model`; one that is exported already is returned as it is."""
    if isinstance(model, ExportedProgram):
        return model
    if not isinstance(model, torch.nn.Module):
        raise CompileError(f"expected a torch.nn.Module or an exported program, got {type(model).__name__}")
    if not example_inputs:
        raise CompileError("expected example inputs to export the model with", notes=["pass the tensors that the model takes"])
    try:
        with torch.no_grad():
            return torch.export.export(model.eval(), tuple(example_inputs))
    except Exception as error:  # torch.export raises errors of many kinds
        raise CompileError(
            f"torch.export cannot export the model: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}",
            notes=["torch.export.export(model, example_inputs) shows the whole message"],
        ) from error


def import_program(program: ExportedProgram, context: ir.Context) -> Imported:
    """Lower an exported program; inputs and outputs keep their names, operations their place in the model."""
    _reject_dynamic_shapes(program)
    program = program.run_decompositions(decompositions.table())
    _drop_unused_nodes(program)
    module = _torch_to_linalg(program, context)
    return Imported(module, _name_arguments(program, module), program)


def _reject_dynamic_shapes(program: ExportedProgram) -> None:
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and isinstance(value, torch.Tensor) and any(not isinstance(s, int) for s in value.shape):
            raise CompileError(
                f"input '{node.name}' has a dynamic shape {tuple(value.shape)}",
                notes=["export the model with static shapes: leave out dynamic_shapes, one artefact a shape"],
            )


def _drop_unused_nodes(program: ExportedProgram) -> None:
    """Checks of metadata hold by construction once shapes are static."""
    graph = program.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and "_assert" in str(node.target):
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _torch_to_linalg(program: ExportedProgram, context: ir.Context) -> ir.Module:
    from torch_mlir.extras import fx_importer

    class NamedLocations(fx_importer.ContextCache):
        """Locations that carry the graph node, the module path and the user's source line."""

        def get_node_location(self, node: torch.fx.Node) -> ir.Location | None:
            path, file, line = place(node)
            with context:
                return location(path, node.name, file, line)

    class ReadableLiterals(fx_importer.FxImporterHooks):
        """Tensor literals as dense attributes: the importer's own resources cannot be read back."""

        def resolve_literal(self, gni: Any, literal: Any, info: Any) -> ir.Value | None:
            if not isinstance(literal, torch.Tensor) or literal.numel() < 2:
                return None
            kind = fx_importer.create_mlir_tensor_type(literal)
            values = np.array(literal.tolist(), dtype=fx_importer.TORCH_DTYPE_TO_NPY_TYPE[literal.dtype])
            elements = ir.DenseElementsAttr.get(values, type=kind.element_type, shape=list(literal.shape))
            result = gni._cc.tensor_to_vtensor_type(literal)
            return ir.Operation.create("torch.vtensor.literal", results=[result], attributes={"value": elements}).results[0]

    with context, ir.Location.unknown():
        importer = fx_importer.FxImporter(context=context, hooks=ReadableLiterals())
        importer._cc = NamedLocations(context)
        try:
            importer.import_stateless_graph(program.graph, func_name="main")
        except (NotImplementedError, ValueError, TypeError, KeyError, AssertionError, RuntimeError) as error:
            raise CompileError(f"cannot import the exported graph: {error}", notes=[WAY_OUT]) from error
        return lower_torch(importer.module)


def lower_torch(module: ir.Module) -> ir.Module:
    """torch dialect -> linalg; an operator that cannot be lowered is reported with its place in the model."""
    with module.context as context, ir.Location.unknown():
        context.emit_error_diagnostics = False
        try:
            passmanager.PassManager.parse(TO_LINALG).run(module.operation)
        except ir.MLIRError as error:
            raise _unsupported(error) from error
    return module


WAY_OUT = (
    "replace the operation in the model by supported ones, or export the part before and after it separately "
    "(torch.export of two submodules)"
)


def _unsupported(error: ir.MLIRError) -> CompileError:
    for diagnostic in error.error_diagnostics:
        message = diagnostic.message
        named = re.search(r'name = "torch\.([\w.]+)"', message) or re.search(r"operation '([\w.]+)'", message)
        name = named.group(1).replace("torch.aten", "aten") if named else ""
        text = f"operator '{name}' is not supported" if name else message.splitlines()[0]
        return CompileError(text, where=_place_of(diagnostic.location), notes=[WAY_OUT])
    return CompileError(f"the model cannot be lowered: {error}", notes=[WAY_OUT])


def _place_of(loc: ir.Location) -> str:
    from cocomp.support.mlir import origins

    paths = [path or node for node, path in origins(loc)]
    line = source_line(loc)
    return " ".join(filter(None, [paths[0] if paths else "", f"({line})" if line else ""]))


def place(node: torch.fx.Node) -> tuple[str, str, int]:
    """(module path, file, line) of a graph node; the innermost frame outside PyTorch, where there is one."""
    stack = node.meta.get("nn_module_stack") or {}
    path = ""
    for entry in stack.values():
        path = entry[0]
    path = re.sub(r"^L\['self'\]\.?", "", path)
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    outside = [f for f in frames if "/torch/" not in f[0]]
    file, line = (outside or frames or [("", "0")])[-1]
    return path, file, int(line)


def _name_arguments(program: ExportedProgram, module: ir.Module) -> WeightStore:
    """Put `sparse.name` on every weight and `cocomp.input`/`cocomp.output` names on the rest; unused weights go."""
    weights = WeightStore()
    function = module.body.operations[0]
    state = {**program.state_dict, **program.constants}
    signature = program.graph_signature
    attributes: list[ir.DictAttr] = []
    with module.context:
        for spec in signature.input_specs:
            if spec.kind == InputKind.USER_INPUT:
                attributes.append(ir.DictAttr.get({"cocomp.input": ir.StringAttr.get(spec.arg.name)}))
                continue
            if spec.target is None or spec.target not in state:
                raise CompileError(f"input '{spec.arg.name}' of kind {spec.kind.name} is not supported", notes=[WAY_OUT])
            weights.add(spec.target, to_numpy(state[spec.target]))
            attributes.append(ir.DictAttr.get({"sparse.name": ir.StringAttr.get(spec.target)}))
        results: list[ir.DictAttr] = []
        for spec in signature.output_specs:
            if spec.kind != OutputKind.USER_OUTPUT:
                raise CompileError(
                    f"the model changes its buffer or input '{spec.target}'",
                    notes=["export an inference graph that leaves its buffers alone (model.eval(), use_cache=False)"],
                )
            results.append(ir.DictAttr.get({"cocomp.output": ir.StringAttr.get(str(getattr(spec.arg, "name", "output")))}))
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)
        function.attributes["res_attrs"] = ir.ArrayAttr.get(results)
    return weights


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor's values; sparse tensors are spread out, the encoding passes find their structure again."""
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.contiguous().cpu().numpy()
