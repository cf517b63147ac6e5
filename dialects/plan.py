"""The `plan` dialect: what runs in which order on which memory.

    %x = "plan.input"() {index = 0} : () -> !plan.buffer
    %w = "plan.constant"() {name = "conv1.weight"} : () -> !plan.buffer
    %a = "plan.arena"() {bytes = 802816, offset = 0} : () -> !plan.buffer
    "plan.dispatch"(%x, %w, %a) {kernel = @group_0, writes = [{argument = 2, type = .., layout = ..}]} : (!plan.buffer, ...) -> ()

Several dispatches may share a launch (`chain-kernels`):

    %s = "plan.local"() {bytes = 65536, offset = 0} : () -> !plan.buffer
    "plan.dispatch"(%q, %k, %s) {kernel = @group_1, chain = 0, units = 12, ..} : ..
    "plan.dispatch"(%s, %v, %a) {kernel = @group_2, chain = 0, units = 12, ..} : ..

A tensor may be an image:

    %i = "plan.image"() {bytes = 802816, width = 896, height = 56, depth = 1, element = f32, slot = 0, offset = 1605632} : () -> !plan.buffer

A dispatch passes its operands to the kernel in order: the inputs, then what it writes.
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation; they mean operands and
# results of an operation, which pyright cannot know.
# pyright: reportInvalidTypeForm=false

from collections.abc import Iterable, Sequence

from cocomp.passes.math.image import Image
from cocomp.support.mlir import ext, ir

MAX_ARGUMENTS = 64
"""Buffers that a launch can have: `COCOMP_MAX_ARGUMENTS` of the runtime."""


class Plan(ext.Dialect, name="plan"):
    pass


class BufferType(Plan.Type, name="buffer"):
    """Memory at run time, known by its address."""


class InputOp(Plan.Operation, name="input"):
    """Memory of the model's input number `index`."""

    index: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class OutputOp(Plan.Operation, name="output"):
    """Memory of the model's output number `index`."""

    index: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class ConstantOp(Plan.Operation, name="constant"):
    """A weight in the artefact, by its name in the store."""

    weight: ir.StringAttr
    buffer: ext.Result[BufferType]


class ArenaOp(Plan.Operation, name="arena"):
    """Part of the arena: `bytes` bytes; `offset` is -1 until `assign-arena` has run."""

    bytes: ir.IntegerAttr
    offset: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class ImageOp(Plan.Operation, name="image"):
    """A tensor of `bytes` bytes as an image of `width` x `height` x `depth` texels of four elements, of two dimensions where the depth
    is 1, in memory that it shares with all images of its `slot`; the host sees a copy of it at `offset` of the copy of the arena. Both are -1 until `assign-arena` has run."""

    bytes: ir.IntegerAttr
    width: ir.IntegerAttr
    height: ir.IntegerAttr
    depth: ir.IntegerAttr
    element: ir.TypeAttr
    slot: ir.IntegerAttr
    offset: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class PersistentOp(Plan.Operation, name="persistent"):
    """Memory that is written once, when the model is created: `bytes` bytes; `offset` as for `plan.arena`."""

    bytes: ir.IntegerAttr
    offset: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class LocalOp(Plan.Operation, name="local"):
    """What the kernels of one launch pass on: a slice of `bytes` bytes for each unit, at `offset` of the memory of the thread that
    runs the unit."""

    bytes: ir.IntegerAttr
    offset: ir.IntegerAttr
    buffer: ext.Result[BufferType]


class DispatchOp(Plan.Operation, name="dispatch"):
    """Run a kernel. The attribute `writes` describes the tensors that it writes (`written`).

    `skipped_flops`, where present, is the arithmetic that zeros of its weight save, `added_flops` that of zeros which are
    no part of the model's weight but give it its shape. Neighbours with the same `chain` run in one launch, unit by unit: each
    of the `units` takes an equal part of the tasks of every one of them, in order. `layout.copy` says why there is a kernel that only
    moves values. With the attribute `once` it runs when the model is created, and not again; such dispatches come first.
    """

    kernel: ir.FlatSymbolRefAttr
    arguments: Sequence[ext.Operand[BufferType]]


def i64(value: int) -> ir.IntegerAttr:
    """A 64-bit integer attribute."""
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)


def input_buffer(index: int) -> ir.Value:
    """Memory of an input."""
    return InputOp(index=i64(index), buffer=BufferType.get()).results[0]


def output_buffer(index: int) -> ir.Value:
    """Memory of an output."""
    return OutputOp(index=i64(index), buffer=BufferType.get()).results[0]


def constant(name: str) -> ir.Value:
    """A weight."""
    return ConstantOp(weight=ir.StringAttr.get(name), buffer=BufferType.get()).results[0]


def arena(size: int) -> ir.Value:
    """`size` bytes of the arena, not yet placed."""
    return ArenaOp(bytes=i64(size), offset=i64(-1), buffer=BufferType.get()).results[0]


def image(made: Image, element: ir.Type, size: int) -> ir.Value:
    """An image, not yet placed, of a tensor of `size` bytes."""
    return ImageOp(
        bytes=i64(size),
        width=i64(made.width),
        height=i64(made.height),
        depth=i64(made.depth),
        element=ir.TypeAttr.get(element),
        slot=i64(-1),
        offset=i64(-1),
        buffer=BufferType.get(),
    ).results[0]


def persistent(size: int) -> ir.Value:
    """`size` bytes of persistent memory, not yet placed."""
    return PersistentOp(bytes=i64(size), offset=i64(-1), buffer=BufferType.get()).results[0]


def local(size: int, offset: int) -> ir.Value:
    """Memory of a unit."""
    return LocalOp(bytes=i64(size), offset=i64(offset), buffer=BufferType.get()).results[0]


def launches(operations: Iterable[ir.Operation]) -> list[list[ir.Operation]]:
    """The dispatches among some operations, by launch."""
    found: list[list[ir.Operation]] = []
    last: int | None = None
    for op in operations:
        if op.name == "plan.dispatch":
            chain = op.attributes["chain"].value if "chain" in op.attributes else None
            if chain is None or chain != last:
                found.append([])
            found[-1].append(op)
            last = chain
    return found


def dispatch(
    kernel: str, arguments: Sequence[ir.Value], written: ir.ArrayAttr, loc: ir.Location, once: bool = False
) -> ir.Operation:
    """Run `kernel`, which writes the tensors that `written` describes; `once`: when the model is created."""
    op = DispatchOp(kernel=ir.FlatSymbolRefAttr.get(kernel), arguments=arguments, loc=loc)
    op.attributes["writes"] = written
    if once:
        op.attributes["once"] = ir.UnitAttr.get()
    return op.operation


def written(
    type_: ir.Type, layout: ir.Attribute, argument: int, pad: ir.Operation | None = None, in_buffer: str = ""
) -> ir.DictAttr:
    """Description of a tensor that a dispatch writes to its operand number `argument`; `pad` is what gives it a border,
    `in_buffer` why its memory is no image."""
    more: dict[str, ir.Attribute] = {}
    if pad is not None:
        more = {"inside": ir.TypeAttr.get(pad.operands[0].type), "low": pad.attributes["static_low"]}
    if in_buffer:
        more["in_buffer"] = ir.StringAttr.get(in_buffer)
    return ir.DictAttr.get({"type": ir.TypeAttr.get(type_), "layout": layout, "argument": i64(argument), **more})
