"""Reading and writing four neighbouring elements at once, as texels of a buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index
from cocomp.passes.kernel._evaluate import Evaluator
from cocomp.passes.kernel._values import Memory, Point, Val, lane_step
from cocomp.passes.math import affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.support.mlir import arith, func, ir, memref, vector

TEXEL = 4
"""Elements."""
FORMATS = {"f32": "Rgba32f", "f16": "Rgba16f"}
"""Element type -> format of texels that are written; those that are read have none."""


class View(StrEnum):
    """How a kernel sees the memory of an operand."""

    BUFFER = "buffer"
    QUADS = "quads"
    """Read four elements at a time."""
    SINGLES = "singles"
    """Read an element at a time, through the texture units all the same."""
    WRITTEN = "written"
    """Written four elements at a time."""


def is_aligned(position: Expr, along: int | None) -> bool:
    """Whether a position is a multiple of four wherever dimension `along`, which it follows step by step, is one."""
    others = [c for atom, c in position.terms if atom != affine.Dim(along if along is not None else -1)]
    hidden = any(
        not isinstance(atom, affine.Dim) and along in atom.operand.dims() for atom, c in position.terms if c % TEXEL
    )
    return not hidden and position.constant % TEXEL == 0 and all(c % TEXEL == 0 for c in others)


@dataclass
class Texels:
    """Views of a kernel's buffers as texels: arguments behind all others, made when they are first needed.

    `operands` holds, for each of them, the number of the operand whose memory it is, and how it is seen.
    """

    function: func.FuncOp
    operands: list[tuple[int, View]] = field(default_factory=list[tuple[int, View]])
    made: dict[tuple[int, View], ir.Value] = field(default_factory=dict[tuple[int, View], ir.Value])

    def fetch(self, buffer: ir.Value, at: Index, count: int = TEXEL) -> ir.Value:
        """Four elements from position `at` on, a multiple of four, or the one there; single precision, whatever they are in
        memory, which has texels (`has_texels`)."""
        view = self._view(buffer, View.QUADS if count == TEXEL else View.SINGLES)
        kind = ir.VectorType.get([TEXEL], ir.F32Type.get())
        place = _as_i32(at if count == 1 else _in_texels(at))
        fetched = ir.Operation.create("spirv.ImageFetch", results=[kind], operands=[view, place]).results[0]
        return fetched if count == TEXEL else vector.extract(fetched, [], [0])

    def number(self, buffer: ir.Value, at: Index, multiple: int = 1) -> Index:
        """An entry of a table of integers as an index, of which it is known that it is a multiple of something."""
        kind = ir.VectorType.get([TEXEL], buffer.type.element_type)
        view = self._view(buffer, View.SINGLES)
        fetched = ir.Operation.create("spirv.ImageFetch", results=[kind], operands=[view, _as_i32(at)]).results[0]
        found = arith.index_cast(b.index_type(), vector.extract(fetched, [], [0]))
        return b.mul(b.floordiv(found, multiple), multiple)

    def write(self, buffer: ir.Value, at: Index, values: ir.Value) -> None:
        """The reverse."""
        view = self._view(buffer, View.WRITTEN)
        single = ir.VectorType.get([TEXEL], ir.F32Type.get())
        wide = values if values.type == single else arith.extf(single, values)
        place = _as_i32(_in_texels(at))
        ir.Operation.create("spirv.ImageWrite", results=[], operands=[view, place, wide])

    def _view(self, buffer: ir.Value, how: View) -> ir.Value:
        number = ir.BlockArgument(buffer).arg_number
        if (number, how) not in self.made:
            element = str(buffer.type.element_type)
            used = f"NoSampler, {FORMATS[element]}" if how is View.WRITTEN else "NeedSampler, Unknown"
            sampled = "f32" if element in FORMATS else element
            kind = ir.Type.parse(f"!spirv.image<{sampled}, Buffer, NoDepth, NonArrayed, SingleSampled, {used}>")
            block = self.function.regions[0].blocks[0]
            self.made[number, how] = block.add_argument(kind, self.function.location)
            self.operands.append((number, how))
            types = [a.type for a in block.arguments]
            self.function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, []))
        return self.made[number, how]


def has_texels(buffer: ir.Value) -> bool:
    """Whether the elements of a buffer come in texels."""
    return str(buffer.type.element_type) in FORMATS


def _in_texels(at: Index) -> Index:
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
    return b.floordiv(at, TEXEL)


def _is_multiple(at: Index) -> bool:
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
    return False


def _index(value: ir.Value) -> Index:
    """A value, or the number that it is known to be."""
    is_constant = not isinstance(value.owner, ir.Block) and value.owner.operation.name == "arith.constant"
    return value.owner.operation.attributes["value"].value if is_constant else value


def _as_i32(index: Index) -> ir.Value:
    i32 = ir.IntegerType.get_signless(32)
    return arith.constant(i32, index) if isinstance(index, int) else arith.index_cast(i32, index)


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
            return Val(memory.element, self.element(memory.buffer, b.evaluate(position, point.dims), memory.element))
        if self._is_quad(memory, position, point):
            found = self.texels.fetch(memory.buffer, b.evaluate(position, point.dims))
            return Val(memory.element, narrowed(found, memory.element), True)
        lanes = [self.element(memory.buffer, at, memory.element) for at in self._places(position, point)]
        kind = ir.VectorType.get([point.lanes], memory.element)
        return Val(memory.element, vector.from_elements(kind, lanes), True)

    def element(self, buffer: ir.Value, at: Index, element: ir.Type) -> ir.Value:
        """One element of a buffer."""
        if has_texels(buffer):
            return narrowed(self.texels.fetch(buffer, at, 1), element)
        return self._from_memory(memref.load(buffer, [b.value(at)]), element)

    def store(self, val: Val, memory: Memory, index: nest.Index, point: Point) -> None:
        """Write a value to a tensor in memory, as a texel where it is one."""
        position = affine.substitute(memory.position, index, point.bounds)
        if lane_step(position, point) == 0:
            super().store(val, memory, index, point)
            return
        lanes = self._to_memory(self.spread(val, point), memory)
        if self._is_quad(memory, position, point):
            self.texels.write(memory.buffer, b.evaluate(position, point.dims), lanes)
            return
        for lane, at in enumerate(self._places(position, point)):
            memref.store(vector.extract(lanes, [], [lane]), memory.buffer, [b.value(at)])

    def _is_quad(self, memory: Memory, position: Expr, point: Point) -> bool:
        is_contiguous = point.vector_dim not in point.varying and lane_step(position, point) == 1
        return has_texels(memory.buffer) and is_contiguous and is_aligned(position, point.vector_dim)

    def _places(self, position: Expr, point: Point) -> list[Index]:
        return [b.evaluate(position, self._lane(point, lane).dims) for lane in range(point.lanes)]


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
