"""Sweeps of a module: which points are computed at once, and how these read what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator.memories import Memory, bits_of
from cocomp.passes.math.accelerator.stages import Counts
from cocomp.passes.math.affine import Dim, Expr, FloorDiv
from cocomp.support.mlir import ir, ops_in
from cocomp.support.weights import WeightStore

from ._layouts import Layout


def bytes_of(value: ir.Value) -> int:
    """Of a number in memory."""
    return next(n for n in (1, 2, 4) if hls.type_of(value).bits <= 8 * n)


def places_of(op: ir.Operation, weights: WeightStore) -> np.ndarray:
    """The place in the mixture of each row of a product: int8[rows]."""
    return weights[f"{op.attributes['weights'].value}:places"]


def counts_of(op: ir.Operation | None, weights: WeightStore) -> Counts | None:
    """Rows of each quantiser, of a product if there is one."""
    if op is None:
        return None
    coarse, fine, wide = np.bincount(places_of(op, weights), minlength=3).tolist()
    return coarse, fine, wide


@dataclass(frozen=True, eq=False)
class Swept:
    """A sweep, and how it reads what."""

    op: ir.Operation
    layouts: dict[ir.Value, Layout]
    weights: WeightStore

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        return hls.bounds_of(self.op)

    @cached_property
    def layout(self) -> Layout:
        return self.layouts[self.op.results[0]]

    @cached_property
    def line(self) -> int:
        """The loop along which results lie side by side; -1 for none."""
        return hls.line_of(hls.map_of(self.op), self.bounds, self.axis)

    @property
    def axis(self) -> int:
        """The result's innermost."""
        return self.layout.axis if self.layout.axis >= 0 else len(structured.shape_of(self.op.results[0])) - 1

    @property
    def fills_axis(self) -> bool:
        """Whether the line is the whole axis."""
        written, shape = hls.map_of(self.op), structured.shape_of(self.op.results[0])
        along = self.line >= 0 and structured.dim_of(written[self.axis]) == self.line
        return along and self.bounds[self.line] == shape[self.axis]

    @cached_property
    def folded(self) -> list[int]:
        """Loops whose points are combined."""
        used = frozenset[int]().union(frozenset(), *(e.dims() for e in hls.map_of(self.op)))
        combines = self.op.attributes["combine"].value != "none"
        return [d for d, n in enumerate(self.bounds) if combines and d not in used]

    @cached_property
    def lanes(self) -> tuple[int, bool]:
        """`hls.lane_loop`."""
        folded = [] if self.layout.product is not None else self.folded
        return hls.lane_loop(self.line, folded, self.bounds, self.accesses)

    @property
    def tensors(self) -> list[tuple[ir.Value, structured.Map]]:
        """What is read of DDR."""
        return [(value, index) for value, index, _ in hls.reads_of(self.op) if value in self.layouts]

    def order_of(self, dim: int) -> ir.Operation | None:
        """The product in the order of whose rows a loop passes channels, if any."""
        if dim == self.line:
            return self.layout.product
        for value, index in self.tensors:
            layout = self.layouts[value]
            is_read = layout.product is not None and structured.dim_of(index[layout.axis]) == dim
            if is_read and self.bounds[dim] == structured.shape_of(value)[layout.axis]:
                return layout.product
        return None

    @property
    def product(self) -> ir.Operation | None:
        """`order_of` the loop whose points are computed at once."""
        return self.order_of(self.lanes[0])

    def accesses(self, dim: int) -> list[str]:
        return [self.access(value, index, dim) for value, index in self.tensors]

    def access(self, value: ir.Value, index: structured.Map, dim: int) -> str:
        """How neighbours along a loop read a tensor."""
        layout, product = self.layouts[value], self.order_of(dim)
        finds = product is not None if layout.product is None else dim in index[layout.axis].dims()
        if finds and not self.in_place(layout, index, dim):
            return hls.APART
        return hls.access_of(index, structured.shape_of(value), layout.axis, dim)

    def in_place(self, layout: Layout, index: structured.Map, dim: int) -> bool:
        """Whether channels lie where a loop passes them, or none change along it."""
        along, product = [dim in e.dims() for e in index], self.order_of(dim)
        if layout.product is None:
            return product is None or not any(along)
        same = _are_alike(layout.product, product, self.weights) and sum(along) == 1
        return same and structured.dim_of(index[layout.axis]) == dim

    def has_order(self, index: structured.Map) -> bool:
        """Whether a constant is stored with channels in the order in which they are passed."""
        axis, dim = hls.constant_axis(index, self.lanes[0]), self.lanes[0]
        return self.product is not None and axis >= 0 and structured.dim_of(index[axis]) == dim

    def is_gathered(self, value: ir.Value, index: structured.Map) -> bool:
        """Whether channels of the model have to be found, which are not where they are passed."""
        if value in self.layouts:
            return not self.in_place(self.layouts[value], index, self.lanes[0])
        return not self.in_place(Layout(), index, self.lanes[0]) and not self.has_order(index)

    def memories(self) -> tuple[Memory, ...]:
        """What is read on chip: where channels are, constants, tables."""
        product, (vector, _) = self.product, self.lanes
        found: list[Memory] = []
        if product is not None and vector in self.folded:
            found.append(self._order(product, ":used", False))
        if product is not None and any(self.is_gathered(value, index) for value, index, _ in hls.reads_of(self.op)):
            found.append(self._order(product, ":channels", False))
        for value, index, _ in hls.reads_of(self.op):
            maker = self.layouts[value].product if value in self.layouts else None
            if value not in self.layouts:
                found.append(self._constant(value, index, vector))
            elif maker is not None and self.is_gathered(value, index):
                found.append(self._order(maker, "", True))
        for op in ops_in(self.op.regions[0].blocks[0]):
            if op.name == "hls.table":
                name = op.attributes["values"].value
                found.append(Memory(name, len(self.weights[name]), bits_of(self.weights[name])))
        return tuple(found)

    def _constant(self, value: ir.Value, index: structured.Map, vector: int) -> Memory:
        name, axis = value.owner.operation.attributes["values"].value, hls.constant_axis(index, vector)
        order = self.product.attributes["weights"].value if self.has_order(index) and self.product else ""
        anywhere = axis < 0 and any(vector in e.dims() for e in index)
        return Memory(f"{name}|{axis}|{order}", self.weights[name].size, bits_of(self.weights[name]), anywhere)

    def _order(self, product: ir.Operation, suffix: str, anywhere: bool) -> Memory:
        places = places_of(product, self.weights)
        return Memory(product.attributes["weights"].value + suffix, len(places), len(places).bit_length() + 1, anywhere)


def key_of(swept: Swept, weights: WeightStore) -> str:
    """What is the same in sweeps that are one function: all but numbers, widths, and which tables are looked up."""
    op, bounds, layout = swept.op, swept.bounds, swept.layout
    written, y = hls.map_of(op), op.results[0]
    vector, is_beside = swept.lanes
    ordered = layout.product is not None, swept.product is not None
    parts = [op.attributes["combine"].value, str((swept.line, vector, is_beside, 8 * bytes_of(y), ordered))]
    parts += [_shape(e, bounds, vector) for e in written]
    for value, index, _ in hls.reads_of(op):
        kind, of = hls.type_of(value), swept.layouts.get(value, Layout())
        ends = [affine.interval(e, bounds) for e in index]
        outside = [(low < 0, high >= n) for (low, high), n in zip(ends, structured.shape_of(value), strict=True)]
        place = (of.axis if of.product is not None else -1, swept.is_gathered(value, index))
        is_constant = value not in swept.layouts
        laid = (hls.constant_axis(index, vector), swept.has_order(index)) if is_constant else ()
        parts += [str((8 * bytes_of(value) * (not is_constant), kind.signed, is_constant, place, outside, laid))]
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
            parts.append(str((inner.attributes["mantissa"].value > 0, inner.attributes["first"].value < 0)))
    parts.append(str(any(m.anywhere and m.is_large for m in swept.memories())))
    return "; ".join(parts)


def _are_alike(one: ir.Operation | None, other: ir.Operation | None, weights: WeightStore) -> bool:
    """Whether rows of two products lie in the same order."""
    if one is None or other is None:
        return one is None and other is None
    return np.array_equal(places_of(one, weights), places_of(other, weights))


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
