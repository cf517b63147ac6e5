"""From terms of the algebra back to operations on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cocomp.dialects import sparse, structured
from cocomp.passes._arguments import add_weight
from cocomp.passes._outline import dependencies
from cocomp.passes.math import affine
from cocomp.passes.math.algebra import terms
from cocomp.passes.math.algebra.terms import Contract, Delta, Index, Kind, Pad, Reduce, Scalar, Term, View
from cocomp.support.mlir import arith, ir, linalg, ops_in, tensor
from cocomp.support.weights import WeightStore

from ._algebra_read import INITIAL
from ._pads import padded

PARALLEL, REDUCTION = linalg.IteratorType.parallel, linalg.IteratorType.reduction
STORED = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


class Writer:
    """Builds values at the end of the main function's block, each once."""

    def __init__(
        self,
        main: ir.Operation,
        chosen: Callable[[int], Term],
        kinds: Callable[[int], Kind],
        places: Mapping[int, ir.Location],
        weights: WeightStore,
    ) -> None:
        self.main, self.chosen, self.kinds, self.places, self.weights = main, chosen, kinds, places, weights
        self.values: dict[int, ir.Value] = {}
        """What is there, by number of the term."""

    def value(self, number: int) -> ir.Value:
        """The value of a term; built where it is not there yet."""
        pending = [number]
        while pending:
            current = pending[-1]
            missing = [o for o in self._sources(current) if o not in self.values]
            if current in self.values or not missing:
                pending.pop()
                if current not in self.values:
                    with self.places.get(current, ir.Location.unknown()):
                        self.values[current] = self._build(current)
            else:
                pending += missing
        return self.values[number]

    def _sources(self, number: int) -> list[int]:
        """Values that the operation of a term reads."""
        term = self.chosen(number)
        if term.operator != "op":
            return list(term.operands)
        return [self._access(o)[0] for o in term.operands if not self.kinds(o).number]

    def _access(self, number: int) -> tuple[int, Index]:
        """(value, index) from which an element-wise operation reads an operand: what a view shows, where a loop can."""
        term = self.chosen(number)
        if number not in self.values and isinstance(term.parameter, View):
            whole = _extents(term.parameter, self.kinds(term.operands[0]).shape) == self.kinds(term.operands[0]).shape
            if whole and all(e.is_linear for e in term.parameter.index):
                return term.operands[0], term.parameter.index
        return number, terms.identity(len(self.kinds(number).shape))

    def _build(self, number: int) -> ir.Value:
        term, kind = self.chosen(number), self.kinds(number)
        parameter = term.parameter
        if isinstance(parameter, View):
            return self._view(parameter, self.values[term.operands[0]])
        if isinstance(parameter, Contract):
            maps = [structured.affine_map(m, len(parameter.bounds)) for m in parameter.maps]
            x, weight = (self.values[o] for o in term.operands)
            return sparse.contract(x, weight, maps, list(parameter.bounds), _type(kind), ir.Location.current)
        if isinstance(parameter, Reduce):
            return self._reduce(term, parameter, kind)
        if isinstance(parameter, Pad):
            return padded(self.values[term.operands[0]], parameter.low, parameter.high, parameter.value)
        if isinstance(parameter, Delta):
            return self._delta(parameter)
        if term.operator == "concat":
            return tensor.concat(_type(kind), int(term.key), [self.values[o] for o in term.operands])
        return self._elementwise(number, kind)

    def _elementwise(self, number: int, kind: Kind) -> ir.Value:
        accesses = dict.fromkeys(self._access(o) for o in self._shaped(number))
        inputs = [self.values[source] for source, _ in accesses]
        rank = len(kind.shape)
        maps = [structured.affine_map(index, rank) for _, index in accesses]

        def body(*arguments: ir.Value) -> ir.Value:
            return self._scalar(number, dict(zip(accesses, arguments, strict=False)))

        out = tensor.empty(list(kind.shape), _element(kind.element))
        every = [*maps, ir.AffineMap.get_identity(rank)]
        return structured.generic(inputs, out, every, [PARALLEL] * rank, body)

    def _shaped(self, number: int) -> list[int]:
        return [o for o in self.chosen(number).operands if not self.kinds(o).number]

    def _scalar(self, number: int, arguments: dict[tuple[int, Index], ir.Value]) -> ir.Value:
        """The scalar operation of a term, in the body of a loop."""
        term = self.chosen(number)
        kinds = [self.kinds(o) for o in term.operands]
        element = terms.number_element(term, kinds, self.kinds(number))
        operands = [
            self._constant(o, element) if k.number else arguments[self._access(o)]
            for o, k in zip(term.operands, kinds, strict=True)
        ]
        return _operation(term, operands, self.kinds(number).element)

    def _constant(self, number: int, element: str) -> ir.Value:
        """A number, or what is computed from numbers alone, as a scalar."""
        term = self.chosen(number)
        if term.operator == "num":
            return _scalar_constant(_element(element), float(term.key))
        return _operation(term, [self._constant(o, element) for o in term.operands], element)

    def _view(self, view: View, source: ir.Value) -> ir.Value:
        shape, element = list(view.shape), structured.element_of(source)
        start = [e.constant for e in view.index]
        plain = [affine.dim(a) + s for a, s in enumerate(start)]
        if list(view.index) == plain and len(shape) == len(start) and shape != list(structured.shape_of(source)):
            return _part(source, start, shape)
        extents = _extents(view, structured.shape_of(source))
        if extents != structured.shape_of(source):
            source = _part(source, [0] * len(extents), extents)
        maps = [structured.affine_map(view.index, len(shape)), ir.AffineMap.get_identity(len(shape))]
        out = tensor.empty(shape, element)
        return structured.generic([source], out, maps, [PARALLEL] * len(shape), lambda x, _: x)

    def _reduce(self, term: Term, reduce: Reduce, kind: Kind) -> ir.Value:
        source = self.values[term.operands[0]]
        rank, element = len(structured.shape_of(source)), _element(kind.element)
        start = _scalar_constant(element, INITIAL[term.key])
        empty = tensor.empty(list(kind.shape), element)
        scalar = ir.AffineMap.get(len(kind.shape), 0, [])
        parallel = [PARALLEL] * len(kind.shape)
        fill = structured.generic(
            [start], empty, [scalar, ir.AffineMap.get_identity(len(kind.shape))], parallel, _first
        )
        axes = [affine.Expr() if a in reduce.axes else affine.dim(a) for a in range(rank)]
        written = axes if reduce.keep else [e for a, e in enumerate(axes) if a not in reduce.axes]
        maps = [ir.AffineMap.get_identity(rank), structured.affine_map(written, rank)]
        kinds = [REDUCTION if a in reduce.axes else PARALLEL for a in range(rank)]
        return structured.generic([source], fill, maps, kinds, lambda x, y: _operation(term, [x, y], kind.element))

    def _delta(self, delta: Delta) -> ir.Value:
        array = np.zeros(delta.shape, STORED[delta.element])
        channels = np.arange(delta.shape[0])
        array[(channels, channels, *delta.centre)] = 1
        kind = _type(Kind(delta.shape, delta.element))
        return add_weight(self.main, kind, "identity", array, self.weights, ir.Location.current)


def _extents(view: View, shape: Sequence[int]) -> tuple[int, ...]:
    """How much of a source of that shape a loop over the view walks: an axis that it indexes with one dimension ends with it."""
    dims = [terms.dim_of(e) for e in view.index]
    return tuple(e if d is None else view.shape[d] for d, e in zip(dims, shape, strict=True))


def _part(source: ir.Value, start: Sequence[int], extents: Sequence[int]) -> ir.Value:
    kind = ir.RankedTensorType.get(list(extents), structured.element_of(source))
    return tensor.ExtractSliceOp(kind, source, [], [], [], start, extents, [1] * len(extents)).result


def _first(first: ir.Value, *_: ir.Value) -> ir.Value:
    return first


def _operation(term: Term, operands: Sequence[ir.Value], element: str) -> ir.Value:
    scalar = Scalar.parse(term.key)
    attributes = ir.DictAttr(ir.Attribute.parse(f"{{{scalar.attributes}}}"))
    named = {a.name: a.attr for a in attributes}
    return ir.Operation.create(
        scalar.name, results=[_element(element)], operands=list(operands), attributes=named
    ).results[0]


def _scalar_constant(element: ir.Type, number: float) -> ir.Value:
    if isinstance(element, ir.FloatType):
        return arith.constant(element, ir.FloatAttr.get(element, number))
    return arith.constant(element, ir.IntegerAttr.get(element, int(number)))


def _element(text: str) -> ir.Type:
    return ir.Type.parse(text)


def _type(kind: Kind) -> ir.Type:
    return ir.RankedTensorType.get(list(kind.shape), _element(kind.element))


def sort_operations(block: ir.Block) -> None:
    """Put operations behind what they read, those that are in order staying so."""
    operations = ops_in(block)
    place = {value: number for number, op in enumerate(operations) for value in op.results}
    done: set[int] = set()
    order: list[int] = []
    for first in range(len(operations)):
        pending = [first]
        while pending:
            current = pending[-1]
            missing = [n for n in _reads(operations[current], place) if n not in done]
            if current in done or not missing:
                pending.pop()
                if current not in done:
                    done.add(current)
                    order.append(current)
            else:
                pending += missing
    last = operations[-1]
    for number in order:
        if number != len(operations) - 1:
            operations[number].move_before(last)


def _reads(op: ir.Operation, place: dict[ir.Value, int]) -> list[int]:
    return [place[v] for v in dependencies(op) if v in place]
