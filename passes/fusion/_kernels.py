"""Which operations of `@main` one kernel can compute, and what it takes: what planning asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, sparse, structured
from cocomp.dialects.graph import Graph
from cocomp.passes.kernel._reduction import combiner_of
from cocomp.passes.kernel._windows import pools_in_tiles
from cocomp.passes.math import affine, nest, traffic
from cocomp.passes.math.algebra import cost
from cocomp.passes.math.algebra.cost import Rates
from cocomp.passes.math.encodings import Dense
from cocomp.passes.math.nest import Leaf, Loop, Nest, NestError
from cocomp.passes.math.plan import Members
from cocomp.passes.math.work import VectorUnit
from cocomp.support.mlir import ir

MAX_OPERANDS = 12
"""Memory operands a kernel may have."""
MAX_WINDOW = 4
"""Extent of a window along an axis up to which it is reduced in the kernel of a contraction: a register tile has whole ones."""
ROOTS = ("linalg.generic", "tensor.pad", "sparse.contract")
"""What a kernel of several operations may end in, beside what moves values."""


_Loops = tuple[Nest, frozenset[int]]
"""Loops of a kernel, and the dimensions of its result that its reductions share."""


@dataclass
class Kernels:
    """The operations that are to be put into kernels, by their positions. Handles are valid until the block changes."""

    graph: Graph
    operations: Sequence[ir.Operation]
    read_through: set[ir.Operation]
    """Views that are in no kernel of their own."""
    unit: VectorUnit
    rates: Rates
    is_for_gpu: bool = False
    _nests: dict[Members, _Loops | None] = field(default_factory=dict[Members, "_Loops | None"])

    def is_legal(self, members: Members) -> bool:
        """Whether one kernel can compute several operations of which the last one makes the result."""
        *others, root = (self.operations[m] for m in sorted(members))
        if root.name not in ROOTS and not structured.is_view(root):
            return False
        pads = {self.graph.numbers[op.results[0]] for op in others if op.name == "tensor.pad"}
        if not all(op.name == "tensor.pad" or self._is_computed_on_the_way(op) for op in others):
            return False
        if self.is_for_gpu and not self._share_a_machine(members):
            return False
        found = self._nest(members)
        if found is None:
            return False
        made, domain = found
        if len({leaf for leaf, _ in made.accesses}) > MAX_OPERANDS:
            return False
        inside = {self.operations[m] for m in members}
        windows = graphs.windows_of(self.graph, made)
        if pads - ({windows.operand} if windows is not None else set()):
            return False
        if windows is not None:
            return self._is_pooled(windows, made.bounds, root, inside)
        contractions = [n for n in made.reductions if n.loop.contraction]
        if contractions:
            return len(made.reductions) == 1 and self._is_epilogue(made, contractions[0], inside)
        return all(self._is_cheap_here(need, made, domain) for need in made.maps)

    def _share_a_machine(self, members: Members) -> bool:
        """Whether all operations run on the GPU, or all on the CPU; a contraction there is a kernel by itself, because registers of the
        CPU are not those of `unit`."""
        operations = [self.operations[m] for m in members]
        beyond = [bool(places.beyond_gpus(op)) for op in operations]
        return not any(beyond) or (all(beyond) and not any(map(structured.is_contract, operations)))

    def cycles(self, members: Members) -> float | None:
        """Cycles of the kernel of some operations (`passes.math.traffic`); None where they are not loops."""
        found = self._nest(members)
        if found is None:
            return None
        made, domain = found
        written = bytes_of_results(self.operations[max(members)])
        return traffic.cycles(made, domain, self._work, self._is_dear, self._leaf, written, self.rates)

    def _nest(self, members: Members) -> _Loops | None:
        """What is read once and asked often; None where there are no loops, or not one nest of them."""
        if members not in self._nests:
            self._nests[members] = self._read_nest(members)
        return self._nests[members]

    def _read_nest(self, members: Members) -> _Loops | None:
        root = self.operations[max(members)]
        if not root.results or root.name.startswith("tm_tensor."):
            return None
        try:
            made, _ = graphs.nest_of(self.graph, root, {self.operations[m] for m in members})
            return made, nest.domain(made) if graphs.windows_of(self.graph, made) is None else frozenset[int]()
        except NestError:
            return None

    def _is_computed_on_the_way(self, op: ir.Operation) -> bool:
        """Whether nothing needs the results of an operation in memory."""
        if not (structured.is_generic(op) or structured.is_contract(op)):
            return False
        if layout.copy_reason(op) is not None and structured.is_view(op):
            return False
        return not any(self.graph.numbers[r] in self.graph.gathered for r in op.results)

    def _is_cheap_here(self, need: nest.Need, made: Nest, domain: frozenset[int]) -> bool:
        """An expensive operation may not be repeated for every point of an inner loop."""
        return not self._is_dear(need.loop) or traffic.points_of(need, made, domain) <= need.loop.points

    def _is_epilogue(self, made: Nest, need: nest.Need, members: set[ir.Operation]) -> bool:
        """The group's result has one point for each point of the contraction, and rows of a register stay together."""
        if prod(made.bounds[: made.n_root]) != need.loop.points:
            return False
        return self._has_registers(made, need, members)

    def _has_registers(self, made: Nest, need: nest.Need, members: set[ir.Operation]) -> bool:
        """Points of a contraction that fill a register are beside each other, and its operands are in memory."""
        if not all(e.is_linear for e in need.point):
            return False
        if not self._reads_memory(need, members):
            return False
        kept_whole = set(structured.row_dims(need.loop.operand_maps, need.loop.parallel))
        if _has_zeros(self.graph.values[need.loop.operands[1]]):
            kept_whole |= {d for d, parallel in enumerate(need.loop.parallel) if parallel}
        return all(self._stays_together(made, need, d) for d in kept_whole)

    def _is_pooled(
        self, windows: nest.Windows, bounds: Sequence[int], root: ir.Operation, members: set[ir.Operation]
    ) -> bool:
        """The group's result has one point for each window of what a convolution computes, whose tiles hold whole windows."""
        made, axes = graphs.nest_of_windows(self.graph, windows, members)
        if len(made.reductions) != 1 or len(root.results) > 1:
            return False
        (need,) = made.reductions
        dims = [structured.dim_of(e) for e in axes]
        rows = structured.row_dims(need.loop.operand_maps, need.loop.parallel)
        if any(d is None and n > 1 for d, n in zip(dims, windows.extents, strict=True)):
            return False
        parallel = (e for e, p in zip(need.point, need.loop.parallel, strict=True) if p)
        if frozenset[int]().union(*(e.dims() for e in parallel)) != set(range(made.n_root)):
            return False
        if all(need.point[d].is_constant for d in rows) or not self._is_constant(need.loop.operands[1]):
            return False
        if prod(structured.shape_of(root.results[0])) < self.unit.busy_elements:
            return False
        if max(windows.sizes) > MAX_WINDOW or not self._keeps_type(windows, need):
            return False
        sizes = {d: n for d, n in zip(dims, windows.sizes, strict=True) if d is not None and n > 1}
        in_w = frozenset[int]().union(*(need.point[d].dims() for d in rows))
        if in_w & set(sizes) or not self._has_registers(made, need, members):
            return False
        ends = [windows.count(a, bounds) * n for a, n in enumerate(windows.sizes)]
        cut = {d for a, d in enumerate(dims) if d is not None and (windows.low[a] or ends[a] != windows.extents[a])}
        if cut and not self._can_cut(windows, need):
            return False
        return pools_in_tiles(self.graph, made, sizes, cut, self.unit)

    def _can_cut(self, windows: nest.Windows, need: nest.Need) -> bool:
        """Whether windows may lack what pads them: it makes no difference to them, and registers will run along rows."""
        if not self.unit.whole_lines or _has_zeros(self.graph.values[need.loop.operands[1]]):
            return False
        pool, pad = self.graph.operations[windows.need.loop.results[0]], self.graph.pads[windows.operand]
        combiner, padding = combiner_of(pool), structured.body_ops(pad)[-1].operands[0].owner
        if combiner is None or len(structured.body_ops(pool)) > 2 or isinstance(padding, ir.Block):
            return False
        return padding.operation.name == "arith.constant" and combiner.is_neutral(padding.operation.attributes["value"])

    def _is_constant(self, operand: int) -> bool:
        return structured.weight_name(self.graph.values[self.graph.root_of(operand)]) is not None

    def _keeps_type(self, windows: nest.Windows, need: nest.Need) -> bool:
        """Whether what is reduced has the type of the accumulators."""
        numbers = (need.loop.results[0], windows.value, windows.need.loop.results[0])
        return len({structured.element_of(self.graph.values[n]) for n in numbers}) == 1

    def _reads_memory(self, need: nest.Need, members: set[ir.Operation]) -> bool:
        """Whether no operand of a contraction is computed in its group."""
        sources = [self.graph.root_of(operand) for operand in need.loop.operands]
        return all(
            isinstance(self.graph.definitions[s], Leaf) or self.graph.operations[s] not in members for s in sources
        )

    def _stays_together(self, made: Nest, need: nest.Need, dim: int) -> bool:
        """A dimension that may fill registers (rows; pixels too where the weight has zeros) must, where reshapes cut it, be cut at
        whole registers, and its inner part must be one dimension."""
        expr = need.point[dim]
        pieces = sorted(c for atom, c in expr.terms if made.bounds[_index(atom)] > 1)
        return all(c == 1 or c % (2 * self.unit.lanes) == 0 for c in pieces)

    def _work(self, loop: Loop) -> float:
        """Floating-point operations at one point: element-wise ones count as half a multiply-add, dear ones as many."""
        op = self.graph.operations[loop.results[0]]
        if structured.is_contract(op):
            return 2.0
        return 2.0 * sum(cost.weight_of(o.name) for o in structured.body_ops(op)[:-1])

    def _is_dear(self, loop: Loop) -> bool:
        return structured.is_expensive(self.graph.operations[loop.results[0]])

    def _leaf(self, number: int) -> tuple[tuple[int, ...], int]:
        value = self.graph.values[number]
        return structured.shape_of(value), structured.bytes_of(structured.element_of(value))


def bytes_of_results(op: ir.Operation) -> int:
    """Bytes that the results of an operation take in memory."""
    return sum(prod(structured.shape_of(r)) * structured.bytes_of(structured.element_of(r)) for r in op.results)


def _has_zeros(weight: ir.Value) -> bool:
    return not isinstance(sparse.encoding_of(weight.type.encoding), Dense)


def _index(atom: affine.Atom) -> int:
    assert isinstance(atom, affine.Dim)
    return atom.index
