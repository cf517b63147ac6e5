"""Kernels on the memory that tensors are in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from cocomp.dialects import texel
from cocomp.passes.kernel import _builder as b
from cocomp.passes.math.image import TEXEL
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import arith, ir, memref, ops_in, vector
from cocomp.support.passes import Pass, State

from ._texels import FORMATS


class View(StrEnum):
    """How a kernel sees the memory of an operand."""

    BUFFER = "buffer"
    QUADS = "quads"
    """A buffer, read four elements at a time."""
    SINGLES = "singles"
    """A buffer, read an element at a time, through the texture units all the same."""
    VECTORS = "vectors"
    """A buffer of vectors, for one that has more texels than a device sees of a buffer."""
    WRITTEN = "written"
    """A buffer, written four elements at a time."""
    IMAGE = "image"
    """An image that is read."""
    STORED = "stored"
    """An image that is written."""


@dataclass(frozen=True)
class BindTexelsPass(Pass):
    """Read and write texels of buffers and of images.

        func @group_3(%x: memref<..>, %y: memref<..>) attributes {kernel.images = [1], ..} {
          %v = "texel.fetch"(%x, %p)      "texel.write"(%y, %v, %q, %line, %element)
      -->
        func @group_3(%x: !spirv.image<f32, Buffer, ..>, %y: !spirv.image<f32, Dim2D, ..>)
            attributes {kernel.operands = [0, 1], kernel.bindings = ["quads f32", "stored f32"], ..} {
          %v = spirv.ImageFetch %x, %i    spirv.ImageWrite %y, %xy, %v

    Operands whose numbers are in `kernel.images` are images. Leaves `kernel.operands`, the operand of the dispatch behind each
    argument, and `kernel.bindings`, how it is bound: buffers first, of those that are seen as such, then their other views. What has
    more texels than the target is certain to see of a buffer is read and written past the texture units, as a buffer of vectors.
    Needs kernels of `shade-contractions` and `shade-loops`.
    """

    name: ClassVar[str] = "bind-texels"

    def run(self, module: ir.Module, state: State) -> None:
        assert isinstance(state.target, GpuTarget)
        for function in ops_in(module.body):
            if "kernel.grid" in function.attributes:
                with function.location:
                    _Binding(function, state.target).run()


@dataclass
class _Binding:
    function: ir.Operation
    target: GpuTarget
    views: dict[tuple[int, View], ir.Value] = field(default_factory=dict[tuple[int, View], ir.Value])
    """The arguments behind all others, in their order."""

    def run(self) -> None:
        attributes = self.function.attributes
        images = set(attributes["kernel.images"]) if "kernel.images" in attributes else set[int]()
        buffers = list(self.block.arguments)
        for in_texels in (False, True):  # buffers come first
            for number, buffer in enumerate(buffers):
                for op in _accesses(buffer):
                    if in_texels == (number in images or self._is_seen(op, number)):
                        with ir.InsertionPoint(op), op.location:
                            (self._replace if in_texels else self._go_past)(op, number, number in images)
        elements = [buffer.type.element_type for buffer in buffers]
        found = [*((n, View.BUFFER) for n in range(len(buffers))), *self.views]
        unused = [i for i, argument in enumerate(self.block.arguments) if not list(argument.uses)]
        for i in reversed(unused):
            self.block.erase_argument(i)
            del found[i]
        types = [a.type for a in self.block.arguments]
        attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, []))
        attributes["kernel.operands"] = ir.DenseI64ArrayAttr.get([n for n, _ in found])
        attributes["kernel.bindings"] = ir.ArrayAttr.get(
            [ir.StringAttr.get(f"{how} {elements[n]}") for n, how in found]
        )
        for name in ("kernel.images", "kernel.pitches"):
            if name in attributes:
                del attributes[name]

    @property
    def block(self) -> ir.Block:
        return self.function.regions[0].blocks[0]

    def _replace(self, op: ir.Operation, number: int, is_image: bool) -> None:
        if op.name == "texel.write":
            view = self._view(number, View.STORED if is_image else View.WRITTEN)
            operands = [view, _coordinates(op, is_image, TEXEL), op.operands[1]]
            ir.Operation.create("spirv.ImageWrite", results=[], operands=operands)
        else:
            op.results[0].replace_all_uses_with(self._fetched(op, number, is_image))
        op.erase()

    def _is_seen(self, op: ir.Operation, number: int) -> bool:
        """Whether a buffer is no larger than the texture units see one."""
        size = self.block.arguments[number].type.shape[0]
        single = op.name == "texel.fetch" and not isinstance(op.results[0].type, ir.VectorType)
        return (size if single else -(-size // TEXEL)) <= self.target.texel_elements

    def _go_past(self, op: ir.Operation, number: int, _is_image: bool) -> None:
        """Read or write the buffer itself."""
        position = texel.place_of(op)[0]
        if op.name == "texel.write":
            vectors = self._view(number, View.VECTORS)
            kind = vectors.type.element_type
            values = op.operands[1] if op.operands[1].type == kind else arith.truncf(kind, op.operands[1])
            memref.store(values, vectors, [b.value(_in_texels(_index(position)))])
        else:
            kind = op.results[0].type
            if isinstance(kind, ir.VectorType):
                found = memref.load(self._view(number, View.VECTORS), [b.value(_in_texels(_index(position)))])
            else:
                found = memref.load(self.block.arguments[number], [position])
            op.results[0].replace_all_uses_with(found if found.type == kind else arith.extf(kind, found))
        op.erase()

    def _fetched(self, op: ir.Operation, number: int, is_image: bool) -> ir.Value:
        kind = op.results[0].type
        is_quad = isinstance(kind, ir.VectorType)
        how = View.IMAGE if is_image else View.QUADS if is_quad else View.SINGLES
        place = _coordinates(op, is_image, TEXEL if is_quad else 1)
        four = kind if is_quad else ir.VectorType.get([TEXEL], kind)
        made = ir.Operation.create("spirv.ImageFetch", results=[four], operands=[self._view(number, how), place])
        if is_quad:
            return made.results[0]
        if not is_image:
            return vector.extract(made.results[0], [], [0])
        return vector.extract(made.results[0], [b.mod(texel.place_of(op)[-1], TEXEL)], [_DYNAMIC])

    def _view(self, number: int, how: View) -> ir.Value:
        if (number, how) not in self.views and how is View.VECTORS:
            scalars = self.block.arguments[number].type
            vectors = ir.VectorType.get([TEXEL], scalars.element_type)
            kind = ir.MemRefType.get([-(-scalars.shape[0] // TEXEL)], vectors, memory_space=scalars.memory_space)
            self.views[number, how] = self.block.add_argument(kind, self.function.location)
        elif (number, how) not in self.views:
            element = str(self.block.arguments[number].type.element_type)
            is_image = how in (View.IMAGE, View.STORED)
            extent = f"Dim{1 + len(self.function.attributes['kernel.pitches'][number])}D" if is_image else "Buffer"
            is_written = how in (View.WRITTEN, View.STORED)
            used = f"NoSampler, {FORMATS[element]}" if is_written else "NeedSampler, Unknown"
            sampled = "f32" if element in FORMATS else element
            kind = ir.Type.parse(f"!spirv.image<{sampled}, {extent}, NoDepth, NonArrayed, SingleSampled, {used}>")
            self.views[number, how] = self.block.add_argument(kind, self.function.location)
        return self.views[number, how]


_DYNAMIC = -(1 << 63)
"""Stands for a position among those of `vector.extract` that is an operand."""


def _accesses(buffer: ir.Value) -> list[ir.Operation]:
    """In the order of the kernel: a use comes before those that are older."""
    found = [use.owner.operation for use in buffer.uses if use.owner.name in texel.NAMES]
    return found[::-1]


def _coordinates(op: ir.Operation, is_image: bool, count: int) -> ir.Value:
    """Of the texel that an access is about: its number in a buffer of texels of `count` elements, x, y and maybe z in an image."""
    position, *outer = [_index(value) for value in texel.place_of(op)]
    if not is_image:
        return _as_i32(_in_texels(position) if count == TEXEL else position)
    element = outer.pop()
    x = _in_texels(element) if count == TEXEL else b.floordiv(element, TEXEL)
    places = [_as_i32(place) for place in (x, *reversed(outer))]
    return vector.from_elements(ir.VectorType.get([len(places)], places[0].type), places)


def _in_texels(at: b.Index) -> b.Index:
    """A position that is a multiple of four, in texels. Sums and products of such are divided term by term: a driver cannot, not knowing
    that nothing overflows."""
    if isinstance(at, int) or isinstance(at.owner, ir.Block) or not _is_multiple(at):
        return b.floordiv(at, TEXEL)
    op = at.owner.operation
    if op.name == "arith.addi":
        return b.add(*(_in_texels(_index(v)) for v in op.operands))
    if op.name == "arith.muli":
        divided, other = sorted((_index(v) for v in op.operands), key=_is_multiple, reverse=True)
        return b.mul(_in_texels(divided), other)
    if op.name == "arith.remui":
        return b.mod(_in_texels(_index(op.operands[0])), _known(op.operands[1]) // TEXEL)
    return b.floordiv(at, TEXEL)


def _is_multiple(at: b.Index) -> bool:
    """Whether a position is seen to be a multiple of four."""
    if isinstance(at, int):
        return at % TEXEL == 0
    if isinstance(at.owner, ir.Block):
        loop = at.owner.owner.operation
        return loop.name == "scf.for" and all(_is_multiple(_index(loop.operands[i])) for i in (0, 2))
    op = at.owner.operation
    if op.name == "arith.addi":
        return all(_is_multiple(_index(v)) for v in op.operands)
    if op.name == "arith.muli":
        return any(_is_multiple(_index(v)) for v in op.operands)
    return op.name == "arith.remui" and all(_is_multiple(_index(v)) for v in op.operands)


def _known(value: ir.Value) -> int:
    found = _index(value)
    assert isinstance(found, int)
    return found


def _index(value: ir.Value) -> b.Index:
    """A value, or the number that it is known to be."""
    is_constant = not isinstance(value.owner, ir.Block) and value.owner.operation.name == "arith.constant"
    return value.owner.operation.attributes["value"].value if is_constant else value


def _as_i32(index: b.Index) -> ir.Value:
    return arith.index_cast(ir.IntegerType.get_signless(32), b.value(index))
