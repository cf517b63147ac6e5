"""The `texel` dialect: reading and writing memory through the texture units, before it is known what that memory is.

    %v = "texel.fetch"(%x, %position) : (memref<4096xf32>, index) -> vector<4xf32>
    %a = "texel.fetch"(%x, %position) : (memref<4096xf32>, index) -> f32
    "texel.write"(%y, %v, %position, %line, %element) : (memref<4096xf32>, vector<4xf32>, index, index, index) -> ()

A position counts elements, and is a multiple of four where four are read or written. Where the memory may be an image the line and
the element in it stand beside it. Half precision is fetched and written as single.
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation; they mean operands and
# results of an operation, which pyright cannot know.
# pyright: reportInvalidTypeForm=false

from collections.abc import Sequence
from typing import Any

from cocomp.support.mlir import ext, ir


class Texel(ext.Dialect, name="texel"):
    pass


class FetchOp(Texel.Operation, name="fetch"):
    """Four elements, or one."""

    buffer: ext.Operand[Any]
    place: Sequence[ext.Operand[Any]]
    result: ext.Result[Any]


class WriteOp(Texel.Operation, name="write"):
    """Four elements of single precision."""

    buffer: ext.Operand[Any]
    values: ext.Operand[Any]
    place: Sequence[ext.Operand[Any]]


NAMES = ("texel.fetch", "texel.write")


def fetch(kind: ir.Type, buffer: ir.Value, place: Sequence[ir.Value]) -> ir.Value:
    """Elements as a value of type `kind`, a vector of four or a scalar."""
    return ir.Operation.create("texel.fetch", results=[kind], operands=[buffer, *place]).results[0]


def write(buffer: ir.Value, values: ir.Value, place: Sequence[ir.Value]) -> None:
    """Write four elements."""
    ir.Operation.create("texel.write", results=[], operands=[buffer, values, *place])


def place_of(op: ir.Operation) -> list[ir.Value]:
    """Position, and line and element in it where the memory may be an image."""
    return list(op.operands)[1 if op.name == "texel.fetch" else 2 :]
