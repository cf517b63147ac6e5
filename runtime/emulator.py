"""Running artefacts of another architecture under QEMU's user-mode emulation, to check them where no such machine is.

A small static program (`native/guest.c`) loads the very artefact and runs it; neither a system root nor a phone is needed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from .loader import DTYPES
from .manifest import ArtifactError

Array = np.ndarray


@dataclass(frozen=True)
class EmulatedModel:
    """An artefact in a directory, with the program that runs it."""

    emulator: str
    guest: Path
    library: Path
    manifest: dict[str, Any]
    threads: int
    cpu: str = "max"
    """Processor that is emulated, by QEMU's name."""

    def run_partly(self, inputs: Sequence[Array], dispatches: int) -> tuple[Array, list[Array]]:
        """Run the first kernels: the arena as bytes, and the outputs."""
        file = self.library.with_name("tensors.bin")
        self._execute([self.emulator, "-cpu", self.cpu], file, inputs, dispatches, runs=1)
        data = np.fromfile(file, np.uint8)
        outputs: list[Array] = []
        for tensor in self.manifest["outputs"]:
            dtype, shape = np.dtype(DTYPES[tensor["type"]]), tensor["shape"]
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            outputs.append(data[:size].view(dtype).reshape(shape))
            data = data[size:]
        return data, outputs

    def instructions(self, inputs: Sequence[Array], plugin: Path) -> int:
        """Instructions that one run executes, counted by a QEMU plugin that prints `instructions: N`: the difference of two
        runs and one, so that loading and creating the model do not count."""
        file = self.library.with_name("tensors.bin")
        prefix = [self.emulator, "-cpu", self.cpu, "-plugin", str(plugin), "-d", "plugin"]
        counts = [_count(self._execute(prefix, file, inputs, -1, runs)) for runs in (1, 2)]
        return counts[1] - counts[0]

    def _execute(self, prefix: list[str], file: Path, inputs: Sequence[Array], dispatches: int, runs: int) -> str:
        _write(file, inputs, self.manifest)
        command = [
            *prefix,
            str(self.guest),
            str(self.library),
            str(self.threads),
            str(dispatches),
            str(runs),
            str(file),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip() or f"it ended with status {done.returncode}"
            raise ArtifactError(f"the artefact does not run under {Path(self.emulator).name}: {reason}")
        return done.stderr


def find_emulator(architecture: str) -> str | None:
    """The user-mode emulator of an architecture, None where it is not installed."""
    return shutil.which(f"qemu-{architecture}") or shutil.which(f"qemu-{architecture}-static")


@contextlib.contextmanager
def opened(data: bytes, manifest: dict[str, Any], threads: int, cpu: str = "max") -> Iterator[EmulatedModel]:
    """An artefact ready to run on an emulated `cpu`. Raises ArtifactError where the emulator is not installed."""
    architecture = manifest["triple"].split("-")[0]
    emulator = find_emulator(architecture)
    if emulator is None:
        raise ArtifactError(
            f"compiled for {architecture}, and qemu-{architecture} is not installed here; "
            "install QEMU's user-mode emulation (Debian: apt-get install qemu-user) or copy the artefact to such a machine"
        )
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        directory = Path(name)
        (directory / "model.so").write_bytes(data)
        guest = _build_guest(directory, architecture)
        yield EmulatedModel(emulator, guest, directory / "model.so", manifest, max(1, threads), cpu)


def _build_guest(directory: Path, architecture: str) -> Path:
    guest = directory / "guest"
    with as_file(files("cocomp.runtime") / "native") as native:
        target = ["-target", f"{architecture}-linux-musl", "-static"]
        flags = ["-std=gnu11", "-O1", "-g0", "-fno-sanitize=all"]
        command = [sys.executable, "-m", "ziglang", "cc", *target, *flags, str(native / "guest.c"), "-o", str(guest)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArtifactError(f"the emulated program cannot be built: {done.stderr.strip()}")
    return guest


def _write(file: Path, inputs: Sequence[Array], manifest: dict[str, Any]) -> None:
    """The request that `guest.c` reads."""
    arrays = [np.ascontiguousarray(x) for x in inputs]
    outputs = [
        int(np.prod(t["shape"], dtype=np.int64)) * np.dtype(DTYPES[t["type"]]).itemsize for t in manifest["outputs"]
    ]
    words = [len(arrays), *(a.nbytes for a in arrays), len(outputs), *outputs, manifest["arena_bytes"]]
    with file.open("wb") as stream:
        stream.write(np.array(words, np.int64).tobytes())
        for array in arrays:
            stream.write(array.tobytes())


def _count(text: str) -> int:
    lines = [line for line in text.splitlines() if line.startswith("instructions:")]
    if not lines:
        raise ArtifactError("the emulator's plugin printed no count")
    return int(lines[-1].split(":")[1])
