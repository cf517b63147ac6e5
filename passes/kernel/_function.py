"""The function that a group becomes: flat buffers in, flat buffers out, a range of tasks."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, structured
from cocomp.dialects.graph import Group
from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.chains import Digit, walk_of
from cocomp.passes.math.nest import Index, Nest
from cocomp.support.mlir import func, ir

from . import _builder as b
from ._builder import Once
from ._evaluate import Evaluator
from ._values import Memory


@dataclass
class Kernel:
    """A kernel under construction."""

    function: func.FuncOp
    evaluator: Evaluator
    outputs: list[Memory]
    first: ir.Value
    """Tasks to run: `first .. last - 1`."""
    last: ir.Value
    extra: list[ir.Value]
    """Arguments beyond the group's operands and results, such as tables."""
    scratch: ir.Value | None
    """Memory of the calling thread's own, where some was asked for."""

    @property
    def body(self) -> ir.Block:
        return self.function.regions[0].blocks[0]


def memory_type(element: ir.Type, size: int) -> ir.MemRefType:
    """A flat buffer; booleans take a byte each, indices eight."""
    if isinstance(element, ir.IntegerType) and element.width < 8:
        element = ir.IntegerType.get_signless(8)
    if isinstance(element, ir.IndexType):
        element = ir.IntegerType.get_signless(64)
    return ir.MemRefType.get([size], element)


def begin(
    group: Group,
    replaced: dict[int, ir.MemRefType] | None = None,
    extra: Sequence[ir.MemRefType] = (),
    scratch: ir.MemRefType | None = None,
) -> Kernel:
    """A new function beside the group's: arguments, results, `extra` buffers, scratch memory, first and last task.

    `replaced` gives the types of operands that are not laid out as their tensor says (packed weights).
    """
    old, replaced = group.function, replaced or {}
    inputs = []
    for number, argument in enumerate(group.arguments):
        size = layout.size_of(layout.of_argument(old, number))
        inputs.append(replaced.get(number) or memory_type(structured.element_of(argument), size))
    results = list(old.regions[0].blocks[0].operations)[-1].operation.operands
    outs = [
        memory_type(structured.element_of(r), layout.size_of(layout.of_result(old, i))) for i, r in enumerate(results)
    ]
    index = ir.IndexType.get()
    own = [scratch] if scratch is not None else []
    types = [*inputs, *outs, *extra, *own, index, index]
    with ir.InsertionPoint(old), old.location:
        function = func.FuncOp(old.attributes["sym_name"].value, ir.FunctionType.get(types, []), visibility="private")
    block = function.add_entry_block([old.location] * len(types))
    arguments = list(block.arguments)
    mark_arguments(function, len(types) - 2)
    if scratch is not None:
        function.attributes["kernel.scratch"] = i64(scratch.shape[0] * structured.bytes_of(scratch.element_type))
    with ir.InsertionPoint(block), old.location:
        end = func.ReturnOp([])
        memories = memories_of(group, arguments[: len(inputs)], replaced)
        evaluator = Evaluator(group.graph, memories, Once(ir.InsertionPoint(end)))
        outputs = [
            memory_of(a, layout.of_result(old, i), results[i])
            for i, a in enumerate(arguments[len(inputs) : len(inputs) + len(outs)])
        ]
    tables = arguments[len(inputs) + len(outs) :][: len(extra)]
    own_memory = arguments[-3] if scratch is not None else None
    return Kernel(function, evaluator, outputs, arguments[-2], arguments[-1], tables, own_memory)


def i64(value: int) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)


def mark_arguments(function: func.FuncOp, n_buffers: int) -> None:
    """Buffers do not overlap: the compiler may keep loaded values across stores."""
    marks = [ir.DictAttr.get({"llvm.noalias": ir.UnitAttr.get()})] * n_buffers
    function.attributes["arg_attrs"] = ir.ArrayAttr.get([*marks, ir.DictAttr.get({}), ir.DictAttr.get({})])


def memories_of(group: Group, arguments: Sequence[ir.Value], replaced: Container[int]) -> dict[int, Memory]:
    """Where the group's arguments lie, by their value numbers; those `replaced` have another form."""
    made: dict[int, Memory] = {}
    for number, (value, buffer) in enumerate(zip(group.arguments, arguments, strict=True)):
        if number not in replaced:
            made[group.graph.numbers[value]] = memory_of(buffer, layout.of_argument(group.function, number), value)
    return made


def memory_of(buffer: ir.Value, attribute: layout.MapAttr, value: ir.Value) -> Memory:
    """A tensor in a buffer."""
    shape = structured.shape_of(value)
    return Memory(buffer, layout.position_of(attribute, shape), shape, structured.element_of(value))


def finish(kernel: Kernel, group: Group, tasks: int, facts: dict[str, str]) -> None:
    """Replace the group's function by the kernel; record the number of tasks and what the report says of it."""
    kernel.function.attributes["kernel.tasks"] = i64(tasks)
    kernel.function.attributes["kernel.flops"] = i64(graphs.flops(group))
    kernel.function.attributes["kernel.facts"] = ir.DictAttr.get({k: ir.StringAttr.get(v) for k, v in facts.items()})
    places.put_on_cpu(kernel.function, places.on_cpu(group.function))
    group.function.erase()


def describe_walks(kernel: Kernel, group: Group, made: Nest, axes: Index, digits: Sequence[Digit]) -> None:
    """Record for `chain-kernels` how tasks fall into units: counts of the leading digits of a task number, and how each operand
    and result (computed at `axes`) is walked with them."""
    bounds, walks = made.bounds, list[ir.Attribute]()
    for value in group.arguments:
        number = group.graph.numbers[value]
        memory = kernel.evaluator.memories.get(number)
        found = [index for leaf, index in made.accesses if leaf == number]
        if memory is None or not found or number in group.graph.gathered:
            walks.append(ir.DenseI64ArrayAttr.get([]))
        else:
            walks.append(_walk(memory, [affine.substitute(memory.position, i, bounds) for i in found], digits, bounds))
    for memory in kernel.outputs:
        if group.root.name == "tensor.pad":  # its border is a task of its own, which the last unit takes
            walks.append(ir.DenseI64ArrayAttr.get([]))
        else:
            walks.append(_walk(memory, [affine.substitute(memory.position, axes, bounds)], digits, bounds))
    kernel.function.attributes["kernel.digits"] = ir.DenseI64ArrayAttr.get([d.count for d in digits])
    kernel.function.attributes["kernel.walks"] = ir.ArrayAttr.get(walks)


def _walk(memory: Memory, positions: list[Expr], digits: Sequence[Digit], bounds: Sequence[int]) -> ir.Attribute:
    size = structured.bytes_of(memory.buffer.type.element_type)
    walk = walk_of(positions, digits, bounds, size)
    return ir.DenseI64ArrayAttr.get([*walk.strides, *walk.spans])


def task_loop(kernel: Kernel) -> tuple[ir.Value, ir.InsertionPoint]:
    """The loop over tasks, empty; (task number, where its body goes). Constants made once go before it."""
    from cocomp.support.mlir import scf

    end = list(kernel.body.operations)[-1]
    with ir.InsertionPoint(end):
        one = b.value(1)
        op = scf.ForOp(kernel.first, kernel.last, one, [])
        kernel.evaluator.once.point = ir.InsertionPoint(op)
    with ir.InsertionPoint(op.body):
        scf.yield_([])
    return op.induction_variable, ir.InsertionPoint(list(op.body.operations)[-1])
