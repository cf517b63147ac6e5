"""What an artefact says of itself."""

from __future__ import annotations

import hashlib
import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import elf

FORMAT = 5
"""Version of the manifest and of the C interface; an artefact of another version is refused."""
PLACE = b"0" * 64


class ArtifactError(Exception):
    """The artefact cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Tensor:
    """Name, element type (`f32`, `i64`, ...) and shape of an input or output."""

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Manifest:
    """The parsed manifest. `raw` is the whole of it, kernels and all."""

    architecture: str
    target: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    raw: dict[str, Any]


def launches(raw: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The kernels of a manifest, by launch."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(raw["launches"])]
    for dispatch in raw["dispatches"]:
        found[dispatch["launch"]].append(dispatch)
    return found


def read_manifest(path: Path, check: bool = True) -> Manifest:
    """Manifest of the artefact at `path`; with `check` the file's checksum is verified first."""
    problem, text, machine = "", b"", ""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                text, machine = _read(view, check)
            except ArtifactError as error:
                problem = str(error)  # its frames hold views, and the file cannot be closed before they are gone
            finally:
                view.release()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except ValueError:
        raise ArtifactError(f"{path}: the file is empty") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    if problem:
        raise ArtifactError(f"{path}: {problem}")
    return _parse(text, machine, path)


def _read(data: memoryview, check: bool) -> tuple[bytes, str]:
    """Text of the manifest, and the machine that the library is for."""
    try:
        file = elf.parse(data)
    except elf.ElfError as error:
        raise ArtifactError(f"not a compiled model: {error}") from None
    manifest, checksum = file.section(".cocomp.manifest"), file.section(".cocomp.checksum")
    if manifest is None or checksum is None:
        raise ArtifactError("not a model compiled by cocompc (it has no manifest)")
    if check:
        _verify(data, file, checksum)
    return bytes(manifest).split(b"\0", 1)[0], file.machine


def _verify(data: memoryview, file: elf.ElfFile, checksum: memoryview) -> None:
    place = next(s.offset for s in file.sections if s.name == ".cocomp.checksum")
    wanted = bytes(checksum[:64])
    digest = hashlib.sha256(data[:place])
    digest.update(PLACE)
    digest.update(data[place + 64 :])
    if digest.hexdigest().encode() != wanted:
        raise ArtifactError("the file is corrupted (its checksum is wrong); compile or copy it again")


def _parse(text: bytes, machine: str, path: Path) -> Manifest:
    try:
        raw = json.loads(text)
        version = raw["format"]
        if version != FORMAT:
            raise ArtifactError(
                f"{path}: made for format {version} of the runtime, this is format {FORMAT}; compile the model again"
            )
        tensors = {
            kind: tuple(Tensor(t["name"], t["type"], tuple(int(n) for n in t["shape"])) for t in raw[kind])
            for kind in ("inputs", "outputs")
        }
        return Manifest(machine, raw["target"], tensors["inputs"], tensors["outputs"], raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: its manifest is damaged ({error})") from None
