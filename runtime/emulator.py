"""Running artefacts of another architecture under QEMU's user-mode emulation, to check them where no such machine is.

A small static program (`native/guest.c`) loads the very artefact and runs it; neither a system root nor a phone is needed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from .loader import DTYPES
from .manifest import ArtifactError

Array = np.ndarray


@dataclass(frozen=True)
class Executed:
    """One run: its outputs, how many instructions it took, and how many of them by offset of their block in the library."""

    outputs: list[Array]
    instructions: int
    blocks: Mapping[int, int]


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

    def run_partly(self, inputs: Sequence[Array], count: int) -> tuple[Array, list[Array]]:
        """Run the first launches: the arena as bytes, and the outputs."""
        self._execute([self.emulator, "-cpu", self.cpu], inputs, count, runs=1)
        return self._results()

    def count(self, inputs: Sequence[Array], plugin: Path) -> Executed:
        """One run, counted by a QEMU plugin that prints `block: ADDRESS INSTRUCTIONS` for blocks of code. Loading and creating
        the model are counted too, without a run, and subtracted."""
        prefix = [self.emulator, "-cpu", self.cpu, "-plugin", str(plugin), "-d", "plugin"]
        before, after = (_count(self._execute(prefix, inputs, -1, runs)) for runs in (0, 1))
        blocks = {place: count for place in after if (count := after[place] - before.get(place, 0))}
        return Executed(self._results()[1], sum(blocks.values()), blocks)

    @property
    def _file(self) -> Path:
        return self.library.with_name("tensors.bin")

    def _results(self) -> tuple[Array, list[Array]]:
        """What the guest left: the arena as bytes, and the outputs."""
        data = np.fromfile(self._file, np.uint8)
        outputs: list[Array] = []
        for tensor in self.manifest["outputs"]:
            dtype, shape = np.dtype(DTYPES[tensor["type"]]), tensor["shape"]
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            outputs.append(data[:size].view(dtype).reshape(shape))
            data = data[size:]
        return data, outputs

    def _execute(self, prefix: list[str], inputs: Sequence[Array], dispatches: int, runs: int) -> str:
        _write(self._file, inputs, self.manifest)
        command = [
            *prefix,
            str(self.guest),
            str(self.library),
            str(self.threads),
            str(dispatches),
            str(runs),
            str(self._file),
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


def _count(text: str) -> dict[int, int]:
    """Instructions by offset of their block in the library; those outside of it lie beyond its end, or below 0."""
    (base,) = (int(line.split()[1], 16) for line in text.splitlines() if line.startswith("library:"))
    counts: dict[int, int] = {}
    for line in text.splitlines():
        if line.startswith("block:"):
            _, address, executed = line.split()
            place = int(address, 16) - base
            counts[place] = counts.get(place, 0) + int(executed)
    if not counts:
        raise ArtifactError("the emulator's plugin printed no counts")
    return counts
