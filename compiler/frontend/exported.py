"""torch.export -> linalg on tensors, with every weight as a named function argument."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument

from cocomp.support.diagnostics import CompileError, first_line
from cocomp.support.mlir import ir, location
from cocomp.support.weights import WeightStore

from . import decompositions
from .imported import Imported
from .lowering import WAY_OUT, lower_torch
from .sparse_tensors import with_dense_layout


@dataclass(frozen=True)
class TorchReference:
    """An exported program, run node by node by PyTorch."""

    program: ExportedProgram

    @property
    def outputs(self) -> list[str]:
        return [spec.arg.name for spec in self.program.graph_signature.output_specs]

    def values(self, inputs: Sequence[np.ndarray], nodes: set[str]) -> dict[str, np.ndarray]:
        """What the named nodes compute, run by PyTorch."""
        found: dict[str, np.ndarray] = {}

        class Recorder(torch.fx.Interpreter):
            def run_node(self, n: torch.fx.Node) -> Any:
                result = super().run_node(n)
                if n.name in nodes and isinstance(result, torch.Tensor):
                    found[n.name] = result.detach().numpy()
                return result

        given = iter(inputs)
        state = {**self.program.state_dict, **self.program.constants}
        arguments: list[Any] = []
        for spec in self.program.graph_signature.input_specs:
            is_input = spec.kind == InputKind.USER_INPUT
            arguments.append(torch.from_numpy(np.array(next(given))) if is_input else state[spec.target or ""])
        with torch.no_grad():
            Recorder(self.program.graph_module).run(*arguments)
        return found


def export(model: Any, example_inputs: Sequence[Any], keywords: Mapping[str, Any] | None = None) -> ExportedProgram:
    """An exported program of `model`; one that is exported already is returned as it is."""
    if isinstance(model, ExportedProgram):
        return model
    if not isinstance(model, torch.nn.Module):
        raise CompileError(f"expected a torch.nn.Module or an exported program, got {type(model).__name__}")
    if not example_inputs and not keywords:
        raise CompileError(
            "expected example inputs to export the model with", notes=["pass the tensors that the model takes"]
        )
    if isinstance(model, torch.jit.ScriptModule):
        from .torchscript import export_script

        return export_script(model, tuple(example_inputs))
    try:
        with torch.no_grad():
            return torch.export.export(model.eval(), tuple(example_inputs), dict(keywords or {}))
    except Exception as error:  # torch.export raises errors of many kinds
        raise CompileError(
            f"torch.export cannot export the model: {first_line(error)}",
            notes=["torch.export.export(model, example_inputs) shows the whole message"],
        ) from error


def import_program(program: ExportedProgram, context: ir.Context) -> Imported:
    """Lower an exported program; inputs and outputs keep their names, operations their place in the model."""
    program = with_dense_layout(program)
    _reject_unsupported(program)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch copies a class of its own that it has deprecated
        program = program.run_decompositions(decompositions.table())
    _drop_unused_nodes(program)
    _reject_unsupported(program)
    _drop_plain_values(program)
    module = _torch_to_linalg(program, context)
    return Imported(module, _name_arguments(program, module), TorchReference(program))


def _reject_unsupported(program: ExportedProgram) -> None:
    """Refuse what could only fail much later, or never end: shapes that are not known, complex numbers."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        for tensor in value if isinstance(value, tuple | list) else (value,):
            if isinstance(tensor, torch.Tensor):
                _reject_tensor(node, tensor)


def _reject_tensor(node: torch.fx.Node, tensor: torch.Tensor) -> None:
    where = describe(node)
    if tensor.is_complex():
        raise CompileError(
            f"'{_operator(node)}' gives complex numbers, which are not supported",
            where=where,
            notes=["compute real and imaginary parts as two real tensors"],
        )
    if all(isinstance(extent, int) for extent in tensor.shape):
        return
    if node.op == "placeholder":
        raise CompileError(
            f"input '{node.name}' has a dynamic shape {tuple(tensor.shape)}",
            notes=["export the model with static shapes: leave out dynamic_shapes, one artefact a shape"],
        )
    raise CompileError(
        f"'{_operator(node)}' gives a tensor whose shape {tuple(tensor.shape)} depends on values or on a dynamic input",
        where=where,
        notes=["export with static shapes, and replace selecting elements by masking them (torch.where)"],
    )


def _operator(node: torch.fx.Node) -> str:
    return str(node.target).removesuffix(".default")


def describe(node: torch.fx.Node) -> str:
    """The place of a graph node in the user's terms: `layer1.0.conv1 (model.py:12)`."""
    path, file, line = place(node)
    return " ".join(filter(None, [path or node.name, f"({file}:{line})" if file else ""]))


def _drop_unused_nodes(program: ExportedProgram) -> None:
    """Checks of metadata hold by construction once shapes are static."""
    graph = program.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and "_assert" in str(node.target):
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _drop_plain_values(program: ExportedProgram) -> None:
    """Inputs and results that are no tensors: inputs are constants of the graph already, results are known to the caller."""
    signature, graph = program.graph_signature, program.graph
    inputs = list(zip(signature.input_specs, [n for n in graph.nodes if n.op == "placeholder"], strict=True))
    for _, node in [pair for pair in inputs if isinstance(pair[0].arg, ConstantArgument)]:
        graph.erase_node(node)
    (returned,) = (n for n in graph.nodes if n.op == "output")
    results = [pair for pair in zip(signature.output_specs, returned.args[0], strict=True) if _is_tensor(pair[0].arg)]
    if not results:
        raise CompileError("the model returns no tensor", notes=["return at least one tensor from forward"])
    returned.args = (tuple(value for _, value in results),)
    signature.input_specs[:] = [spec for spec, _ in inputs if not isinstance(spec.arg, ConstantArgument)]
    signature.output_specs[:] = [spec for spec, _ in results]


def _is_tensor(argument: object) -> bool:
    return isinstance(argument, TensorArgument)


def _torch_to_linalg(program: ExportedProgram, context: ir.Context) -> ir.Module:
    from torch_mlir.extras import fx_importer

    class NamedLocations(fx_importer.ContextCache):
        """Locations that carry the graph node, the module path and the user's source line."""

        def get_node_location(self, node: torch.fx.Node) -> ir.Location | None:
            path, file, line = place(node)
            with context:
                return location(path, node.name, file, line, operator_of(node))

    class ReadableLiterals(fx_importer.FxImporterHooks):
        """Tensor literals as dense attributes: the importer's own resources cannot be read back."""

        def resolve_literal(self, gni: Any, literal: Any, info: Any) -> ir.Value | None:
            if not isinstance(literal, torch.Tensor) or literal.numel() < 2:
                return None
            kind = fx_importer.create_mlir_tensor_type(literal)
            values = np.array(literal.tolist(), dtype=fx_importer.TORCH_DTYPE_TO_NPY_TYPE[literal.dtype])
            elements = ir.DenseElementsAttr.get(values, type=kind.element_type, shape=list(literal.shape))
            result = gni._cc.tensor_to_vtensor_type(literal)
            return ir.Operation.create(
                "torch.vtensor.literal", results=[result], attributes={"value": elements}
            ).results[0]

    with context, ir.Location.unknown():
        importer = fx_importer.FxImporter(context=context, hooks=ReadableLiterals())
        importer._cc = NamedLocations(context)
        try:
            importer.import_stateless_graph(program.graph, func_name="main")
        except (NotImplementedError, ValueError, TypeError, KeyError, AssertionError, RuntimeError) as error:
            raise CompileError(f"cannot import the exported graph: {error}", notes=[WAY_OUT]) from error
        return lower_torch(importer.module)


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


def operator_of(node: torch.fx.Node) -> str:
    """The node of the graph as it was exported that a node was made of, empty where that is not recorded."""
    sources = node.meta.get("from_node") or []
    while sources and sources[0].from_node:
        sources = sources[0].from_node
    return sources[0].name if sources else ""


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
                raise CompileError(
                    f"input '{spec.arg.name}' of kind {spec.kind.name} is not supported", notes=[WAY_OUT]
                )
            weights.add(spec.target, to_numpy(state[spec.target]))
            attributes.append(ir.DictAttr.get({"sparse.name": ir.StringAttr.get(spec.target)}))
        results: list[ir.DictAttr] = []
        for spec in signature.output_specs:
            if spec.kind != OutputKind.USER_OUTPUT:
                raise CompileError(
                    f"the model changes its buffer or input '{spec.target}'",
                    notes=["export an inference graph that leaves its buffers alone (model.eval(), use_cache=False)"],
                )
            results.append(
                ir.DictAttr.get({"cocomp.output": ir.StringAttr.get(str(getattr(spec.arg, "name", "output")))})
            )
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
