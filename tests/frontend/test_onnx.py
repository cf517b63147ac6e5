"""ONNX files: open shapes, foreign operators, and what the reference gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cocomp.frontend.formats import load_model
from cocomp.frontend.imported import Imported
from cocomp.frontend.inputs import InputSpec
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import context


def save(path: Path, nodes: list[Any], shape: list[int | str], kind: int = TensorProto.FLOAT, **weights: Any) -> Path:
    """A model from `x` to `y`."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def load(path: Path, *inputs: str) -> Imported:
    return load_model(str(path), [InputSpec.parse(text) for text in inputs], False, context())


RELU = helper.make_node("Relu", ["x"], ["y"])


def test_open_shape_is_asked_for_and_taken(tmp_path: Path):
    path = save(tmp_path / "m.onnx", [RELU], ["batch", 3])
    with pytest.raises(CompileError, match=r"input 'x' has no fixed shape \(batchx3xf32\)") as caught:
        load(path)
    assert caught.value.notes[0].startswith("give its shape: --input x:")
    assert [a.shape for a in load(path, "4x3xf32").examples] == [(4, 3)]


def test_given_shape_has_to_fit(tmp_path: Path):
    path = save(tmp_path / "m.onnx", [RELU], ["batch", 3])
    with pytest.raises(UsageError, match="input 'x' of the model is batchx3xf32, got 4x5xf32"):
        load(path, "4x5xf32")


def test_unsupported_input_type(tmp_path: Path):
    path = save(tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])], [3], TensorProto.STRING)
    with pytest.raises(CompileError, match="input 'x' has the unsupported type 3xstring"):
        load(path)


def test_foreign_operator_is_named(tmp_path: Path):
    node = helper.make_node("Frobnicate", ["x"], ["y"], name="strange", domain="acme")
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(CompileError, match="(?i)frobnicate"):
        load(tmp_path / "m.onnx")


def test_shapes_that_do_not_fit_name_the_node(tmp_path: Path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    path = save(tmp_path / "m.onnx", nodes, [2, 3], w=np.ones((4, 3), np.float32))
    with pytest.raises(CompileError, match="to be 3, but found 4") as caught:
        load(path)
    assert caught.value.where == "product"


def test_types_have_to_fit(tmp_path: Path):
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    with pytest.raises(CompileError, match="the shapes of the ONNX model do not fit"):
        load(save(tmp_path / "m.onnx", nodes, [2, 3], w=np.ones((2, 3), np.int64)))


def test_reference_gives_values_by_node(tmp_path: Path):
    nodes = [
        helper.make_node("Add", ["x", "w"], ["s"], name="sum"),
        helper.make_node("Relu", ["s"], ["y"], name="relu"),
    ]
    imported = load(save(tmp_path / "m.onnx", nodes, [2, 3], w=np.full((2, 3), -1, np.float32)))
    assert imported.reference is not None
    assert list(imported.reference.outputs) == ["relu"]
    values = imported.reference.values([np.ones((2, 3), np.float32)], {"sum", "relu"})
    assert (values["sum"] == 0).all() and set(values) == {"sum", "relu"}


def test_package_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tmp_path / "m.onnx", [RELU], [3])
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "cocomp.frontend.onnx_graph", raising=False)
    with pytest.raises(CompileError, match="reading ONNX needs the package 'onnx'") as caught:
        load(path)
    assert caught.value.notes == ["pip install 'cocomp[onnx]'"]
