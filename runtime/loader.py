"""A compiled model as a Python callable."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .manifest import ArtifactError, Manifest, Tensor, launches, read_manifest

DTYPES = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8,
    "i1": np.bool_,
}  # fmt: skip


class InputError(Exception):
    """An input does not fit the model."""


@dataclass(frozen=True)
class KernelTime:
    """How long one launch of the last run took: its kernel, or several joined by `+`."""

    kernel: str
    layer: str
    microseconds: float


class Model:
    """A loaded artefact. `model(x, ...)` takes numpy or torch arrays and gives numpy: one array, or a tuple of several.

    Not for two threads at once; load it twice for that. Closing is optional.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, check: bool = True) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path, check)
        self._handle = ctypes.c_void_p()
        if self.manifest.architecture != platform.machine():
            raise ArtifactError(
                f"{self.path}: compiled for {self.manifest.architecture}, this machine is {platform.machine()}; "
                "compile the model with -target=host"
            )
        if threads < 0:
            raise ArtifactError(f"expected a number of threads from 0 (all processors), got {threads}")
        self.threads = threads or len(os.sched_getaffinity(0))
        self._library = _open(self.path)
        status = self._library.cocomp_create(threads, ctypes.byref(self._handle))
        self._check(status, self._library.cocomp_failed_at().decode())

    def __call__(self, *inputs: Any) -> Any:
        results = self.run(inputs)
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def device(self) -> str:
        """The GPU that the model runs on, as its driver calls it; empty on a CPU."""
        return (self._library.cocomp_device(self._handle) or b"").decode(errors="replace")

    def run(self, inputs: Sequence[Any], out: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Run once; `out` gives memory for the outputs (C-contiguous, of the right type and shape)."""
        arrays = self._checked(inputs)
        outputs = [_empty(t) for t in self.manifest.outputs] if out is None else self._checked_outputs(out)
        self._check(self._library.cocomp_run(self._handle, _pointers(arrays), _pointers(outputs)))
        return outputs

    def run_partly(self, inputs: Sequence[Any], count: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Run the first launches only; a copy of the arena as bytes, with images behind it, and the outputs, for debugging."""
        arrays = self._checked(inputs)
        outputs = [_empty(t) for t in self.manifest.outputs]
        status = self._library.cocomp_run_some(self._handle, _pointers(arrays), _pointers(outputs), count)
        self._check(status)
        size = int(self.manifest.raw["arena_bytes"]) + int(self.manifest.raw["image_bytes"])
        view = (ctypes.c_uint8 * size).from_address(self._library.cocomp_arena(self._handle)) if size else b""
        return np.frombuffer(bytearray(view), np.uint8), outputs

    def profile(self, inputs: Sequence[Any], runs: int = 10) -> list[KernelTime]:
        """Time of each launch, the median of `runs` runs."""
        medians = np.median(self.launch_times(inputs, runs), axis=0) / 1e3
        return [_timed(k, float(t)) for k, t in zip(launches(self.manifest.raw), medians, strict=True)]

    def launch_times(self, inputs: Sequence[Any], runs: int) -> np.ndarray:
        """Nanoseconds that each launch took in each run, int64[runs, launches]."""
        times = np.zeros((runs, self.manifest.raw["launches"]), np.int64)
        self._library.cocomp_set_profiling(self._handle, 1)
        for row in times:
            self.run(inputs)
            self._library.cocomp_profile(self._handle, row.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), len(row))
        self._library.cocomp_set_profiling(self._handle, 0)
        return times

    def close(self) -> None:
        """Stop the model's threads and free its memory."""
        if self._handle:
            self._library.cocomp_destroy(self._handle)
            self._handle = ctypes.c_void_p()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def _checked(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        wanted = self.manifest.inputs
        if len(inputs) != len(wanted):
            names = ", ".join(t.name for t in wanted)
            raise InputError(f"expected {len(wanted)} inputs ({names}), got {len(inputs)}")
        return [_checked(x, t) for x, t in zip(inputs, wanted, strict=True)]

    def _checked_outputs(self, out: Sequence[np.ndarray]) -> list[np.ndarray]:
        wanted = self.manifest.outputs
        if len(out) != len(wanted):
            raise InputError(f"expected {len(wanted)} output arrays, got {len(out)}")
        for array, tensor in zip(out, wanted, strict=True):
            if array.shape != tensor.shape or array.dtype != DTYPES[tensor.type] or not array.flags.c_contiguous:
                raise InputError(f"output '{tensor.name}': expected a C-contiguous array of {_describe(tensor)}")
        return list(out)

    def _check(self, status: int, layer: str = "") -> None:
        if status:
            place = f"{self.path}: {layer}" if layer else str(self.path)
            raise ArtifactError(f"{place}: {self._library.cocomp_message(status).decode()}")


def _timed(kernels: Sequence[dict[str, Any]], microseconds: float) -> KernelTime:
    names, layers = (list(dict.fromkeys(k[key] for k in kernels)) for key in ("kernel", "layer"))
    return KernelTime(
        "+".join(names), " + ".join(layers if len(layers) < 4 else [layers[0], "..", layers[-1]]), microseconds
    )


def load(path: str | os.PathLike[str], threads: int = 0, check: bool = True) -> Model:
    """Load an artefact to run on `threads` threads (0: all processors); `check=False` skips the checksum."""
    return Model(path, threads, check)


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path.resolve()))
        library.cocomp_arena.restype = ctypes.c_void_p
        library.cocomp_message.restype = ctypes.c_char_p
        library.cocomp_failed_at.restype = ctypes.c_char_p
        library.cocomp_device.restype = ctypes.c_char_p
        library.cocomp_run_some.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        library.cocomp_profile.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_int64]
        for name in ("cocomp_create", "cocomp_run", "cocomp_destroy", "cocomp_set_profiling"):
            getattr(library, name)
    except (OSError, AttributeError) as error:
        raise ArtifactError(f"{path}: the system cannot load it: {error}") from None
    return library


def _checked(value: Any, tensor: Tensor) -> np.ndarray:
    try:
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # a ragged list, a type that numpy does not know
        kind = f"{type(value).__name__} of {value.dtype}" if hasattr(value, "dtype") else type(value).__name__
        raise InputError(
            f"input '{tensor.name}': expected {_describe(tensor)}, cannot make an array of a {kind}"
        ) from None
    if array.shape != tensor.shape or array.dtype != DTYPES[tensor.type]:
        got = f"{array.dtype} of shape {list(array.shape)}"
        raise InputError(f"input '{tensor.name}': expected {_describe(tensor)}, got {got}")
    return np.ascontiguousarray(array)


def _describe(tensor: Tensor) -> str:
    return f"{np.dtype(DTYPES[tensor.type]).name} of shape {list(tensor.shape)}"


def _empty(tensor: Tensor) -> np.ndarray:
    return np.empty(tensor.shape, DTYPES[tensor.type])


def _pointers(arrays: Sequence[np.ndarray]) -> Any:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(a.ctypes.data for a in arrays))
