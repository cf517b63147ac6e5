"""The stages of a module, as estimates know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator import PLANE_BITS
from cocomp.passes.math.accelerator.costs import TABLE_BITS, is_narrow
from cocomp.passes.math.accelerator.stages import Counts, Product, Stage, Sweep
from cocomp.passes.math.affine import Dim, Expr, FloorDiv
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.weights import WeightStore

from ._layouts import Layout, layouts_of

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
    known: set[str] = set()
    for number, op in enumerate(ops_in(block)):
        if hls.is_product(op):
            found.append(_product(op, weights, number, layouts))
        elif hls.is_sweep(op):
            made = _sweep(op, weights, number, layouts, known)
            found.append(replace(made, unit=units.setdefault(_key(op, weights, layouts), made.name)))
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


def _sweep(
    op: ir.Operation, weights: WeightStore, number: int, layouts: dict[ir.Value, Layout], known: set[str]
) -> Sweep:
    """`known` are the names of numbers that are on chip for sweeps before it."""
    inner = ops_in(op.regions[0].blocks[0])
    names = {o.attributes["values"].value for o in inner if o.name == "hls.table"}
    tables, looked_up = [len(weights[name]) for name in names], names - known
    makers = (value.owner.operation for value, _, _ in hls.reads_of(op) if not isinstance(value, ir.BlockArgument))
    constants = {c.attributes["values"].value: c.results[0] for c in makers if c.name == "hls.constant"}
    read = [value for name, value in constants.items() if name not in known]
    known |= looked_up | set(constants)
    points = prod(hls.bounds_of(op))
    reads = sum(points * _bytes(value) for value, _, _ in hls.reads_of(op) if value not in constants.values())
    y = op.results[0]
    writes = prod(structured.shape_of(y)) * _bytes(y)
    length, is_along = _side(op, layouts[y])
    return Sweep(
        _name(op, number), points, reads, writes, sum(o.name == "arith.muli" for o in inner),
        sum(o.name in ARITHMETIC for o in inner) + (op.attributes["combine"].value != "none"),
        sum(len(weights[name]) * TABLE_BITS for name in looked_up), length=length,
        source=_counts(layouts[y].product, weights) if is_along else None,
        constants=sum(prod(structured.shape_of(value)) * hls.type_of(value).bits for value in read), is_narrow=is_narrow(tables),
    )  # fmt: skip


def _key(op: ir.Operation, weights: WeightStore, layouts: dict[ir.Value, Layout]) -> str:
    """What is the same in sweeps that are one function: all but numbers, widths, and which tables are looked up."""
    bounds, written, y = hls.bounds_of(op), hls.map_of(op), op.results[0]
    vector, layout = _vector(op, layouts[y]), layouts[y]
    parts = [op.attributes["combine"].value, str(vector), str(8 * _bytes(y)), str(layout.product is not None)]
    parts += [_shape(e, bounds, vector) for e in written]
    for value, index, _ in hls.reads_of(op):
        kind, of = hls.type_of(value), layouts.get(value, Layout())
        ends = [affine.interval(e, bounds) for e in index]
        outside = [(low < 0, high >= n) for (low, high), n in zip(ends, structured.shape_of(value), strict=True)]
        place = (of.axis if of.product is not None else -1, _are_alike(of.product, layout.product, weights))
        parts += [str((8 * _bytes(value), kind.signed, value in layouts, place, outside))]
        parts += [_shape(e, bounds, vector) for e in index]
    block = op.regions[0].blocks[0]
    numbers = {
        value: str(n) for n, value in enumerate([*block.arguments, *(r for o in ops_in(block) for r in o.results)])
    }
    for inner in ops_in(block):
        parts.append(" ".join([inner.name, *(numbers[value] for value in inner.operands)]))
        if inner.name == "arith.cmpi":
            parts.append(str(inner.attributes["predicate"].value))
        if inner.name == "hls.table":
            is_large = is_narrow([len(weights[inner.attributes["values"].value])])
            parts.append(str((inner.attributes["mantissa"].value > 0, inner.attributes["first"].value < 0, is_large)))
    return "; ".join(parts)


def _are_alike(one: ir.Operation | None, other: ir.Operation | None, weights: WeightStore) -> bool:
    """Whether rows of two products lie in the same order."""
    if one is None or other is None:
        return one is None and other is None
    return np.array_equal(_places(one, weights), _places(other, weights))


def _shape(expr: Expr, bounds: Sequence[int], vector: int) -> str:
    """An index without its numbers, but for divisors; loops that are passed once are none."""
    parts: list[str] = []
    for atom, _ in expr.terms:
        if not isinstance(atom, Dim):
            inner = _shape(atom.operand, bounds, vector)
            negative = affine.interval(atom.operand, bounds)[0] < 0
            parts.append(f"({inner}){'/' if isinstance(atom, FloorDiv) else '%'}{atom.divisor}{'-' * negative}")
        elif bounds[atom.index] > 1 or atom.index == vector:
            parts.append(f"d{atom.index}")
    return "+".join(parts)


def _side(op: ir.Operation, layout: Layout) -> tuple[int, bool]:
    """Points that lie side by side in the result, and whether there are any: the loop along its innermost axis, where that is one."""
    written, shape, bounds = hls.map_of(op), structured.shape_of(op.results[0]), hls.bounds_of(op)
    axis, dim = layout.axis if layout.axis >= 0 else len(shape) - 1, _vector(op, layout)
    if dim < 0:
        return 1, False
    return bounds[dim], structured.dim_of(written[axis]) == dim and bounds[dim] == shape[axis]


def _vector(op: ir.Operation, layout: Layout) -> int:
    """The loop along the result's innermost axis; -1 for none."""
    axis = layout.axis if layout.axis >= 0 else len(structured.shape_of(op.results[0])) - 1
    return hls.line_of(hls.map_of(op), hls.bounds_of(op), axis)
