"""What a compilation gives back."""

from __future__ import annotations

import os
import tempfile
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
    """What the report shows beside the manifest: times of the phases, weights, arena."""
    _temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def save(self, path: str | os.PathLike[str], header: bool = True) -> Path:
        """Write the library to `path` and its header beside it; nothing is left behind when that fails."""
        path = Path(path)
        write_whole(path, self.data, executable=True)
        if header:
            write_whole(path.with_suffix(".h"), self.header.encode())
        return path

    def load(self, threads: int = 0) -> Model:
        """Load it into this process."""
        from cocomp.runtime.loader import Model

        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="cocomp-")
            (Path(self._temporary.name) / "model.so").write_bytes(self.data)
        return Model(Path(self._temporary.name) / "model.so", threads, check=False)


def write_whole(path: Path, data: bytes, executable: bool = False) -> None:
    """Write a file under a temporary name and rename it: the file is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
        if executable:
            temporary.chmod(0o755)
        temporary.replace(path)
    except OSError as error:
        raise CompileError(f"cannot write: {error.strerror}", where=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
