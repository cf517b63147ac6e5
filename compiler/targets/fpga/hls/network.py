"""A network of integers, read from its module: what is emitted, simulated and compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np

from cocomp.dialects import hls, structured
from cocomp.passes.math.accelerator import Design, Gemm, IntegerType, Tiles
from cocomp.passes.math.accelerator.points import gather, place
from cocomp.passes.math.accelerator.tables import Index
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.passes.math.quantisers.dyadic import Dyadic
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.weights import WeightStore

Array = np.ndarray
Map = structured.Map


@dataclass(frozen=True, eq=False)
class Tensor:
    """Integers in one of the memories; those of a constant have a `name` among the network's numbers, and an offset of -1 where they are on
    chip."""

    shape: tuple[int, ...]
    kind: IntegerType
    width: int
    offset: int
    strides: tuple[int, ...]
    name: str = ""
    axis: int = -1
    """The innermost axis, whose elements may have an order of their own; -1 where it is row-major."""
    extent: int = 0
    """Elements that there is room for along it."""
    order: str = ""
    """Name of the order among the network's `orders`; "" where element i is at i."""


@dataclass(frozen=True, eq=False)
class Product:
    """A product of the engine."""

    name: str
    where: str
    x: Tensor
    y: Tensor
    gemm: Gemm
    bounds: tuple[int, ...]
    read: Map
    written: Map
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    fill: int
    windows: hls.Windows | None

    @cached_property
    def pixels(self) -> tuple[int, ...]:
        """Loop dimensions that are neither rows nor columns."""
        return tuple(d for d in range(len(self.bounds)) if d not in (*self.rows, *self.columns))

    @property
    def pixel_count(self) -> int:
        return prod(self.bounds[d] for d in self.pixels)

    def matrix(self, x: Array) -> Array:
        """Activations as columns of pixels, int64[columns, pixels]."""
        bounds = [1 if d in self.rows else n for d, n in enumerate(self.bounds)]
        seen = np.broadcast_to(gather(x, self.read, bounds, self.fill), bounds)
        order = [*self.columns, *self.pixels, *self.rows]
        return seen.transpose(order).reshape(self.gemm.columns, -1)

    def tensor(self, rows: Array) -> Array:
        """Results int64[rows, pixels] as the tensor."""
        dims = [*self.rows, *self.pixels]
        shaped = rows.reshape([self.bounds[d] for d in dims]).transpose(np.argsort(dims))
        bounds = [1 if d in self.columns else n for d, n in enumerate(self.bounds)]
        return place(shaped.reshape(bounds), self.written, self.y.shape, bounds, "none")


@dataclass(frozen=True)
class Step:
    """An operation of a body. Numbers of operands count what the body reads first, then what steps make. `number` is the value of a
    constant or the predicate of a comparison; `table`, `first` and `mantissa` are a table's."""

    name: str
    operands: tuple[int, ...]
    number: int = 0
    table: str = ""
    first: int = 0
    mantissa: int = 0

    def index(self, entries: int) -> Index:
        """How a table of so many entries is read."""
        if not self.mantissa:
            return Index(self.first, self.first + entries - 1)
        half = entries // 2 if self.first < 0 else entries
        shift = max((half - 1 >> self.mantissa) - 1, 0)
        largest = ((half - 1 - (shift << self.mantissa)) << shift) + (1 << shift) - 1
        return Index(-largest if self.first < 0 else 0, largest, self.mantissa)


@dataclass(frozen=True, eq=False)
class Sweep:
    """A body at every point of some loops."""

    name: str
    where: str
    reads: tuple[tuple[Tensor, Map, int], ...]
    y: Tensor
    bounds: tuple[int, ...]
    written: Map
    combine: str
    steps: tuple[Step, ...]
    result: int

    @cached_property
    def reductions(self) -> tuple[int, ...]:
        """Loops whose points are combined."""
        used = frozenset[int]().union(frozenset(), *(e.dims() for e in self.written))
        return tuple(d for d in range(len(self.bounds)) if d not in used and self.combine != "none")


Stage = Product | Sweep


@dataclass(eq=False)
class Network:
    """Stages in the order in which they run, and what they read and write."""

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    scales: tuple[list[float], list[float]]
    stages: list[Stage]
    memory: tuple[int, int, int]
    numbers: dict[str, Array]
    """Constants and tables by their names."""
    design: Design
    orders: dict[str, Array]
    """Where each channel is, by the names that tensors have for it."""
    constants: list[Tensor] = field(default_factory=list[Tensor])
    """Those that are in memory."""

    @property
    def tiles(self) -> Tiles:
        return self.design.tiles

    @property
    def products(self) -> list[Product]:
        return [s for s in self.stages if isinstance(s, Product)]

    def run(self, inputs: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Sums of every product, int64[rows, pixels], and what every stage makes of integers. Raises ValueError for inputs of other
        types."""
        known: dict[int, Array] = {}
        for tensor, array in zip(self.inputs, inputs, strict=True):
            tensor.kind.check(array, "input")
            known[id(tensor)] = np.asarray(array, np.int64).reshape(tensor.shape)
        sums: list[Array] = []
        found: list[Array] = []
        for stage in self.stages:
            if isinstance(stage, Product):
                matrix = stage.matrix(known[id(stage.x)])
                sums.append(stage.gemm.accumulate(matrix))
                made = stage.tensor(stage.gemm.run(matrix))
            else:
                made = self._sweep(stage, known)
            known[id(stage.y)] = made
            found.append(made)
        return sums, found

    def matrices(self, inputs: Sequence[Array]) -> list[Array]:
        """What every product reads of integers: int64[columns, pixels]."""
        _, made = self.run(inputs)
        known = {id(t): np.asarray(a, np.int64).reshape(t.shape) for t, a in zip(self.inputs, inputs, strict=True)}
        known |= {id(s.y): array for s, array in zip(self.stages, made, strict=True)}
        return [p.matrix(known[id(p.x)]) for p in self.products]

    def _sweep(self, stage: Sweep, known: dict[int, Array]) -> Array:
        given = [
            gather(known[id(t)] if not t.name else self.numbers[t.name].astype(np.int64), index, stage.bounds, fill)
            for t, index, fill in stage.reads
        ]
        made = evaluate(stage.steps, stage.result, given, self.numbers)
        return place(made, stage.written, stage.y.shape, stage.bounds, stage.combine)


def evaluate(steps: Sequence[Step], result: int, given: Sequence[Array], numbers: dict[str, Array]) -> Array:
    """What a body yields for integers at all points."""
    known = list(given)
    for step in steps:
        known.append(_value(step, [known[n] for n in step.operands], numbers))
    return known[result]


def _value(step: Step, operands: list[Array], numbers: dict[str, Array]) -> Array:
    if step.name == "arith.constant":
        return np.array(step.number, np.int64)
    if step.name == "hls.table":
        table = numbers[step.table]
        return table[step.index(len(table)).position(operands[0])].astype(np.int64)
    if step.name == "arith.cmpi":
        return COMPARE[step.number](*operands)
    return INTEGERS[step.name](*operands)


COMPARE = {0: np.equal, 1: np.not_equal, 2: np.less, 3: np.less_equal, 4: np.greater, 5: np.greater_equal}
INTEGERS = {
    "arith.addi": np.add, "arith.muli": np.multiply, "arith.shrsi": np.right_shift, "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum, "arith.select": np.where,
}  # fmt: skip
"""What bodies are made of."""


def read_network(module: ir.Module, weights: WeightStore, name: str) -> Network:
    """The network of a module that `size-buffers` has left."""
    main = module.body.operations[0].operation
    block = main.regions[0].blocks[0]
    tensors: dict[ir.Value, Tensor] = {}
    numbers: dict[str, Array] = {}
    stages: list[Stage] = []
    orders: dict[str, Array] = {}
    used: set[str] = set()
    for argument, buffer in zip(block.arguments, main.attributes["hls.inputs"], strict=True):
        tensors[argument] = _tensor(argument, buffer)
    for op in ops_in(block):
        if op.name == "hls.constant":
            tensors[op.results[0]] = _constant(op, weights, numbers)
        elif hls.is_product(op) or hls.is_sweep(op):
            tensors[op.results[0]] = _tensor(op.results[0], op.attributes["buffer"])
            title = _name(op, used)
            read = _product if hls.is_product(op) else _sweep
            stages.append(read(op, title, tensors, weights, numbers))
    memory = tuple(main.attributes["hls.memory"])
    orders |= {t.order: weights[t.order] for t in tensors.values() if t.order}
    scales = [[a["hls.scale"].value for a in main.attributes[n]] for n in ("arg_attrs", "res_attrs")]
    outputs = [tensors[v] for v in ops_in(block)[-1].operands]
    inputs = [tensors[a] for a in block.arguments]
    constants = [t for t in tensors.values() if t.name and t.offset >= 0]
    return Network(
        name, inputs, outputs, (scales[0], scales[1]), stages, memory, numbers, hls.design_of(main), orders, constants
    )


def _name(op: ir.Operation, used: set[str]) -> str:
    """A word for a stage: its module's path and the graph's node, with a number where there are several."""
    found = origins(op.location)
    text = (found[0][1] or found[0][0]) if found else "stage"
    word = "".join(c if c.isalnum() else "_" for c in text).strip("_") or "stage"
    word = f"{op.name.removeprefix('hls.')}_{word}"
    names = itertools.chain([word], (f"{word}_{n}" for n in itertools.count(2)))
    found_name = next(n for n in names if n not in used)
    used.add(found_name)
    return found_name


def _where(op: ir.Operation) -> str:
    found = origins(op.location)
    return (found[0][1] or found[0][0]) if found else ""


def _tensor(value: ir.Value, buffer: ir.Attribute) -> Tensor:
    width, offset = buffer["width"].value, buffer["offset"].value
    return Tensor(
        structured.shape_of(value), hls.type_of(value), width, offset, tuple(buffer["strides"]), "", buffer["axis"].value,
        buffer["extent"].value, buffer["order"].value,
    )  # fmt: skip


def _constant(op: ir.Operation, weights: WeightStore, numbers: dict[str, Array]) -> Tensor:
    name, value = op.attributes["values"].value, op.results[0]
    numbers[name] = weights[name]
    if "buffer" in op.attributes:
        return replace(_tensor(value, op.attributes["buffer"]), name=name)
    shape = structured.shape_of(value)
    strides = tuple(prod(shape[a + 1 :]) for a in range(len(shape)))
    return Tensor(shape, hls.type_of(value), 32, -1, strides, name)


def _product(
    op: ir.Operation, name: str, tensors: dict[ir.Value, Tensor], weights: WeightStore, _numbers: dict[str, Array]
) -> Product:
    x, y = tensors[op.operands[0]], tensors[op.results[0]]
    read, written = hls.maps_of(op)
    stored = op.attributes["weights"].value
    codes, places, bias, multipliers, shifts = (
        weights[f"{stored}:{part}"] for part in ("codes", "places", "bias", "multipliers", "shifts")
    )
    first, second, third = (parse_quantiser(q.value) for q in op.attributes["quantisers"])
    factors = tuple(Dyadic(int(m), int(s)) for m, s in zip(multipliers, shifts, strict=True))
    gemm = Gemm((first, second, third), places, codes, bias, factors, x.kind, y.kind)
    return Product(
        name, _where(op), x, y, gemm, hls.bounds_of(op), read, written, tuple(op.attributes["rows"]), tuple(op.attributes["columns"]),
        op.attributes["fill"].value, hls.windows_of(op),
    )  # fmt: skip


def _sweep(
    op: ir.Operation, name: str, tensors: dict[ir.Value, Tensor], weights: WeightStore, numbers: dict[str, Array]
) -> Sweep:
    reads = tuple((tensors[value], index, fill) for value, index, fill in hls.reads_of(op))
    block = op.regions[0].blocks[0]
    known: dict[ir.Value, int] = {a: i for i, a in enumerate(block.arguments)}
    steps: list[Step] = []
    *inner, last = ops_in(block)
    for each in inner:
        steps.append(_step(each, tuple(known[v] for v in each.operands)))
        known[each.results[0]] = len(known)
        if steps[-1].table:
            numbers[steps[-1].table] = weights[steps[-1].table]
    return Sweep(
        name, _where(op), reads, tensors[op.results[0]], hls.bounds_of(op), hls.map_of(op), op.attributes["combine"].value,
        tuple(steps), known[last.operands[0]],
    )  # fmt: skip


def _step(op: ir.Operation, operands: tuple[int, ...]) -> Step:
    if op.name == "hls.table":
        attributes = op.attributes
        return Step(
            op.name, operands, 0, attributes["values"].value, attributes["first"].value, attributes["mantissa"].value
        )
    number = {"arith.constant": "value", "arith.cmpi": "predicate"}.get(op.name)
    return Step(op.name, operands, op.attributes[number].value if number else 0)
