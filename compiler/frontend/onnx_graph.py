"""`.onnx`: through torch-mlir's importer, with initializers as named weights outside the IR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cocomp.support.diagnostics import CompileError, UsageError, first_line
from cocomp.support.mlir import ir
from cocomp.support.weights import WeightStore

from .imported import Imported
from .inputs import InputSpec, examples
from .lowering import FROM_ONNX, lower_torch

try:
    import onnx
    from onnx import numpy_helper
except ModuleNotFoundError as error:
    raise CompileError("reading ONNX needs the package 'onnx'", notes=["pip install 'cocomp[onnx]'"]) from error

SMALL = 64
"""Integer initializers of up to so many elements stay constants: shapes, axes and indices hang on them."""
INPUT_TYPES = {
    "f32": onnx.TensorProto.FLOAT, "f64": onnx.TensorProto.DOUBLE, "f16": onnx.TensorProto.FLOAT16, "i64": onnx.TensorProto.INT64,
    "i32": onnx.TensorProto.INT32, "i8": onnx.TensorProto.INT8, "i1": onnx.TensorProto.BOOL,
}  # fmt: skip
TYPE_NAMES = {code: name for name, code in INPUT_TYPES.items()}


@dataclass(frozen=True)
class OnnxReference:
    """An ONNX model, run node by node by ONNX's reference implementation."""

    model: Any

    @property
    def outputs(self) -> list[str]:
        names: list[str] = [output.name for output in self.model.graph.output]
        return [self._writer.get(name, name) for name in names]

    @cached_property
    def _writer(self) -> dict[str, str]:
        nodes: list[Any] = self.model.graph.node
        return {tensor: node.name for node in nodes for tensor in node.output}

    def values(self, inputs: Sequence[np.ndarray], nodes: set[str]) -> dict[str, np.ndarray]:
        """What the named nodes compute, run by ONNX's reference evaluator."""
        from onnx.reference import ReferenceEvaluator

        wanted = {node.name: node.output[0] for node in self.model.graph.node if node.name in nodes and node.output[0]}
        evaluator = ReferenceEvaluator(self.model)
        feeds = dict(zip((i.name for i in _inputs(self.model)), inputs, strict=True))
        found = evaluator.run(list(wanted.values()), feeds)
        return {
            name: np.asarray(value) for name, value in zip(wanted, found, strict=True) if isinstance(value, np.ndarray)
        }


def load_onnx(path: Path, specs: Sequence[InputSpec], context: ir.Context) -> Imported:
    """Import an ONNX file; `specs` fix the extents that it leaves open."""
    model = _read(path)
    _name_nodes(model)
    _fix_inputs(model, specs, path)
    reference = OnnxReference(_copy(model))
    weights = _take_weights(model)
    model = _infer_shapes(model, path)
    module = _import(model, context, path)
    _name_arguments(model, weights, lower_torch(module, FROM_ONNX))
    made = examples([_spec_of(value) for value in _inputs(reference.model)])
    return Imported(module, weights, reference, made)


def _read(path: Path) -> Any:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model if model.ByteSize() < 2**31 else str(path))
    except Exception as error:  # protobuf and onnx raise errors of their own kinds
        raise CompileError(
            f"cannot be read as an ONNX model: {first_line(error)}",
            where=str(path),
            notes=["export or copy the file again"],
        ) from error
    return model


def _copy(model: Any) -> Any:
    """A model that shares nothing with `model`."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _name_nodes(model: Any) -> None:
    """Every node gets a name of its own: names are how messages and verification find nodes again."""
    taken: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}:{next(filter(None, node.output), '')}"
        taken.add(node.name)


def _inputs(model: Any) -> list[Any]:
    """Inputs proper: old files list the initializers among them."""
    held = {i.name for i in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in held]


def _fix_inputs(model: Any, specs: Sequence[InputSpec], path: Path) -> None:
    """Write the shapes of `specs` into the model; what then is still open is refused."""
    values = _inputs(model)
    names = [v.name for v in values]
    unnamed = iter(names)
    if len(specs) > len(names):
        raise UsageError(f"the model takes {len(names)} inputs ({', '.join(names)}), got {len(specs)} --input")
    for spec in specs:
        name = spec.name or next(unnamed)
        if name not in names:
            raise UsageError(f"the model has no input '{name}': expected one of {', '.join(names)}")
        _fix_input(values[names.index(name)], spec)
    for value in values:
        _reject_open(value, path)


def _fix_input(value: Any, spec: InputSpec) -> None:
    tensor = value.type.tensor_type
    had = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    fits = len(had) == len(spec.shape) and all(h in (None, n) for h, n in zip(had, spec.shape, strict=True))
    if (tensor.HasField("shape") and not fits) or tensor.elem_type != INPUT_TYPES[spec.type]:
        raise UsageError(f"input '{value.name}' of the model is {_describe(value)}, got {spec}")
    del tensor.shape.dim[:]
    for extent in spec.shape:
        tensor.shape.dim.add().dim_value = extent


def _reject_open(value: Any, path: Path) -> None:
    tensor = value.type.tensor_type
    if tensor.elem_type not in TYPE_NAMES:
        raise CompileError(f"input '{value.name}' has the unsupported type {_describe(value)}", where=str(path))
    if not tensor.HasField("shape") or any(not d.dim_value for d in tensor.shape.dim):
        raise CompileError(
            f"input '{value.name}' has no fixed shape ({_describe(value)})",
            where=str(path),
            notes=[f"give its shape: --input {value.name}:1x3x224x224x{TYPE_NAMES[tensor.elem_type]}"],
        )


def _describe(value: Any) -> str:
    tensor = value.type.tensor_type
    kind = TYPE_NAMES.get(tensor.elem_type) or onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    return "x".join([*(str(d.dim_value or d.dim_param or "?") for d in tensor.shape.dim), kind])


def _spec_of(value: Any) -> InputSpec:
    tensor = value.type.tensor_type
    return InputSpec(TYPE_NAMES[tensor.elem_type], tuple(d.dim_value for d in tensor.shape.dim), value.name)


def _take_weights(model: Any) -> WeightStore:
    """Initializers that are data become inputs of the graph; their values go to the store. Small integers and single
    numbers stay, in the form that the importer puts into the IR as readable constants."""
    weights = WeightStore()
    graph = model.graph
    _constants_to_initializers(graph)
    kept = []
    declared = {i.name for i in graph.input}
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if _stays_constant(array):
            kept.append(onnx.helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, array.reshape(-1).tolist()))
            continue
        weights.add(tensor.name, array)
        if tensor.name not in declared:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return weights


def _constants_to_initializers(graph: Any) -> None:
    """Tensors of `Constant` nodes are initializers by another name."""
    nodes = []
    for node in graph.node:
        values = [a.t for a in node.attribute if a.name == "value"] if node.op_type == "Constant" else []
        if not values:
            nodes.append(node)
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(values[0])
        tensor.name = node.output[0]
    del graph.node[:]
    graph.node.extend(nodes)


def _stays_constant(array: np.ndarray) -> bool:
    if array.dtype.kind == "f":
        return array.size == 1 and array.dtype.itemsize > 2
    return array.size <= SMALL and array.dtype.kind in "iub"


def _infer_shapes(model: Any, path: Path) -> Any:
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    except Exception as error:  # onnx raises errors of its own kinds
        raise CompileError(f"the shapes of the ONNX model do not fit: {first_line(error)}", where=str(path)) from error


def _import(model: Any, context: ir.Context, path: Path) -> ir.Module:
    from torch_mlir.extras import onnx_importer

    model.graph.name = "main"
    described = onnx_importer.ModelInfo(model)
    module = described.create_module(context)
    try:
        with context:
            onnx_importer.NodeImporter.define_function(described.main_graph, module.operation).import_all()
    except (onnx_importer.OnnxImportError, ir.MLIRError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise CompileError(f"cannot import the ONNX graph: {first_line(error)}", where=str(path)) from error
    return module


def _name_arguments(model: Any, weights: WeightStore, module: ir.Module) -> None:
    function = module.body.operations[0]
    text = ir.StringAttr.get
    with module.context:
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(
            [
                ir.DictAttr.get({"sparse.name" if i.name in weights else "cocomp.input": text(i.name)})
                for i in model.graph.input
            ]
        )
        function.attributes["res_attrs"] = ir.ArrayAttr.get(
            [ir.DictAttr.get({"cocomp.output": text(o.name)}) for o in model.graph.output]
        )
