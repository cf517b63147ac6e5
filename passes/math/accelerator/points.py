"""Tensors and the points of loops that read and write them, for numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Dim, Expr

Array = np.ndarray


def counters(bounds: Sequence[int]) -> list[Array]:
    """The counter of each loop, along an axis of its own."""
    rank = len(bounds)
    return [np.arange(n).reshape([-1 if i == d else 1 for i in range(rank)]) for d, n in enumerate(bounds)]


def gather(array: Array, index: Sequence[Expr], bounds: Sequence[int], fill: float = 0) -> Array:
    """`array[index]` at all points, with an extent of one along loops that the index does not use; `fill` outside of the array."""
    if not index:
        return array.reshape([1] * len(bounds))
    where = [np.asarray(affine.evaluate(e, counters(bounds))) for e in index]
    inside = np.array(True)
    for found, extent in zip(where, array.shape, strict=True):
        if found.min() < 0 or found.max() >= extent:
            inside = inside & (found >= 0) & (found < extent)
    seen = array[tuple(np.clip(found, 0, extent - 1) for found, extent in zip(where, array.shape, strict=True))]
    seen = seen if inside.all() else np.where(inside, seen, np.asarray(fill, array.dtype))
    return seen.reshape([*(1 for _ in range(len(bounds) - seen.ndim)), *seen.shape])


def place(values: Array, index: Sequence[Expr], shape: Sequence[int], bounds: Sequence[int], combine: str) -> Array:
    """The tensor of a shape with `values` of all points at `index`; points of one element are combined by `add` or `max`, otherwise
    there is one for each."""
    values = np.broadcast_to(values, bounds)
    used = [_dim(e) for e in index]
    if all(d is not None or e == Expr() for d, e in zip(used, index, strict=True)):
        dims = [d for d in used if d is not None]
        others = tuple(d for d in range(len(bounds)) if d not in dims)
        reduced = values.max(axis=others) if combine == "max" else values.sum(axis=others)
        kept = [d for d in range(len(bounds)) if d in dims]
        return reduced.transpose([kept.index(d) for d in dims]).reshape(shape)
    places = np.broadcast_arrays(*(np.asarray(affine.evaluate(e, counters(bounds))) for e in index), values)[:-1]
    flat = np.ravel_multi_index([p.reshape(-1) for p in places], tuple(shape))
    found = np.full(math.prod(shape), np.iinfo(np.int64).min if combine == "max" else 0, np.int64)
    (np.maximum if combine == "max" else np.add).at(found, flat, values.reshape(-1))
    return found.reshape(shape)


def _dim(expr: Expr) -> int | None:
    """The dimension that an expression is, if it is one and nothing else."""
    if len(expr.terms) != 1 or expr.constant:
        return None
    ((atom, factor),) = expr.terms
    return atom.index if isinstance(atom, Dim) and factor == 1 else None
