"""`.pt` and `.pth` files that are pickles: whole modules, or only their weights.

Loading a pickle runs the code that it names. What a file holds is therefore read from the pickle's opcodes, and nothing
is loaded unless the user has said that the file is trusted.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cocomp.support.diagnostics import CompileError, first_line

HARMLESS = (
    "torch",
    "torch._utils",
    "torch._tensor",
    "torch.nn.parameter",
    "torch.serialization",
    "torch.storage",
    "collections",
    "_codecs",
)
"""Modules whose names stand in any file of tensors."""
LEGACY_HEADER = 3
"""Pickles before the object in a file that torch.save wrote without a zip archive: magic number, version, system."""
STATE_DICT = (
    "write a function that builds the module, loads these weights and returns (module.eval(), example_inputs), "
    "and compile it as package.module:function"
)


def load_module(path: Path, trusted: bool) -> Any:
    """The torch.nn.Module in a pickle of a trusted file."""
    classes = sorted(set(_foreign_names(_object_pickle(path))), key=_by_interest)
    if not classes:
        raise CompileError(
            "the file holds tensors only (a state_dict), not a model", where=str(path), notes=[STATE_DICT]
        )
    if not trusted:
        raise CompileError(
            f"the file is a pickle, and loading it runs the code that it names ({_listed(classes)})",
            where=str(path),
            notes=[
                "if the file comes from a source that you trust, add --trust-pickle",
                "safer: export the model where it was made: torch.export.save(torch.export.export(model, inputs), 'model.pt2')",
            ],
        )
    return _unpickle(path)


def _object_pickle(path: Path) -> bytes:
    """Opcodes of the pickled object, and what follows in a file that is no archive."""
    try:
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
            return archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        raise CompileError(f"the file is truncated or corrupt: {error}", where=str(path)) from None


def _foreign_names(data: bytes) -> Iterator[str]:
    """`module.name` of everything in a pickle that is not a part of tensors."""
    stream = io.BytesIO(data)
    try:
        for module, name in _names(stream):
            if module not in HARMLESS:
                yield f"{module}.{name}"
        for _ in range(LEGACY_HEADER):  # nothing follows in an archive
            for module, name in _names(stream):
                if module not in HARMLESS:
                    yield f"{module}.{name}"
    except ValueError:
        return  # the raw bytes of tensors


def _names(stream: io.BytesIO) -> Iterator[tuple[str, str]]:
    """(module, name) of the globals that one pickle asks for."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            yield module, name
        elif opcode.name == "STACK_GLOBAL":
            yield (texts[-2], texts[-1]) if len(texts) > 1 else ("?", "?")
        elif isinstance(argument, str):
            texts.append(argument)
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else ""
        elif opcode.name in ("BINGET", "LONG_BINGET") and argument in memo:
            texts.append(memo[argument])


def _by_interest(name: str) -> tuple[bool, str]:
    """The user's own classes first."""
    return name.startswith(("torch.", "builtins.", "__builtin__.")), name


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _unpickle(path: Path) -> Any:
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # a pickle may raise anything
        raise CompileError(
            f"the pickle cannot be loaded: {type(error).__name__}: {first_line(error)}",
            where=str(path),
            notes=["run cocompc where the model's own Python modules can be imported"],
        ) from error
    if isinstance(loaded, torch.nn.Module):
        return loaded
    kind = type(loaded).__name__
    raise CompileError(f"expected a torch.nn.Module in the file, got {kind}", where=str(path), notes=[STATE_DICT])
