"""Contractions with weights on levels as products of the accelerator's engine."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import Gemm, IntegerType
from cocomp.passes.math.quantisers.dyadic import Dyadic
from cocomp.passes.math.quantisers.rows import Mixture, find_rows
from cocomp.passes.math.quantisers.scales import quantise
from cocomp.support.mlir import ir
from cocomp.support.passes import State

from ._atoms import BITS, ROOM, Array, Atom, Curve, Form, single
from ._matrices import Weight
from ._stage import Map, Stage


@dataclass(frozen=True, eq=False)
class Numbers:
    """A weight on levels: the place in the mixture and the scale of every row, and numerators, int64[rows, columns]."""

    mixture: Mixture
    places: Array
    scales: Array
    numerators: Array
    is_product: bool
    """Whether all rows read the same activations."""

    def as_operand(self, weight: Weight, stage: Stage, state: State) -> tuple[Atom, Array]:
        """Numerators as what a sweep reads, and the scales by the axes of the contraction's result."""
        shape = structured.shape_of(weight.argument)
        numerators = np.zeros(shape, np.int64)
        rows = weight.rows(numerators)
        assert rows is not None
        rows[...] = self.numerators.reshape(rows.shape)
        name = state.weights.add(f"{weight.name}:numerators", numerators)
        most = max(q.most for q in self.mixture.quantisers)
        value = hls.constant(name, shape, IntegerType(most.bit_length() + 1, signed=True))
        index = weight.loops.maps[1]
        atom = Atom("load", stage.gather(numerators, index), -most, most, data=(value, index, 0))
        return atom, _by_axes(self.scales, weight)


def _by_axes(scales: Array, weight: Weight) -> Array:
    """What rows have of their own, by the axes of the contraction's result."""
    dims = [structured.dim_of(e) for e in weight.loops.output_maps[0]]
    by_rows = scales.reshape([weight.loops.bounds[d] for d in weight.row_dims])
    order = [weight.row_dims.index(d) for d in dims if d in weight.row_dims]
    shape = [weight.loops.bounds[d] if d in weight.row_dims else 1 for d in dims if d is not None]
    return by_rows.transpose(order).reshape(shape)


def read_weights(weight: Weight, array: Array, mixture: Mixture) -> Numbers:
    """The numbers of a weight that `quantise-weights` has put on levels. Raises ValueError for others."""
    view = weight.rows(np.ascontiguousarray(array))
    count = math.prod(weight.loops.bounds[d] for d in weight.row_dims)
    found = None if view is None else find_rows(view.reshape(count, -1), mixture)
    if view is None or found is None:
        raise ValueError(f"weight '{weight.name}' is not on the levels of {mixture.quantisers[1]}: expected --quantize")
    places, scales = found
    matrix = view.reshape(count, -1)
    numerators = np.zeros(matrix.shape, np.int64)
    for number, quantiser in enumerate(mixture.quantisers):
        rows = places == number
        numerators[rows] = quantise(matrix[rows], scales[rows], quantiser)
    in_x = frozenset[int]().union(*(e.dims() for e in weight.loops.maps[0]))
    outputs = [structured.dim_of(e) for e in weight.loops.output_maps[0]]
    is_product = not in_x & set(weight.row_dims) and None not in outputs
    return Numbers(mixture, places, scales, numerators, is_product)


@dataclass(frozen=True, eq=False)
class Product:
    """What is done to sums: `saturate(round(factor * (sum + bias)))`, row by row, and what the result stands for."""

    kind: IntegerType
    scale: float
    factors: Array
    bias: Array


@dataclass(eq=False)
class Sums:
    """A contraction that is a product, before it is known what is done to its sums."""

    op: ir.Operation
    weight: Weight
    numbers: Numbers
    x: Form
    loops: structured.Loops
    atom: Atom | None = field(default=None)
    """Where a stage reads them."""

    @property
    def columns(self) -> list[int]:
        """Loop dimensions of columns: those of windows first, so that neighbouring columns are channels."""
        shared = {d for e in self.loops.maps[0] if len(e.dims()) > 1 for d in e.dims()}
        return sorted(self.weight.column_dims, key=lambda d: (d not in shared, d))

    @property
    def pixels(self) -> list[int]:
        """The other ones."""
        taken = {*self.weight.row_dims, *self.weight.column_dims}
        return [d for d in range(len(self.loops.bounds)) if d not in taken]

    @property
    def activation(self) -> Atom:
        ((atom, _),) = self.x.terms.items()
        return atom

    def matrix(self) -> Array:
        """Activations of the examples, int64[columns, pixels]."""
        bounds = [1 if d in self.weight.row_dims else n for d, n in enumerate(self.loops.bounds)]
        whole = np.broadcast_to(self.activation.array, bounds)
        order = [*self.columns, *self.pixels, *self.weight.row_dims]
        return whole.transpose(order).reshape(math.prod(bounds[d] for d in self.columns), -1)

    def tensor(self, rows: Array) -> Array:
        """Results int64[rows, pixels] as the contraction's tensor."""
        dims = [*self.weight.row_dims, *self.pixels]
        axes = [structured.dim_of(e) for e in self.loops.output_maps[0]]
        shaped = rows.reshape([self.loops.bounds[d] for d in dims])
        return shaped.transpose([dims.index(d) for d in axes if d is not None])

    def ordered(self, matrix: Array) -> Array:
        """Weights with their columns in the order of `columns`, [rows, columns]."""
        given = self.weight.column_dims
        shaped = matrix.reshape([-1, *(self.loops.bounds[d] for d in given)])
        return shaped.transpose([0, *(1 + given.index(d) for d in self.columns)]).reshape(len(matrix), -1)

    def read(self, stage: Stage) -> Form:
        """Sums as numbers of a stage whose points are the elements of the result."""
        if self.atom is None:
            numerators = self.ordered(self.numbers.numerators).astype(np.float64)
            sums = np.rint(numerators @ self.matrix().astype(np.float64)).astype(np.int64)
            x, count = self.activation, self.numbers.numerators.shape[1]
            most = int(np.abs(self.numbers.numerators).max(initial=0)) * max(abs(x.low), x.high) * count
            self.atom = Atom("sum", self.tensor(sums), -most, most)
        (factor,) = self.x.terms.values()
        return Form({self.atom: np.asarray(factor) * _by_axes(self.numbers.scales, self.weight)})

    def emit(self, found: Product, name: str, state: State) -> tuple[ir.Value, Array]:
        """The product, and what it makes of the examples."""
        quantisers = self.numbers.mixture.quantisers
        numerators = self.ordered(self.numbers.numerators)
        codes = np.zeros(numerators.shape, np.uint8)
        for number, quantiser in enumerate(quantisers):
            rows = self.numbers.places == number
            codes[rows] = quantiser.encode(numerators[rows])
        factors = [Dyadic.of(float(f)) for f in found.factors]
        shape = structured.shape_of(self.op.results[0])
        value, index, fill = self.activation.data  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        kind = hls.type_of(value)  # pyright: ignore[reportUnknownArgumentType]
        gemm = Gemm(quantisers, self.numbers.places, codes, found.bias, tuple(factors), kind, found.kind)
        weights = store(gemm, name, state)
        made = hls.product(
            value, [index, self.loops.output_maps[0]], self.loops.bounds, (self.weight.row_dims, self.columns), fill, weights,  # pyright: ignore[reportUnknownArgumentType]
            [str(q) for q in quantisers], found.scale, hls.tensor_type(shape, found.kind),
        )  # fmt: skip
        return made, self.tensor(gemm.run(self.matrix()))


def store(gemm: Gemm, name: str, state: State) -> str:
    """Put what a product needs into the store: the name that it has there."""
    names = itertools.chain([name], (f"{name}#{n}" for n in itertools.count(2)))
    used = next(n for n in names if f"{n}:codes" not in state.weights)
    parts = {
        "codes": gemm.codes,
        "places": gemm.places,
        "bias": gemm.bias.astype(np.int32),
        "multipliers": np.array([f.multiplier for f in gemm.factors], np.int32),
        "shifts": np.array([f.shift for f in gemm.factors], np.int32),
    }
    for part, array in parts.items():
        state.weights.add(f"{used}:{part}", array)
    return used


def match(form: Form | Curve, sums: Sums, op: ir.Operation, index: Map) -> Product | None:
    """What a form does to sums, where the engine can do it."""
    shape = structured.shape_of(sums.op.results[0])
    if (
        isinstance(form, Curve)
        or index != structured.identity(len(shape))
        or structured.shape_of(op.results[0]) != shape
    ):
        return None
    rounded = _rounded(form, sums)
    if rounded is not None:
        return rounded
    if set(form.terms) != {sums.atom}:
        return None
    values = form.values()
    if form.low not in (0.0, -math.inf) or (form.high < math.inf and form.low != 0.0):
        return None
    kind = IntegerType(BITS, bool(values.min(initial=0.0) < 0))
    largest = form.high if form.high < math.inf else float(np.abs(values).max(initial=0.0)) * ROOM
    scale = largest / kind.high if largest else 1.0
    return _product(form, sums, kind, scale, scale)


def _rounded(form: Form, sums: Sums) -> Product | None:
    """Sums that are rounded to levels and clamped."""
    bare = single(replace(form, low=-math.inf, high=math.inf))
    if bare is None or bare[1] <= 0:
        return None
    atom, scale = bare
    low, high = _end(form.low, scale), _end(form.high, scale)
    while atom.kind in ("max", "min") and isinstance(atom.data, int):
        low, high = (max(low, atom.data), high) if atom.kind == "max" else (low, min(high, atom.data))
        atom = atom.operands[0]
    if atom.kind != "scaled" or set(atom.operands) != {sums.atom}:
        return None
    _, inner, step = atom.data  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
    signed = low < 0
    kinds = (IntegerType(bits, signed) for bits in range(1, BITS + 1))
    kind = next((k for k in kinds if (k.low, k.high) == (low, high)), None)
    return None if kind is None else _product(inner, sums, kind, scale, step)  # pyright: ignore[reportUnknownArgumentType]


def _end(end: float, scale: float) -> float:
    return round(end / scale) if math.isfinite(end) else end


def _product(form: Form, sums: Sums, kind: IntegerType, scale: float, step: float) -> Product | None:
    """`round(form / step)`, levels that stand for `scale`; None where a row has more than one factor or bias."""
    assert sums.atom is not None
    factors = _by_rows(np.asarray(form.terms[sums.atom], np.float64), sums)
    consts = _by_rows(np.asarray(form.const, np.float64), sums)
    if factors is None or consts is None or not (np.abs(factors) > 0).all():
        return None
    bias = np.rint(consts / factors)
    if (np.abs(bias) >= 1 << 31).any():
        return None
    return Product(kind, scale, factors / step, bias.astype(np.int32))


def _by_rows(array: Array, sums: Sums) -> Array | None:
    """What is the same for all elements of a row, float64[rows]."""
    axes = [structured.dim_of(e) for e in sums.loops.output_maps[0]]
    rows = sums.weight.row_dims
    shaped = array.reshape([*(1 for _ in range(len(axes) - array.ndim)), *array.shape])
    if any(n > 1 for n, d in zip(shaped.shape, axes, strict=True) if d not in rows):
        return None
    full = np.broadcast_to(shaped, [sums.loops.bounds[d] if d in rows else 1 for d in axes if d is not None])
    order = [axes.index(d) for d in rows]
    others = [i for i in range(len(axes)) if i not in order]
    return full.transpose([*order, *others]).reshape(-1)
