"""Accumulators of a register tile in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cocomp.support.mlir import ir, vector

from . import _builder as b
from ._builder import Index


@dataclass(frozen=True)
class Accumulators:
    """`memory` [rows][registers][lanes]; a row may be a pixel of a tile along rows."""

    memory: ir.Value
    registers: int
    lanes: int

    def load(self, row: Index) -> list[ir.Value]:
        """The registers of a row."""
        return [vector.load(self._kind, self.memory, [b.value(at)]) for at in self._places(row)]

    def store(self, row: Index, totals: Sequence[ir.Value]) -> None:
        """Set the registers of a row."""
        for at, total in zip(self._places(row), totals, strict=True):
            vector.store(total, self.memory, [b.value(at)])

    def clear(self, rows: int) -> None:
        """Set all of the first rows to zero."""
        zeros = [b.zero(self._kind)] * self.registers
        b.loop(0, rows, 1, lambda row: self.store(row, zeros))

    @property
    def _kind(self) -> ir.VectorType:
        return ir.VectorType.get([self.lanes], self.memory.type.element_type)

    def _places(self, row: Index) -> list[Index]:
        first = b.mul(row, self.registers * self.lanes)
        return [b.add(first, v * self.lanes) for v in range(self.registers)]
