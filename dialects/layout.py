"""The `layout` dialect: where the elements of a tensor lie.

    #layout.map<affine_map<(d0, d1, d2, d3) -> (d0 * 200704 + d1 + d2 * 3584 + d3 * 64)>, 200704, "buffer">

maps a logical index to the position of the element (in elements) inside a buffer of the given size. The logical shape
never changes: channels-last, padding of a pitch and slices of a larger buffer are all one map. It stands on the
arguments and results of the functions that `form-groups` made, as `layout.map`.

    %t = linalg.generic {.., layout.copy = "a result of the model has memory of its own, row-major"} ..

says of an operation that only moves values why it is not a way of reading its operand (`eliminate-layout-transforms`); one that
says nothing is. On a call, or on the dispatch that it becomes, it says why there is a kernel that only moves values.
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation.

from collections.abc import Iterable, Sequence

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ext, ir

from . import graph as graphs
from . import structured

COPY = "layout.copy"
PLACING = ("tensor.concat", "tensor.insert_slice")
"""Operations of which no kernel is made: their result is where their operands are put."""


class Layout(ext.Dialect, name="layout"):
    pass


class MapAttr(Layout.Attribute, name="map"):
    """Index to position, the size of the buffer in elements, and the space that it lies in."""

    index: ir.AffineMapAttr
    size: ir.IntegerAttr
    space: ir.StringAttr


def strided(position: Expr, rank: int, size: int) -> MapAttr:
    """Layout of a tensor of `rank` dimensions whose element at d lies at `position(d)` of a buffer of `size` elements."""
    mapped = structured.affine_map([position], rank)
    return MapAttr.get(
        ir.AffineMapAttr.get(mapped),
        ir.IntegerAttr.get(ir.IntegerType.get_signless(64), size),
        ir.StringAttr.get("buffer"),
    )


def row_major(shape: Sequence[int]) -> MapAttr:
    """Elements in the order of their index, without gaps."""
    size = 1
    for extent in shape:
        size *= extent
    return strided(affine.linearize(structured.identity(len(shape)), shape), len(shape), size)


def position_of(attribute: MapAttr, shape: Sequence[int]) -> Expr:
    """The position as an expression over the logical dimensions."""
    return structured.expr_of(ir.AffineMapAttr(attribute.index).value.results[0], shape)


def size_of(attribute: MapAttr) -> int:
    """Elements of the buffer."""
    return ir.IntegerAttr(attribute.size).value


def of_argument(function: ir.Operation, number: int) -> MapAttr:
    """Layout of a group's argument."""
    return function.attributes["arg_attrs"][number]["layout.map"]


def set_of_argument(function: ir.Operation, number: int, attribute: MapAttr) -> None:
    """Change the layout of a group's argument."""
    attributes = list(function.attributes["arg_attrs"])
    changed = {named.name: named.attr for named in attributes[number]} | {"layout.map": attribute}
    attributes[number] = ir.DictAttr.get(changed)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)


def of_result(function: ir.Operation, number: int) -> MapAttr:
    """Layout of a group's result."""
    return function.attributes["res_attrs"][number]["layout.map"]


def copy_reason(op: ir.Operation) -> str | None:
    """Why an operation that only moves values stays; None where it does not, or where it computes something."""
    return op.attributes[COPY].value if COPY in op.attributes else None


def set_copy_reason(op: ir.Operation, reason: str | None) -> None:
    """Write why an operation that only moves values stays, or drop that."""
    if reason is not None:
        op.attributes[COPY] = ir.StringAttr.get(reason, op.context)
    elif COPY in op.attributes:
        del op.attributes[COPY]


def readers(values: Iterable[ir.Value]) -> list[ir.Operation]:
    """Operations that read `values`, looking through the views of which no copy is made."""
    found: list[ir.Operation] = []
    for value in values:
        for user in graphs.users(value):
            is_read_through = structured.is_view(user) and copy_reason(user) is None
            found += readers(user.results) if is_read_through else [user]
    return found
