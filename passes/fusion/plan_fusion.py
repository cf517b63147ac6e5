"""Which operations share a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import fusion, layout, structured
from cocomp.dialects import graph as graphs
from cocomp.dialects.graph import Graph
from cocomp.passes.math.algebra.cost import Rates
from cocomp.passes.math.mapping import MappingType
from cocomp.passes.math.plan import Members, Node, plan
from cocomp.passes.math.work import VectorUnit
from cocomp.support.mlir import ir, operators, ops_in
from cocomp.support.passes import Pass, State

from ._kernels import Kernels, bytes_of_results


@dataclass(frozen=True)
class PlanFusionPass(Pass):
    """Write on each operation of which kernel it is a part, and on the one that makes the result the fused type.

        %c = "sparse.contract"(%x, %w) ..            %c = "sparse.contract"(%x, %w) {fusion.group = 0 : i64} ..
        %d = linalg.generic ins(%c, %b) { add } -->  %d = linalg.generic ins(%c, %b) {fusion.group = 0 : i64, fusion.fused =
                                                                                                "many-to-many"} { add }

    Groups grow from seeds as the table of mapping types says (`passes.math.plan`). Whether there is code for a group is decided
    by its loop nest (`passes.math.nest`): element-wise operations join anything, reductions join when all reductions of the group
    run once for each point of the same dimensions (softmax, layer norm), a contraction joins element-wise operations only (its
    epilogue), and a pool whose windows do not overlap where minimal filtering will compute it (`passes.kernel._windows`): its
    tiles hold whole windows. Where the table says yellow, a join has to take fewer cycles than two kernels
    (`passes.math.traffic`). Views say nothing: whoever reads through them has a copy. Those that stay copies
    (`eliminate-layout-transforms`) end a kernel. Needs `classify-mapping`; `form-groups` makes functions of what is written.

    With `fuse=false` an operation joins only what is a part of the same operator of the model, as its location tells
    (`operators`). That is what fusion is compared with.
    """

    name: ClassVar[str] = "plan-fusion"
    fuse: bool = True

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        graph = graphs.read(block)
        operations = [op for op in ops_in(block) if _is_computed(op, graph)]
        rates = Rates(2.0 * state.target.fma_lanes)
        kernels = Kernels(graph, operations, VectorUnit.of(state.target), rates)
        groups = plan(self._nodes(operations), kernels.is_legal, _Predicted(kernels).pays)
        for number, group in enumerate(groups):
            fusion.plan_group([operations[member] for member in sorted(group.members)], number, group.kind)

    def _nodes(self, operations: Sequence[ir.Operation]) -> list[Node]:
        """The graph of operations, reading through views. What is not to be fused with a reader counts as read elsewhere."""
        position = {op: number for number, op in enumerate(operations)}
        reads: list[list[int]] = [[] for _ in operations]
        leaves = [False] * len(operations)
        for number, op in enumerate(operations):
            for reader in layout.readers(op.results):
                if reader in position and (self.fuse or _share_operator(op, reader)):
                    reads[position[reader]].append(number)
                else:
                    leaves[number] = True
        return [
            Node(_type_of(op), bytes_of_results(op), tuple(reads[n]), structured.is_contract(op), leaves[n])
            for n, op in enumerate(operations)
        ]


@dataclass(frozen=True)
class _Predicted:
    """What pays by the cost model."""

    kernels: Kernels

    def pays(self, first: Members, second: Members) -> bool:
        alone = self.kernels.cycles(first), self.kernels.cycles(second)
        together = self.kernels.cycles(first | second)
        if together is None or alone[0] is None or alone[1] is None:
            return True
        return together <= alone[0] + alone[1]


def _is_computed(op: ir.Operation, graph: Graph) -> bool:
    """Whether a kernel makes the results of an operation: not where its readers compute them, or it puts values into others."""
    if op.name in ("func.return", "tensor.empty", *layout.PLACING):
        return False
    is_read_through = structured.is_view(op) or graph.numbers[op.results[0]] in graph.constants
    return not is_read_through or layout.copy_reason(op) is not None


def _type_of(op: ir.Operation) -> MappingType:
    """Mapping type; what has been added since types were written is a copy or a constant."""
    return fusion.mapping_of(op) or MappingType.ONE_TO_ONE


def _share_operator(op: ir.Operation, other: ir.Operation) -> bool:
    return bool(operators(op.location) & operators(other.location))
