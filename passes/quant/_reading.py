"""What the walk over a quantised graph asks of its operations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cocomp.dialects import structured
from cocomp.support.mlir import ir, origins

from ._atoms import Array
from ._stage import Map, Stage

COMBINING = {"arith.addf": "add", "arith.maximumf": "max", "arith.maxnumf": "max"}


def rounding_of(argument: ir.Value) -> ir.Operation | None:
    """What rounds an input, where nothing else reads it."""
    users = list({use.owner.operation for use in argument.uses})
    if len(users) != 1 or not structured.is_generic(users[0]):
        return None
    names = [o.name for o in structured.body_ops(users[0])]
    whole = structured.identity(len(structured.shape_of(argument)))
    same = all(m == whole for m in structured.loops_of(users[0]).maps)
    return users[0] if "math.roundeven" in names and len(users[0].operands) == 2 and same else None


def readers(value: ir.Value) -> Iterator[ir.Operation]:
    """What reads a value, through views; a border counts as a reader that is not element-wise."""
    for use in value.uses:
        user = use.owner.operation
        if structured.is_view(user):
            yield from readers(user.results[0])
        else:
            yield user


def said(old: ir.Attribute | None, scale: float) -> ir.DictAttr:
    """What is said of an argument, and its scale."""
    known = {named.name: named.attr for named in old} if old is not None else {}
    return ir.DictAttr.get(known | {"hls.scale": ir.FloatAttr.get(ir.F64Type.get(), scale)})


def name_of(value: ir.Value) -> str:
    """What a stage is called: the module that it comes from, or its node of the graph."""
    found = origins(value.owner.operation.location)
    return (found[0][1] or found[0][0] if found else "") or "stage"


def number_of(op: ir.Operation) -> float:
    """The number of a scalar constant."""
    return float(op.attributes["value"].value)


def constant_of(op: ir.Operation, index: Map, stage: Stage) -> float | Array:
    """What a constant has at an index, at all points of a stage."""
    attribute = op.attributes["value"]
    if isinstance(attribute, ir.FloatAttr | ir.IntegerAttr):
        return float(attribute.value)
    return trimmed(stage.gather(np.array(attribute, np.float64), index))


def trimmed(array: Array) -> float | Array:
    """One number as such."""
    return float(array.reshape(-1)[0]) if array.size == 1 else array


def fill_of(op: ir.Operation) -> float:
    """What a border is."""
    value = structured.body_ops(op)[-1].operands[0]
    if isinstance(value, ir.BlockArgument) or value.owner.operation.name != "arith.constant":
        raise ValueError("a border that is no constant")
    return number_of(value.owner.operation)


def combined(op: ir.Operation) -> tuple[str, ir.Value]:
    """How points of one element are combined, and what of each."""
    accumulator = op.regions[0].blocks[0].arguments[len(op.operands) - 1]
    last = structured.body_ops(op)[-1].operands[0]
    inner = None if isinstance(last, ir.BlockArgument) else last.owner.operation
    if inner is not None and inner.name in COMBINING and accumulator in list(inner.operands):
        others = [v for v in inner.operands if v != accumulator]
        if len(others) == 1:
            return COMBINING[inner.name], others[0]
    if inner is not None and inner.name == "arith.select":
        compare = inner.operands[0].owner.operation
        others = [v for v in list(inner.operands)[1:] if v != accumulator]
        greater = compare.name == "arith.cmpf" and compare.attributes["predicate"].value in (2, 3, 9, 10)
        if len(others) == 1 and greater and list(compare.operands) == list(inner.operands)[1:]:
            return "max", others[0]
    raise ValueError("a reduction that is neither a sum nor a maximum has no integer arithmetic")
