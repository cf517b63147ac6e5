"""The stages of a module, as estimates know them."""

from __future__ import annotations

from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import PLANE_BITS
from cocomp.passes.math.accelerator.stages import Counts, Product, Stage, Sweep
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.weights import WeightStore

from ._layouts import Layout, layouts_of

ARITHMETIC = ("arith.addi", "arith.shrsi", "arith.maxsi", "arith.minsi", "arith.select", "arith.cmpi")
TABLE_BITS = 16
BLOCK = 16
"""Rows and columns of the blocks that `kept` counts. Tiles are not known yet: the engine skips those of its own sizes, which are larger for
most designs, so that the estimate is the lower bound of the time."""


def stages_of(module: ir.Module, weights: WeightStore) -> list[Stage]:
    """What a module computes, in order, with sizes alone."""
    block = module.body.operations[0].operation.regions[0].blocks[0]
    layouts = layouts_of(block)
    found: list[Stage] = []
    for number, op in enumerate(ops_in(block)):
        if hls.is_product(op):
            found.append(_product(op, weights, number, layouts))
        elif hls.is_sweep(op):
            found.append(_sweep(op, weights, number, layouts))
    return found


def _name(op: ir.Operation, number: int) -> str:
    places = origins(op.location)
    return f"{number}:{(places[0][1] or places[0][0]) if places else op.name}"


def _bytes(value: ir.Value) -> int:
    """Of a number in memory."""
    return next(n for n in (1, 2, 4) if hls.type_of(value).bits <= 8 * n)


def _places(op: ir.Operation, weights: WeightStore) -> np.ndarray:
    return weights[f"{op.attributes['weights'].value}:places"]


def _counts(op: ir.Operation | None, weights: WeightStore) -> Counts | None:
    """Rows of each quantiser, of a product if there is one."""
    if op is None:
        return None
    coarse, fine, wide = np.bincount(_places(op, weights), minlength=3).tolist()
    return coarse, fine, wide


def _product(op: ir.Operation, weights: WeightStore, number: int, layouts: dict[ir.Value, Layout]) -> Product:
    bounds, rows, columns = hls.bounds_of(op), list(op.attributes["rows"]), list(op.attributes["columns"])
    windows = hls.windows_of(op)
    assert windows is not None, "unfold-inputs leaves windows only"
    x, y = op.operands[0], op.results[0]
    counts, source, maker = _counts(op, weights), layouts[x].product, layouts[y].product
    assert counts is not None
    return Product(
        _name(op, number), counts, windows.channels, prod(bounds[d] for d in columns[:-1]),
        prod(n for d, n in enumerate(bounds) if d not in (*rows, *columns)), prod(structured.shape_of(x)) // windows.channels, _bytes(y),
        _kept(op, source, weights, windows.channels), -(-hls.type_of(x).bits // PLANE_BITS), _counts(source, weights),
        maker is None or maker != op,
    )  # fmt: skip


def _kept(op: ir.Operation, source: ir.Operation | None, weights: WeightStore, channels: int) -> float:
    """The share of blocks that are not zero, of rows in the engine's order by channels of a tap in theirs."""
    codes, places = weights[f"{op.attributes['weights'].value}:codes"], _places(op, weights)
    quantisers = [parse_quantiser(q.value) for q in op.attributes["quantisers"]]
    used = np.zeros(codes.shape, bool)
    for place, quantiser in enumerate(quantisers):
        used[places == place] = quantiser.table[codes[places == place]] != 0
    used = used[np.argsort(places, kind="stable")].reshape(len(places), -1, channels)
    if source is not None:
        used = used[:, :, np.argsort(_places(source, weights), kind="stable")]
    used = np.pad(used, ((0, -len(places) % BLOCK), (0, 0), (0, -channels % BLOCK)))
    blocks = used.reshape(len(used) // BLOCK, BLOCK, used.shape[1], -1, BLOCK).any(axis=(1, 4))
    return max(float(blocks.mean()), 1 / blocks.size)


def _sweep(op: ir.Operation, weights: WeightStore, number: int, layouts: dict[ir.Value, Layout]) -> Sweep:
    """Each is a function with hardware of its own."""
    inner = ops_in(op.regions[0].blocks[0])
    tables = sum(len(weights[o.attributes["values"].value]) * TABLE_BITS for o in inner if o.name == "hls.table")
    points = prod(hls.bounds_of(op))
    reads = sum(points * _bytes(value) for value, _, _ in hls.reads_of(op))
    y = op.results[0]
    writes = prod(structured.shape_of(y)) * _bytes(y)
    length, is_along = _side(op, layouts[y])
    return Sweep(
        _name(op, number), points, reads, writes, sum(o.name == "arith.muli" for o in inner),
        sum(o.name in ARITHMETIC for o in inner) + (op.attributes["combine"].value != "none"), tables, length=length,
        source=_counts(layouts[y].product, weights) if is_along else None,
    )  # fmt: skip


def _side(op: ir.Operation, layout: Layout) -> tuple[int, bool]:
    """Points that lie side by side in the result, and whether there are any: the loop along its innermost axis, where that is one."""
    written, shape, bounds = hls.map_of(op), structured.shape_of(op.results[0]), hls.bounds_of(op)
    axis = layout.axis if layout.axis >= 0 else len(shape) - 1
    dim = hls.line_of(written, bounds, axis)
    if dim < 0:
        return 1, False
    return bounds[dim], structured.dim_of(written[axis]) == dim and bounds[dim] == shape[axis]
