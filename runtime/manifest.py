"""What an artefact says of itself."""

from __future__ import annotations

import hashlib
import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import elf

FORMAT = 1
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


def read_manifest(path: Path, check: bool = True) -> Manifest:
    """Manifest of the artefact at `path`; with `check` the file's checksum is verified first."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _read(memoryview(mapped), path, check)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except ValueError:
        raise ArtifactError(f"{path}: the file is empty") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None


def _read(data: memoryview, path: Path, check: bool) -> Manifest:
    try:
        try:
            file = elf.parse(data)
            manifest, checksum = file.section(".cocomp.manifest"), file.section(".cocomp.checksum")
            if manifest is None or checksum is None:
                raise ArtifactError(f"{path}: not a model compiled by cocompc (it has no manifest)")
            if check:
                _verify(data, file, checksum, path)
            text = bytes(manifest).split(b"\0", 1)[0]
            machine = file.machine
            del file, manifest, checksum
        finally:
            data.release()
    except elf.ElfError as error:
        raise ArtifactError(f"{path}: not a compiled model: {error}") from None
    return _parse(text, machine, path)


def _verify(data: memoryview, file: elf.ElfFile, checksum: memoryview, path: Path) -> None:
    place = next(s.offset for s in file.sections if s.name == ".cocomp.checksum")
    wanted = bytes(checksum[:64])
    digest = hashlib.sha256(data[:place])
    digest.update(PLACE)
    digest.update(data[place + 64 :])
    if digest.hexdigest().encode() != wanted:
        raise ArtifactError(f"{path}: the file is corrupted (its checksum is wrong); compile or copy it again")


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
