"""Asking for weights before they are needed."""

from __future__ import annotations

from cocomp.support.mlir import ir, memref

from . import _builder as b
from ._builder import Index

MIN_BYTES = 256 << 10
"""Weights of a layer from which on they are expected to come from beyond the L2 cache."""


STREAM_AHEAD = 64
"""Columns ahead of those that are read, where a tile is the only one that reads them."""


def prefetch_following(
    weights: ir.Value, end: Index, columns: Index, width: int, turn: Index, turns: int, column: Index
) -> None:
    """Ask for what follows position `end`, as many columns of `width` elements as are being read, spread over all their reads:
    `turns` passes over the columns, of which this is number `turn`, now at `column`. A first pass alone would have to read
    them from memory as fast as it multiplies with them."""
    step = -(-width // turns)
    behind = b.add(b.mul(b.mul(turn, columns), step), b.mul(column, step))
    memref.PrefetchOp(weights, [b.value(b.add(end, behind))], False, 3, True)
