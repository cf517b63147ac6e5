"""Rows that keep the same columns become neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cocomp.dialects import structured
from cocomp.passes.kernel._mask import weight_mask
from cocomp.passes.math.encodings import find_encoding
from cocomp.passes.math.row_order import HEIGHTS, better_order, products
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.passes import Pass, State

from ._channels import RESHAPES, Place, follow, loop_of

Array = np.ndarray
Channels = Mapping[ir.Value, Sequence[Place]]
ORDERS = "channel-orders"
"""Fact: name of a node -> [(axis, int[extent])], the orders that its value has along some axes, for who compares it."""


@dataclass(frozen=True)
class ReorderRowsPass(Pass):
    """Permute the rows of weights with zeros, so that row groups of the kernels keep fewer columns, and whatever meets their
    results.

        %a = "sparse.contract"(%x, %w)                 %w' = %w[p]
        %b = linalg.generic { %a + %bias }      -->    %bias' = %bias[p]
        %y = "sparse.contract"(%b, %v)                 %v' = %v[:, p]

    The matrix reorder of GRIM (arXiv 2108.11033), free at run time: what is permuted are weights alone, under new names.
    Followed are element-wise operations, reductions, pools, pads, depth-wise contractions, and reshapes that keep channels
    together; contractions whose results are added get one order. Where the channels reach an input or a result of the
    model, or an operation that tells them apart (a concatenation along them, groups of them, a position), all stay as
    they are; also where the order saves less than `row_order.WORTH_IT` says, or a later weight would lose an
    arrangement of its columns. Needs weights that are final (`fold-constants`) and have no encoding yet.
    """

    name: ClassVar[str] = "reorder-rows"

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        contracts = [op for op in ops_in(block) if structured.is_contract(op)]
        orders: dict[ir.Value, list[tuple[Place, Array]]] = {}
        saved: dict[ir.Value, dict[str, Any]] = {}
        seen: set[tuple[ir.Value, int]] = set()
        for result, axis in ((op.results[0], axis) for op in contracts for axis in _row_axes(op)):
            channels = None if (result, axis) in seen else follow(result, axis)
            if channels is None:
                continue
            seen |= {(value, place.axis) for value, places in channels.items() for place in places}
            matrices = _matrices(contracts, channels, state)
            order = better_order([m.kept for m in matrices], [m.points for m in matrices]) if matrices else None
            if order is None or not all(_stays(op, channels, order, state) for op in contracts):
                continue
            saved |= {m.weight: _saved(m.kept, order) for m in matrices}
            for value, places in channels.items():
                orders.setdefault(value, []).extend((place, order) for place in places)
        names = _permute(block, orders, state)
        if saved:
            state.facts[self.name] = {names[weight]: found for weight, found in saved.items()}
            state.facts[ORDERS] = _orders_of_nodes(block, orders)


@dataclass(frozen=True)
class _Matrix:
    """Rows that are to be permuted."""

    weight: ir.Value
    kept: Array
    """bool[rows, columns], of all groups side by side."""
    points: int
    """How many columns of input it is multiplied with."""


def _row_axes(op: ir.Operation) -> list[int]:
    """Axes of a contraction's result that are its rows."""
    loops = structured.loops_of(op)
    rows = structured.row_dims(loops.maps[:2], loops.parallel)
    return [axis for axis, expr in enumerate(loops.output_maps[0]) if structured.dim_of(expr) in rows]


def _matrices(contracts: Sequence[ir.Operation], channels: Channels, state: State) -> list[_Matrix]:
    """Weights with zeros that have the channels as rows; none where a channel is several rows of one. What is marked as dense
    counts as such."""
    found: list[_Matrix] = []
    for op in contracts:
        loops = structured.loops_of(op)
        array = _array(op.operands[1], state)
        rows = structured.row_dims(loops.maps[:2], loops.parallel)
        for place in channels.get(op.operands[1], []):
            if array is None or _loop(loops, array, place) not in rows:
                continue
            if _root(op.operands[1]).type.encoding is not None:
                continue
            kept = place.channels_first(array != 0)
            if kept.all():
                continue
            if place.inner > 1:
                return []
            in_w = frozenset[int]().union(*(e.dims() for e in loops.maps[1]))
            points = [n for d, n in enumerate(loops.bounds) if loops.parallel[d] and d not in in_w]
            found.append(_Matrix(_root(op.operands[1]), kept, int(np.prod(points))))
    return found


def _stays(op: ir.Operation, channels: Channels, order: Array, state: State) -> bool:
    """Whether the zeros of a weight that has the channels as columns keep their arrangement, or take no more indices."""
    array = _array(op.operands[1], state) if op.operands[1] in channels else None
    if array is None or array.all():
        return True
    loops = structured.loops_of(op)
    columns = [p for p in channels[op.operands[1]] if _loop(loops, array, p) in loops.reductions]
    if not columns:
        return True
    before, after = (weight_mask(a, loops) for a in (array, _taken(array, [(p, order) for p in columns])))
    if before is None or after is None:
        return True
    found = find_encoding(before)
    return found.describes(after) or find_encoding(after).indices(after) <= found.indices(before)


def _loop(loops: structured.Loops, weight: Array, place: Place) -> int | None:
    """The dimension of a contraction that runs along the channels of its weight."""
    found = loop_of(place, loops.maps[1][place.axis], weight.shape[place.axis], loops.bounds)
    return None if found is None else found[0]


def _root(value: ir.Value) -> ir.Value:
    """What a reshape shows."""
    while not isinstance(value, ir.BlockArgument) and value.owner.name in RESHAPES:
        value = value.owner.operands[0]
    return value


def _array(value: ir.Value, state: State) -> Array | None:
    """The weight that a value is, in its shape; None where it is none."""
    name = structured.weight_name(_root(value))
    return None if name is None else state.weights[name].reshape(structured.shape_of(value))


def _taken(array: Array, orders: Sequence[tuple[Place, Array]]) -> Array:
    """An array with its channels in other orders."""
    for place, order in orders:
        array = np.take(array, place.positions(order), place.axis)
    return array


def _saved(kept: Array, order: Array) -> dict[str, tuple[float, float]]:
    """Rows of a group -> columns that groups keep on average, before and after."""
    columns = [(h, products(kept, h), products(kept[order], h)) for h in HEIGHTS if h <= len(kept)]
    return {str(h): (before / len(kept), after / len(kept)) for h, before, after in columns}


def _permute(
    block: ir.Block, orders: Mapping[ir.Value, list[tuple[Place, Array]]], state: State
) -> dict[ir.Value, str]:
    """Give weights new values under new names, which are returned."""
    if not orders:
        return {}
    main = block.owner
    names: dict[ir.Value, str] = {}
    marks = list(main.attributes["arg_attrs"])
    for value, found in orders.items():
        name = structured.weight_name(value)
        if name is not None:
            array = _taken(state.weights[name], found)
            names[value] = state.weights.add(f"{name}:reordered", array, state.weights.filled(name))
            marks[ir.BlockArgument(value).arg_number] = ir.DictAttr.get(
                {"sparse.name": ir.StringAttr.get(names[value])}
            )
    replaced = {structured.weight_name(value) for value in names}
    main.attributes["arg_attrs"] = ir.ArrayAttr.get(marks)
    for name in replaced - {structured.weight_name(a) for a in block.arguments}:
        state.weights.discard(str(name))
    return names


def _orders_of_nodes(
    block: ir.Block, orders: Mapping[ir.Value, list[tuple[Place, Array]]]
) -> dict[str, list[tuple[int, Array]]]:
    """By node of the model, as the last operation of the node leaves its value."""
    found: dict[str, list[tuple[int, Array]]] = {}
    for op in ops_in(block):
        nodes = origins(op.location)
        if nodes and op.results:
            found[nodes[-1][0]] = [(p.axis, p.positions(order)) for p, order in orders.get(op.results[0], [])]
    return {node: order for node, order in found.items() if order}
