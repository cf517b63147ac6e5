"""Which front end reads a model: decided by what a file holds, not by what it is called."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir

from .imported import Imported
from .inputs import InputSpec

FORMATS = (
    "a model is a file (.pt2 from torch.export.save, .pt TorchScript, .onnx, .mlir with linalg on tensors) "
    "or package.module:factory"
)
ZIP, ELF, LEGACY_PICKLE, ONNX_VERSION = b"PK\x03\x04", b"\x7fELF", b"\x80", b"\x08"
HEAD = 1 << 16
"""Bytes that are enough to tell text from data."""


def load_model(spec: str, inputs: Sequence[InputSpec], trust_pickle: bool, context: ir.Context) -> Imported:
    """Import the model that `spec` names.

    inputs: shapes, for formats that do not fix them. trust_pickle: whether code in a pickle may run.
    Raises CompileError where the model is not usable, UsageError where spec or inputs are wrong.
    """
    path = Path(spec)
    if not path.exists():
        return _load_factory(spec, inputs, context)
    if path.is_dir():
        raise CompileError("expected a file, got a directory", where=spec, notes=[FORMATS])
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise CompileError(f"cannot be read: {error.strerror}", where=spec) from None
    return _load_file(path, head, inputs, trust_pickle, context)


def _load_factory(spec: str, inputs: Sequence[InputSpec], context: ir.Context) -> Imported:
    module, separator, name = spec.partition(":")
    if not separator or not name or not all(part.isidentifier() for part in module.split(".")):
        raise CompileError("no such file", where=spec, notes=[FORMATS])
    from .modules import load_factory

    return load_factory(spec, inputs, context)


def _load_file(
    path: Path, head: bytes, inputs: Sequence[InputSpec], trust_pickle: bool, context: ir.Context
) -> Imported:
    if head.startswith(ZIP):
        return _load_zip(path, inputs, trust_pickle, context)
    if head.startswith(LEGACY_PICKLE):
        return _load_pickle(path, inputs, trust_pickle, context)
    if _is_text(head):
        from .mlir_text import load_text

        return load_text(path, inputs, context)
    if head.startswith(ONNX_VERSION):
        from .onnx_graph import load_onnx

        return load_onnx(path, inputs, context)
    raise CompileError(_what_it_is(head), where=str(path), notes=[FORMATS])


def _load_zip(path: Path, inputs: Sequence[InputSpec], trust_pickle: bool, context: ir.Context) -> Imported:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()} | set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CompileError(
            f"the file is truncated or corrupt: {error}", where=str(path), notes=["export or copy it again"]
        ) from None
    if "archive_format" in names or any(name.startswith("models/") for name in names):
        from .modules import import_exported
        from .pt2 import load_archive

        program, given = load_archive(path)
        return import_exported(program, given, inputs, str(path), context)
    if "serialized_exported_program.json" in names:
        raise CompileError(
            "the archive was written by an older PyTorch",
            where=str(path),
            notes=["export it again with PyTorch 2.9 or later"],
        )
    if any(name.startswith("code/") for name in names):
        from .modules import import_module
        from .torchscript import load_script

        return import_module(load_script(path), (), inputs, str(path), context)
    if "data.pkl" in names:
        return _load_pickle(path, inputs, trust_pickle, context)
    raise CompileError("the file is a zip archive, but not one that PyTorch writes", where=str(path), notes=[FORMATS])


def _load_pickle(path: Path, inputs: Sequence[InputSpec], trust_pickle: bool, context: ir.Context) -> Imported:
    from .modules import import_module
    from .pickled import load_module

    return import_module(load_module(path, trust_pickle), (), inputs, str(path), context)


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; a character may be cut at the end."""
    try:
        text = head[: HEAD - 4].decode() if len(head) == HEAD else head.decode()
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and all(c.isprintable() or c in "\n\r\t" for c in text)


def _what_it_is(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(ELF):
        return "the file is a compiled library (run it with cocomp-run), not a model"
    if head[8:9] == b"{":
        return "the file holds tensors only (safetensors), not a model"
    return "the file holds no model in a known format"
