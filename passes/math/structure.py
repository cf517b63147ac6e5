"""How the zeros of a weight are arranged: which rows keep the same columns, and which blocks.

A mask says what is kept: bool[rows, channels, positions], a convolution's filters, input channels and kernel positions
(one position for a linear layer). Its matrix has the columns channel * positions + position, as im2col has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

MAX_BLOCK = 256
"""Largest side of a block that is told apart from the whole matrix."""


NEARLY_DENSE = 0.95
"""Share of kept elements above which zeros are not worth a look."""


@dataclass(frozen=True)
class Dense:
    """Every element may be kept."""


@dataclass(frozen=True)
class Blocks:
    """Blocks of `rows` x `columns` of the matrix keep whole rows and whole columns (BCR, GRIM); with one row, no
    structure: every row keeps columns of its own."""

    rows: int
    columns: int


@dataclass(frozen=True)
class KernelGroups:
    """`rows` filters x `channels` channels keep the same kernel positions (KGS, RT3D)."""

    rows: int
    channels: int


Structure = Dense | Blocks | KernelGroups


def find_structure(kept: Array) -> Structure:
    """The coarsest structure that describes a mask exactly; hardly any zeros count as none."""
    if kept.mean() > NEARLY_DENSE:
        return Dense()
    rows, channels, positions = kept.shape
    row_group = _period(kept, 0)
    channel_group = _period(kept, 1)
    if positions > 1 and channel_group > 1:
        return KernelGroups(row_group, channel_group)
    matrix = kept.reshape(rows, channels * positions)
    height, width = _largest_block(matrix[::row_group])
    return Blocks(min(height * row_group, rows), width)


def kept_columns(kept: Array, group: int) -> float:
    """Mean number of columns that groups of `group` neighbouring rows keep; `kept` is bool[outer rows, rows, columns]."""
    outer, rows, columns = kept.shape
    count = -(-rows // group)
    padded = np.zeros((outer, count * group, columns), bool)
    padded[:, :rows] = kept
    return float(padded.reshape(outer, count, group, columns).any(axis=2).sum() / (outer * count))


def _period(kept: Array, axis: int) -> int:
    """Largest number of neighbours along `axis` that are always alike."""
    moved = np.moveaxis(kept, axis, 0)
    flat = moved.reshape(moved.shape[0], -1)
    changes = np.flatnonzero((flat[1:] != flat[:-1]).any(axis=1)) + 1
    return math.gcd(*map(int, changes)) if len(changes) else flat.shape[0]


def _largest_block(matrix: Array) -> tuple[int, int]:
    """Sides of the largest blocks, powers of two or the whole side, in which whole rows and whole columns are kept."""
    best = (1, 1)
    for height in _sides(matrix.shape[0]):
        width = 1
        for wider in _sides(matrix.shape[1]):
            if not _keeps_rows_and_columns(matrix, height, wider):
                break
            width = wider
        if width == 1 and height > 1:
            break
        best = max(best, (height, width), key=lambda sides: sides[0] * sides[1])
    return best


def _sides(extent: int) -> list[int]:
    powers = [1 << p for p in range(MAX_BLOCK.bit_length()) if 1 << p < extent]
    return [*powers, extent]


def _keeps_rows_and_columns(matrix: Array, height: int, width: int) -> bool:
    rows, columns = -(-matrix.shape[0] // height), -(-matrix.shape[1] // width)
    padded = np.zeros((rows * height, columns * width), bool)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    blocks = padded.reshape(rows, height, columns, width)
    outer = blocks.any(axis=3, keepdims=True) & blocks.any(axis=1, keepdims=True)
    return bool((outer == blocks).all())
