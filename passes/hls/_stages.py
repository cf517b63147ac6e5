"""The stages of a module, as estimates know them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import PLANE_BITS
from cocomp.passes.math.accelerator.design import loading
from cocomp.passes.math.accelerator.stages import Product, Stage, Sweep
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.weights import WeightStore

from ._layouts import Layout, layouts_of
from ._swept import Swept, bytes_of, counts_of, key_of, places_of

ARITHMETIC = ("arith.addi", "arith.shrsi", "arith.maxsi", "arith.minsi", "arith.select", "arith.cmpi")
BLOCK = 16
"""Rows and columns of the blocks that `kept` counts. Tiles are not known yet: the engine skips those of its own sizes, which are larger for
most designs, so that the estimate is the lower bound of the time."""


def stages_of(module: ir.Module, weights: WeightStore) -> list[Stage]:
    """What a module computes, in order, with sizes alone."""
    block = module.body.operations[0].operation.regions[0].blocks[0]
    layouts = layouts_of(block)
    found: list[Stage] = []
    units: dict[str, str] = {}
    members: dict[str, list[Swept]] = {}
    for number, op in enumerate(ops_in(block)):
        if hls.is_product(op):
            found.append(_product(op, weights, number, layouts))
        elif hls.is_sweep(op):
            swept = Swept(op, layouts, weights)
            made = _sweep(swept, number)
            unit = units.setdefault(key_of(swept, weights), made.name)
            found.append(replace(made, unit=unit))
            members.setdefault(unit, []).append(swept)
    for unit, each in members.items():
        told = {d for d, bounds in enumerate(zip(*(s.bounds for s in each), strict=True)) if len(set(bounds)) > 1}
        places = [n for n, s in enumerate(found) if isinstance(s, Sweep) and s.unit == unit]
        for place, swept in zip(places, each, strict=True):
            entries, each_step = _entries(swept, told)
            found[place] = replace(found[place], entries=entries, each_step=each_step)
    return loading(found)


def _entries(swept: Swept, told: set[int]) -> tuple[int, bool]:
    """How often the innermost loops are entered that tools make one of: those with fixed bounds, and the first one around them that is `told`
    how often it is passed. Whether the loop of points that are computed at once is around those."""
    vector, _ = swept.lanes
    outer = [d for d in range(len(swept.bounds)) if d not in swept.folded and d != vector]
    nested = [d for d in swept.folded if d != vector]
    lanes = [vector] if vector >= 0 else []
    nest = [*outer, *nested, *lanes] if vector in swept.folded else [*outer, *lanes, *nested]
    last = max((n for n, d in enumerate(nest) if d in told), default=0)
    return prod(swept.bounds[d] for d in nest[:last] if d != vector), vector in nest[:last]


def _name(op: ir.Operation, number: int) -> str:
    places = origins(op.location)
    return f"{number}:{(places[0][1] or places[0][0]) if places else op.name}"


def _product(op: ir.Operation, weights: WeightStore, number: int, layouts: dict[ir.Value, Layout]) -> Product:
    bounds, rows, columns = hls.bounds_of(op), list(op.attributes["rows"]), list(op.attributes["columns"])
    windows = hls.windows_of(op)
    assert windows is not None, "unfold-inputs leaves windows only"
    x, y = op.operands[0], op.results[0]
    counts, source, maker = counts_of(op, weights), layouts[x].product, layouts[y].product
    assert counts is not None
    return Product(
        _name(op, number), counts, windows.channels, prod(bounds[d] for d in columns[:-1]),
        prod(n for d, n in enumerate(bounds) if d not in (*rows, *columns)), prod(structured.shape_of(x)) // windows.channels, bytes_of(y),
        _kept(op, source, weights, windows.channels), -(-hls.type_of(x).bits // PLANE_BITS), counts_of(source, weights),
        maker is None or maker != op,
    )  # fmt: skip


def _kept(op: ir.Operation, source: ir.Operation | None, weights: WeightStore, channels: int) -> float:
    """The share of blocks that are not zero, of rows in the engine's order by channels of a tap in theirs."""
    codes, places = weights[f"{op.attributes['weights'].value}:codes"], places_of(op, weights)
    quantisers = [parse_quantiser(q.value) for q in op.attributes["quantisers"]]
    used = np.zeros(codes.shape, bool)
    for place, quantiser in enumerate(quantisers):
        used[places == place] = quantiser.table[codes[places == place]] != 0
    used = used[np.argsort(places, kind="stable")].reshape(len(places), -1, channels)
    if source is not None:
        used = used[:, :, np.argsort(places_of(source, weights), kind="stable")]
    used = np.pad(used, ((0, -len(places) % BLOCK), (0, 0), (0, -channels % BLOCK)))
    blocks = used.reshape(len(used) // BLOCK, BLOCK, used.shape[1], -1, BLOCK).any(axis=(1, 4))
    return max(float(blocks.mean()), 1 / blocks.size)


def _sweep(swept: Swept, number: int) -> Sweep:
    op, bounds = swept.op, swept.bounds
    inner = ops_in(op.regions[0].blocks[0])
    points, y = prod(bounds), op.results[0]
    vector, is_beside = swept.lanes
    is_folded = vector in swept.folded
    return Sweep(
        _name(op, number), points, sum(points * bytes_of(value) for value, _ in swept.tensors),
        prod(structured.shape_of(y)) * bytes_of(y), sum(o.name == "arith.muli" for o in inner),
        sum(o.name in ARITHMETIC for o in inner) + (op.attributes["combine"].value != "none"), swept.memories(),
        length=bounds[vector] if vector >= 0 else 1,
        source=counts_of(swept.product, swept.weights) if is_folded or swept.fills_axis else None,
        accesses=tuple((bytes_of(v), vector < 0 or swept.access(v, i, vector) == hls.SAME) for v, i in swept.tensors),
        is_apart=not is_beside,
    )  # fmt: skip
