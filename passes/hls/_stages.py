"""The stages of a module, as estimates know them."""

from __future__ import annotations

from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import PLANE_BITS
from cocomp.passes.math.accelerator.stages import Product, Stage, Sweep
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.weights import WeightStore

ARITHMETIC = ("arith.addi", "arith.shrsi", "arith.maxsi", "arith.minsi", "arith.select", "arith.cmpi")
TABLE_BITS = 16


def stages_of(module: ir.Module, weights: WeightStore) -> list[Stage]:
    """What a module computes, in order, with sizes alone."""
    block = module.body.operations[0].operation.regions[0].blocks[0]
    found: list[Stage] = []
    for number, op in enumerate(ops_in(block)):
        if hls.is_product(op):
            found.append(_product(op, weights, number))
        elif hls.is_sweep(op):
            found.append(_sweep(op, weights, number))
    return found


def _name(op: ir.Operation, number: int) -> str:
    places = origins(op.location)
    return f"{number}:{(places[0][1] or places[0][0]) if places else op.name}"


def _bytes(value: ir.Value) -> int:
    bits = hls.type_of(value).bits
    return prod(structured.shape_of(value)) * next(n for n in (1, 2, 4) if bits <= 8 * n)


def _product(op: ir.Operation, weights: WeightStore, number: int) -> Product:
    bounds, rows, columns = hls.bounds_of(op), list(op.attributes["rows"]), list(op.attributes["columns"])
    windows = hls.windows_of(op)
    assert windows is not None, "unfold-inputs leaves windows only"
    planes = -(-hls.type_of(op.operands[0]).bits // PLANE_BITS)
    taps = prod(bounds[d] for d in columns[:-1]) * planes
    pixels = prod(n for d, n in enumerate(bounds) if d not in (*rows, *columns))
    places = weights[f"{op.attributes['weights'].value}:places"]
    coarse, fine, wide = np.bincount(places, minlength=3).tolist()
    read = pixels * taps * windows.channels
    return Product(_name(op, number), (coarse, fine, wide), windows.channels, taps, pixels, read, _bytes(op.results[0]))


def _sweep(op: ir.Operation, weights: WeightStore, number: int) -> Sweep:
    inner = ops_in(op.regions[0].blocks[0])
    tables = sum(len(weights[o.attributes["values"].value]) * TABLE_BITS for o in inner if o.name == "hls.table")
    points = prod(hls.bounds_of(op))
    tensors = [value for value, _, _ in hls.reads_of(op)]
    reads = sum(points * _bytes(v) // prod(structured.shape_of(v)) for v in tensors)
    body = ",".join(o.name for o in inner)
    return Sweep(
        _name(op, number), points, reads, _bytes(op.results[0]), sum(o.name == "arith.muli" for o in inner),
        sum(o.name in ARITHMETIC for o in inner) + (op.attributes["combine"].value != "none"), tables,
        unit=f"{op.attributes['combine'].value}:{body}" if not tables else "",
    )  # fmt: skip
