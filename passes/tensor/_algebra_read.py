"""From operations on tensors to terms of the algebra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cocomp.dialects import structured
from cocomp.passes import _outline
from cocomp.passes.math.algebra import terms
from cocomp.passes.math.algebra.terms import Contract, Kind, Pad, Reduce, Scalar, Term, Terms, View
from cocomp.support.mlir import ir, ops_in
from cocomp.support.weights import WeightStore

from ._constants import constants_of

INITIAL = {
    "arith.addf": 0.0, "arith.addi": 0.0, "arith.mulf": 1.0, "arith.muli": 1.0, "arith.maximumf": -math.inf,
    "arith.minimumf": math.inf,
}  # fmt: skip
"""Reductions of the algebra, and what they start from."""
ZEROS = 0.2
"""A weight with this share of zeros is pruned: rules leave it alone."""
SMALL = 1024
"""Weights with fewer elements are never called pruned."""
EXACT = 1 << 53
"""Integers up to here are numbers of the algebra."""


class UnknownError(Exception):
    """An operation that the algebra does not know."""


@dataclass
class Reading:
    """A block as a graph of terms."""

    graph: Terms = field(default_factory=Terms)
    number: dict[ir.Value, int] = field(default_factory=dict[ir.Value, int])
    """Term of a value."""
    made: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """Term of an operation's result -> all terms that only this operation's body has."""
    value: dict[int, ir.Value] = field(default_factory=dict[int, ir.Value])
    """Value of a leaf, or of the result of an operation; the first of equal ones."""
    roots: list[int] = field(default_factory=list[int])
    """Terms that operations outside of the algebra read."""
    constants: set[ir.Value] = field(default_factory=set[ir.Value])


def read(block: ir.Block, weights: WeightStore) -> Reading:
    """All operations of a block. What is constant is a leaf, how it is computed stays outside."""
    reader = _Reader(weights, Reading(constants=constants_of(block)))
    for op in ops_in(block):
        reader.add(op)
    return reader.reading


class _Reader:
    def __init__(self, weights: WeightStore, reading: Reading) -> None:
        self.weights, self.reading = weights, reading
        self.graph = reading.graph
        self.is_pruned: dict[ir.Value, bool] = {}

    def add(self, op: ir.Operation) -> None:
        """Take in one operation; what it reads is there."""
        if op.results and all(r in self.reading.constants for r in op.results):
            return
        try:
            start = len(self.graph.terms)
            made = self._term(op)
            self.reading.number[op.results[0]] = made
            self.reading.made.setdefault(made, list(range(start, len(self.graph.terms))))
            self.reading.value.setdefault(made, op.results[0])
        except UnknownError:
            for value in _outline.dependencies(op):
                if isinstance(value.type, ir.RankedTensorType) and value not in self.reading.constants:
                    self.reading.roots.append(self.of(value))
            for result in op.results:
                if isinstance(result.type, ir.RankedTensorType):
                    self._leaf(result)

    def of(self, value: ir.Value) -> int:
        """The term of a value; a leaf, where no operation of the algebra makes it."""
        if value not in self.reading.number:
            self._leaf(value)
        return self.reading.number[value]

    def _leaf(self, value: ir.Value) -> None:
        constant = value in self.reading.constants
        number = self.graph.leaf(kind_of(value), constant, constant and self._has_zeros(value))
        self.reading.number[value] = number
        self.reading.value[number] = value

    def _has_zeros(self, value: ir.Value) -> bool:
        """Whether some weight that a constant is made of is pruned."""
        if value not in self.is_pruned:
            if isinstance(value, ir.BlockArgument):
                array = self.weights.get(structured.weight_name(value) or "")
                zeros = array is not None and array.size >= SMALL and 1 - np.count_nonzero(array) / array.size >= ZEROS
                self.is_pruned[value] = bool(zeros)
            else:
                sources = _outline.dependencies(value.owner.operation)
                self.is_pruned[value] = any(self._has_zeros(v) for v in sources)
        return self.is_pruned[value]

    def _term(self, op: ir.Operation) -> int:
        if structured.is_contract(op):
            loops = structured.loops_of(op)
            shape = structured.shape_of(op.results[0])
            parameter = Contract(loops.bounds, (loops.maps[0], loops.maps[1], loops.maps[2]), shape)
            return self.graph.make(terms.contract(parameter, self.of(op.operands[0]), self.of(op.operands[1])))
        if op.name == "tensor.pad":
            return self._pad(op)
        if (index := structured.view_of(op)) is not None:
            return self._viewed(op.operands[0], index, structured.shape_of(op.results[0]))
        if structured.is_generic(op) and len(op.results) == 1:
            loops = structured.loops_of(op)
            return self._reduction(op, loops) if loops.reductions else self._elementwise(op, loops)
        raise UnknownError

    def _viewed(self, source: ir.Value, index: structured.Map, shape: Sequence[int]) -> int:
        """`source[index]`, and constants through their views."""
        if source in self.reading.constants:
            source, index = structured.through_views(source, index, shape)
        return self.graph.make(terms.view(View(tuple(shape), tuple(index)), self.of(source)))

    def _pad(self, op: ir.Operation) -> int:
        low, high = tuple(op.attributes["static_low"]), tuple(op.attributes["static_high"])
        (yielded,) = structured.body_ops(op)[-1].operands
        filling = _number(yielded)
        floats = isinstance(structured.element_of(op.results[0]), ir.FloatType)
        if filling is None or not floats or len(op.operands) > 1 or len(structured.body_ops(op)) > 2:
            raise UnknownError
        return self.graph.make(terms.pad(Pad(low, high, filling), self.of(op.operands[0])))

    def _reduction(self, op: ir.Operation, loops: structured.Loops) -> int:
        body = structured.body_ops(op)
        rank = len(loops.bounds)
        if loops.n_inputs != 1 or loops.maps[0] != structured.identity(rank) or len(body) != 2:
            raise UnknownError
        combine, done = body
        arguments = list(op.regions[0].blocks[0].arguments)
        reads = [arguments.index(v) if v in arguments else None for v in combine.operands]
        if sorted(r for r in reads if r is not None) != [0, 1] or done.operands[0] != combine.results[0]:
            raise UnknownError
        if INITIAL.get(combine.name) != splat_of(op.operands[1]):
            raise UnknownError
        reduce = Reduce(loops.reductions, len(loops.output_maps[0]) == rank)
        kept = [() if d in loops.reductions else (d,) for d in range(rank)]
        if [tuple(e.dims()) for e in loops.output_maps[0]] != [k for k in kept if reduce.keep or k]:
            raise UnknownError
        return self.graph.make(terms.reduce(combine.name, reduce, self.of(op.operands[0])))

    def _elementwise(self, op: ir.Operation, loops: structured.Loops) -> int:
        if loops.output_maps[0] != structured.identity(len(loops.bounds)):
            raise UnknownError
        block = op.regions[0].blocks[0]
        arguments = list(block.arguments)
        if list(arguments[-1].uses):
            raise UnknownError
        inner: dict[ir.Value, int] = {}
        for position, argument in enumerate(arguments[:-1]):
            if list(argument.uses):
                inner[argument] = self._operand(op.operands[position], loops.maps[position], loops.bounds)
        for scalar in structured.body_ops(op):
            for value in scalar.operands:
                if value not in inner:
                    inner[value] = self._captured(value)
            if scalar.name == "linalg.yield":
                found = inner[scalar.operands[0]]
                if self.graph.kinds[found] != kind_of(op.results[0]):
                    raise UnknownError
                return found
            if scalar.name != "arith.constant":
                inner[scalar.results[0]] = self._scalar(scalar, [inner[v] for v in scalar.operands])
        raise AssertionError("a body without linalg.yield")

    def _operand(self, value: ir.Value, index: structured.Map, bounds: Sequence[int]) -> int:
        if (number := splat_of(value)) is not None:
            return self.graph.make(terms.num(number))
        if not isinstance(value.type, ir.RankedTensorType):
            raise UnknownError
        whole = index == structured.identity(len(bounds)) and structured.shape_of(value) == tuple(bounds)
        if whole and value not in self.reading.constants:
            return self.of(value)
        return self._viewed(value, index, bounds)

    def _captured(self, value: ir.Value) -> int:
        number = _number(value)
        if number is None:
            raise UnknownError
        return self.graph.make(terms.num(number))

    def _scalar(self, op: ir.Operation, operands: Sequence[int]) -> int:
        if not op.name.startswith(("arith.", "math.")) or not 1 <= len(operands) <= 3 or len(op.results) != 1:
            raise UnknownError
        result = str(op.results[0].type)
        kinds = [self.graph.kinds[o] for o in operands]
        if all(k.number for k in kinds):
            if op.name not in ("arith.truncf", "arith.extf"):
                raise UnknownError
            return self.graph.make(terms.num(_rounded(float(self.graph.terms[operands[0]].key), result)))
        attributes = _attributes(op)
        plain = Term("op", str(Scalar(op.name, attributes)), None, tuple(operands))
        natural = terms.kind_of(plain, kinds)
        term = plain
        if natural.element != result:
            term = Term("op", str(Scalar(op.name, attributes, result)), None, tuple(operands))
        wanted = terms.number_element(term, kinds, terms.kind_of(term, kinds))
        for kind, value in zip(kinds, op.operands, strict=True):
            if kind.number and str(value.type) != wanted:
                raise UnknownError
        return self.graph.make(term)


def kind_of(value: ir.Value) -> Kind:
    """Type of a value of the IR."""
    return Kind(structured.shape_of(value), str(structured.element_of(value)))


def splat_of(value: ir.Value) -> float | None:
    """The number that a tensor, or a scalar, has in every place, where it is a constant."""
    if isinstance(value, ir.BlockArgument):
        return None
    op = value.owner.operation
    if op.name == "arith.constant":
        return _number(value)
    if structured.is_generic(op) and len(op.results) == 1:
        (done, *others) = structured.body_ops(op)[::-1]
        arguments = list(op.regions[0].blocks[0].arguments)
        source = done.operands[0]
        if not others and source in arguments[:-1]:
            return splat_of(op.operands[arguments.index(source)])
        if not isinstance(source, ir.BlockArgument):
            return _number(source)
    return None


def _number(value: ir.Value) -> float | None:
    """The value of a constant, or of a tensor of equal ones."""
    if isinstance(value, ir.BlockArgument) or value.owner.operation.name != "arith.constant":
        return None
    attribute = value.owner.operation.attributes["value"]
    if isinstance(attribute, ir.DenseElementsAttr):
        if not attribute.is_splat:
            return None
        attribute = attribute.get_splat_value()
    if not isinstance(attribute, ir.FloatAttr | ir.IntegerAttr | ir.BoolAttr):
        return None
    found = attribute.value
    if math.isnan(found) or (isinstance(found, int) and abs(found) > EXACT):
        return None
    return float(found)


def _rounded(number: float, element: str) -> float:
    return {"f16": lambda x: float(np.float16(x)), "f32": lambda x: float(np.float32(x))}.get(element, float)(number)


def _attributes(op: ir.Operation) -> str:
    """Attributes that say something, as text."""
    found = {name: str(op.attributes[name]) for name in op.attributes}
    said = {n: t for n, t in found.items() if not (n == "fastmath" and "none" in t) and "overflowFlags" not in n}
    return ", ".join(f"{name} = {text}" for name, text in sorted(said.items()))
