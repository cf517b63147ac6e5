"""What every encoding of a sparse weight can do.

A weight is float[rows, channels, positions]: a convolution's filters, input channels and kernel positions (one position
for a linear layer). What it keeps is bool of the same shape. Its matrix has the columns channel * positions + position,
as im2col has.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

Array = np.ndarray
Shape = tuple[int, int, int]
WHOLE = 1 << 30
"""As the side of a block: the whole side of the weight. Written `all`."""


@dataclass(frozen=True)
class Encoding(ABC):
    """One arrangement of zeros. The fields of a subclass are its parameters, positive numbers."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"expected a positive {field.name} in {self}, got {getattr(self, field.name)}")

    def __str__(self) -> str:
        numbers = ", ".join("all" if n == WHOLE else str(n) for n in dataclasses.astuple(self))
        return f"{self.name}<{numbers}>" if numbers else self.name

    @classmethod
    @abstractmethod
    def find(cls, kept: Array) -> Self | None:
        """The parameters that describe a mask with the fewest indices, None where none do."""

    @abstractmethod
    def describes(self, kept: Array) -> bool:
        """Whether a mask has this arrangement. Raises ValueError where the parameters do not fit the shape."""

    @abstractmethod
    def indices(self, kept: Array) -> int:
        """Numbers that the packed form holds beside the values."""

    @abstractmethod
    def pack(self, weight: Array) -> dict[str, Array]:
        """The packed form: `values`, and the arrays of indices that the class names."""

    @abstractmethod
    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        """The weight of a packed form."""

    def scores(self, weight: Array) -> Array:
        """For each element the root mean square of what it can be removed with: float[rows, channels, positions]."""
        raise ValueError(f"{self} ranks nothing across layers: prune layer by layer")

    def project(self, weight: Array, rate: float) -> Array:
        """What to keep of a weight: the units of the largest norm, 1/rate of the elements. bool of the weight's shape."""
        return top_share(self.scores(weight), 1 / rate)


def top_share(scores: Array, share: float) -> Array:
    """The elements of the largest score; those of equal score stay together."""
    wanted = min(scores.size, max(1, round(share * scores.size)))
    threshold = np.partition(scores, scores.size - wanted, axis=None)[scores.size - wanted]
    return scores >= threshold


def padded(array: Array, sides: tuple[int, ...]) -> Array:
    """An array with zeros behind the end of each axis, up to a multiple of `sides`."""
    missing = [(0, -extent % side) for extent, side in zip(array.shape, sides, strict=True)]
    return np.pad(array, missing) if any(after for _, after in missing) else array


def in_blocks(array: Array, rows: int, columns: int) -> Array:
    """The matrix of an array as [blocks down, blocks across, rows, columns], padded with zeros."""
    matrix = array.reshape(len(array), -1)
    rows, columns = min(rows, matrix.shape[0]), min(columns, matrix.shape[1])
    matrix = padded(matrix, (rows, columns))
    down, across = matrix.shape[0] // rows, matrix.shape[1] // columns
    return matrix.reshape(down, rows, across, columns).transpose(0, 2, 1, 3)


def from_blocks(blocks: Array, shape: tuple[int, ...]) -> Array:
    """What `in_blocks` was made of."""
    matrix = blocks.transpose(0, 2, 1, 3).reshape(blocks.shape[0] * blocks.shape[2], -1)
    return matrix[: shape[0], : shape[1] * shape[2]].reshape(shape)


def root_mean_square(squares: Array, axes: tuple[int, ...], present: Array) -> Array:
    """Over some axes, those that stay kept as length one; padding does not count."""
    return np.sqrt(squares.sum(axis=axes, keepdims=True) / np.maximum(1, present.sum(axis=axes, keepdims=True)))


def period(kept: Array, axis: int) -> int:
    """Largest number of neighbours along `axis` that are always alike."""
    moved = np.moveaxis(kept, axis, 0)
    flat = moved.reshape(moved.shape[0], -1)
    changes = np.flatnonzero((flat[1:] != flat[:-1]).any(axis=1)) + 1
    return math.gcd(*map(int, changes)) if len(changes) else flat.shape[0]


def starts_of(counts: Array) -> Array:
    """Where runs of the given lengths start, and where the last one ends: int32[runs + 1]."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
