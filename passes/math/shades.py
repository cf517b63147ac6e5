"""Tiles of contractions on a GPU, by a count of what an invocation does for each column, and workgroups of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import log2, prod

TEXEL = 4
"""Elements that are fetched at once, rows of a vector."""
MOST_ROWS = 16
MOST_PIXELS = 16
LEAST_INVOCATIONS, USUAL_INVOCATIONS = 16, 64
"""Of a workgroup."""
MOST_IDLE = 1.25
"""Times the invocations of the best workgroup from which on another is not worth measuring."""


@dataclass(frozen=True)
class Prices:
    """Cycles of what an invocation does, relative to each other, and what it has room for."""

    texel: float
    """To fetch four neighbouring elements."""
    element: float
    """To fetch one."""
    weight: float
    """To fetch four neighbouring elements of a weight, or one entry of a list: the same for all invocations of a workgroup."""
    product: float
    """To multiply four rows by a pixel and to add."""
    accumulators: int
    """Elements of a tile, at most."""


@dataclass(frozen=True)
class Tile:
    """What an invocation computes: `rows`, a multiple of four, by `pixels`."""

    rows: int
    pixels: int
    unit: int = 0
    """Columns that an entry of the lists of kept columns stands for; 0 where all columns are kept."""


@dataclass(frozen=True)
class Shape:
    """A contraction on a GPU."""

    rows: int
    pixels: int
    """Extent of the dimension that is tiled."""
    outer: int
    """How often both are there: other pixels, groups, batches."""
    columns: int
    together: int
    """Neighbouring columns of the input that are read as a texel; 1 where each is read alone."""
    window: int = 1
    """Pixels that a pool makes one of: a tile has whole windows of them."""
    kept: Mapping[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])
    """(rows, unit) -> mean length of a row group's list; empty where no zeros can be left out."""


def tiles(shape: Shape, prices: Prices) -> Iterator[Tile]:
    """Those that can be had, the larger ones first."""
    units = [0, *sorted({unit for _, unit in shape.kept})]
    for rows in range(MOST_ROWS, 0, -TEXEL):
        if rows - TEXEL >= shape.rows:
            continue
        for pixels in range(min(MOST_PIXELS, shape.pixels, max(1, prices.accumulators // rows)), 0, -1):
            if pixels % shape.window == 0:
                yield from (Tile(rows, pixels, unit) for unit in units)


def cycles(shape: Shape, tile: Tile, prices: Prices) -> float:
    """Predicted cycles of all invocations together."""
    vectors = tile.rows // TEXEL
    width = tile.unit or shape.together
    entries = shape.kept[tile.rows, tile.unit] if tile.unit else shape.columns / width
    read = tile.pixels * (prices.texel if width > 1 else prices.element) + bool(tile.unit) * prices.weight
    multiplied = width * vectors * (prices.weight + tile.pixels * prices.product)
    written = vectors * tile.pixels * prices.texel
    invocations = prod((shape.outer, -(-shape.rows // tile.rows), -(-shape.pixels // tile.pixels)))
    return invocations * (entries * (read + multiplied) + written)


def rank(shape: Shape, prices: Prices, force: bool = False) -> list[tuple[float, Tile]]:
    """(predicted cycles, tile), the fewest first, of equal ones the larger tile; with `force` only those that leave zeros out, where
    there are any."""
    found = [tile for tile in tiles(shape, prices) if tile.unit or not (force and shape.kept)]
    return sorted(((cycles(shape, tile, prices), tile) for tile in found), key=lambda ranked: ranked[0])


def workgroups(tiles: int, groups: int, most: int) -> list[tuple[int, int]]:
    """Workgroups for so many tiles of pixels by so many row groups, each of some tiles and row groups, powers of two: from
    `LEAST_INVOCATIONS` to `most` invocations or as many as there is work for, with no more than `MOST_IDLE` times the invocations that
    are needed at least. First those with the fewest idle ones, of equal ones those of the usual size."""
    wide, high = ((n - 1).bit_length() for n in (tiles, groups))
    least = min(LEAST_INVOCATIONS.bit_length() - 1, wide + high)
    shapes = [(1 << w, 1 << h) for w in range(wide + 1) for h in range(high + 1) if least <= w + h < most.bit_length()]

    def order(shape: tuple[int, int]) -> tuple[int, float, int]:
        invocations = prod(-(-count // size) * size for count, size in zip((tiles, groups), shape, strict=True))
        return invocations, abs(log2(prod(shape) / USUAL_INVOCATIONS)), -shape[0]

    ranked = sorted((order(shape), shape) for shape in shapes)
    return [shape for (invocations, *_), shape in ranked if invocations <= MOST_IDLE * ranked[0][0][0]]
