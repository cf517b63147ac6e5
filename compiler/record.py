"""What the graph looks like before and after kernels are formed, taken down for the report while passes run."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from cocomp.dialects import fusion, layout, structured
from cocomp.dialects import graph as graphs
from cocomp.dialects.layout import MapAttr
from cocomp.passes.fusion.classify_mapping import NOT_COMPUTED, ClassifyMappingPass
from cocomp.passes.layout.select_layout import SelectLayoutPass
from cocomp.passes.math import affine
from cocomp.passes.math.mapping import MappingType
from cocomp.passes.plan.merge_functions import MergeFunctionsPass
from cocomp.support.instrument import pass_name
from cocomp.support.mlir import ir, ops_in, origins, source_line
from cocomp.support.passes import Instrument, Pass

from .artifact import Artifact

Node = dict[str, Any]
MOVES = {
    MappingType.ONE_TO_ONE: "copy",
    MappingType.REORGANIZE: "reshape",
    MappingType.SHUFFLE: "transpose",
    MappingType.ONE_TO_MANY: "broadcast",
}
"""What an operation does that only yields what it reads."""
RUNS = 10
"""Of which the report shows the median time."""
SHOWN_BODY = 4
"""Operations of a body that are named; one that has more is long enough."""


@dataclass(frozen=True)
class RecordGraph(Instrument):
    """Puts into `facts` under `graph` what the report shows as `graph` (see there): operations as soon as each has its mapping
    type, kernels as soon as each tensor between them has its layout, and which kernels are the same."""

    facts: dict[str, Any]

    def after(self, step: Pass, module: ir.Module, seconds: float) -> None:
        name = pass_name(step)
        if name == ClassifyMappingPass.name:
            self.facts["graph"] = {"before": _nodes_of(module.body.operations[0].operation, {}), "after": []}
        elif name == SelectLayoutPass.name and "graph" in self.facts:
            functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
            self.facts["graph"]["after"] = _nodes_of(functions["main"], functions)
        elif name == MergeFunctionsPass.name and "graph" in self.facts:
            main = module.body.operations[0].operation
            calls = [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "func.call"]
            self.facts["graph"]["calls"] = [op.attributes["callee"].value for op in calls]


def _nodes_of(main: ir.Operation, functions: dict[str, ir.Operation]) -> list[Node]:
    """Inputs, operations and outputs of `@main`; calls of `functions` are kernels."""
    block = main.regions[0].blocks[0]
    numbers: dict[ir.Value, int] = {}
    nodes: list[Node] = []
    for argument in block.arguments:
        if structured.weight_name(argument) is None and list(argument.uses):
            numbers[argument] = len(nodes)
            nodes.append(_boundary("input", _input_name(main, argument.arg_number), [argument], []))
    nodes += _operators(block, numbers, len(nodes), functions)
    for number, value in enumerate(ops_in(block)[-1].operands):
        nodes.append(_boundary("output", f"output {number}", [value], _known([value], numbers)))
    _set_layouts(block, numbers, nodes, functions)
    return nodes


def _operators(
    block: ir.Block, numbers: dict[ir.Value, int], first: int, functions: dict[str, ir.Operation]
) -> list[Node]:
    """Operations of a block that compute something; `numbers` learns which node, counted from `first`, makes a value."""
    nodes: list[Node] = []
    for op in ops_in(block):
        if op.name in NOT_COMPUTED or _is_filled(op):
            continue
        numbers.update(dict.fromkeys(op.results, first + len(nodes)))
        read = _known([*op.operands, *graphs.captured(op)], numbers)
        kernel = functions.get(op.attributes["callee"].value) if op.name == "func.call" else None
        nodes.append(_operator(op, read) if kernel is None else _kernel(op, kernel, read))
    return nodes


def _is_filled(op: ir.Operation) -> bool:
    """Whether an operation spreads a constant: what reads it has the constant in its code."""
    source = op.operands[0] if structured.is_copy(op) else None
    return source is not None and not isinstance(source, ir.BlockArgument) and source.owner.operation.name == "arith.constant"  # fmt: skip


def _known(values: Iterable[ir.Value], numbers: dict[ir.Value, int]) -> list[int]:
    """Nodes that make values, each once; weights and constants have none."""
    return list(dict.fromkeys(numbers[v] for v in values if v in numbers))


def _boundary(kind: str, name: str, values: Sequence[ir.Value], reads: list[int]) -> Node:
    empty = {"does": "", "layer": "", "source": "", "mapping": "", "flops": 0}
    return {"name": name, "kind": kind, **empty, "reads": reads, **_tensor(values)}


def _operator(op: ir.Operation, reads: list[int]) -> Node:
    mapping = fusion.mapping_of(op) or (MappingType.ONE_TO_ONE if structured.is_copy(op) else None)
    kind, does = _described(op, mapping)
    return {**_place(op), "kind": kind, "does": does, "mapping": str(mapping or ""), "flops": _flops(op), "reads": reads, **_tensor(op.results)}  # fmt: skip


def _kernel(call: ir.Operation, function: ir.Operation, reads: list[int]) -> Node:
    """A kernel with its operators, whose numbers count inside of it."""
    operators = _operators(function.regions[0].blocks[0], {}, 0, {})
    for operator in operators:
        del operator["source"]  # the graph before kernels has it
    flops = sum(operator["flops"] for operator in operators)
    described = {"kind": "kernel", "does": "", "mapping": "", "flops": flops, "reads": reads}
    return {**_place(call), **described, **_tensor(call.results), "operators": operators}


def _place(op: ir.Operation) -> Node:
    """What the model calls an operation."""
    found = origins(op.location)
    more = f" +{len(found) - 1}" if len(found) > 1 else ""
    name = found[0][0] + more if found else op.name.partition(".")[2]
    return {"name": name, "layer": next((path for _, path in found if path), ""), "source": source_line(op.location)}


def _tensor(values: Sequence[ir.Value]) -> Node:
    """Type of the first of some values, bytes of all of them."""
    shape, element = structured.shape_of(values[0]), structured.element_of(values[0])
    size = sum(prod(structured.shape_of(v)) * structured.bytes_of(structured.element_of(v)) for v in values)
    return {"type": "x".join([*map(str, shape), str(element)]), "bytes": size}


def _described(op: ir.Operation, mapping: MappingType | None) -> tuple[str, str]:
    """Kind of an operation, and what its body does."""
    if structured.is_contract(op):
        return "contraction", ""
    if not structured.is_generic(op):
        return op.name.partition(".")[2].replace("_", " "), ""
    body = [o.name.partition(".")[2] for o in structured.body_ops(op)[:-1] if o.name != "arith.constant"]
    does = " ".join([*body[:SHOWN_BODY], *(["..."] if len(body) > SHOWN_BODY else [])])
    if any("reduction" in str(kind) for kind in op.attributes["iterator_types"]):
        return "reduction", does
    return ("element-wise" if body else MOVES.get(mapping or MappingType.ONE_TO_ONE, "copy")), does


def _flops(op: ir.Operation) -> int:
    if not (structured.is_generic(op) or structured.is_contract(op)):
        return 0
    return prod(structured.bounds_of(op)) * graphs.arithmetic_of(op)


def _input_name(main: ir.Operation, number: int) -> str:
    named = main.attributes["arg_attrs"][number] if "arg_attrs" in main.attributes else {}
    return named["cocomp.input"].value if "cocomp.input" in named else f"input {number}"


def _set_layouts(
    block: ir.Block, numbers: dict[ir.Value, int], nodes: list[Node], functions: dict[str, ir.Operation]
) -> None:
    """Say of every node where the (first) tensor that it makes lies, as its maker or a reader has it; "" where nothing is decided."""
    for node in nodes:
        node["layout"] = ""
    for op in ops_in(block) if functions else []:
        if op.name == "func.call":
            function = functions[op.attributes["callee"].value]
            read = [(v, layout.of_argument(function, i)) for i, v in enumerate(op.operands)]
            for value, where in [(op.results[0], layout.of_result(function, 0)), *read]:
                if value in numbers and not nodes[numbers[value]]["layout"]:
                    nodes[numbers[value]]["layout"] = layout_text(where, structured.shape_of(value))


def layout_text(where: MapAttr, shape: Sequence[int]) -> str:
    """A layout in words: the order of the axes, and whether its memory holds more than the tensor."""
    position = layout.position_of(where, shape)
    axes = [a for a, extent in enumerate(shape) if extent > 1]
    order = sorted(axes, key=lambda a: -position.coefficient(a))
    if not all(isinstance(atom, affine.Dim) for atom, _ in position.terms):
        text = "scattered"
    elif order == axes:
        text = "row-major"
    elif len(shape) > 3 and order == [a for a in axes if a != 1] + [1]:
        text = "channels last"
    else:
        text = f"axes {' '.join(map(str, order))}"
    return f"{text}, with gaps" if layout.size_of(where) > prod(shape) else text


def measure(artifact: Artifact, inputs: Sequence[Any], threads: int) -> None:
    """Take down what each launch takes on this machine, under `profile` of the facts; nothing where the code cannot run here."""
    if artifact.manifest["triple"].split("-")[0] != platform.machine():
        return
    with artifact.load(threads) as model:
        times = [t.microseconds for t in model.profile(inputs, RUNS)]
        artifact.facts["profile"] = {"runs": RUNS, "threads": model.threads, "microseconds": times}
