"""Which operations share a kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cocomp.dialects import fusion, layout, structured
from cocomp.dialects import graph as graphs
from cocomp.dialects.graph import Graph
from cocomp.passes.math.algebra.cost import Rates
from cocomp.passes.math.mapping import MappingType
from cocomp.passes.math.plan import Members, Node, plan
from cocomp.passes.math.work import VectorUnit
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, operators, ops_in
from cocomp.support.passes import Pass, State
from cocomp.support.tuning import TuningDatabase

from ._joins import Measured, Predicted
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
    epilogue), and a pool whose windows lie side by side where tiles will hold whole windows (`passes.kernel._windows`), and
    where the kernel, which has fewer results to share out then, still keeps all of a GPU busy. Where the table says yellow, a join has to take fewer cycles than two kernels
    (`passes.math.traffic`). Views say nothing: whoever reads through them has a copy. Those that stay copies
    (`eliminate-layout-transforms`) end a kernel. For GPUs, what they cannot compute shares no kernel with what they can. Needs `classify-mapping`; `form-groups` makes functions of what is written.

    With `tune=true` those joins are decided by what was measured on the target: the `database` (a file; empty: the user's) tells, and what it
    does not know is measured for `seconds`, one kernel and two in turns with `threads` threads (0: all processors), and kept. What
    is predicted stays unless the other is faster by more than noise.

    With `fuse=false` an operation joins only what is a part of the same operator of the model, as its location tells
    (`operators`). That is what fusion is compared with.
    """

    name: ClassVar[str] = "plan-fusion"
    fuse: bool = True
    tune: bool = False
    seconds: float = 0.0
    database: str = ""
    threads: int = 0

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        graph = graphs.read(block)
        operations = [op for op in ops_in(block) if _is_computed(op, graph)]
        views = {op for op in ops_in(block) if structured.is_view(op)}.difference(operations)
        rates = Rates(2.0 * state.target.fma_lanes)
        kernels = Kernels(
            graph, operations, views, VectorUnit.of(state.target), rates, isinstance(state.target, GpuTarget)
        )
        with self._oracle(kernels, state) as pays:
            groups = plan(self._nodes(operations), kernels.is_legal, pays)
        for number, group in enumerate(groups):
            fusion.plan_group([operations[member] for member in sorted(group.members)], number, group.kind)

    @contextmanager
    def _oracle(self, kernels: Kernels, state: State) -> Iterator[Callable[[Members, Members], bool]]:
        """What decides whether a join pays."""
        if not self.tune:
            yield Predicted(kernels).pays
            return
        threads = self.threads or len(os.sched_getaffinity(0))
        with TuningDatabase(Path(self.database) if self.database else None, create=self.seconds > 0) as database:
            yield Measured(kernels, database, threads, self.seconds, state).pays

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
