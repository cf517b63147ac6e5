"""How every operation maps elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import fusion, structured
from cocomp.dialects import graph as graphs
from cocomp.dialects.graph import Graph
from cocomp.passes.math import mapping
from cocomp.passes.math.mapping import MappingType
from cocomp.passes.math.nest import Loop, View
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

PLACED = ("tensor.concat", "tensor.insert_slice", "tensor.pad")
"""Operations that put each element of their operands into one place of their result."""
NOT_COMPUTED = ("arith.constant", "tensor.empty", "func.return")


@dataclass(frozen=True)
class ClassifyMappingPass(Pass):
    """Write the mapping type of each operation of `@main`, from its structure (`passes.math.mapping`).

        linalg.generic {iterator_types = ["parallel", "reduction"]} ..
      -->
        linalg.generic {fusion.mapping = "many-to-many", iterator_types = ["parallel", "reduction"]} ..

    Constants do not count, and weights do not beside activations: adding a bias, which is broadcast, is One-to-One, as
    the paper has it for batch norms. What has no structure to read (scans, sorts) is Many-to-Many.
    """

    name: ClassVar[str] = "classify-mapping"

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        graph = graphs.read(block)
        for op in ops_in(block):
            if op.name not in NOT_COMPUTED:
                fusion.set_mapping_of(op, _type_of(op, graph))


def _type_of(op: ir.Operation, graph: Graph) -> MappingType:
    made = graph.definitions[graph.numbers[op.results[0]]]
    if isinstance(made, View):
        read = [made.index] if not _is_constant(_source(made.source, graph)) else []
        return mapping.of_loops(made.shape, [True] * len(made.shape), read, [structured.identity(len(made.shape))])
    if isinstance(made, Loop):
        read = [made.operand_maps[i] for i in _counted(made, graph)]
        return mapping.of_loops(made.bounds, made.parallel, read, made.result_maps, bool(graphs.extracted(op)))
    return MappingType.ONE_TO_ONE if op.name in PLACED else MappingType.MANY_TO_MANY


def _counted(loop: Loop, graph: Graph) -> list[int]:
    """Which operands decide: activations, or weights where there are none."""
    sources = [_source(number, graph) for number in loop.operands]
    varying = [i for i, source in enumerate(sources) if not _is_constant(source)]
    return [i for i in varying if structured.weight_name(sources[i]) is None] or varying


def _source(number: int, graph: Graph) -> ir.Value:
    return graph.values[graph.root_of(number)]


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value, ir.BlockArgument) and value.owner.operation.name == "arith.constant"
