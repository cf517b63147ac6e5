"""The `layout` dialect: where the elements of a tensor lie.

    #layout.map<affine_map<(d0, d1, d2, d3) -> (d0 * 200704 + d1 + d2 * 3584 + d3 * 64)>, 200704, "buffer">

maps a logical index to the position of the element (in elements) inside a buffer of the given size. The logical shape
never changes: channels-last, padding of a pitch and slices of a larger buffer are all one map. It stands on the
arguments and results of the functions that `form-groups` made, as `layout.map`.

    %t = linalg.generic {.., layout.copy = "a result of the model has memory of its own, row-major"} ..

says of an operation that only moves values why it is not a way of reading its operand (`eliminate-layout-transforms`); one that
says nothing is. On a call, or on the dispatch that it becomes, it says why there is a kernel that only moves values.

    #layout.map<affine_map<..>, 200704, #layout.texture2d<3584>>

is the same memory as an image, four elements in a texel and 3584 in a line (`passes.math.image`), and `#layout.texture3d<3584, 200704>`
an image of slices with 200704 elements each. `layout.in_buffer` says of a call why each of its results is not in one.
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation.

from collections.abc import Iterable, Sequence

from cocomp.passes.math import affine, image
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import ext, ir, ops_in

from . import graph as graphs
from . import structured

COPY = "layout.copy"
IN_BUFFER = "layout.in_buffer"
PLACING = ("tensor.concat", "tensor.insert_slice")
"""Operations of which no kernel is made: their result is where their operands are put."""


class Layout(ext.Dialect, name="layout"):
    pass


class TextureAttr(Layout.Attribute, name="texture2d"):
    """The space of images with so many elements in a line."""

    pitch: ir.IntegerAttr


class VolumeAttr(Layout.Attribute, name="texture3d"):
    """The space of images with so many elements in a line, and in a slice of lines."""

    pitch: ir.IntegerAttr
    slice: ir.IntegerAttr


class MapAttr(Layout.Attribute, name="map"):
    """Index to position, the size of the buffer in elements, and the space that it lies in: "buffer", or a texture."""

    index: ir.AffineMapAttr
    size: ir.IntegerAttr
    space: ir.StringAttr | TextureAttr | VolumeAttr


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


def in_texture(attribute: MapAttr, pitches: image.Pitches) -> MapAttr:
    """The same in an image."""
    numbers = [ir.IntegerAttr.get(ir.IntegerType.get_signless(64), pitch) for pitch in reversed(pitches)]
    space = TextureAttr.get(*numbers) if len(numbers) == 1 else VolumeAttr.get(*numbers)
    return MapAttr.get(attribute.index, attribute.size, space)


def in_plain_buffer(attribute: MapAttr) -> MapAttr:
    """The same in a buffer."""
    return MapAttr.get(attribute.index, attribute.size, ir.StringAttr.get("buffer"))


def pitches_of(attribute: MapAttr) -> image.Pitches:
    """Of the image that a tensor is in; none where it is in a buffer."""
    space = attribute.space.maybe_downcast()
    if isinstance(space, ir.StringAttr):
        return ()
    numbers = [space.slice, space.pitch] if isinstance(space, VolumeAttr) else [TextureAttr(attribute.space).pitch]
    return tuple(ir.IntegerAttr(number).value for number in numbers)


def lines_of(attribute: MapAttr, position: Expr, bounds: Sequence[int]) -> list[Expr]:
    """What has to be walked evenly where dimensions of the extents `bounds` are joined: a position in a buffer, in an image slice and
    line and the element in it."""
    pitches = pitches_of(attribute)
    found = image.split(position, pitches, bounds) if pitches else None
    return [position] if found is None else list(found)


def of_argument(function: ir.Operation, number: int) -> MapAttr:
    """Layout of a group's argument."""
    return function.attributes["arg_attrs"][number]["layout.map"]


def set_of_argument(function: ir.Operation, number: int, attribute: MapAttr) -> None:
    """Change the layout of a group's argument."""
    _set(function, "arg_attrs", number, attribute)


def of_result(function: ir.Operation, number: int) -> MapAttr:
    """Layout of a group's result."""
    return function.attributes["res_attrs"][number]["layout.map"]


def set_of_result(function: ir.Operation, number: int, attribute: MapAttr) -> None:
    """Change the layout of a group's result."""
    _set(function, "res_attrs", number, attribute)


def _set(function: ir.Operation, kind: str, number: int, attribute: MapAttr) -> None:
    attributes = list(function.attributes[kind])
    changed = {named.name: named.attr for named in attributes[number]} | {"layout.map": attribute}
    attributes[number] = ir.DictAttr.get(changed)
    function.attributes[kind] = ir.ArrayAttr.get(attributes)


def owners(block: ir.Block) -> dict[ir.Value, ir.Value]:
    """Part of a concatenation or insertion -> the outermost one, whose memory it lies in."""
    found: dict[ir.Value, ir.Value] = {}
    for op in reversed(ops_in(block)):
        if op.name in PLACING:
            whole = found.get(op.results[0], op.results[0])
            for value in op.operands:
                found[value] = whole
    return found


def copy_reason(op: ir.Operation) -> str | None:
    """Why an operation that only moves values stays; None where it does not, or where it computes something."""
    return op.attributes[COPY].value if COPY in op.attributes else None


def set_copy_reason(op: ir.Operation, reason: str | None) -> None:
    """Write why an operation that only moves values stays, or drop that."""
    if reason is not None:
        op.attributes[COPY] = ir.StringAttr.get(reason, op.context)
    elif COPY in op.attributes:
        del op.attributes[COPY]


def buffer_reasons(op: ir.Operation) -> list[str]:
    """Why each result of a call is in a buffer and not in an image; empty where it is not, or nobody asked."""
    given = op.attributes[IN_BUFFER] if IN_BUFFER in op.attributes else [ir.StringAttr.get("")] * len(op.results)
    return [reason.value for reason in given]


def set_buffer_reasons(op: ir.Operation, reasons: Sequence[str]) -> None:
    """Write why results of a call are in buffers."""
    op.attributes[IN_BUFFER] = ir.ArrayAttr.get([ir.StringAttr.get(reason) for reason in reasons])


def readers(values: Iterable[ir.Value]) -> list[ir.Operation]:
    """Operations that read `values`, looking through the views of which no copy is made."""
    found: list[ir.Operation] = []
    for value in values:
        for user in graphs.users(value):
            is_read_through = structured.is_view(user) and copy_reason(user) is None
            found += readers(user.results) if is_read_through else [user]
    return found
