"""Comparing an artefact with PyTorch, and finding the first kernel that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

Array = np.ndarray
RunSome = Callable[[Sequence[Array], int], tuple[Array, list[Array]]]
"""(inputs, number of kernels) -> (arena as bytes, outputs)."""


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
    return float(np.max(np.abs(np.where(same, 0.0, a - e)), initial=0.0) / (scale or 1.0))


def reference_outputs(program: ExportedProgram, inputs: Sequence[Array], nodes: set[str]) -> dict[str, Array]:
    """Values of the named graph nodes in PyTorch."""
    found: dict[str, Array] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            result = super().run_node(n)
            if n.name in nodes and isinstance(result, torch.Tensor):
                found[n.name] = result.detach().numpy()
            return result

    given = iter(inputs)
    state = {**program.state_dict, **program.constants}
    arguments: list[Any] = []
    for spec in program.graph_signature.input_specs:
        is_input = spec.kind == InputKind.USER_INPUT
        arguments.append(torch.from_numpy(np.array(next(given))) if is_input else state[spec.target or ""])
    with torch.no_grad():
        Recorder(program.graph_module).run(*arguments)
    return found


def verify(
    program: ExportedProgram, manifest: dict[str, Any], inputs: Sequence[Array], run_some: RunSome, tolerance: float
) -> Verdict:
    """Compare the outputs for `inputs`; on a mismatch run kernel by kernel until a tensor differs from PyTorch's."""
    dispatches = manifest["dispatches"]
    names = [spec.arg.name for spec in program.graph_signature.output_specs]
    _, outputs = run_some(inputs, len(dispatches))
    reference = reference_outputs(program, inputs, {d["nodes"][-1] for d in dispatches if d["nodes"]} | set(names))
    error = max((relative_error(o, reference[n]) for o, n in zip(outputs, names, strict=True)), default=0.0)
    if error <= tolerance:
        return Verdict(error, tolerance)
    return Verdict(error, tolerance, _first_wrong(dispatches, reference, inputs, run_some, tolerance))


def _first_wrong(
    dispatches: Sequence[dict[str, Any]],
    reference: dict[str, Array],
    inputs: Sequence[Array],
    run_some: RunSome,
    tolerance: float,
) -> Mismatch | None:
    for number, dispatch in enumerate(dispatches):
        node = dispatch["nodes"][-1] if dispatch["nodes"] else ""
        written = dispatch["writes"][0]
        expected = reference.get(node)
        if expected is None or list(expected.shape) != written["shape"]:
            continue
        arena, outputs = run_some(inputs, number + 1)
        error = relative_error(read_tensor(written, arena, outputs), expected)
        if error > tolerance:
            return Mismatch(dispatch["kernel"], dispatch["layer"], node, dispatch["source"], error)
    return None


NUMPY = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i1": np.bool_, "i8": np.int8}


def read_tensor(written: dict[str, Any], arena: Array, outputs: Sequence[Array]) -> Array:
    """A tensor that a kernel has written, as the manifest describes it."""
    dtype = np.dtype(NUMPY[written["type"]])
    if written["space"] == "arena":
        flat = arena[written["offset"] :]
        flat = flat[: len(flat) // dtype.itemsize * dtype.itemsize].view(dtype)
    else:
        flat = outputs[written["offset"]].reshape(-1)
    strides = [s * dtype.itemsize for s in written["strides"]]
    return np.lib.stride_tricks.as_strided(flat[written["start"] :], written["shape"], strides)
