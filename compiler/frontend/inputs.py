"""Shapes and element types of a model's inputs as users write them, and arrays made from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cocomp.support.diagnostics import UsageError

Array = np.ndarray

TYPES = {
    "f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i8": np.int8, "i1": np.bool_,
}  # fmt: skip
SMALL_ID = 8
"""Random integers stay below this: they may index a table whose length is not known here."""


@dataclass(frozen=True)
class InputSpec:
    """One input as `[NAME:]1x3x224x224xf32` describes it; `str(spec)` parses back."""

    type: str
    shape: tuple[int, ...]
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> InputSpec:
        """The input that `text` describes."""
        name, _, described = text.rpartition(":")
        found = re.fullmatch(rf"((?:\d+x)*)({'|'.join(TYPES)})", described)
        shape = tuple(int(n) for n in found.group(1).split("x")[:-1]) if found else ()
        if found is None or 0 in shape:
            raise UsageError(
                f"cannot read the input '{text}': expected [NAME:]SHAPExTYPE such as 1x3x224x224xf32 or ids:1x128xi64, "
                f"with positive extents and a type of {', '.join(TYPES)}"
            )
        return cls(found.group(2), shape, name)

    def __str__(self) -> str:
        described = "x".join([*map(str, self.shape), self.type])
        return f"{self.name}:{described}" if self.name else described

    def example(self, seed: int = 0) -> Array:
        """An array of this type: normal noise, small integers or random truth values, the same for the same seed."""
        rng = np.random.default_rng(seed)
        dtype = np.dtype(TYPES[self.type])
        if dtype.kind == "f":
            return np.asarray(rng.standard_normal(self.shape), dtype)
        return np.asarray(rng.integers(0, 2 if dtype.kind == "b" else SMALL_ID, self.shape), dtype)


def check_specs(fixed: Sequence[InputSpec], specs: Sequence[InputSpec], what: str) -> None:
    """Refuse specs that differ from the inputs of a model whose shapes are fixed; `what` names the model."""
    by_name = {f.name: f for f in fixed}
    if len(specs) > len(fixed):
        raise UsageError(f"{what} takes {len(fixed)} inputs ({', '.join(by_name)}), got {len(specs)} --input")
    for position, spec in enumerate(specs):
        wanted = by_name.get(spec.name) if spec.name else fixed[position]
        if wanted is None:
            raise UsageError(f"{what} has no input '{spec.name}': expected one of {', '.join(by_name)}")
        if (wanted.type, wanted.shape) != (spec.type, spec.shape):
            raise UsageError(f"{what} has the fixed input {wanted}, got {spec}; export it again for another shape")


def examples(specs: Sequence[InputSpec]) -> list[Array]:
    """One array for each input."""
    return [spec.example(number) for number, spec in enumerate(specs)]


def random_like(arrays: Sequence[Array], seed: int = 1) -> list[Array]:
    """Arrays of the same shapes and types: normal noise, or the integers of the given arrays in another order."""
    rng = np.random.default_rng(seed)
    return [
        np.asarray(rng.standard_normal(a.shape), a.dtype)
        if a.dtype.kind == "f"
        else rng.permutation(a.reshape(-1)).reshape(a.shape)
        for a in arrays
    ]


def structured_like(arrays: Sequence[Array]) -> list[Array]:
    """Arrays of the same shapes and types that look like data: waves, ramps and edges, or repeating integers.

    A wrong border, a swapped axis or a bad approximation far from zero can hide in the average over noise.
    """
    return [_waves(a) if a.dtype.kind == "f" else _pattern(a) for a in arrays]


def _waves(like: Array) -> Array:
    value, edge = np.zeros(like.shape), np.ones(like.shape)
    for axis, extent in enumerate(like.shape):
        along = np.linspace(0, 1, extent).reshape([-1 if i == axis else 1 for i in range(like.ndim)])
        value = value + np.sin((axis + 1) * np.pi * along) + along
        edge = edge * (along > 0.4)
    value = value + 2 * edge
    deviation = float(value.std())
    return np.asarray((value - value.mean()) / deviation if deviation else value, like.dtype)


def _pattern(like: Array) -> Array:
    distinct = like.reshape(-1)[:7]
    return np.resize(distinct, like.shape) if like.size else like
