"""The `hls` dialect: a quantised network as an accelerator computes it, in integers alone.

Tensors are of integers of some bits (`ui4`, `si16`, ..); what one stands for is `scale` times it. Two operations compute:

    %y = "hls.product"(%x) {maps = [X, Y], bounds = .., rows = .., columns = .., fill = 0, weights = "conv1", quantisers = [..], scale = ..}
        : (tensor<1x64x56x56xui4>) -> tensor<1x64x56x56xui4>

is a matrix product whose rows have different quantisers (`accelerator.Gemm`): `rows` and `columns` are the loop dimensions that make up the
weight's, the others are pixels. The engine of the accelerator computes it.

    %s = "hls.read"(%a) {map = A, bounds = .., fill = 0} : (tensor<1x64x56x56xui4>) -> !hls.stream
    %y = "hls.sweep"(%s, %t) ({ ^bb0(%a: i64, %b: i64): ..  "hls.yield"(%r) }) {map = Y, bounds = .., combine = "none"}
        : (!hls.stream, !hls.stream) -> tensor<1x64x56x56xsi16>

computes a body of integer arithmetic at each point, all numbers extended to 64 bits. With `combine = "add"` or `"max"` points of one element of the
result are added up, or the largest counts. A stream is what a tensor has at the points, `fill` outside of it.

    %t = "hls.constant"() {values = "conv1:bias"} : () -> tensor<64xsi32>
    %r = "hls.table"(%i) {values = "gelu", first = -128, mantissa = 0} : (i64) -> i64

are numbers of the store, and a function of few integers by its values (`accelerator.Table`).
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation; they mean operands and
# results of an operation, which pyright cannot know.
# pyright: reportInvalidTypeForm=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cocomp.passes.math.accelerator import Design, IntegerType, Tiles
from cocomp.passes.math.affine import Dim, Expr
from cocomp.support.mlir import ext, ir

from . import structured

COMBINES = ("none", "add", "max")
SAME, ALONG, APART = "same", "along", "apart"
"""How neighbouring points read a tensor."""


class Hls(ext.Dialect, name="hls"):
    pass


class ConstantOp(Hls.Operation, name="constant", traits=[ext.Pure]):
    """Integers of the store, by their name."""

    values: ir.StringAttr
    result: ext.Result[Any]


class TableOp(Hls.Operation, name="table", traits=[ext.Pure]):
    """An entry of a table of the store."""

    index: ext.Operand[Any]
    values: ir.StringAttr
    first: ir.IntegerAttr
    mantissa: ir.IntegerAttr
    result: ext.Result[Any]


class YieldOp(Hls.Operation, name="yield", traits=[ir.IsTerminatorTrait]):
    """What a body makes of a point."""

    value: ext.Operand[Any]


class ProductOp(Hls.Operation, name="product", traits=[ext.Pure]):
    """A matrix product of the engine."""

    input: ext.Operand[Any]
    maps: ir.ArrayAttr
    bounds: Any  # DenseI64ArrayAttr, which IRDL cannot name
    rows: Any
    columns: Any
    fill: ir.IntegerAttr
    weights: ir.StringAttr
    quantisers: ir.ArrayAttr
    scale: ir.FloatAttr
    result: ext.Result[Any]

    @classmethod
    def verify_invariants(cls, op: ir.Operation) -> bool:
        return _reported(op, _product_error(op))


class StreamType(Hls.Type, name="stream"):
    """Integers of 64 bits, one for each point of some loops."""


class ReadOp(Hls.Operation, name="read", traits=[ext.Pure]):
    """The elements of a tensor that points read."""

    tensor: ext.Operand[Any]
    map: Any  # AffineMapAttr, which IRDL cannot name
    bounds: Any
    fill: ir.IntegerAttr
    result: ext.Result[StreamType]

    @classmethod
    def verify_invariants(cls, op: ir.Operation) -> bool:
        return _reported(op, _map_error(op, op.attributes["map"], op.operands[0]))


class SweepOp(Hls.Operation, name="sweep", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """A body at every point of some loops."""

    inputs: Sequence[ext.Operand[StreamType]]
    map: Any  # AffineMapAttr, which IRDL cannot name
    bounds: Any
    combine: ir.StringAttr
    result: ext.Result[Any]
    body: ext.Region

    @classmethod
    def verify_invariants(cls, op: ir.Operation) -> bool:
        return _reported(op, _sweep_error(op))


def _reported(op: ir.Operation, error: str) -> bool:
    if error:
        op.location.emit_error(f"'{op.name}' op {error}")
    return not error


def _product_error(op: ir.Operation) -> str:
    bounds, rows, columns = (list(op.attributes[name]) for name in ("bounds", "rows", "columns"))
    if set(rows) & set(columns) or not {*rows, *columns} <= set(range(len(bounds))):
        return f"expected rows and columns among {len(bounds)} dimensions, none of them twice, got {rows} and {columns}"
    if len(op.attributes["quantisers"]) != 3:
        return f"expected 3 quantisers, got {len(op.attributes['quantisers'])}"
    if len(op.attributes["maps"]) != 2:
        return f"expected 2 indexing maps, got {len(op.attributes['maps'])}"
    values = [op.operands[0], op.results[0]]
    return next(filter(None, (_map_error(op, m, v) for m, v in zip(op.attributes["maps"], values, strict=True))), "")


def _sweep_error(op: ir.Operation) -> str:
    combine = op.attributes["combine"].value
    if combine not in COMBINES:
        return f"expected to combine by one of {', '.join(COMBINES)}, got '{combine}'"
    if len(list(op.regions[0].blocks[0].arguments)) != len(op.operands):
        return f"expected a body of {len(op.operands)} arguments"
    bounds = list(op.attributes["bounds"])
    for stream in op.operands:
        found = list(stream.owner.operation.attributes["bounds"])
        if found != bounds:
            return f"expected streams of the points {bounds}, got {found}"
    return _map_error(op, op.attributes["map"], op.results[0])


def _map_error(op: ir.Operation, attribute: ir.Attribute, value: ir.Value) -> str:
    bounds = list(op.attributes["bounds"])
    affine_map = attribute.value if isinstance(attribute, ir.AffineMapAttr) else ir.AffineMap(attribute.value)
    if affine_map.n_dims != len(bounds) or len(affine_map.results) != value.type.rank:
        return f"expected a map from {len(bounds)} dimensions to {value.type.rank}, got {affine_map}"
    try:
        type_of(value)
    except ValueError as error:
        return str(error)
    return ""


def type_of(value: ir.Value) -> IntegerType:
    """The integers of a tensor. Raises ValueError where they say nothing of their sign."""
    element = structured.element_of(value)
    if not isinstance(element, ir.IntegerType) or element.is_signless:
        raise ValueError(f"expected integers with or without a sign, got {element}")
    return IntegerType(element.width, element.is_signed)


def tensor_type(shape: Sequence[int], kind: IntegerType) -> ir.Type:
    """A tensor of integers."""
    element = ir.IntegerType.get_signed(kind.bits) if kind.signed else ir.IntegerType.get_unsigned(kind.bits)
    return ir.RankedTensorType.get(list(shape), element)


def is_sweep(op: ir.Operation) -> bool:
    return op.name == "hls.sweep"


def is_product(op: ir.Operation) -> bool:
    return op.name == "hls.product"


def bounds_of(op: ir.Operation) -> tuple[int, ...]:
    """Extents of the loops of a product or a sweep."""
    return tuple(op.attributes["bounds"])


def maps_of(op: ir.Operation) -> tuple[structured.Map, structured.Map]:
    """Indices of what a product reads and writes."""
    bounds = bounds_of(op)
    read, written = (structured.map_of(a.value, bounds) for a in op.attributes["maps"])
    return read, written


def map_of(op: ir.Operation) -> structured.Map:
    """Index of what a sweep writes, or of what is read."""
    return structured.map_of(op.attributes["map"].value, bounds_of(op))


def reads_of(op: ir.Operation) -> list[tuple[ir.Value, structured.Map, int]]:
    """Tensors that a sweep reads, with indices and what is outside."""
    reads = [stream.owner.operation for stream in op.operands]
    return [(r.operands[0], map_of(r), r.attributes["fill"].value) for r in reads]


@dataclass(frozen=True)
class Axis:
    """An axis of a tensor that a product reads windows of: position `step * pixel + tap * pace + offset`; -1 for no dimension."""

    pixel: int
    step: int
    tap: int
    pace: int
    offset: int
    extent: int


@dataclass(frozen=True)
class Windows:
    """How a product reads its tensor: `channels` along one axis, the last of its columns, and windows of the others."""

    axis: int
    channels: int
    others: tuple[Axis, ...]


MOST_AXES = 4


def windows_of(op: ir.Operation) -> Windows | None:
    """The windows that a product reads; None where columns are no axis, or an index is no sum of a pixel and a tap."""
    bounds, (read, _) = bounds_of(op), maps_of(op)
    shape, columns = structured.shape_of(op.operands[0]), list(op.attributes["columns"])
    channel, taps = columns[-1], columns[:-1]
    axes = [a for a, e in enumerate(read) if structured.dim_of(e) == channel]
    if len(axes) != 1 or shape[axes[0]] != bounds[channel]:
        return None
    others: list[Axis] = []
    for a, (expr, extent) in enumerate(zip(read, shape, strict=True)):
        if a == axes[0]:
            continue
        dims = sorted(expr.dims())
        used = [[d for d in dims if d in taps], [d for d in dims if d not in taps]]
        if not expr.is_linear or channel in dims or max(map(len, used)) > 1:
            return None
        tap, pixel = (u[0] if u else -1 for u in used)
        factors = [expr.coefficient(d) if d >= 0 else 0 for d in (pixel, tap)]
        if extent > 1 or dims or expr.constant:
            others.append(Axis(pixel, factors[0], tap, factors[1], expr.constant, extent))
    seen = [d for o in others for d in (o.pixel, o.tap) if d >= 0]
    whole = {d for d in range(len(bounds)) if d not in list(op.attributes["rows"]) and d != channel and bounds[d] > 1}
    if len(seen) != len(set(seen)) or not whole <= set(seen) or len(others) > MOST_AXES:
        return None
    return Windows(axes[0], bounds[channel], tuple(others))


def line_of(written: structured.Map, bounds: Sequence[int], axis: int) -> int:
    """The loop along which neighbouring elements of a result lie side by side, `axis` being the innermost one in memory; -1 where there is
    none. Of an axis that several loops make, it is the one that counts elements."""
    if axis < 0:
        return -1
    others = frozenset[int]().union(frozenset(), *(e.dims() for a, e in enumerate(written) if a != axis))
    expr = written[axis]
    found = [d for d in sorted(expr.dims()) if expr.is_linear and expr.coefficient(d) == 1 and d not in others]
    return max(found, key=lambda d: bounds[d], default=-1)


def access_of(index: structured.Map, shape: Sequence[int], axis: int, dim: int) -> str:
    """How points that are neighbours along loop `dim` read a tensor whose innermost axis in memory is `axis` (-1: it is row-major): the
    `SAME` element, elements side by side (`ALONG`), or `APART`."""
    if axis < 0:
        axis = max((a for a, n in enumerate(shape) if n > 1), default=0)
    found = [a for a, e in enumerate(index) if dim in e.dims()]
    if not found:
        return SAME
    expr = index[axis]
    is_linear = not any(dim in atom.operand.dims() for atom, _ in expr.terms if not isinstance(atom, Dim))
    return ALONG if found == [axis] and is_linear and expr.coefficient(dim) == 1 else APART


def constant_axis(index: structured.Map, dim: int) -> int:
    """The axis of a constant that has to be innermost for neighbours along a loop to read what lies side by side; -1 where there is none."""
    shape = [2] * len(index)
    return next((a for a in range(len(index)) if access_of(index, shape, a, dim) == ALONG), -1)


def lane_loop(
    line: int, folded: Sequence[int], bounds: Sequence[int], accesses: Callable[[int], Sequence[str]]
) -> tuple[int, bool]:
    """The loop of a sweep whose neighbouring points are computed at once, and whether they can be: what they read lies side by side, by its
    `accesses` along a loop. It is `line`, along which results do (-1: none); where the reads do not, the innermost of the loops `folded`
    into one result along which they do."""
    if line >= 0 and bounds[line] > 1 and APART not in accesses(line):
        return line, True
    for dim in reversed(folded):
        found = accesses(dim)
        if bounds[dim] > 1 and APART not in found and ALONG in found:
            return dim, True
    return line, line >= 0 and bounds[line] == 1


def constant(name: str, shape: Sequence[int], kind: IntegerType) -> ir.Value:
    """Integers of the store."""
    return ConstantOp(values=ir.StringAttr.get(name), result=tensor_type(shape, kind)).results[0]


def table(index: ir.Value, name: str, first: int, mantissa: int) -> ir.Value:
    """The entry of a table for an integer."""
    wide = ir.IntegerType.get_signless(64)
    numbers = [ir.IntegerAttr.get(wide, n) for n in (first, mantissa)]
    return TableOp(
        index=index, values=ir.StringAttr.get(name), first=numbers[0], mantissa=numbers[1], result=wide
    ).results[0]


def product(
    x: ir.Value, maps: Sequence[Sequence[Expr]], bounds: Sequence[int], dims: tuple[list[int], list[int]], fill: int,
    weights: str, quantisers: Sequence[str], scale: float, result: ir.Type,
) -> ir.Value:  # fmt: skip
    """A product; `dims` are those of rows and of columns."""
    return ProductOp(
        input=x,
        maps=_maps(maps, bounds),
        bounds=ir.DenseI64ArrayAttr.get(list(bounds)),
        rows=ir.DenseI64ArrayAttr.get(dims[0]),
        columns=ir.DenseI64ArrayAttr.get(dims[1]),
        fill=ir.IntegerAttr.get(ir.IntegerType.get_signless(64), fill),
        weights=ir.StringAttr.get(weights),
        quantisers=ir.ArrayAttr.get([ir.StringAttr.get(q) for q in quantisers]),
        scale=ir.FloatAttr.get(ir.F64Type.get(), scale),
        result=result,
    ).results[0]


def read(tensor: ir.Value, index: Sequence[Expr], bounds: Sequence[int], fill: int) -> ir.Value:
    """What a tensor has at the points of some loops."""
    return ReadOp(
        tensor=tensor,
        map=ir.AffineMapAttr.get(structured.affine_map(index, len(bounds))),
        bounds=ir.DenseI64ArrayAttr.get(list(bounds)),
        fill=ir.IntegerAttr.get(ir.IntegerType.get_signless(64), fill),
        result=StreamType.get(),
    ).results[0]


def sweep(
    inputs: Sequence[tuple[ir.Value, Sequence[Expr], int]], index: Sequence[Expr], bounds: Sequence[int], combine: str, result: ir.Type,
    body: Callable[..., ir.Value],
) -> ir.Value:  # fmt: skip
    """A sweep over (tensor, index, fill) of each input; `body` takes an integer of 64 bits for each."""
    op = ir.Operation.create(
        "hls.sweep",
        results=[result],
        operands=[read(tensor, place, bounds, fill) for tensor, place, fill in inputs],
        attributes={
            "map": ir.AffineMapAttr.get(structured.affine_map(index, len(bounds))),
            "bounds": ir.DenseI64ArrayAttr.get(list(bounds)),
            "combine": ir.StringAttr.get(combine),
        },
        regions=1,
    )
    kinds = [ir.IntegerType.get_signless(64)] * len(inputs)
    block = op.regions[0].blocks.append(*kinds, arg_locs=[ir.Location.current] * len(kinds))
    with ir.InsertionPoint(block):
        YieldOp(value=body(*block.arguments))
    return op.results[0]


def _maps(maps: Sequence[Sequence[Expr]], bounds: Sequence[int]) -> ir.ArrayAttr:
    return ir.ArrayAttr.get([ir.AffineMapAttr.get(structured.affine_map(m, len(bounds))) for m in maps])


def design_attribute(design: Design, device: str) -> ir.Attribute:
    """`{device = "xc7z045", lanes = 16, rows = [32, 16, 4], ..}`."""
    number = ir.IntegerType.get_signless(64)
    return ir.DictAttr.get(
        {
            "device": ir.StringAttr.get(device),
            "lanes": ir.IntegerAttr.get(number, design.tiles.lanes),
            "rows": ir.DenseI64ArrayAttr.get(list(design.tiles.rows)),
            "multipliers": ir.ArrayAttr.get([ir.StringAttr.get(m) for m in design.multipliers]),
            "requantisers": ir.IntegerAttr.get(number, design.requantisers),
            "unroll": ir.IntegerAttr.get(number, design.unroll),
            "capacity": ir.IntegerAttr.get(number, design.capacity),
        }
    )


def design_of(main: ir.Operation) -> Design:
    """What `tile-to-device` has chosen for a function."""
    chosen = main.attributes["hls.design"]
    coarse, fine, wide = (where.value for where in chosen["multipliers"])
    requantisers, unroll, capacity = (chosen[name].value for name in ("requantisers", "unroll", "capacity"))
    tiles = Tiles(chosen["lanes"].value, tuple(chosen["rows"]))
    return Design(tiles, (coarse, fine, wide), requantisers, unroll, capacity)
