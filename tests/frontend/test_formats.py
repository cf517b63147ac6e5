"""Every format that a model may come in, and every file that is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cocomp.frontend.formats import load_model
from cocomp.frontend.imported import Imported
from cocomp.frontend.inputs import InputSpec
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import context

SMALL = "tests.small_models"
INPUT = "1x3x8x8xf32"


def load(spec: object, *inputs: str, trust_pickle: bool = False) -> Imported:
    return load_model(str(spec), [InputSpec.parse(text) for text in inputs], trust_pickle, context())


@pytest.mark.parametrize(
    ("file", "inputs", "trusted"),
    [
        ("residual.pt2", (), False),
        ("residual.pt2", (INPUT,), False),
        ("residual.pt2", (f"x:{INPUT}",), False),
        ("residual.pt", (INPUT,), False),
        ("residual.onnx", (), False),
        ("pickle.pt", (INPUT,), True),
        ("old_pickle.pt", (INPUT,), True),
    ],
)
def test_format_is_read(models: Path, file: str, inputs: tuple[str, ...], trusted: bool):
    imported = load(models / file, *inputs, trust_pickle=trusted)
    assert [a.shape for a in imported.examples] == [(1, 3, 8, 8)]
    assert len(imported.weights) >= 5  # the ONNX exporter folds the batch norm
    assert imported.reference is not None


def test_suffix_does_not_matter(models: Path, tmp_path: Path):
    shutil.copy(models / "residual.pt2", tmp_path / "model.onnx")
    assert load(tmp_path / "model.onnx").weights


def test_factory_gives_module_and_inputs():
    imported = load(f"{SMALL}:two_inputs")
    assert [a.shape for a in imported.examples] == [(2, 8), (2,)]


def test_factory_takes_inputs_by_name():
    assert load(f"{SMALL}:without_inputs", f"x:{INPUT}").weights


REJECTED = [
    ("nope.pt2", "no such file", "a model is a file (.pt2 from torch.export.save"),
    ("other.pt2", "the file is a zip archive, but not one that PyTorch writes", "a model is a file"),
    ("empty.pt2", "the file is empty", "a model is a file"),
    ("truncated.pt2", "the file is truncated or corrupt", "export or copy it again"),
    ("corrupt.pt2", "the file is corrupt: the checksum of", "make the file again: torch.export.save"),
    ("noise.onnx", "the file holds no model in a known format", "a model is a file"),
    ("broken.onnx", "cannot be read as an ONNX model", "export or copy the file again"),
    (".", "expected a file, got a directory", "a model is a file"),
    ("state.pth", "the file holds tensors only (a state_dict), not a model", "write a function that builds the module"),
    ("pickle.pt", "loading it runs the code that it names (tests.small_models.Residual", "add --trust-pickle"),
    ("old_pickle.pt", "loading it runs the code that it names (tests.small_models.Residual", "add --trust-pickle"),
]


@pytest.mark.parametrize(("file", "message", "note"), REJECTED, ids=[r[0] for r in REJECTED])
def test_file_is_rejected(models: Path, file: str, message: str, note: str):
    with pytest.raises(CompileError) as caught:
        load(models / file)
    assert message in caught.value.message
    assert caught.value.where == str(models / file)
    assert any(note in n for n in caught.value.notes)


def test_library_is_rejected(library: Path):
    with pytest.raises(CompileError, match="is a compiled library"):
        load(library)


def test_safetensors_are_rejected(tmp_path: Path):
    (tmp_path / "weights").write_bytes(b"\x40\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F32"}}\0\x01')
    with pytest.raises(CompileError, match="holds tensors only"):
        load(tmp_path / "weights")


def test_text_that_is_no_mlir_is_rejected(tmp_path: Path):
    (tmp_path / "model.py").write_text("import torch\n")
    with pytest.raises(CompileError) as caught:
        load(tmp_path / "model.py")
    assert caught.value.where == f"{tmp_path}/model.py:1"
    assert "the file is text, and was read as MLIR" in caught.value.notes


def test_unreadable_file_is_rejected(models: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CompileError, match="cannot be read: Permission denied"):
        load(models / "residual.pt2")


FACTORIES = [
    ("failing", "the factory fails: RuntimeError: no such dataset"),
    ("nothing", "expected a torch.nn.Module, got int"),
    ("NOT_A_FACTORY", "expected a function, got int"),
    ("missing", "has no attribute 'missing'"),
]


@pytest.mark.parametrize(("name", "message"), FACTORIES)
def test_factory_is_rejected(name: str, message: str):
    with pytest.raises(CompileError) as caught:
        load(f"{SMALL}:{name}")
    assert message in caught.value.message
    assert caught.value.where == f"{SMALL}:{name}"


def test_missing_package_is_named():
    with pytest.raises(CompileError, match="no Python module 'no_such_package'"):
        load("no_such_package.models:net")


def test_package_that_fails_to_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_package.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CompileError, match=r"importing 'broken_package' fails: ZeroDivisionError.*broken_package.py:1"):
        load("broken_package:net")


INPUTS = [
    ("residual.pt2", "1x3x9x9xf32", "has the fixed input x:1x3x8x8xf32, got 1x3x9x9xf32"),
    ("residual.pt2", "1x3x8x8xf16", "has the fixed input x:1x3x8x8xf32, got 1x3x8x8xf16"),
    ("residual.pt2", f"y:{INPUT}", "has no input 'y': expected one of x"),
    ("residual.onnx", "1x3x9x9xf32", "of the model is 1x3x8x8xf32, got 1x3x9x9xf32"),
    ("residual.onnx", f"y:{INPUT}", "the model has no input 'y'"),
    ("residual.pt", f"y:{INPUT}", "do not fit the model's forward(x): got the names y"),
]


@pytest.mark.parametrize(("file", "given", "message"), INPUTS)
def test_inputs_have_to_fit(models: Path, file: str, given: str, message: str):
    with pytest.raises(UsageError) as caught:
        load(models / file, given)
    assert message in str(caught.value)


@pytest.mark.parametrize("file", ["residual.pt2", "residual.onnx"])
def test_too_many_inputs(models: Path, file: str):
    with pytest.raises(UsageError, match="takes 1 inputs .*, got 2 --input"):
        load(models / file, INPUT, INPUT)


@pytest.mark.parametrize("spec", ["residual.pt", f"{SMALL}:without_inputs"])
def test_missing_shapes_are_asked_for(models: Path, spec: str):
    path = spec if ":" in spec else models / spec
    with pytest.raises(UsageError, match=r"the shapes of the inputs are needed: --input .* for each of \(x\)"):
        load(path)


def test_wrong_shape_in_script_names_the_line(models: Path):
    with pytest.raises(
        CompileError, match="does not run on inputs of these shapes: .*expected input.* to have 3 channels"
    ) as caught:
        load(models / "residual.pt", "1x4x8x8xf32")
    assert "small_models.py:" in caught.value.where


def test_wrong_shape_in_module():
    with pytest.raises(CompileError, match="torch.export cannot export the model: .*expected input"):
        load(f"{SMALL}:without_inputs", "1x4x8x8xf32")


def test_wrong_argument_of_module():
    with pytest.raises(UsageError, match=r"do not fit the model's forward\(x\): missing a required argument: 'x'"):
        load(f"{SMALL}:without_inputs", f"z:{INPUT}")


def test_unsupported_operation_is_placed():
    with pytest.raises(CompileError, match="operator 'aten.linalg_qr' is not supported") as caught:
        load(f"{SMALL}:unsupported")
    assert caught.value.where.startswith("inner (")
    assert "small_models.py:" in caught.value.where
    assert "replace the operation in the model" in caught.value.notes[0]


@pytest.mark.parametrize("text", ["1x3", "f32x3", "1x0xf32", "1x3xf33", "x:", ""])
def test_input_that_cannot_be_read(text: str):
    with pytest.raises(UsageError, match="cannot read the input"):
        InputSpec.parse(text)


@pytest.mark.parametrize("text", ["1x3x224x224xf32", "ids:1x128xi64", "f32", "flag:i1"])
def test_input_round_trips(text: str):
    assert str(InputSpec.parse(text)) == text
