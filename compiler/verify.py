"""Comparing an artefact with the original model, and finding the first kernel that goes wrong."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cocomp.passes.sparsity.reorder_rows import ORDERS
from cocomp.runtime import emulator
from cocomp.support.diagnostics import CompileError

from .artifact import Artifact
from .frontend.imported import Imported, Reference
from .frontend.inputs import random_like, structured_like

Array = np.ndarray
RunSome = Callable[[Sequence[Array], int], tuple[Array, list[Array]]]
"""(inputs, number of kernels) -> (arena as bytes, outputs)."""
Orders = Mapping[str, Sequence[tuple[int, Array]]]
"""Node -> orders along axes in which the artefact has its value (`reorder-rows`)."""


@dataclass(frozen=True)
class Mismatch:
    """A tensor that differs: where, and by how much."""

    kernel: str
    layer: str
    node: str
    source: str
    error: float

    def __str__(self) -> str:
        place = f" ({self.source})" if self.source else ""
        return f"kernel '{self.kernel}' of {self.layer or self.node}{place}: relative error {self.error:.2e}"


@dataclass(frozen=True)
class Verdict:
    """Largest relative error of the outputs, and the first wrong kernel when it is too large."""

    error: float
    tolerance: float
    first: Mismatch | None = None

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def relative_error(actual: Array, expected: Array) -> float:
    """max |actual - expected| / max |expected|; infinite where one is finite and the other is not."""
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    if np.any(~same & ~(np.isfinite(a) & np.isfinite(e))):
        return float("inf")
    scale = np.max(np.abs(e[np.isfinite(e)]), initial=0.0)
    with np.errstate(invalid="ignore"):  # infinities that are the same
        difference = np.where(same, 0.0, a - e)
    return float(np.max(np.abs(difference), initial=0.0) / (scale or 1.0))


def verify(
    reference: Reference,
    manifest: dict[str, Any],
    inputs: Sequence[Array],
    run_some: RunSome,
    tolerance: float,
    orders: Orders | None = None,
) -> Verdict:
    """Compare the outputs for `inputs`; on a mismatch run kernel by kernel until a tensor differs from the original's."""
    dispatches = manifest["dispatches"]
    names = list(reference.outputs)
    _, outputs = run_some(inputs, manifest["launches"])
    expected = reference.values(inputs, set(names))
    compared = [(o, expected[n]) for o, n in zip(outputs, names, strict=True) if n in expected]
    if len(compared) < len(names):
        missing = ", ".join(n for n in names if n not in expected)
        raise CompileError(f"cannot be verified: the original gives no value for the output {missing}")
    error = max((relative_error(o, e) for o, e in compared), default=0.0)
    if error <= tolerance:
        return Verdict(error, tolerance)
    values = reference.values(inputs, {_made(d) for d in dispatches})
    for node, found in (orders or {}).items():
        for axis, order in found if node in values else ():
            values[node] = np.take(values[node], order, axis)
    return Verdict(error, tolerance, _first_wrong(dispatches, values, inputs, run_some, tolerance))


def _first_wrong(
    dispatches: Sequence[dict[str, Any]],
    values: dict[str, Array],
    inputs: Sequence[Array],
    run_some: RunSome,
    tolerance: float,
) -> Mismatch | None:
    for number, dispatch in enumerate(dispatches):
        node = _made(dispatch)
        written = {**dispatch["writes"][0], **(dispatch["writes"][0]["inside"] or {})}
        expected = values.get(node)
        unfinished = any(node in later["nodes"] for later in dispatches[number + 1 :])
        if expected is None or unfinished or list(expected.shape) != written["shape"] or written["space"] == "local":
            continue
        arena, outputs = run_some(inputs, dispatch["launch"] + 1)
        error = relative_error(read_tensor(written, arena, outputs), expected)
        if error > tolerance:
            return Mismatch(dispatch["kernel"], dispatch["layer"], node, dispatch["source"], error)
    return None


def _made(dispatch: dict[str, Any]) -> str:
    """The node whose value a kernel writes; a border is part of the node that wants it."""
    nodes = dispatch["nodes"][:-1] if dispatch["writes"][0]["inside"] else dispatch["nodes"]
    return nodes[-1] if nodes else ""


def verify_artifact(artifact: Artifact, imported: Imported, threads: int, tolerance: float) -> dict[str, Verdict]:
    """Compare an artefact with the model that it was made from, on every kind of inputs; ends at the first mismatch."""
    if imported.reference is None or not imported.examples:
        raise CompileError(
            "cannot be verified: there is no original to compare with",
            notes=["verify a model that PyTorch or ONNX can run, or leave out --verify"],
        )
    kinds = {
        "example": list(imported.examples),
        "random": random_like(imported.examples),
        "structured": structured_like(imported.examples),
    }
    verdicts: dict[str, Verdict] = {}
    orders = artifact.facts.get(ORDERS)
    with opened(artifact, threads) as run_some:
        for kind, inputs in kinds.items():
            verdicts[kind] = verify(imported.reference, artifact.manifest, inputs, run_some, tolerance, orders)
            if not verdicts[kind].passed:
                break
    return verdicts


@contextlib.contextmanager
def opened(artifact: Artifact, threads: int) -> Iterator[RunSome]:
    """A way to run an artefact: in this process, or in an emulator where it is for another architecture."""
    if artifact.manifest["triple"].split("-")[0] != platform.machine():
        with emulator.opened(artifact.data, artifact.manifest, threads) as emulated:
            yield emulated.run_partly
        return
    with artifact.load(threads) as model:
        yield model.run_partly


NUMPY = {
    "f32": np.float32,
    "f64": np.float64,
    "f16": np.float16,
    "i64": np.int64,
    "i32": np.int32,
    "i1": np.bool_,
    "i8": np.int8,
}


def read_tensor(written: dict[str, Any], arena: Array, outputs: Sequence[Array]) -> Array:
    """A tensor that a kernel has written, as the manifest describes it."""
    dtype = np.dtype(NUMPY[written["type"]])
    if written["space"] in ("arena", "image"):
        flat = arena[written["offset"] :]
        flat = flat[: len(flat) // dtype.itemsize * dtype.itemsize].view(dtype)
    else:
        flat = outputs[written["offset"]].reshape(-1)
    strides = [s * dtype.itemsize for s in written["strides"]]
    return np.lib.stride_tricks.as_strided(flat[written["start"] :], written["shape"], strides)
