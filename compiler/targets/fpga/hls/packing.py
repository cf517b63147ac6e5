"""What the engine of an accelerator reads of each product: codes, lists of column tiles, and parameters of rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cocomp.passes.math.accelerator import PLANE_BITS, Gemm, Tiles
from cocomp.passes.math.quantisers import Quantiser

from .network import Array, Network, Product

AXES = 4


def code_bits(quantiser: Quantiser) -> int:
    """Bits that a code takes in memory."""
    return 4 if quantiser.bits <= 4 else 8


@dataclass(eq=False)
class Packed:
    """Bytes of codes, integers of everything else, and the layers that point into both."""

    weights: bytearray = field(default_factory=bytearray)
    parameters: list[int] = field(default_factory=list[int])
    layers: list[dict[str, int | list[int]]] = field(default_factory=list[dict[str, int | list[int]]])
    blocks: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Of each product: blocks (tile of rows by tile of columns) that are in the lists, and that there are."""
    most_entries: int = 1


def pack(network: Network) -> Packed:
    """Every product of a network, in order. Raises ValueError where rows have a quantiser without a core."""
    packed = Packed()
    for number, product in enumerate(network.products):
        _pack(number, product, network, packed)
    return packed


def _pack(number: int, product: Product, network: Network, packed: Packed) -> None:
    tiles, gemm = network.tiles, product.gemm
    windows = product.windows
    assert windows is not None
    row_tiles, _ = tiles.steps(gemm)
    pixels = [axis.pixel for axis in windows.others]
    axes = [*windows.others, *([None] * (AXES - len(windows.others)))]
    kind = product.x.kind
    others = [a for a in range(len(product.x.shape)) if a != windows.axis]
    kept = [a for a in others if _is_read(product, a)]
    order = network.orders.get(product.y.order)
    layer: dict[str, int | list[int]] = {
        "number": number,
        "planes": -(-kind.bits // PLANE_BITS),
        "low": kind.low,
        "fill": product.fill - kind.low,
        "input": product.x.offset,
        "output": product.y.offset,
        "bytes": product.y.width // 8,
        "least": product.y.kind.low,
        "most": product.y.kind.high,
        "pixels": [product.bounds[a.pixel] if a and a.pixel >= 0 else 1 for a in axes],
        "steps": [a.step if a else 0 for a in axes],
        "extents": [a.extent if a else 1 for a in axes],
        "strides": [*(product.x.strides[a] for a in kept), *([0] * (AXES - len(kept)))],
        "out": [_stride(product, d) if d >= 0 else 0 for d in pixels] + [0] * (AXES - len(pixels)),
        "in_order": int(order is not None),
        "row_tiles": row_tiles,
        "weights": len(packed.weights),
        "parameters": len(packed.parameters),
    }
    packed.layers.append(layer)
    entries = _entries(product, tiles.lanes, network.orders.get(product.x.order))
    numerators, kept_blocks = gemm.numerators, 0
    bias = gemm.bias.astype(np.int64) + kind.low * numerators.sum(axis=1)
    offsets = _row_offsets(product, order)
    for r in range(row_tiles):
        groups = [_rows_of(gemm, tiles, place, r) for place in range(3)]
        members = np.array([row for group in groups for row in group if row >= 0])
        used = [e for e in entries if numerators[members][:, e.columns[e.columns >= 0]].any()] or entries[:1]
        kept_blocks += len(used)
        packed.most_entries = max(packed.most_entries, len(used))
        packed.parameters += [len(used), r * sum(tiles.rows)]
        for entry in used:
            packed.parameters += [*entry.taps, entry.channel]
        for group in groups:
            for row in group:
                factor = gemm.factors[row] if row >= 0 else None
                packed.parameters += (
                    [row, int(offsets[row]), int(bias[row]), factor.multiplier, factor.shift]
                    if factor
                    else [-1, 0, 0, 0, 0]
                )
        for entry in used:
            for place, group in enumerate(groups):
                if tiles.rows[place]:
                    packed.weights += _codes(gemm, place, group, entry.columns, tiles.lanes)
    packed.blocks.append((kept_blocks, row_tiles * len(entries)))


@dataclass(frozen=True)
class _Entry:
    taps: list[int]
    channel: int
    columns: Array
    """Of the weights, for each lane; -1 for none."""


def _entries(product: Product, lanes: int, order: Array | None) -> list[_Entry]:
    """Tiles of columns: of every tap the words of channels as they lie in memory."""
    windows = product.windows
    assert windows is not None
    extent = product.x.extent if order is not None else windows.channels
    channels = np.full(-(-extent // lanes) * lanes, -1, np.int64)
    channels[np.arange(windows.channels) if order is None else order] = np.arange(windows.channels)
    extents = [product.bounds[d] for d in product.columns[:-1]]
    found: list[_Entry] = []
    for number, tap in enumerate(np.ndindex(*extents)):
        at = dict(zip(product.columns[:-1], tap, strict=True))
        taps = [a.pace * at.get(a.tap, 0) + a.offset for a in windows.others]
        taps += [0] * (AXES - len(taps))
        for first in range(0, len(channels), lanes):
            word = channels[first : first + lanes]
            found.append(_Entry(taps, first, np.where(word >= 0, number * windows.channels + word, -1)))
    return found


def _rows_of(gemm: Gemm, tiles: Tiles, place: int, tile: int) -> list[int]:
    """Rows of the model in a tile, filled with -1."""
    count = tiles.rows[place]
    found = gemm.group(place)[tile * count : (tile + 1) * count].tolist()
    return found + [-1] * (count - len(found))


def _codes(gemm: Gemm, place: int, rows: list[int], columns: Array, lanes: int) -> bytes:
    quantiser = gemm.quantisers[place]
    zero = int(quantiser.encode(np.zeros(1, np.int64))[0])
    codes = np.full((len(rows), lanes), zero, np.uint8)
    for i, row in enumerate(rows):
        if row >= 0:
            codes[i] = np.where(columns >= 0, gemm.codes[row, columns], zero)
    flat = codes.reshape(-1)
    if code_bits(quantiser) == 8:
        return flat.tobytes()
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()


def _is_read(product: Product, axis: int) -> bool:
    """Whether an axis of the input is one of `windows.others`, which leaves out those of one element."""
    expr = product.read[axis]
    return product.x.shape[axis] > 1 or bool(expr.dims()) or bool(expr.constant)


def _stride(product: Product, dim: int) -> int:
    """Numbers between the results of neighbouring pixels along a loop dimension."""
    return sum(e.coefficient(dim) * s for e, s in zip(product.written, product.y.strides, strict=True))


def _row_offsets(product: Product, order: Array | None) -> Array:
    """Where each row's results begin: int64[rows]."""
    if order is not None:
        return order
    extents = [product.bounds[d] for d in product.rows]
    grids = np.ogrid[tuple(slice(n) for n in extents)]
    total = sum(
        (g * _stride(product, d) for g, d in zip(grids, product.rows, strict=True)), np.zeros(extents, np.int64)
    )
    return total.reshape(-1)
