"""Evaluating a group's values at a point of its nest, a whole register of points at a time.

The evaluator walks the group's graph on demand: a leaf is loaded at the address that its layout and the composed index
give, an element-wise body is repeated on vectors, a reduction's result is looked up. Values that do not depend on the
vector dimension stay scalars and are spread where they meet a vector. Integers that are affine in the loops (index
arithmetic of gathers and resizes) stay symbolic, so that a computed index still gives a contiguous load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cocomp.dialects import structured
from cocomp.dialects.graph import Graph
from cocomp.passes.math import affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.schedule import MAX_STEP
from cocomp.support.diagnostics import CompileError, InternalError
from cocomp.support.mlir import arith, ir, math, memref, vector, where

from . import _builder as b
from ._builder import Index, Once
from ._division import DIVISIONS, divide
from ._elementary import ELEMENTARY
from ._strided import load_strided
from ._transpose import transpose
from ._values import Memory, Point, Val, fold_affine, lane_step


@dataclass
class Statistics:
    """What the emitted loads and stores look like, for the report."""

    contiguous: int = 0
    strided: int = 0
    gathered: int = 0
    scalar_math: set[str] = field(default_factory=set[str])


@dataclass
class Evaluator:
    """Evaluates values of one group. `computed` holds reductions, and what they are of where that is known."""

    graph: Graph
    memories: dict[int, Memory]
    once: Once
    statistics: Statistics = field(default_factory=Statistics)
    computed: dict[tuple[int, nest.Index], Val] = field(default_factory=dict[tuple[int, nest.Index], Val])
    kept: dict[int, Kept] = field(default_factory=dict[int, "Kept"])
    """Values (by number) that an earlier stage put into scratch memory."""
    memo: dict[tuple[int, nest.Index], Val] = field(default_factory=dict[tuple[int, nest.Index], Val])

    def fresh(self) -> None:
        """Forget what was evaluated at another place."""
        self.memo = {}

    def value(self, number: int, index: nest.Index, point: Point) -> Val:
        """Value `number` at `index`, expressions over the nest's dimensions."""
        key = (number, index)
        if key not in self.memo:
            self.memo[key] = self._value(number, index, point)
        return self.memo[key]

    def _value(self, number: int, index: nest.Index, point: Point) -> Val:
        if number in self.graph.constants:
            return self.constant(self.graph.constants[number])
        if (number, index) in self.computed:
            return self.computed[number, index]
        definition = self.graph.definitions[number]
        if isinstance(definition, nest.Leaf):
            return self.load(self.memories[number], index, point)
        if isinstance(definition, nest.View):
            source = tuple(affine.substitute(e, index, point.bounds) for e in definition.index)
            return self.value(definition.source, source, point)
        if number in self.kept and (found := self.kept[number].read(self, index, point)) is not None:
            return found
        at = nest.point_of(definition, definition.results.index(number), index)
        needed = tuple(e if e is not None else Expr() for e in at)
        return self.body(definition, needed, point)[definition.results.index(number)]

    def body(self, loop: nest.Loop, at: nest.Index, point: Point, carried: Sequence[Val] | None = None) -> list[Val]:
        """Results of a loop operation's body at loop point `at`; `carried` are the values of a reduction so far."""
        op = self.graph.operations[loop.results[0]]
        if loop.contraction:
            assert carried is not None
            return [self._multiply_add(loop, at, point, carried[0])]
        block = op.regions[0].blocks[0]
        environment: dict[ir.Value, Val] = {}
        arguments = list(block.arguments)
        n_inputs = len(arguments) - len(op.results)
        for position, argument in enumerate(arguments):
            if not list(argument.uses):
                continue
            if position >= n_inputs and carried is not None:
                environment[argument] = carried[position - n_inputs]
                continue
            number = self.graph.numbers[op.operands[position]]
            operand_map = loop.operand_maps[loop_operand(loop, op, position)]
            index = tuple(affine.substitute(e, at, point.bounds) for e in operand_map)
            environment[argument] = self.value(number, index, point)
        return self._run(op, at, point, environment)

    def _multiply_add(self, loop: nest.Loop, at: nest.Index, point: Point, total: Val) -> Val:
        factors = []
        for number, operand_map in zip(loop.operands, loop.operand_maps, strict=True):
            factors.append(
                self.value(number, tuple(affine.substitute(e, at, point.bounds) for e in operand_map), point)
            )
        is_vector = point.vector_dim is not None
        built = [(self.spread if is_vector else self.scalar)(v, point) for v in (*factors, total)]
        return Val(total.type, math.fma(*built), is_vector)

    def _run(self, op: ir.Operation, at: nest.Index, point: Point, environment: dict[ir.Value, Val]) -> list[Val]:
        for inner in structured.body_ops(op):
            operands = [self._operand(v, environment) for v in inner.operands]
            if inner.name == "linalg.yield":
                return operands
            if inner.name == "linalg.index":
                found = Val(b.index_type(), expr=at[inner.attributes["dim"].value])
            elif inner.name == "tensor.extract":
                found = self._extract(inner, operands[1:], point)
            elif inner.name == "cf.assert":
                continue
            else:
                found = self.apply(inner, operands, point)
            environment[inner.results[0]] = found
        raise InternalError("a body without linalg.yield")

    def _operand(self, operand: ir.Value, environment: dict[ir.Value, Val]) -> Val:
        if operand in environment:
            return environment[operand]
        number = self.graph.numbers.get(operand)
        if number is not None and number in self.graph.constants:
            return self.constant(self.graph.constants[number])
        owner = operand.owner
        if not isinstance(owner, ir.Block) and owner.operation.name == "arith.constant":
            return self.constant(owner.operation.attributes["value"])
        return Val(operand.type)

    def constant(self, attribute: ir.Attribute) -> Val:
        """A scalar constant; integers stay symbolic."""
        if isinstance(attribute, ir.IntegerAttr | ir.BoolAttr):
            return Val(attribute.type, expr=Expr((), int(attribute.value)))
        kind = attribute.type
        return Val(kind, self.once.get(attribute, lambda: arith.constant(kind, attribute)))

    # Values -----------------------------------------------------------------------------------------------------------

    def scalar(self, val: Val, point: Point) -> ir.Value:
        """The value of a uniform Val."""
        if val.built is not None:
            return val.built
        assert val.expr is not None
        return self._cast_index(b.evaluate(val.expr, point.dims), val.type)

    def spread(self, val: Val, point: Point) -> ir.Value:
        """The value as a vector of the point's lanes."""
        if val.is_vector:
            assert val.built is not None
            return val.built
        if val.built is None and self._varies(val, point):
            return self._affine_vector(val, point)
        return b.splat(self.scalar(val, point), point.lanes)

    def _varies(self, val: Val, point: Point) -> bool:
        moving = point.varying | ({point.vector_dim} if point.vector_dim is not None else set())
        return val.is_vector or (val.expr is not None and bool(val.expr.dims() & moving))

    def _affine_vector(self, val: Val, point: Point) -> ir.Value:
        assert val.expr is not None
        lanes = [
            self._cast_index(b.evaluate(val.expr, self._lane(point, i).dims), val.type) for i in range(point.lanes)
        ]
        return vector.from_elements(ir.VectorType.get([point.lanes], val.type), lanes)

    def _lane(self, point: Point, lane: int) -> Point:
        """The scalar point of one lane; lanes past the tail repeat the first."""
        if point.tail is not None and lane >= point.tail:
            lane = 0
        dims = list(point.dims)
        if point.vector_dim is not None:
            first = dims[point.vector_dim]
            assert first is not None
            dims[point.vector_dim] = b.add(first, lane)
        for dim in point.varying:
            dims[dim] = vector.extract(dims[dim], [], [lane])
        return replace(point, dims=tuple(dims), lanes=1, vector_dim=None, tail=None, varying=frozenset())

    def _cast_index(self, index: Index, kind: ir.Type) -> ir.Value:
        if isinstance(kind, ir.IndexType):
            return b.value(index)
        if isinstance(index, int):
            return b.constant(kind, index)
        return arith.index_cast(kind, index)

    # Operations -------------------------------------------------------------------------------------------------------

    def apply(self, op: ir.Operation, operands: Sequence[Val], point: Point) -> Val:
        """An `arith` or `math` operation on scalars, vectors or affine integers."""
        kind = op.results[0].type
        folded = fold_affine(op, operands, point.bounds)
        if folded is not None:
            return folded
        if not op.name.startswith(("arith.", "math.")):
            raise CompileError(
                f"operation '{op.name}' is not supported inside an element-wise computation", where=where(op)
            )
        is_vector = any(self._varies(v, point) for v in operands)
        if op.name == "arith.select" and not self._varies(operands[0], point) and is_vector:
            built = [self.scalar(operands[0], point), *(self.spread(v, point) for v in operands[1:])]
        else:
            built = [(self.spread if is_vector else self.scalar)(v, point) for v in operands]
        if op.name in DIVISIONS and not _is_safe_divisor(operands[1]):
            return Val(kind, divide(op.name, *built), is_vector)
        target = ir.VectorType.get([point.lanes], kind) if is_vector else kind
        return Val(kind, self._build(op, built, target), is_vector)

    def _build(self, op: ir.Operation, operands: list[ir.Value], kind: ir.Type) -> ir.Value:
        if op.name in ELEMENTARY:
            return ELEMENTARY[op.name](*operands)
        if op.name == "arith.truncf" and (number := _number(operands[0])) is not None:
            return b.constant(kind, number)
        if op.name.startswith("math.") and op.name not in NATIVE_MATH:
            raise CompileError(f"function '{op.name}' is not supported", where=where(op))
        attributes = {name: op.attributes[name] for name in op.attributes}
        if op.name in CONTRACTED:
            attributes["fastmath"] = ir.Attribute.parse("#arith.fastmath<contract>")
        return ir.Operation.create(op.name, results=[kind], operands=operands, attributes=attributes).results[0]

    # Memory -----------------------------------------------------------------------------------------------------------

    def load(self, memory: Memory, index: nest.Index, point: Point) -> Val:
        """Element(s) of a tensor in memory."""
        position = affine.substitute(memory.position, index, point.bounds)
        step = lane_step(position, point)
        if step == 0:
            read = memref.load(memory.buffer, [b.value(b.evaluate(position, point.dims))])
            return Val(memory.element, self._from_memory(read, memory.element))
        if step is not None and 1 <= step <= MAX_STEP:
            self.statistics.contiguous += step == 1
            self.statistics.strided += step > 1
            first, count = b.evaluate(position, point.dims), point.lanes if point.tail is None else point.tail
            read = load_strided(memory.buffer, first, point.lanes, count, step, self.once)
            return Val(memory.element, self._from_memory(read, memory.element), True)
        self.statistics.gathered += 1
        lanes = []
        for lane in range(point.lanes):
            at = b.evaluate(position, self._lane(point, lane).dims)
            lanes.append(memref.load(memory.buffer, [b.value(at)]))
        kind = ir.VectorType.get([point.lanes], lanes[0].type)
        return Val(memory.element, self._from_memory(vector.from_elements(kind, lanes), memory.element), True)

    def store(self, val: Val, memory: Memory, index: nest.Index, point: Point) -> None:
        """Write a value to a tensor in memory."""
        position = affine.substitute(memory.position, index, point.bounds)
        step = lane_step(position, point)
        if step == 0:
            found = self._to_memory(self.scalar(val, point), memory)
            memref.store(found, memory.buffer, [b.value(b.evaluate(position, point.dims))])
            return
        lanes = self._to_memory(self.spread(val, point), memory)
        at = [b.value(b.evaluate(position, point.dims))]
        if step == 1:
            self.statistics.contiguous += 1
            if point.tail is None:
                vector.store(lanes, memory.buffer, at)
            else:
                vector.maskedstore(memory.buffer, at, self._mask(point), lanes)
            return
        self.statistics.gathered += 1
        for lane in range(point.lanes if point.tail is None else point.tail):
            place = b.evaluate(position, self._lane(point, lane).dims)
            memref.store(vector.extract(lanes, [], [lane]), memory.buffer, [b.value(place)])

    def store_turned(self, vals: Sequence[Val], memory: Memory, index: nest.Index, points: Sequence[Point]) -> None:
        """Write values at points that are neighbours in memory, a power of two of them: lane by lane, all points at once."""
        position = affine.substitute(memory.position, index, points[0].bounds)
        registers = [self._to_memory(self.spread(v, p), memory) for v, p in zip(vals, points, strict=True)]
        self.statistics.strided += 1
        size = len(registers)
        kind = ir.VectorType.get([size], memory.buffer.type.element_type)
        for first in range(0, points[0].lanes, size):
            square = [vector.extract_strided_slice(kind, r, [first], [size], [1]) for r in registers]
            for lane, register in enumerate(transpose(square, structured.bytes_of(memory.element)), first):
                at = b.evaluate(position, self._lane(points[0], lane).dims)
                vector.store(register, memory.buffer, [b.value(at)])

    def _mask(self, point: Point) -> ir.Value:
        assert point.tail is not None
        return self.once.get(("mask", point.tail, point.lanes), lambda: b.tail_mask(point.tail or 0, point.lanes))

    def _from_memory(self, read: ir.Value, element: ir.Type) -> ir.Value:
        """Booleans take a byte in memory."""
        if not _is_bool(element):
            return read
        kind = ir.VectorType.get(read.type.shape, element) if isinstance(read.type, ir.VectorType) else element
        return arith.trunci(kind, read)

    def _to_memory(self, val: ir.Value, memory: Memory) -> ir.Value:
        if not _is_bool(memory.element):
            return val
        byte = memory.buffer.type.element_type
        return arith.extui(
            ir.VectorType.get(val.type.shape, byte) if isinstance(val.type, ir.VectorType) else byte, val
        )

    def _extract(self, op: ir.Operation, indices: Sequence[Val], point: Point) -> Val:
        """An element at computed indices: each becomes a dimension of its own, kept inside the tensor."""
        number = self.graph.number(op.operands[0])
        shape = structured.shape_of(op.operands[0])
        dims, bounds, varying = list(point.dims), list(point.bounds), set(point.varying)
        exprs: list[Expr] = []
        for val, extent in zip(indices, shape, strict=True):
            if val.expr is not None and _inside(val.expr, extent, point.bounds):
                exprs.append(val.expr)
                continue
            is_vector = self._varies(val, point)
            built = self.spread(val, point) if is_vector else self.scalar(val, point)
            if is_vector:
                varying.add(len(dims))
            exprs.append(affine.dim(len(dims)))
            dims.append(_clamp(built, extent))
            bounds.append(extent)
        return self.value_at(
            number, tuple(exprs), replace(point, dims=tuple(dims), bounds=tuple(bounds), varying=frozenset(varying))
        )

    def value_at(self, number: int, index: nest.Index, point: Point) -> Val:
        """Like `value`, at a point with dimensions of its own: nothing is remembered."""
        remembered, self.memo = self.memo, {}
        try:
            return self._value(number, index, point)
        finally:
            self.memo = remembered


@dataclass(frozen=True)
class Kept:
    """A value that an earlier stage has stored: `axes` of its loop point address the scratch buffer."""

    loop: nest.Loop
    buffer: ir.Value
    axes: tuple[int, ...]
    outer: nest.Index
    """The loop point on the other axes, when it was stored."""
    result: int

    def memory(self) -> Memory:
        """The scratch buffer as a tensor over `axes`."""
        shape = tuple(self.loop.bounds[a] for a in self.axes)
        position = affine.linearize(structured.identity(len(shape)), shape)
        return Memory(self.buffer, position, shape, self.buffer.type.element_type)

    def read(self, evaluator: Evaluator, index: nest.Index, point: Point) -> Val | None:
        """The stored value at `index`, if it is the one that was stored."""
        at = [e if e is not None else Expr() for e in nest.point_of(self.loop, self.result, index)]
        if tuple(e for i, e in enumerate(at) if i not in self.axes) != self.outer:
            return None
        return evaluator.load(self.memory(), tuple(at[a] for a in self.axes), point)


NATIVE_MATH = ("math.absf", "math.sqrt", "math.fma", "math.floor", "math.ceil", "math.round", "math.roundeven", "math.trunc",
               "math.copysign", "math.absi", "math.ctpop", "math.ctlz", "math.cttz")  # fmt: skip
"""Functions that LLVM turns into instructions."""
CONTRACTED = ("arith.addf", "arith.subf", "arith.mulf")
"""Operations that may fuse into multiply-adds."""


def loop_operand(loop: nest.Loop, op: ir.Operation, position: int) -> int:
    """Number among the loop's operands (the ones its body uses) of the operation's operand `position`."""
    used = [i for i, argument in enumerate(op.regions[0].blocks[0].arguments) if list(argument.uses)]
    return used.index(position)


def _is_safe_divisor(val: Val) -> bool:
    return val.expr is not None and val.expr.is_constant and val.expr.constant not in (0, -1)


def _number(value: ir.Value) -> float | None:
    """What a scalar constant is. Models round numbers of double precision; those are no values of a kernel."""
    maker = value.owner
    if isinstance(maker, ir.Block) or maker.operation.name != "arith.constant":
        return None
    attribute = maker.operation.attributes["value"]
    return attribute.value if isinstance(attribute, ir.FloatAttr) else None


def _is_bool(element: ir.Type) -> bool:
    return isinstance(element, ir.IntegerType) and element.width == 1


def _inside(expr: Expr, extent: int, bounds: Sequence[int]) -> bool:
    low, high = affine.interval(expr, bounds)
    return low >= 0 and high < extent


def _clamp(index: ir.Value, extent: int) -> ir.Value:
    """Keep an index inside its dimension: a wrong index in the input must not read foreign memory."""
    low, high = b.constant(index.type, 0), b.constant(index.type, extent - 1)
    return arith.minsi(arith.maxsi(index, low), high)
