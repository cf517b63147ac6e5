"""All weights of a model in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALIGNMENT = 64
"""Bytes; a cache line."""


@dataclass(frozen=True)
class Blob:
    """Where each weight begins in the file, in bytes, and how long the file is."""

    offsets: dict[str, int]
    size: int


def write_blob(weights: Mapping[str, np.ndarray], path: Path) -> Blob:
    """Write all arrays one after the other; booleans as bytes."""
    offsets: dict[str, int] = {}
    position = 0
    with path.open("wb") as file:
        for name, array in weights.items():
            padding = -position % ALIGNMENT
            file.write(bytes(padding))
            position += padding
            offsets[name] = position
            data = np.ascontiguousarray(array)
            file.write(data.data.cast("B") if data.size else b"")
            position += data.nbytes
        file.write(bytes(ALIGNMENT))  # vectors may be loaded past the last weight
    return Blob(offsets, position + ALIGNMENT)
