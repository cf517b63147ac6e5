"""From calls on tensors to dispatches on memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import layout, plan, structured
from cocomp.support.mlir import func, ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class BuildPlanPass(Pass):
    """Turn `@main` into a plan.

        %y = call @group_0(%x, %w)      -->      "plan.dispatch"(%x, %w, %y) {kernel = @group_0}
        return %y

    Results of calls live in the arena, in the memory of the output that they are, or in the memory of the
    concatenation that they are part of. Needs `select-layout`; leaves arena buffers without a place.
    """

    name: ClassVar[str] = "build-plan"

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        main = functions.pop("main")
        block = main.regions[0].blocks[0]
        owners = layout.owners(block)
        outputs = {owners.get(v, v): i for i, v in enumerate(ops_in(block)[-1].operands)}
        with ir.InsertionPoint(main), main.location:
            planned = func.FuncOp("main", ir.FunctionType.get([], []))
            planned.attributes["plan.inputs"] = _signature(main, "arg_attrs", "cocomp.input", block.arguments)
            planned.attributes["plan.outputs"] = _signature(
                main, "res_attrs", "cocomp.output", ops_in(block)[-1].operands
            )
        body = planned.add_entry_block()
        buffers: dict[ir.Value, ir.Value] = {}
        with ir.InsertionPoint(body), main.location:
            _bind_arguments(block, buffers)
            for op in ops_in(block):
                if op.name == "func.call":
                    _dispatch(op, functions[op.attributes["callee"].value], owners, outputs, buffers)
            func.ReturnOp([])
        main.erase()


def _signature(main: ir.Operation, kind: str, key: str, values: object) -> ir.ArrayAttr:
    """Names and types of the model's inputs or outputs; weights are left out."""
    found: list[ir.Attribute] = []
    for number, value in enumerate(values):  # pyright: ignore
        named = main.attributes[kind][number] if kind in main.attributes else {}
        if "sparse.name" in named:
            continue
        name = named[key] if key in named else ir.StringAttr.get(f"{key.split('.')[1]}{number}")
        found.append(ir.DictAttr.get({"name": name, "type": ir.TypeAttr.get(value.type)}))
    return ir.ArrayAttr.get(found)


def _bind_arguments(block: ir.Block, buffers: dict[ir.Value, ir.Value]) -> None:
    inputs = 0
    for argument in block.arguments:
        name = structured.weight_name(argument)
        if name is not None:
            buffers[argument] = plan.constant(name)
        else:
            buffers[argument] = plan.input_buffer(inputs)
            inputs += 1


def _dispatch(
    call: ir.Operation,
    function: ir.Operation,
    owners: dict[ir.Value, ir.Value],
    outputs: dict[ir.Value, int],
    buffers: dict[ir.Value, ir.Value],
) -> None:
    def buffer(value: ir.Value, size: int) -> ir.Value:
        owner = owners.get(value, value)
        if owner not in buffers:
            buffers[owner] = plan.output_buffer(outputs[owner]) if owner in outputs else plan.arena(size)
        return buffers[owner]

    arguments = [buffers.get(owners.get(v, v)) for v in call.operands]
    written: list[ir.Attribute] = []
    reasons = layout.buffer_reasons(call)
    for number, result in enumerate(call.results):
        where = layout.of_result(function, number)
        maker = ops_in(function.regions[0].blocks[0])[-1].operands[number].owner.operation
        pad = maker if maker.name == "tensor.pad" else None
        written.append(plan.written(result.type, where, len(arguments), pad, reasons[number]))
        arguments.append(buffer(result, layout.size_of(where) * structured.bytes_of(structured.element_of(result))))
    made = plan.dispatch(call.attributes["callee"].value, arguments, ir.ArrayAttr.get(written), call.location)
    layout.set_copy_reason(made, layout.copy_reason(call))
