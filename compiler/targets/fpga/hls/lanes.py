"""Which points of a sweep are computed at once."""

from __future__ import annotations

from dataclasses import dataclass

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator.costs import TABLE_BITS_IN_LUTS
from cocomp.passes.math.accelerator.memories import bits_of
from cocomp.passes.math.accelerator.stages import NARROW

from .network import Map, Network, Sweep, Tensor


@dataclass(frozen=True)
class Lanes:
    """Points of the loop `vector` (-1: of none) that are computed at once, `wide` of them: results side by side, or what `is_folded` into one.
    The loop passes `extent` places, where channels lie in an `order` ("" for none), and may be of none."""

    vector: int
    wide: int
    is_folded: bool
    order: str
    extent: int

    @staticmethod
    def of(sweep: Sweep, network: Network) -> Lanes:
        """Those of a sweep."""
        y, bounds = sweep.y, sweep.bounds
        axis = y.axis if y.axis >= 0 else len(y.shape) - 1
        line = hls.line_of(sweep.written, bounds, axis)
        along = line >= 0 and structured.dim_of(sweep.written[axis]) == line and bounds[line] == y.shape[axis]
        assert along or not y.order, "what has an order is written along it"

        def order_of(dim: int) -> tuple[str, int]:
            if dim == line:
                return (y.order, y.extent) if y.order else ("", bounds[dim])
            ordered = ((t, structured.dim_of(index[t.axis])) for t, index, _ in sweep.reads if t.order)
            whole = (t for t, read in ordered if read == dim and bounds[dim] == t.shape[t.axis])
            return next(((t.order, t.extent) for t in whole), ("", bounds[dim]))

        def accesses(dim: int) -> list[str]:
            order, _ = order_of(dim)
            return [_access(t, index, dim, order) for t, index, _ in sweep.reads if t.offset >= 0]

        vector, is_beside = hls.lane_loop(line, [] if y.order else sweep.reductions, bounds, accesses)
        order, extent = order_of(vector) if vector >= 0 else ("", 1)
        large = (len(found) * bits_of(found) for found in (network.numbers[s.table] for s in sweep.steps if s.table))
        most = NARROW if any(bits > TABLE_BITS_IN_LUTS for bits in large) else extent
        wide = min(network.design.unroll, extent, most) if is_beside else 1
        return Lanes(vector, wide, vector in sweep.reductions, order, extent)


def _access(tensor: Tensor, index: Map, dim: int, order: str) -> str:
    """How neighbours along a loop, which passes the places of an order, read a tensor."""
    finds = dim in index[tensor.axis].dims() if tensor.order else order != ""
    if finds and not in_place(tensor, index, dim, order):
        return hls.APART
    return hls.access_of(index, tensor.shape, tensor.axis, dim)


def in_place(tensor: Tensor, index: Map, dim: int, order: str) -> bool:
    """Whether a tensor has its channels where a loop passes them, or none that change along it."""
    along = [dim in e.dims() for e in index]
    if not tensor.order:
        return not order or not any(along)
    return tensor.order == order and sum(along) == 1 and structured.dim_of(index[tensor.axis]) == dim
