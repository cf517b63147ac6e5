"""Whether a sparse contraction wants its registers along pixels: asked before layouts are chosen, which depend on the answer."""

from __future__ import annotations

import dataclasses
from math import prod

import numpy as np

from cocomp.dialects import structured
from cocomp.dialects.graph import Group
from cocomp.passes.math.affine import Dim
from cocomp.passes.math.structure import Dense, find_structure, kept_columns
from cocomp.passes.math.tiles import VectorUnit, Work, choose_pixel_tiles, choose_tiles, estimate, group_sizes

from ._mask import weight_mask

WORTH_IT = 0.9
"""Share of the cycles below which planar activations are asked for: neighbours may have to be written in another order."""


def wants_pixels(group: Group, weight: np.ndarray, unit: VectorUnit) -> bool:
    """Whether registers along pixels take clearly fewer cycles than registers along rows, for `weight`."""
    need = group.contraction
    assert need is not None
    loops = structured.loops_of(group.graph.operations[need.loop.results[0]])
    kept = weight_mask(weight, loops)
    if kept is None or find_structure(kept) == Dense():
        return False
    x, w, y = loops.maps
    in_w = frozenset[int]().union(*(e.dims() for e in w))
    pixels = [e for e in y if e.dims() and not e.dims() & in_w]
    if not pixels or not _advances_by_one(x[-1], pixels[-1].dims()):
        return False
    extents = [loops.bounds[d] for e in pixels for d in e.dims()]
    rows, columns = kept.shape[0], kept.shape[1] * kept.shape[2]
    whole = kept.shape[2] == 1
    work = Work(
        rows=rows,
        outer_rows=1,
        batches=1,
        pixels=prod(extents) if whole else extents[-1],
        outer_pixels=1 if whole else prod(extents[:-1]),
        columns=columns,
        input_bytes=4 * kept.shape[1] * prod(extents),
        weight_bytes=4 * rows * columns,
        contiguous_pixels=True,
    )
    matrix = kept.reshape(1, rows, columns)
    sparse = dataclasses.replace(work, kept={size: kept_columns(matrix, size) for size in group_sizes(rows, unit)})
    along_rows = min(estimate(found, choose_tiles(found, unit), unit) for found in (work, sparse))
    tiles = choose_pixel_tiles(sparse, unit)
    return tiles is not None and estimate(sparse, tiles, unit) < WORTH_IT * along_rows


def _advances_by_one(last_axis: structured.Expr, pixel: frozenset[int]) -> bool:
    """Whether the input's last axis moves one element with each pixel: a stride would spread a register over memory."""
    return any(isinstance(atom, Dim) and atom.index in pixel and step == 1 for atom, step in last_axis.terms)
