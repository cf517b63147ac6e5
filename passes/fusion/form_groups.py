"""Which operations share a kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, sparse, structured
from cocomp.dialects.graph import Graph
from cocomp.dialects.layout import PLACING
from cocomp.passes import _outline
from cocomp.passes.kernel._windows import pools_in_tiles
from cocomp.passes.math import affine, nest
from cocomp.passes.math.encodings import Dense
from cocomp.passes.math.nest import Leaf, NestError
from cocomp.passes.math.work import VectorUnit
from cocomp.support.mlir import func, ir, operators, ops_in
from cocomp.support.passes import Pass, State

MAX_OPERANDS = 12
"""Memory operands a kernel may have."""


@dataclass(frozen=True)
class FormGroupsPass(Pass):
    """Put each operation into the group of its consumers where one kernel can compute both; outline the groups.

        %c = "sparse.contract"(%x, %w) ..          %y = call @group_0(%x, %w, %b)
        %d = linalg.generic ins(%c, %b) { add } --> func private @group_0(..) { contract, generic, return }
        %y = linalg.generic ins(%d) { max 0 }

    Walks backwards from the results. An operation joins a group when every use of its result is inside that group and
    the group still has one loop nest (`passes.math.nest`): element-wise operations join anything, reductions join when
    all reductions of the group run once for each point of the same dimensions (softmax, layer norm), a contraction joins
    element-wise operations only (its epilogue), and a pool whose windows do not overlap where minimal filtering will compute it
    (`passes.kernel._windows`): its tiles hold whole windows. Views are put into the groups that read through them, but for
    those that say why they are copies. Needs `eliminate-layout-transforms`; leaves `@main` with calls and `tensor.concat`,
    whose operands are all results of calls.

    With `fuse=false` an operation joins only those that are parts of the same operator of the model, as its location tells
    (`operators`). That is what fusion is compared with.
    """

    name: ClassVar[str] = "form-groups"
    fuse: bool = True

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        block = main.regions[0].blocks[0]
        planner = _Planner(graphs.read(block), VectorUnit.of(state.target), self.fuse)
        for op in reversed(ops_in(block)):
            planner.place(op)
        planner.merge()
        _outline_groups(planner, block, module.body)
        _outline.erase_dead(block)


@dataclass
class _Group:
    """Operations of one kernel; `root` makes the result."""

    root: ir.Operation
    members: set[ir.Operation] = field(default_factory=set[ir.Operation])


@dataclass
class _Planner:
    graph: Graph
    unit: VectorUnit
    fuse: bool = True
    group_of: dict[ir.Operation, _Group] = field(default_factory=dict[ir.Operation, _Group])
    groups: list[_Group] = field(default_factory=list[_Group])

    def place(self, op: ir.Operation) -> None:
        """Decide for one operation, all its users being decided."""
        if op.name in ("func.return", "tensor.empty", *PLACING):
            return
        is_read_through = structured.is_view(op) or self.is_splat(op.results[0])
        if is_read_through and layout.copy_reason(op) is None:
            return
        group = self._common_group(op)
        if group is not None and not structured.is_view(op) and self._may_join(group, op) and self._fits(group, {op}):
            group.members.add(op)
        else:
            group = _Group(op, {op})
            self.groups.append(group)
        self.group_of[op] = group

    def merge(self) -> None:
        """Join whole groups: what no single operation could (a division is too dear to repeat in the loop over a row until
        the sum that it follows brings the loop over rows)."""
        for group in list(self.groups):
            into = self._common_group(group.root)
            if into is None or into is group or not self._may_join(into, group.root):
                continue
            if self._fits(into, group.members):
                into.members |= group.members
                for op in group.members:
                    self.group_of[op] = into
                self.groups.remove(group)

    def is_splat(self, value: ir.Value) -> bool:
        """Whether a value is filled with one constant."""
        return self.graph.numbers[value] in self.graph.constants

    def _may_join(self, group: _Group, op: ir.Operation) -> bool:
        """Whether fusion is wanted, or this is none: both compute parts of the same operator."""
        return self.fuse or any(_share_operator(op, member) for member in group.members)

    def _common_group(self, op: ir.Operation) -> _Group | None:
        """The one group that all uses of the operation's results lie in, through views."""
        found: set[int] = set()
        group = None
        for user in layout.readers(op.results):
            if user not in self.group_of:
                return None
            group = self.group_of[user]
            found.add(id(group))
        return group if len(found) == 1 else None

    def _fits(self, group: _Group, more: set[ir.Operation]) -> bool:
        """Whether `more`, all of whose results are used by `group` alone, can be computed in it."""
        for op in more:
            if not (structured.is_generic(op) or structured.is_contract(op)):
                return False
            if any(self.graph.numbers[r] in self.graph.gathered for r in op.results):
                return False
        if group.root.name not in ("linalg.generic", "tensor.pad", "sparse.contract") and not structured.is_view(
            group.root
        ):
            return False
        members = group.members | more
        try:
            made, _ = graphs.nest_of(self.graph, group.root, members)
            windows = nest.join_windows(made)
            dims = nest.domain(made) if windows is None else frozenset[int]()
        except NestError:
            return False
        if len({leaf for leaf, _ in made.accesses}) > MAX_OPERANDS:
            return False
        if windows is not None:
            return self._is_pooled(nest.refine(made, windows), group, members)
        contractions = [n for n in made.reductions if n.loop.contraction]
        if contractions:
            return len(made.reductions) == 1 and self._is_epilogue(made, contractions[0], members)
        return all(self._is_cheap_here(need, made, dims) for need in made.maps)

    def _is_cheap_here(self, need: nest.Need, made: nest.Nest, dims: frozenset[int]) -> bool:
        """An expensive operation may not be repeated for every point of an inner loop."""
        op = self.graph.operations[need.loop.results[0]]
        if not structured.is_expensive(op):
            return True
        used = frozenset[int]().union(frozenset(), *(e.dims() for e in need.point))
        points = 1
        for d in used | (dims if made.reductions else frozenset(range(made.n_root))):
            points *= made.bounds[d]
        return points <= need.loop.points

    def _is_epilogue(self, made: nest.Nest, need: nest.Need, members: set[ir.Operation]) -> bool:
        """The group's result has one point for each point of the contraction, and rows of a register stay together."""
        root_points = 1
        for extent in made.bounds[: made.n_root]:
            root_points *= extent
        if root_points != need.loop.points or not all(e.is_linear for e in need.point):
            return False
        if not self._reads_memory(need, members):
            return False
        kept_whole = set(structured.row_dims(need.loop.operand_maps, need.loop.parallel))
        if _has_zeros(self.graph.values[need.loop.operands[1]]):
            kept_whole |= {d for d, parallel in enumerate(need.loop.parallel) if parallel}
        return all(self._stays_together(made, need, d) for d in kept_whole)

    def _is_pooled(self, made: nest.Nest, group: _Group, members: set[ir.Operation]) -> bool:
        """The group's result has one point for each window of the contraction's result, and minimal filtering computes it."""
        need = made.reductions[0]
        parallel = [e for e, p in zip(need.point, need.loop.parallel, strict=True) if p and not e.is_constant]
        if any(not e.is_linear or e != affine.dim(min(e.dims())) for e in parallel):
            return False
        if {d for e in parallel for d in e.dims()} != set(range(made.n_root)) or len(group.root.results) > 1:
            return False
        return self._reads_memory(need, members) and pools_in_tiles(self.graph, made, self.unit)

    def _reads_memory(self, need: nest.Need, members: set[ir.Operation]) -> bool:
        """Whether no operand of a contraction is computed in its group."""
        sources = [self.graph.root_of(operand) for operand in need.loop.operands]
        return all(
            isinstance(self.graph.definitions[s], Leaf) or self.graph.operations[s] not in members for s in sources
        )

    def _stays_together(self, made: nest.Nest, need: nest.Need, dim: int) -> bool:
        """A dimension that may fill registers (rows; pixels too where the weight has zeros) must, where reshapes cut it, be cut at
        whole registers, and its inner part must be one dimension."""
        expr = need.point[dim]
        pieces = sorted(c for atom, c in expr.terms if made.bounds[_index(atom)] > 1)
        return all(c == 1 or c % (2 * self.unit.lanes) == 0 for c in pieces)


def _has_zeros(weight: ir.Value) -> bool:
    return not isinstance(sparse.encoding_of(weight.type.encoding), Dense)


def _index(atom: affine.Atom) -> int:
    assert isinstance(atom, affine.Dim)
    return atom.index


def _share_operator(op: ir.Operation, other: ir.Operation) -> bool:
    return bool(operators(op.location) & operators(other.location))


def _outline_groups(planner: _Planner, block: ir.Block, functions: ir.Block) -> None:
    """Replace each group by a call of a function that holds its operations and the views they read through."""
    order = {op: i for i, op in enumerate(ops_in(block))}
    groups = sorted(planner.groups, key=lambda g: order[g.root])
    roots = {g.root for g in groups}
    views = {op for op in order if structured.is_view(op) and op not in roots}
    splats = {op for op in order if op.results and op not in roots and planner.is_splat(op.results[0])}
    replaced: list[tuple[ir.Value, ir.Value]] = []
    for number, group in enumerate(groups):
        sequential = group.root.name.startswith("tm_tensor.")  # writes all its results, used or not
        results = [r for r in group.root.results if sequential or list(r.uses)]
        operations, arguments = _outline.needed(results, group.members | views | splats, roots - {group.root})
        _outline.outline(f"group_{number}", operations, arguments, results, functions)
        with ir.InsertionPoint(group.root), _location(group, order):
            call = func.CallOp([r.type for r in results], f"group_{number}", arguments)
        if all(map(structured.moves_values, operations)):
            layout.set_copy_reason(call.operation, layout.copy_reason(group.root))
        replaced += zip(results, call.results, strict=True)
    # Only now: an operation's hash covers its operands, so the sets above would not find what was changed before.
    for old, new in replaced:
        old.replace_all_uses_with(new)


def _location(group: _Group, order: dict[ir.Operation, int]) -> ir.Location:
    """Where a kernel comes from: its contraction first (it gives the kernel its name), its result last."""
    members = sorted(group.members, key=lambda op: (not structured.is_contract(op), op == group.root, order[op]))
    return ir.Location.fused([op.location for op in members])
