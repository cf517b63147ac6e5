"""Archives of torch.export that are refused: nothing in a file may run, and shapes have to be known."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cocomp.frontend.formats import load_model
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import context


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """An archive with every record passed through `change`; None leaves a record out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for record in old.infolist():
            changed = change(record.filename, old.read(record))
            if changed is not None:
                new.writestr(*changed)
    return target


def refused(path: Path) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load_model(str(path), [], False, context())
    assert caught.value.where == str(path)
    return caught.value


def with_graph(models: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The small network with its described graph changed."""

    def edit(name: str, data: bytes) -> tuple[str, bytes]:
        if not name.endswith("models/model.json"):
            return name, data
        described = json.loads(data)
        change(described)
        return name, json.dumps(described).encode()

    return rewritten(models / "residual.pt2", path, edit)


def test_dynamic_shapes(tmp_path: Path):
    batch = {0: torch.export.Dim("batch", min=1, max=8)}
    program = torch.export.export(nn.ReLU(), (torch.randn(2, 3),), dynamic_shapes=(batch,))
    torch.export.save(program, tmp_path / "m.pt2")
    error = refused(tmp_path / "m.pt2")
    assert "the exported program has dynamic shapes" in error.message
    assert "leave out dynamic_shapes" in error.notes[0]


def test_call_of_what_is_no_operator(models: Path, tmp_path: Path):
    def change(described: dict[str, Any]) -> None:
        described["graph_module"]["graph"]["nodes"][0]["target"] = "os.system"

    error = refused(with_graph(models, tmp_path / "m.pt2", change))
    assert error.message == "the exported graph calls 'os.system', which is not an operator"


def test_weights_that_are_pickles(models: Path, tmp_path: Path):
    def change(name: str, data: bytes) -> tuple[str, bytes]:
        if name.endswith("model_weights_config.json"):
            described = json.loads(data)
            next(iter(described["config"].values()))["use_pickle"] = True
            data = json.dumps(described).encode()
        return name, data

    error = refused(rewritten(models / "residual.pt2", tmp_path / "m.pt2", change))
    assert "is stored as a pickle, and loading a pickle runs the code in it" in error.message


def test_archive_without_a_program(models: Path, tmp_path: Path):
    def drop(name: str, data: bytes) -> tuple[str, bytes] | None:
        return None if "/models/" in name else (name, data)

    error = refused(rewritten(models / "residual.pt2", tmp_path / "m.pt2", drop))
    assert error.message == "expected one exported program in the archive, got no exported program"


def test_archive_of_two_programs(tmp_path: Path):
    program = torch.export.export(nn.ReLU(), (torch.randn(3),))
    from torch.export.pt2_archive._package import package_pt2

    package_pt2(str(tmp_path / "m.pt2"), exported_programs={"one": program, "two": program})
    assert "got 2 models (one, two)" in refused(tmp_path / "m.pt2").message


def test_graph_that_makes_no_sense(models: Path, tmp_path: Path):
    def change(described: dict[str, Any]) -> None:
        del described["graph_module"]["graph"]["nodes"]

    error = refused(with_graph(models, tmp_path / "m.pt2", change))
    assert error.message.startswith("cannot be read as an archive of torch.export")
    assert error.notes[0].startswith("make the file again")


def test_archive_of_an_older_pytorch(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    assert refused(tmp_path / "m.pt2").message == "the archive was written by an older PyTorch"


def test_example_inputs_that_would_run_code_are_left(models: Path, tmp_path: Path):
    """Inputs are made up instead."""

    def change(name: str, data: bytes) -> tuple[str, bytes]:
        if "sample_inputs" in name:
            buffer = io.BytesIO()
            torch.save(([nn.ReLU()], {}), buffer)
            data = buffer.getvalue()
        return name, data

    path = rewritten(models / "residual.pt2", tmp_path / "m.pt2", change)
    assert [a.shape for a in load_model(str(path), [], False, context()).examples] == [(1, 3, 8, 8)]
