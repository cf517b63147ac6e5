"""Which rows of weights make channels that meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cocomp.dialects import structured
from cocomp.support.mlir import ir, ops_in

from ._matrices import Weight

Origins = dict[int, ir.Operation]
"""Axis of a tensor -> a contraction whose rows are what lies along it."""
RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


def joined(block: ir.Block, weights: Iterable[Weight]) -> list[list[Weight]]:
    """Weights in groups: what two of a group make meets number by number, row by row, as in the addition that ends a residual block."""
    found = {w.op: w for w in weights}
    first = {w.name: op for op, w in reversed(found.items())}
    leaders = {op: first[w.name] for op, w in found.items()}

    def leader(op: ir.Operation) -> ir.Operation:
        while leaders[op] != op:
            op = leaders[op]
        return op

    known: dict[ir.Value, Origins] = {}
    for op in ops_in(block):
        for value, origins in _origins(op, found, known):
            for axis, makers in ((axis, makers) for axis, makers in origins.items() if makers):
                for other in makers[1:]:
                    leaders[leader(other)] = leader(makers[0])
                known.setdefault(value, {})[axis] = makers[0]
    groups: dict[ir.Operation, list[Weight]] = {}
    for op, weight in found.items():
        groups.setdefault(leader(op), []).append(weight)
    return list(groups.values())


def _origins(
    op: ir.Operation, weights: dict[ir.Operation, Weight], known: dict[ir.Value, Origins]
) -> Iterable[tuple[ir.Value, dict[int, list[ir.Operation]]]]:
    """What makes that which lies along the axes of each result."""
    if op.name in (*RESHAPES, "tensor.pad"):
        source, y = op.operands[0], op.results[0]
        origins = known.get(source, {})
        pairs = _kept_axes(structured.shape_of(source), structured.shape_of(y))
        yield y, {b: [origins[a]] for a, b in pairs if a in origins}
    elif structured.is_contract(op) or structured.is_generic(op):
        loops = structured.loops_of(op)
        inputs = list(zip(op.operands, loops.maps, strict=False))[: loops.n_inputs]
        for value, written in zip(op.results, loops.output_maps, strict=True):
            yield value, {axis: _along(op, e, inputs, loops.bounds, weights, known) for axis, e in enumerate(written)}


def _along(
    op: ir.Operation,
    expr: structured.Expr,
    inputs: Sequence[tuple[ir.Value, structured.Map]],
    bounds: Sequence[int],
    weights: dict[ir.Operation, Weight],
    known: dict[ir.Value, Origins],
) -> list[ir.Operation]:
    """The makers of what lies along a loop that an index counts."""
    dim = structured.dim_of(expr)
    if dim is None:
        return []
    weight = weights.get(op)
    if weight is not None and weight.row_dims == [dim] and not any(dim in e.dims() for e in weight.loops.maps[0]):
        return [op]
    found: dict[ir.Operation, None] = {}
    for value, index in inputs:
        for axis, maker in known.get(value, {}).items():
            if structured.dim_of(index[axis]) == dim and structured.shape_of(value)[axis] == bounds[dim]:
                found[maker] = None
    return list(found)


def _kept_axes(source: Sequence[int], target: Sequence[int]) -> list[tuple[int, int]]:
    """Axes that are the same before and after a reshape by ones, or padding of others."""
    if len(source) == len(target):
        return [(a, a) for a, (n, m) in enumerate(zip(source, target, strict=True)) if n == m]
    before, after = ([a for a, n in enumerate(shape) if n > 1] for shape in (source, target))
    same = [source[a] for a in before] == [target[b] for b in after]
    return list(zip(before, after, strict=True)) if same else []
