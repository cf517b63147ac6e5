"""A module that holds one kernel in several versions and nothing else: what the tuner measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cocomp.dialects import fusion, layout, structured
from cocomp.support.mlir import func, ir, ops_in
from cocomp.support.weights import WeightStore

from ._candidates import SCHEDULES

FLOATS = {"f64": np.float64, "f32": np.float32, "f16": np.float16}


def set_schedule(function: ir.Operation, schedule: ir.DictAttr) -> None:
    """Put a schedule on a group's function, in place of the one that it has."""
    for name in SCHEDULES:
        if name in function.attributes:
            del function.attributes[name]
    for named in schedule:
        function.attributes[named.name] = named.attr


def without_schedule(function: ir.Operation) -> str:
    """The text of a group's function but for its name, its schedule and where it comes from: what it computes."""
    copy = function.clone().operation
    for op in (copy, *ops_in(copy.regions[0].blocks[0])):
        fusion.set_mapping_of(op, None)
        layout.set_copy_reason(op, None)
    set_schedule(copy, ir.DictAttr.get({}))
    copy.attributes["sym_name"] = ir.StringAttr.get("kernel")
    return copy.get_asm(enable_debug_info=False, use_local_scope=True)


def trial(
    function: ir.Operation, names: Sequence[str | None], weights: WeightStore, schedules: Sequence[ir.DictAttr]
) -> tuple[ir.Module, WeightStore]:
    """A module of phase `laid-out` that calls `function` once with each of `schedules`, and its weights.

        func @group_3(%x, %w) { .. }
      -->
        func @group_3_0(%x, %w) attributes {kernel.schedule = ..} { .. }
        func @group_3_1(%x, %w) attributes {kernel.schedule = ..} { .. }
        func @main(%x {sparse.name = "input"}, %w {sparse.name = "conv.weight"}) { call @group_3_0(%x, %w), call @group_3_1(%x, %w) }

    names: the weight that each argument stands for, None for a tensor that is computed: it gets made-up values, as a constant,
    so that every layout is served. What a version reads as an image is copied into one first, by calls before all others. Nothing is
    returned: results stay in the arena. A schedule may hold any attributes of the function, `arg_attrs` among them.
    """
    block = function.regions[0].blocks[0]
    store, arguments = stand_ins(names, list(block.arguments), weights)
    module = ir.Module.create()
    called = function.attributes["sym_name"].value
    versions: list[ir.Operation] = []
    with ir.InsertionPoint(module.body):
        for number, schedule in enumerate(schedules):
            versions.append(function.clone().operation)
            versions[-1].attributes["sym_name"] = ir.StringAttr.get(f"{called}_{number}")
            set_schedule(versions[-1], schedule)
        places = [[layout.of_argument(version, n) for version in versions] for n in range(len(block.arguments))]
        images = {n: next(filter(layout.pitches_of, seen), None) for n, seen in enumerate(places)}
        fills = {n: _fill(block.arguments[n].type, image, n) for n, image in images.items() if image is not None}
        main = func.FuncOp("main", ir.FunctionType.get([a.type for a in block.arguments], []))
        main.attributes["arg_attrs"] = arguments
        results = [value.type for value in ops_in(block)[-1].operands]
        with ir.InsertionPoint(main.add_entry_block()):
            given = list(main.entry_block.arguments)
            filled = {n: func.CallOp([given[n].type], fill, [given[n]]).results[0] for n, fill in fills.items()}
            for number in range(len(schedules)):
                read = [filled[n] if layout.pitches_of(places[n][number]) else value for n, value in enumerate(given)]
                func.CallOp(results, f"{called}_{number}", read)
            func.ReturnOp([])
    return module, store


def _fill(kind: ir.Type, image: layout.MapAttr, number: int) -> str:
    """Name of a function that copies a tensor from a buffer into an image."""
    name = f"fill_{number}"
    made = func.FuncOp(name, ir.FunctionType.get([kind], [kind]), visibility="private")
    for where, attribute in (("arg_attrs", layout.in_plain_buffer(image)), ("res_attrs", image)):
        made.attributes[where] = ir.ArrayAttr.get([ir.DictAttr.get({"layout.map": attribute})])
    block = made.add_entry_block()
    with ir.InsertionPoint(block):
        func.ReturnOp([structured.copy_of(block.arguments[0])])
    return name


def stand_ins(
    names: Sequence[str | None], values: Sequence[ir.Value], weights: WeightStore
) -> tuple[WeightStore, ir.ArrayAttr]:
    """What a function's arguments are in a trial: those of `weights` that have a name, made-up constants where there is none. The
    attributes of the arguments say so."""
    store, arguments = WeightStore(), list[ir.Attribute]()
    for name, value in zip(names, values, strict=True):
        array = weights[name] if name is not None else _made_up(value)
        used = name if name is not None and name in store else store.add(name or "input", array)
        arguments.append(ir.DictAttr.get({"sparse.name": ir.StringAttr.get(used)}))
    return store, ir.ArrayAttr.get(arguments)


def _made_up(value: ir.Value) -> np.ndarray:
    """Values for a tensor: floats of ordinary size, other types zero, which no index minds."""
    shape, element = structured.shape_of(value), structured.element_of(value)
    kind = FLOATS.get(str(element))
    if kind is None:
        return np.zeros(shape, np.bool_ if str(element) == "i1" else f"i{structured.bytes_of(element)}")
    return np.linspace(-1, 1, math.prod(shape), dtype=kind).reshape(shape)
