"""The `sparse` dialect: contractions with a weight, and how that weight is sparse.

One operation covers convolution of any rank, stride, dilation and grouping, linear layers and matrix products:

    %y = "sparse.contract"(%x, %w) {maps = [X, W, Y], bounds = array<i64: ...>} : (tensor<..>, tensor<.., #sparse.dense>) -> tensor<..>

    Y[map_y(d)] = sum over the dimensions d that map_y does not use of  X[map_x(d)] * W[map_w(d)]

`bounds` is the extent of each loop dimension. A second operand without an encoding is an activation (attention).
The encoding of a weight is the encoding attribute of its tensor type:

    #sparse.dense    #sparse.filter    #sparse.channel    #sparse.bcr<16 : i64, 64 : i64>    ...

one attribute for every file of `cocomp.passes.math.encodings`, with its parameters in order.
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation; they mean operands and
# results of an operation, which pyright cannot know.
# pyright: reportInvalidTypeForm=false

import dataclasses
import re
import types
from typing import Any

from cocomp.passes.math.encodings import ENCODINGS, Encoding
from cocomp.support.mlir import ext, ir

_TEXT = re.compile(r"#sparse\.(\w+)(?:<(.*)>)?")
_NUMBER = re.compile(r"(-?\d+) : i64")


class Sparse(ext.Dialect, name="sparse"):
    pass


def _attribute_class(cls: type[Encoding]) -> type[ir.Attribute]:
    """The attribute of an encoding: its parameters as integers."""
    members = {"__annotations__": {f.name: ir.IntegerAttr for f in dataclasses.fields(cls)}, "__doc__": cls.__doc__}
    return types.new_class(f"{cls.__name__}Attr", (Sparse.Attribute,), {"name": cls.name}, lambda n: n.update(members))


ATTRIBUTES = {name: _attribute_class(cls) for name, cls in ENCODINGS.items()}
"""Name of an encoding -> class of its attribute."""


class ContractOp(Sparse.Operation, name="contract", traits=[ext.Pure]):
    """A weighted contraction; see the module's docstring."""

    input: ext.Operand[Any]
    weight: ext.Operand[Any]
    maps: ir.ArrayAttr
    bounds: Any  # DenseI64ArrayAttr, which IRDL cannot name
    out: ext.Result[Any]

    @classmethod
    def verify_invariants(cls, op: ir.Operation) -> bool:
        error = _contract_error(op)
        if error:
            op.location.emit_error(f"'sparse.contract' op {error}")
        return not error


def _contract_error(op: ir.Operation) -> str:
    kinds = [op.operands[0].type, op.operands[1].type, op.results[0].type]
    if not all(isinstance(t, ir.RankedTensorType) and t.has_static_shape for t in kinds):
        return "expected ranked tensors of static shape"
    maps = [ir.AffineMap(a.value) if not isinstance(a, ir.AffineMapAttr) else a.value for a in op.attributes["maps"]]
    bounds = list(op.attributes["bounds"])
    if len(maps) != 3:
        return f"expected 3 indexing maps, got {len(maps)}"
    for what, type_, affine_map in zip(("input", "weight", "result"), kinds, maps, strict=True):
        if affine_map.n_dims != len(bounds):
            return f"expected a map of {len(bounds)} dimensions for the {what}, got {affine_map.n_dims}"
        if len(affine_map.results) != type_.rank:
            return f"expected a map with {type_.rank} results for the {what}, got {len(affine_map.results)}"
    if any(b < 1 for b in bounds):
        return f"expected positive bounds, got {bounds}"
    try:
        encoding_of(kinds[1].encoding)
    except ValueError as error:
        return str(error)
    return ""


def attribute_of(encoding: Encoding) -> ir.Attribute:
    """An encoding as it stands in a type."""
    numbers = [ir.IntegerAttr.get(ir.IntegerType.get_signless(64), n) for n in dataclasses.astuple(encoding)]
    return ATTRIBUTES[encoding.name].get(*numbers)


def encoding_of(attribute: ir.Attribute | None) -> Encoding | None:
    """What stands in a type, None where it is no encoding of ours. Raises ValueError for impossible parameters."""
    match = _TEXT.fullmatch(str(attribute))
    cls = ENCODINGS.get(match[1]) if match else None
    if match is None or cls is None:
        return None
    return cls(*(int(number) for number in _NUMBER.findall(match[2] or "")))


def contract(
    x: ir.Value, weight: ir.Value, maps: list[ir.AffineMap], bounds: list[int], result: ir.Type, loc: ir.Location
) -> ir.Value:
    """Build a contraction."""
    attributes = ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps])
    return ContractOp(
        input=x, weight=weight, maps=attributes, bounds=ir.DenseI64ArrayAttr.get(bounds), out=result, loc=loc
    ).results[0]
