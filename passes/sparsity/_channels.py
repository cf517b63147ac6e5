"""Which axes of which values must be permuted together, for a model to compute what it did."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cocomp.dialects import structured
from cocomp.passes.math import affine
from cocomp.support.mlir import ir

Array = np.ndarray


@dataclass(frozen=True)
class Place:
    """Where channels lie in an axis of extent `outer * channels * inner`: index = (o * channels + c) * inner + i."""

    axis: int
    outer: int = 1
    inner: int = 1

    def positions(self, order: Array) -> Array:
        """The order of the whole axis, int[extent], when `order` is that of the channels."""
        outer, inner = np.arange(self.outer)[:, None, None], np.arange(self.inner)
        return ((outer * len(order) + order[:, None]) * self.inner + inner).ravel()

    def channels_first(self, array: Array) -> Array:
        """[channels, everything else] of an array that has the channels here."""
        moved = np.moveaxis(array, self.axis, 0)
        split = moved.reshape(self.outer, len(moved) // (self.outer * self.inner), -1)
        return split.swapaxes(0, 1).reshape(split.shape[1], -1)


Neighbours = list[tuple[ir.Value, Place]]
SLICES = ("tensor.extract_slice", "tensor.insert_slice")
RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


class _BlockedError(Exception):
    """No permutation can follow."""


def follow(value: ir.Value, axis: int) -> dict[ir.Value, list[Place]] | None:
    """Every value that has the channels of `value` along `axis`, weights among them, and where. None where they are seen from
    outside, or where an operation tells one channel from another by its number."""
    channels = structured.shape_of(value)[axis]
    found: dict[ir.Value, list[Place]] = {value: [Place(axis)]}
    pending: Neighbours = [(value, Place(axis))]
    while pending:
        try:
            tied = _neighbours(*pending.pop(), channels)
        except _BlockedError:
            return None
        for other, place in tied:
            places = found.setdefault(other, [])
            if place in places:
                continue
            if any(p.axis == place.axis for p in places):
                return None
            places.append(place)
            pending.append((other, place))
    return found


def _neighbours(value: ir.Value, place: Place, channels: int) -> Neighbours:
    """What the operations that make `value` and that read it tie to it."""
    operations = [use.owner.operation for use in value.uses]
    if not isinstance(value, ir.BlockArgument):
        operations.append(value.owner.operation)
    elif structured.weight_name(value) is None or str(value.type.encoding) not in ("None", "#sparse.dense"):
        raise _BlockedError
    tied = [pair for op in dict.fromkeys(operations) for pair in _through(op, value, place, channels)]
    return [(other, found) for other, found in tied if not _is_uniform(other)]


def _through(op: ir.Operation, value: ir.Value, place: Place, channels: int) -> Neighbours:
    """The operands and results of `op` that are tied to one of them, `value`."""
    if structured.is_generic(op) or structured.is_contract(op):
        return _through_loops(op, value, place, channels)
    if op.name in RESHAPES:
        other = op.results[0] if value == op.operands[0] else op.operands[0]
        return [(other, _reshaped(place, channels, structured.shape_of(value), structured.shape_of(other)))]
    if op.name in SLICES:
        return _through_slice(op, value, place)
    if op.name == "tensor.pad" and _is_whole(op, place.axis):
        return [(v, place) for v in (op.operands[0], op.results[0])]
    if op.name == "tensor.concat" and op.attributes["dim"].value != place.axis:
        return [(v, place) for v in [*op.operands, *op.results]]
    raise _BlockedError


def loop_of(place: Place, expr: affine.Expr, extent: int, bounds: Sequence[int]) -> tuple[int, Place] | None:
    """The loop dimension that runs along the channels of an axis of `extent` indexed by `expr`, and where they are in it; None
    where a loop runs along a part of them, or steps over some."""
    channels = extent // (place.outer * place.inner)
    for dim, step in _digits(expr, extent, bounds).items():
        inner, no_multiple = divmod(place.inner, step)
        outer, no_part = divmod(bounds[dim], channels * max(1, inner))
        if inner and not no_multiple and not no_part:
            return dim, Place(0, outer, inner)
    return None


def _digits(expr: affine.Expr, extent: int, bounds: Sequence[int]) -> dict[int, int]:
    """The factor of each dimension of an index that takes every value below `extent` once; nothing for any other."""
    found: dict[int, int] = {}
    reached = 1
    for atom, step in sorted(expr.terms, key=lambda term: term[1]):
        if not isinstance(atom, affine.Dim) or step != reached:
            return {}
        found[atom.index] = step
        reached = step * bounds[atom.index]
    return found if reached == extent and not expr.constant else {}


def _through_loops(op: ir.Operation, value: ir.Value, place: Place, channels: int) -> Neighbours:
    """Whatever is indexed by the loop that runs along the channels."""
    loops = structured.loops_of(op)
    values, maps = [*op.operands, *op.results], [*loops.maps, *loops.output_maps]
    if structured.is_contract(op):
        maps.pop()  # its result is no operand as well
    found: Neighbours = []
    extent = structured.shape_of(value)[place.axis]
    for loop in {
        loop_of(place, m[place.axis], extent, loops.bounds) for v, m in zip(values, maps, strict=True) if v == value
    }:
        if loop is None or _is_counted(op, loop[0]):
            raise _BlockedError
        for other, index in zip(values, maps, strict=True):
            for axis, expr in enumerate(index):
                if loop[0] in expr.dims():
                    extent = structured.shape_of(other)[axis]
                    found.append((other, _in_axis(loop, axis, extent, channels, _digits(expr, extent, loops.bounds))))
    return found


def _in_axis(loop: tuple[int, Place], axis: int, extent: int, channels: int, digits: Mapping[int, int]) -> Place:
    """Where the channels of a loop are in an axis that it indexes."""
    if not digits:
        raise _BlockedError
    inner = digits[loop[0]] * loop[1].inner
    return Place(axis, extent // (channels * inner), inner)


def _is_counted(op: ir.Operation, dim: int) -> bool:
    """Whether the body of a loop nest reads the number of an iteration."""
    bodies = structured.body_ops(op) if structured.is_generic(op) else []
    return any(o.name == "linalg.index" and o.attributes["dim"].value == dim for o in bodies)


def _reshaped(place: Place, channels: int, shape: Sequence[int], other: Sequence[int]) -> Place:
    """Where the channels of a tensor of `shape` are when its elements are seen in another."""
    before = math.prod(shape[: place.axis]) * place.outer
    behind = math.prod(shape[place.axis + 1 :]) * place.inner
    for axis in range(len(other)):
        outer, no_part = divmod(before, math.prod(other[:axis]))
        inner, no_multiple = divmod(behind, math.prod(other[axis + 1 :]))
        if not no_part and not no_multiple and outer * channels * inner == other[axis]:
            return Place(axis, outer, inner)
    raise _BlockedError


def _through_slice(op: ir.Operation, value: ir.Value, place: Place) -> Neighbours:
    """A part that has all channels of the whole."""
    source, target = op.operands[0], op.results[0]
    part, wholes = (target, [source]) if op.name == SLICES[0] else (source, [op.operands[1], target])
    extents, whole = structured.shape_of(part), structured.shape_of(wholes[0])
    dims = [structured.dim_of(e) for e in structured.slice_map(op, extents)]
    complete = [(a, d) for a, d in enumerate(dims) if d is not None and whole[a] == extents[d]]
    for axis, inside in complete:
        if place.axis == (axis if value in wholes else inside):
            outside = [(v, dataclasses.replace(place, axis=axis)) for v in wholes]
            return [*outside, (part, dataclasses.replace(place, axis=inside))]
    raise _BlockedError


def _is_whole(pad: ir.Operation, axis: int) -> bool:
    """Whether nothing is added along an axis, and the same everywhere else."""
    sides = (pad.attributes["static_low"][axis], pad.attributes["static_high"][axis])
    return not any(sides) and not any(list(a.uses) for a in pad.regions[0].blocks[0].arguments)


def _is_uniform(value: ir.Value) -> bool:
    """Whether all elements are the same, or mean nothing."""
    if isinstance(value, ir.BlockArgument):
        return False
    op = value.owner.operation
    if op.name == "arith.constant":
        literal = op.attributes["value"]
        return isinstance(literal, ir.DenseElementsAttr) and literal.is_splat
    if not structured.is_generic(op):
        return op.name == "tensor.empty" or (op.name in RESHAPES and _is_uniform(op.operands[0]))
    ranked = [v for v in op.operands if structured.shape_of(v)]
    told_apart = any(o.name in ("linalg.index", "tensor.extract") for o in structured.body_ops(op))
    return not told_apart and not any(isinstance(v, ir.BlockArgument) or v.owner.name != "tensor.empty" for v in ranked)
