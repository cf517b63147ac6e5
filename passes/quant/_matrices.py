"""The weights of contractions as matrices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cocomp.dialects import structured
from cocomp.passes.math import affine
from cocomp.support.mlir import ir, ops_in


@dataclass(frozen=True)
class Weight:
    """A weight of a contraction, and the loops that read it."""

    op: ir.Operation
    argument: ir.BlockArgument
    name: str
    loops: structured.Loops

    def rows(self, weight: np.ndarray) -> np.ndarray | None:
        """A view of a contiguous weight, [rows.., columns..] by the loops' dimensions; None where it is read through a reshape. The first
        axes are the rows': output channels."""
        found = affine.linearize(self.loops.maps[1], weight.shape)
        if not found.is_linear:
            return None
        dims = [*self.row_dims, *self.column_dims]
        strides = [found.coefficient(d) * weight.itemsize for d in dims]
        flat = weight.reshape(-1)[found.constant :]
        return np.lib.stride_tricks.as_strided(flat, [self.loops.bounds[d] for d in dims], strides)

    @property
    def row_dims(self) -> list[int]:
        return sorted(self._dims(1) & self._dims(2))

    @property
    def column_dims(self) -> list[int]:
        return sorted(self._dims(1) - self._dims(2))

    def _dims(self, operand: int) -> frozenset[int]:
        return frozenset[int]().union(*(e.dims() for e in self.loops.maps[operand]))


def weights_of(block: ir.Block) -> Iterator[Weight]:
    """Every constant weight of a contraction, also of depth-wise ones."""
    for op in ops_in(block):
        if not structured.is_contract(op):
            continue
        loops = structured.loops_of(op)
        value, index = structured.through_views(op.operands[1], loops.maps[1], loops.bounds)
        name = structured.weight_name(value)
        if name is not None:
            maps = (loops.maps[0], index, loops.maps[2])
            yield Weight(op, ir.BlockArgument(value), name, dataclasses.replace(loops, maps=maps))
