"""All weights of a model in one file."""

from __future__ import annotations

from collections.abc import Container, Mapping
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
    released_from: int
    """Weights from here on are needed once, when the model is created."""


def write_blob(
    weights: Mapping[str, np.ndarray], needed_once: Container[str], path: Path, alignment: int = ALIGNMENT
) -> Blob:
    """Write all arrays one after the other, those `needed_once` last; booleans as bytes."""
    offsets: dict[str, int] = {}
    position = 0
    order = sorted(weights, key=lambda name: name in needed_once)
    with path.open("wb") as file:
        for name in order:
            array = weights[name]
            padding = -position % alignment
            file.write(bytes(padding))
            position += padding
            offsets[name] = position
            data = np.ascontiguousarray(array)
            file.write(data.data.cast("B") if data.size else b"")
            position += data.nbytes
        file.write(bytes(ALIGNMENT))  # vectors may be loaded past the last weight
    released = min((offsets[n] for n in order if n in needed_once), default=position)
    return Blob(offsets, position + ALIGNMENT, released)
