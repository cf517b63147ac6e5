"""Squares of registers transposed."""

from __future__ import annotations

from collections.abc import Sequence

from cocomp.passes.math.shuffles import transpose_stages, transposed_columns
from cocomp.support.mlir import ir, vector

SEGMENT_BYTES = 16
"""What shuffles reach across cheaply, on every vector unit."""


def transpose(registers: Sequence[ir.Value], element_bytes: int) -> list[ir.Value]:
    """As many registers as each has lanes, turned: lane i of register j becomes lane j of register i."""
    lanes = len(registers)
    segment = min(lanes, SEGMENT_BYTES // element_bytes)
    current = list(registers)
    for stage in transpose_stages(lanes, segment):
        current = [vector.shuffle(current[s.first], current[s.second], list(s.picks)) for s in stage]
    columns = transposed_columns(lanes, segment)
    return [register for _, register in sorted(zip(columns, current, strict=True), key=lambda pair: pair[0])]
