"""What a compilation gives back."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocomp.support.diagnostics import CompileError

if TYPE_CHECKING:
    from cocomp.runtime.loader import Model


@dataclass
class Artifact:
    """A compiled model in memory: save it, or load it to run."""

    data: bytes
    """The shared library."""
    header: str
    """The C header that describes it."""
    manifest: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the report shows beside the manifest: times of the phases, weights, arena, bytes of SPIR-V."""
    _temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def save(self, path: str | os.PathLike[str], header: bool = True) -> Path:
        """Write the library to `path` and its header beside it; nothing is left behind when that fails."""
        path = Path(path)
        write_whole(self.files(path, header), executable=path)
        return path

    def files(self, path: Path, header: bool = True) -> dict[Path, bytes]:
        """What `save` writes."""
        files = {path: self.data}
        if header and is_plain(path):
            files[path.with_suffix(".h")] = self.header.encode()
        return files

    def load(self, threads: int = 0) -> Model:
        """Load it into this process."""
        from cocomp.runtime.loader import Model

        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="cocomp-")
            (Path(self._temporary.name) / "model.so").write_bytes(self.data)
        return Model(Path(self._temporary.name) / "model.so", threads, check=False)


@dataclass
class Project:
    """An accelerator's project in memory: its files by their paths, and what the report shows."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write all files into a new folder, or into one that such a project is in, whose other files stay; nothing is half-written when that
        fails."""
        folder = Path(folder)
        check_folder(folder)
        is_new = not folder.exists()
        try:
            for path in self.files:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_whole({folder / path: data for path, data in self.files.items()})
        except (OSError, CompileError) as error:
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, CompileError):
                raise
            raise CompileError(f"cannot write: {error.strerror}", where=str(folder)) from error
        return folder

    def write(self, folder: Path) -> None:
        """Write all files into a folder, one after the other."""
        for path, data in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)


def check_folder(folder: Path) -> None:
    """Raise CompileError where a project cannot be written: what is there is no project."""
    if not folder.parent.is_dir():
        raise CompileError("cannot write: no such directory", where=str(folder.parent))
    if folder.exists() and not folder.is_dir():
        raise CompileError("cannot write: it is a file", where=str(folder))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "manifest.json").is_file():
        raise CompileError("cannot write: it holds other files than those of such a project", where=str(folder))


def is_plain(path: Path) -> bool:
    """False for a device or a pipe, which is written to and never replaced."""
    return path.is_file() or not path.exists()


def write_whole(files: Mapping[Path, bytes], executable: Path | None = None) -> None:
    """Write files under temporary names, then rename them: they are there whole or not at all. `executable` names the one
    that is to be so."""
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in files if is_plain(path)}
    current = None
    try:
        for current, data in files.items():
            with temporary.get(current, current).open("wb") as file:
                file.write(data)
        if executable in temporary:
            temporary[executable].chmod(0o755)
        for current, made in temporary.items():
            made.replace(current)
    except OSError as error:
        raise CompileError(f"cannot write: {error.strerror}", where=str(current)) from error
    finally:
        for made in temporary.values():
            with contextlib.suppress(OSError):
                made.unlink()
