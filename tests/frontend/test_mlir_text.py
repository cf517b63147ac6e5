"""Models that are MLIR text with their weights in a file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cocomp.frontend.formats import load_model
from cocomp.frontend.imported import Imported
from cocomp.frontend.inputs import InputSpec
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import context
from cocomp.support.weights import WeightStore

ADD = """
func.func @main(%x: tensor<4xf32> {cocomp.input = "x"}, %w: tensor<4xf32> {sparse.name = "w"}) -> tensor<4xf32> {
  %y = arith.addf %x, %w : tensor<4xf32>
  return %y : tensor<4xf32>
}
"""


def load(directory: Path, text: str, weights: dict[str, np.ndarray] | None = None, *inputs: str) -> Imported:
    (directory / "model.mlir").write_text(text)
    if weights is not None:
        (directory / "model.safetensors").write_bytes(WeightStore(weights).to_safetensors())
    return load_model(str(directory / "model.mlir"), [InputSpec.parse(i) for i in inputs], False, context())


def test_weights_lie_beside_the_text(tmp_path: Path):
    imported = load(tmp_path, ADD, {"w": np.ones(4, np.float32), "unused": np.ones(3, np.float32)}, "x:4xf32")
    assert list(imported.weights) == ["w"]
    assert imported.reference is None


def test_scalars_keep_their_shape(tmp_path: Path):
    text = ADD.replace("%w: tensor<4xf32>", "%w: tensor<f32>").replace("arith.addf %x, %w", "arith.addf %x, %x")
    assert load(tmp_path, text, {"w": np.full((), 3, np.float32)}).weights["w"].shape == ()


CASES = [
    ("func.func @main(", None, "expected", "model.mlir:1"),
    (ADD.replace("@main", "@other"), None, "expected a module of one function @main, got @other", "model.mlir"),
    (
        ADD + ADD.replace("@main", "@two"),
        None,
        "expected a module of one function @main, got @main, @two",
        "model.mlir",
    ),
    ("", None, "expected a module of one function @main, got no function", "model.mlir"),
    (
        ADD.replace("tensor<4xf32>", "tensor<?xf32>"),
        None,
        "expected tensors of static shape in the type of @main",
        "model.mlir",
    ),
    (
        ADD,
        None,
        "the module takes 1 weights (arguments with sparse.name), but their file is missing",
        "model.safetensors",
    ),
    (ADD, {"v": np.ones(4, np.float32)}, "weight 'w' of model.mlir is missing", "model.safetensors"),
    (
        ADD,
        {"w": np.ones(5, np.float32)},
        "weight 'w': expected shape [4] as in model.mlir, got [5]",
        "model.safetensors",
    ),
]


@pytest.mark.parametrize(("text", "weights", "message", "where"), CASES, ids=range(len(CASES)))
def test_text_is_rejected(tmp_path: Path, text: str, weights: dict[str, np.ndarray] | None, message: str, where: str):
    with pytest.raises(CompileError) as caught:
        load(tmp_path, text or " \n// nothing\n", weights)
    assert message in caught.value.message
    assert caught.value.where.endswith(where)


def test_damaged_weights_are_rejected(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CompileError, match="cannot read the weights"):
        load(tmp_path, ADD)


def test_inputs_have_to_fit(tmp_path: Path):
    with pytest.raises(UsageError, match=r"has the fixed input x:4xf32, got 5xf32"):
        load(tmp_path, ADD, {"w": np.ones(4, np.float32)}, "5xf32")
