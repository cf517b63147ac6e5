"""No structure at all: compressed sparse rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ._base import Array, Encoding, Shape, starts_of


@dataclass(frozen=True)
class Csr(Encoding):
    """Every row of the matrix keeps columns of its own. Packed: `starts` i32[rows + 1], `columns` i32 and `values` [kept]."""

    name: ClassVar[str] = "csr"

    @classmethod
    def find(cls, kept: Array) -> Self | None:
        return cls()

    def describes(self, kept: Array) -> bool:
        return True

    def indices(self, kept: Array) -> int:
        return int(kept.sum()) + len(kept)

    def pack(self, weight: Array) -> dict[str, Array]:
        matrix = weight.reshape(len(weight), -1)
        rows, columns = np.nonzero(matrix)
        starts = starts_of(np.bincount(rows, minlength=len(matrix)))
        return {"starts": starts, "columns": columns.astype(np.int32), "values": matrix[rows, columns]}

    def unpack(self, packed: Mapping[str, Array], shape: Shape) -> Array:
        matrix = np.zeros((shape[0], shape[1] * shape[2]), packed["values"].dtype)
        rows = np.repeat(np.arange(shape[0]), np.diff(packed["starts"]))
        matrix[rows, packed["columns"]] = packed["values"]
        return matrix.reshape(shape)

    def scores(self, weight: Array) -> Array:
        return np.abs(weight)
