"""Weights beside the IR: names to arrays, read lazily, shared by everything that a compilation does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .diagnostics import CompileError

Array = np.ndarray


class WeightStore(Mapping[str, Array]):
    """Names to numpy arrays. Arrays are never changed in place; a derived weight gets a new name."""

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        self._arrays: dict[str, Array] = dict(arrays or {})
        self._filled: dict[str, int] = {}

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, name: str, array: Array, filled: int = 0) -> str:
        """Store an array under `name`, or under `name#2`, `name#3`, ... when the name is taken; the name used.

        `filled` elements of it are zeros that the model knows nothing of: they give the array its shape."""
        unique, count = name, 1
        while unique in self._arrays:
            count += 1
            unique = f"{name}#{count}"
        self._arrays[unique] = array
        self._filled[unique] = filled
        return unique

    def filled(self, name: str) -> int:
        """Elements of an array that are no weights of the model."""
        return self._filled.get(name, 0)

    def discard(self, name: str) -> None:
        """Forget an array that nothing refers to any more."""
        self._arrays.pop(name, None)

    @classmethod
    def from_safetensors(cls, path: Path) -> WeightStore:
        """Every tensor of a safetensors file, mapped from disk."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as opened:  # pyright: ignore[reportUnknownVariableType]
                return cls({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise CompileError(f"cannot read the weights: {error}", where=str(path)) from None

    def to_safetensors(self) -> bytes:
        """The contents of a safetensors file."""
        from safetensors.numpy import save

        return save({name: np.asarray(array, order="C") for name, array in self._arrays.items()})
