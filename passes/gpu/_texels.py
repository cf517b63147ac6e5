"""Reading and writing four neighbouring elements at once, as texels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cocomp.dialects import texel
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._evaluate import Evaluator
from cocomp.passes.kernel._values import Memory, Point, Val, lane_step
from cocomp.passes.math import affine, image, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.image import TEXEL
from cocomp.support.mlir import arith, ir, memref, vector

FORMATS = {"f32": "Rgba32f", "f16": "Rgba16f"}
"""Element type -> format of texels that are written; those that are read have none."""


@dataclass(frozen=True)
class Place:
    """Where elements of a buffer are: their position, and where the buffer may be an image, slice if it has such, line, and element
    in it."""

    position: Index
    coordinates: tuple[Index, ...] = ()

    @property
    def values(self) -> list[ir.Value]:
        return [b.value(index) for index in (self.position, *self.coordinates)]


def is_aligned(position: Expr, along: int | None) -> bool:
    """Whether a position is a multiple of four wherever dimension `along`, which it follows step by step, is one."""
    others = [c for atom, c in position.terms if atom != affine.Dim(along if along is not None else -1)]
    hidden = any(
        not isinstance(atom, affine.Dim) and along in atom.operand.dims() for atom, c in position.terms if c % TEXEL
    )
    return not hidden and position.constant % TEXEL == 0 and all(c % TEXEL == 0 for c in others)


@dataclass(frozen=True)
class Texels:
    """Access to a kernel's buffers through the texture units."""

    pitches: Mapping[int, image.Pitches]
    """Number of a buffer among the kernel's arguments -> those of the image that it may be."""

    def place(self, buffer: ir.Value, position: Expr, dims: Sequence[Index | None], bounds: Sequence[int]) -> Place:
        """Where a position of a buffer is, whose dimensions have the given values and extents."""
        pitches = self._pitches(buffer)
        found = image.split(position, pitches, bounds) if pitches else None
        return Place(b.evaluate(position, dims), tuple(b.evaluate(part, dims) for part in found or ()))

    def moved(self, buffer: ir.Value, place: Place, offset: Index) -> Place:
        """A place so many elements further, in which no line or slice ends that `place` was computed for."""
        position = b.add(place.position, offset)
        if not place.coordinates:
            return Place(position)
        *outer, element = place.coordinates
        moved: list[Index] = []
        for coordinate, pitch in zip(outer, self._pitches(buffer), strict=True):
            moved.append(b.add(coordinate, b.floordiv(offset, pitch)))
            offset = b.mod(offset, pitch)
        return Place(position, (*moved, b.add(element, offset)))

    def _pitches(self, buffer: ir.Value) -> image.Pitches:
        return self.pitches.get(ir.BlockArgument(buffer).arg_number, ())

    def fetch(self, buffer: ir.Value, at: Place | Index, count: int = TEXEL) -> ir.Value:
        """Four elements from a place on, a multiple of four, or the one there; single precision, whatever they are in
        memory, which has texels (`has_texels`)."""
        single = ir.F32Type.get()
        return texel.fetch(ir.VectorType.get([TEXEL], single) if count == TEXEL else single, buffer, _values(at))

    def number(self, buffer: ir.Value, at: Index, multiple: int = 1) -> Index:
        """An entry of a table of integers as an index, of which it is known that it is a multiple of something."""
        found = arith.index_cast(b.index_type(), texel.fetch(buffer.type.element_type, buffer, _values(at)))
        return b.mul(b.floordiv(found, multiple), multiple)

    def write(self, buffer: ir.Value, at: Place, values: ir.Value) -> None:
        """The reverse of `fetch`."""
        single = ir.VectorType.get([TEXEL], ir.F32Type.get())
        texel.write(buffer, values if values.type == single else arith.extf(single, values), at.values)


def has_texels(buffer: ir.Value) -> bool:
    """Whether the elements of a buffer come in texels."""
    return str(buffer.type.element_type) in FORMATS


def _values(at: Place | Index) -> list[ir.Value]:
    return at.values if isinstance(at, Place) else [b.value(at)]


@dataclass
class ShaderEvaluator(Evaluator):
    """Evaluates values of a group on a GPU: at single points, or at four along a dimension whose value is a multiple of four."""

    texels: Texels = field(kw_only=True)

    def apply(self, op: ir.Operation, operands: Sequence[Val], point: Point) -> Val:
        return super().apply(op, _compared_narrow(operands) if op.name == "arith.cmpi" else operands, point)

    def load(self, memory: Memory, index: nest.Index, point: Point) -> Val:
        """Element(s) of a tensor in memory, as a texel where they are one."""
        position = affine.substitute(memory.position, index, point.bounds)
        step = lane_step(position, point)
        if step == 0:
            return Val(
                memory.element, self.element(memory.buffer, self._place(memory, position, point), memory.element)
            )
        if self._is_quad(memory, position, point):
            found = self.texels.fetch(memory.buffer, self._place(memory, position, point))
            return Val(memory.element, narrowed(found, memory.element), True)
        lanes = [self.element(memory.buffer, at, memory.element) for at in self._places(memory, position, point)]
        kind = ir.VectorType.get([point.lanes], memory.element)
        return Val(memory.element, vector.from_elements(kind, lanes), True)

    def element(self, buffer: ir.Value, at: Place, element: ir.Type) -> ir.Value:
        """One element of a buffer."""
        if has_texels(buffer):
            return narrowed(self.texels.fetch(buffer, at, 1), element)
        return self._from_memory(memref.load(buffer, [b.value(at.position)]), element)

    def store(self, val: Val, memory: Memory, index: nest.Index, point: Point) -> None:
        """Write a value to a tensor in memory, as a texel where it is one."""
        position = affine.substitute(memory.position, index, point.bounds)
        if lane_step(position, point) == 0:
            super().store(val, memory, index, point)
            return
        lanes = self._to_memory(self.spread(val, point), memory)
        if self._is_quad(memory, position, point):
            self.texels.write(memory.buffer, self._place(memory, position, point), lanes)
            return
        for lane, at in enumerate(self._places(memory, position, point)):
            memref.store(vector.extract(lanes, [], [lane]), memory.buffer, [b.value(at.position)])

    def _is_quad(self, memory: Memory, position: Expr, point: Point) -> bool:
        is_contiguous = point.vector_dim not in point.varying and lane_step(position, point) == 1
        return has_texels(memory.buffer) and is_contiguous and is_aligned(position, point.vector_dim)

    def _place(self, memory: Memory, position: Expr, point: Point) -> Place:
        return self.texels.place(memory.buffer, position, point.dims, point.bounds)

    def _places(self, memory: Memory, position: Expr, point: Point) -> list[Place]:
        return [self._place(memory, position, self._lane(point, lane)) for lane in range(point.lanes)]


def _compared_narrow(operands: Sequence[Val]) -> Sequence[Val]:
    """Operands of a comparison with a constant without the extension of the other one: many GPUs have no integers of 64 bits,
    and drivers get such comparisons wrong."""
    for i, (wide, number) in enumerate(zip(operands, reversed(operands), strict=True)):
        maker = None if wide.built is None or isinstance(wide.built.owner, ir.Block) else wide.built.owner.operation
        if maker is None or maker.name != "arith.extsi" or number.expr is None or not number.expr.is_constant:
            continue
        source = maker.operands[0]
        kind = source.type.element_type if wide.is_vector else source.type
        if kind.width > 1 and -(1 << kind.width - 1) <= number.expr.constant < 1 << kind.width - 1:
            pair = [Val(kind, source, wide.is_vector), Val(kind, expr=number.expr)]
            return pair if i == 0 else pair[::-1]
    return operands


def narrowed(value: ir.Value, element: ir.Type) -> ir.Value:
    """What was fetched, in the type that it is computed with."""
    kind = ir.VectorType.get(value.type.shape, element) if isinstance(value.type, ir.VectorType) else element
    return value if value.type == kind else arith.truncf(kind, value)
