"""`.pt2`: archives of torch.export, read without running anything that is in them.

`torch.export.load` unpickles whatever an archive brings along (example inputs, tensor subclasses, custom objects) and
evaluates symbolic expressions as Python. Here every record is read one by one: tensors come from plain bytes, example
inputs through the restricted unpickler, and anything that would need more is refused.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._export.serde import schema
from torch._export.serde.serialize import ExportedProgramDeserializer, SerializeError, _bytes_to_dataclass
from torch.export import ExportedProgram
from torch.export.pt2_archive import _package as package
from torch.export.pt2_archive import constants as names
from torch.utils import _pytree as pytree

from cocomp.support.diagnostics import CompileError

SAVE_AGAIN = "make the file again: torch.export.save(torch.export.export(model.eval(), example_inputs), 'model.pt2')"
PLAIN_RECORDS = ("weight_", "tensor_")
OPERATOR = re.compile(r"torch\.ops\.[\w.]+|_operator\.\w+|math\.\w+|torch\.sym_\w+")
"""What a graph may call."""


def load_archive(path: Path) -> tuple[ExportedProgram, list[np.ndarray]]:
    """The exported program in an archive, and its example inputs where they are plain tensors."""
    _check_whole(path)
    try:
        return _load(path)
    except (RuntimeError, AssertionError, SerializeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise CompileError(
            f"cannot be read as an archive of torch.export: {reason}", where=str(path), notes=[SAVE_AGAIN]
        ) from error


def _check_whole(path: Path) -> None:
    """Every record against its checksum; PyTorch's reader does not look at them all."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise CompileError(f"the file is truncated or corrupt: {error}", where=str(path), notes=[SAVE_AGAIN]) from None
    if damaged is not None:
        raise CompileError(
            f"the file is corrupt: the checksum of '{damaged}' is wrong", where=str(path), notes=[SAVE_AGAIN]
        )


def _load(path: Path) -> tuple[ExportedProgram, list[np.ndarray]]:
    with package.PT2ArchiveReader(str(path)) as archive:
        name = _only_model(archive.get_file_names(), path)
        for kind in (names.WEIGHTS_CONFIG_FILENAME_FORMAT, names.CONSTANTS_CONFIG_FILENAME_FORMAT):
            _reject_pickles(json.loads(archive.read_string(kind.format(name))), path)
        described = archive.read_bytes(names.MODELS_FILENAME_FORMAT.format(name))
        _reject_code(json.loads(described), path)
        program = ExportedProgramDeserializer().deserialize(
            _bytes_to_dataclass(schema.ExportedProgram, described),
            package._load_state_dict(archive, name),
            package._load_constants(archive, name),
        )
        program._guards_code = []  # Python text that PyTorch would run
        samples = names.SAMPLE_INPUTS_FILENAME_FORMAT.format(name)
        reader: Any = archive.archive_file
        return program, _example_inputs(archive.read_bytes(samples) if reader.has_record(samples) else b"")


def _only_model(records: list[str], path: Path) -> str:
    prefix, suffix = names.MODELS_FILENAME_FORMAT.split("{}")
    models = [r.removeprefix(prefix).removesuffix(suffix) for r in records if r.startswith(prefix)]
    if len(models) != 1:
        held = f"{len(models)} models ({', '.join(models)})" if models else "no exported program"
        raise CompileError(
            f"expected one exported program in the archive, got {held}", where=str(path), notes=[SAVE_AGAIN]
        )
    legacy = [r for r in records if r in (f"{names.WEIGHTS_DIR}{models[0]}.pt", f"{names.CONSTANTS_DIR}{models[0]}.pt")]
    if legacy:
        raise CompileError(
            f"its weights are a pickle ('{legacy[0]}', written by an older PyTorch), and loading a pickle runs the code in it",
            where=str(path),
            notes=[SAVE_AGAIN],
        )
    return models[0]


def _reject_pickles(config: Any, path: Path) -> None:
    for weight, payload in config["config"].items():
        if payload["use_pickle"] or not payload["path_name"].startswith(PLAIN_RECORDS):
            raise CompileError(
                f"'{weight}' is stored as a pickle, and loading a pickle runs the code in it",
                where=str(path),
                notes=[
                    "replace tensor subclasses and custom objects in the model by plain tensors before torch.export.save, "
                    "or compile the module itself through package.module:factory"
                ],
            )


def _reject_code(described: Any, path: Path) -> None:
    """Symbolic sizes (they mean dynamic shapes, and PyTorch evaluates their text) and calls of anything but operators."""
    for item in _dictionaries(described):
        if "as_expr" in item or "expr_str" in item:
            values = described["graph_module"]["graph"]["tensor_values"]
            dynamic = [name for name, meta in values.items() if "as_expr" in json.dumps(meta["sizes"])]
            named = f"tensor '{dynamic[0]}'" if dynamic else "a size"
            raise CompileError(
                f"the exported program has dynamic shapes ({named})",
                where=str(path),
                notes=["export the model with static shapes: leave out dynamic_shapes, one artefact a shape"],
            )
        target = item.get("target")
        if isinstance(target, str) and "outputs" in item and not OPERATOR.fullmatch(target):
            raise CompileError(
                f"the exported graph calls '{target}', which is not an operator", where=str(path), notes=[SAVE_AGAIN]
            )


def _dictionaries(described: Any) -> Iterator[dict[str, Any]]:
    pending = [described]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _example_inputs(data: bytes) -> list[np.ndarray]:
    """Example inputs when the restricted unpickler can read them; they are only a convenience."""
    if not data:
        return []
    try:
        arguments, keywords = torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # not plain tensors: they are made up instead
        return []
    leaves = pytree.tree_leaves((arguments, keywords))
    return [leaf.detach().numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]
