"""What the engine of an accelerator reads of each product: codes, lists of column tiles, and parameters of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from cocomp.passes.math.accelerator import PLANE_BITS, Gemm
from cocomp.passes.math.accelerator.design import WEIGHT_SEGMENT
from cocomp.passes.math.accelerator.tiles import CHUNK_BYTES, code_bits

from .network import Array, Network, Product

AXES = 4
QUAD = 4
"""Parameters that the memory gives at once."""
HEAD_QUADS = 3
"""Of a step."""
ANEW, ON, ON_BELOW = range(3)
"""What the sums of a step begin with: nothing, those of the step before, or these as the planes above."""
Layer = dict[str, "int | list[int] | Layer"]


@dataclass(eq=False)
class Packed:
    """Bytes of codes, integers of everything else, and the layers that point into both."""

    weights: bytearray = field(default_factory=bytearray)
    parameters: list[int] = field(default_factory=list[int])
    layers: list[Layer] = field(default_factory=list[Layer])
    blocks: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Of each product: blocks (tile of rows by tile of columns) that are in the lists, and that there are."""
    most_entries: int = 1
    """Of a step."""

    @property
    def quads(self) -> int:
        return len(self.parameters) // QUAD

    def add(self, numbers: Array, length: int) -> int:
        """Where numbers are among the parameters, followed by zeros up to a length, in quads."""
        at = self.quads
        self.parameters += np.pad(numbers, (0, length - len(numbers))).tolist()
        return at


def pack(network: Network) -> Packed:
    """Every product of a network, in order. Raises ValueError where rows have a quantiser without a core."""
    packed = Packed()
    for number, product in enumerate(network.products):
        packed.layers.append(_pack(number, product, network, packed))
    return packed


def _pack(number: int, product: Product, network: Network, packed: Packed) -> Layer:
    tiles, gemm = network.tiles, product.gemm
    windows = product.windows
    assert windows is not None and product.x.axis == windows.axis and product.x.width == 8, (
        "unfold-inputs leaves those alone"
    )
    pixels = [axis.pixel for axis in windows.others]
    axes = [*windows.others, *([None] * (AXES - len(windows.others)))]
    kind = product.x.kind
    planes = -(-kind.bits // PLANE_BITS)
    strides = _word_strides(product, tiles.lanes)
    words = _words(product, tiles.lanes)
    bounds = [product.bounds[a.pixel] if a and a.pixel >= 0 else 1 for a in axes]
    steps = [a.step if a else 0 for a in axes]
    entries = _entries(product, tiles.lanes, network.orders.get(product.x.order), strides)
    row_tiles, _ = tiles.steps(gemm)
    taps = prod(product.bounds[d] for d in product.columns[:-1])
    is_held = network.design.holds(words * planes, taps * row_tiles * planes)
    walk: Layer = {
        "input": product.x.offset // tiles.lanes,
        "words": words,
        "held": int(is_held),
        "planes": planes,
        "low": kind.low,
        "fill": product.fill - kind.low,
        "pixels": bounds,
        "steps": steps,
        "paces": [step * stride for step, stride in zip(steps, strides, strict=True)],
        "extents": [a.extent if a else 1 for a in axes],
    }
    out = [_stride(product, d) if d >= 0 else 0 for d in pixels] + [0] * (AXES - len(pixels))
    assert not product.y.order or not any(n % network.design.requantisers for n in (product.y.offset, *out)), (
        "channels fill whole words"
    )
    sink: Layer = {
        "number": number,
        "output": product.y.offset,
        "bytes": product.y.width // 8,
        "in_order": int(product.y.order != ""),
        "least": product.y.kind.low,
        "most": product.y.kind.high,
        "pixels": bounds,
        "out": out,
    }
    heads = _Steps(product, network, packed, entries, planes).run()
    at = packed.quads
    packed.parameters += heads
    return {
        "walk": walk,
        "sink": sink,
        "pixels": product.pixel_count,
        "steps": len(heads) // (HEAD_QUADS * QUAD),
        "parameters": at,
    }


@dataclass(frozen=True)
class _Entry:
    taps: list[int]
    offset: int
    """Words after the pixel's."""
    columns: Array
    """Of the weights, for each lane; -1 for none."""


class _Steps:
    """The steps of a product: one for each tile of rows. Of a single pixel those whose list is longer than the buffers take several, plane by
    plane, each with a segment of the list."""

    def __init__(self, product: Product, network: Network, packed: Packed, entries: list[_Entry], planes: int) -> None:
        self.product, self.packed, self.entries, self.planes = product, packed, entries, planes
        self.gemm, self.design = product.gemm, network.design
        self.offsets = _row_offsets(product, network.orders.get(product.y.order))
        low = product.x.kind.low
        self.bias = self.gemm.bias.astype(np.int64) + low * self.gemm.numerators.sum(axis=1)
        self.columns = np.stack([e.columns for e in entries])
        self.lists: dict[tuple[int, ...], int] = {}
        self.heads: list[int] = []

    def run(self) -> list[int]:
        """`HEAD_QUADS` quads for each step."""
        slot, kept = 0, 0
        members = self.design.members(self.gemm.places)
        for groups in members:
            rows, words = np.concatenate(groups), self.design.words(groups)
            seen = np.append((self.gemm.numerators[rows] != 0).any(axis=0), False)  # the last one for those of no lane
            used = np.flatnonzero(seen[self.columns].any(axis=1)).tolist() or [0]
            kept += len(used)
            filled = [
                np.pad(group, (0, count - len(group)), constant_values=-1)
                for group, count in zip(groups, self.design.tiles.rows, strict=True)
            ]
            self._tile(slot, filled, used, [self._rows(words.reshape(-1).tolist()), *map(len, groups)])
            slot += words.size
        self.packed.blocks.append((kept, len(members) * len(self.entries)))
        return self.heads

    def _tile(self, slot: int, groups: list[Array], used: list[int], rows: list[int]) -> None:
        if self.product.pixel_count > 1 or len(used) <= WEIGHT_SEGMENT:
            self._step(self._codes(groups, used), rows, used, [slot, 0, self.planes, ANEW | 4])
            return
        segments = [used[n : n + WEIGHT_SEGMENT] for n in range(0, len(used), WEIGHT_SEGMENT)]
        codes = [self._codes(groups, segment) for segment in segments]
        for plane in reversed(range(self.planes)):
            for number, (segment, at) in enumerate(zip(segments, codes, strict=True)):
                begin = ON if number else ON_BELOW if plane < self.planes - 1 else ANEW
                is_last = plane == 0 and number == len(segments) - 1
                self._step(at, rows, segment, [slot, plane, 1, begin | 4 * is_last])

    def _step(self, codes: int, rows: list[int], used: list[int], rest: list[int]) -> None:
        """`rows` are where they are, and how many there are of each quantiser."""
        self.packed.most_entries = max(self.packed.most_entries, len(used))
        at, *counts = rows
        self.heads += [len(used), self._list(used), at, codes, *rest, *counts, 0]

    def _list(self, used: list[int]) -> int:
        """Where a list of entries is; equal ones are there once."""
        key = tuple(used)
        if key not in self.lists:
            self.lists[key] = self.packed.quads
            for entry in (self.entries[n] for n in used):
                first, second, third, fourth = (tap & 0xFFFF for tap in entry.taps)
                self.packed.parameters += [
                    _signed(first | second << 16),
                    _signed(third | fourth << 16),
                    entry.offset,
                    0,
                ]
        return self.lists[key]

    def _rows(self, rows: list[int]) -> int:
        at = self.packed.quads
        for row in rows:
            if row < 0:
                self.packed.parameters += [-1, 0, 0, 0]
            else:
                factor = self.gemm.factors[row]
                scale = _signed((factor.multiplier << 8 | factor.shift) & 0xFFFFFFFF)
                self.packed.parameters += [row, int(self.offsets[row]), int(self.bias[row]), scale]
        return at

    def _codes(self, groups: list[Array], used: list[int]) -> int:
        """Where the codes are: those of one quantiser side by side, entry by entry, each from the beginning of a chunk on."""
        at = len(self.packed.weights) // CHUNK_BYTES
        for place, group in enumerate(groups):
            if len(group):
                self.packed.weights += _codes(self.gemm, place, group, self.columns[used])
        return at


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number


def _codes(gemm: Gemm, place: int, rows: Array, columns: Array) -> bytes:
    """int64[rows], int64[entries, lanes] -> bytes; 0 where there is no row or column."""
    quantiser = gemm.quantisers[place]
    zero = int(quantiser.encode(np.zeros(1, np.int64))[0])
    found = gemm.codes[rows[None, :, None], columns[:, None, :]]
    found = np.where((rows[None, :, None] >= 0) & (columns[:, None, :] >= 0), found, zero).astype(np.uint8)
    flat = found.reshape(len(columns), -1)
    at_once = 8 * CHUNK_BYTES // code_bits(quantiser)
    flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % at_once)))
    if code_bits(quantiser) == 8:
        return flat.tobytes()
    return (flat[:, 0::2] | flat[:, 1::2] << 4).astype(np.uint8).tobytes()


def _word_strides(product: Product, lanes: int) -> list[int]:
    """Words between neighbours along each axis that windows have."""
    assert product.windows is not None
    others = [a for a in range(len(product.x.shape)) if a != product.windows.axis and _is_read(product, a)]
    assert all(product.x.strides[a] % lanes == 0 for a in others), "channels are innermost, in whole words"
    return [*(product.x.strides[a] // lanes for a in others), *([0] * (AXES - len(others)))]


def _words(product: Product, lanes: int) -> int:
    """Words of the tensor that a product reads."""
    x = product.x
    last = sum((n - 1) * s for a, (n, s) in enumerate(zip(x.shape, x.strides, strict=True)) if a != x.axis)
    return -(-(last + x.extent) // lanes)


def _entries(product: Product, lanes: int, order: Array | None, strides: list[int]) -> list[_Entry]:
    """Tiles of columns: of every tap the words of channels as they lie in memory."""
    windows = product.windows
    assert windows is not None
    channels = np.full(-(-product.x.extent // lanes) * lanes, -1, np.int64)
    channels[np.arange(windows.channels) if order is None else order] = np.arange(windows.channels)
    extents = [product.bounds[d] for d in product.columns[:-1]]
    found: list[_Entry] = []
    for number, tap in enumerate(np.ndindex(*extents)):
        at = dict(zip(product.columns[:-1], tap, strict=True))
        taps = [a.pace * at.get(a.tap, 0) + a.offset for a in windows.others]
        taps += [0] * (AXES - len(taps))
        first = sum(t * s for t, s in zip(taps, strides, strict=True))
        for word in range(len(channels) // lanes):
            lane = channels[word * lanes : (word + 1) * lanes]
            found.append(_Entry(taps, first + word, np.where(lane >= 0, number * windows.channels + lane, -1)))
    return found


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
