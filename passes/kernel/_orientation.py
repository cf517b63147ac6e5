"""Whether a sparse contraction wants its activations in planes, pixels contiguous: asked before layouts are chosen, which depend on the answer."""

from __future__ import annotations

import dataclasses
from math import prod

import numpy as np

from cocomp.dialects import sparse, structured
from cocomp.dialects.graph import Group
from cocomp.passes.math.affine import Dim
from cocomp.passes.math.encodings import NEARLY_DENSE, Dense
from cocomp.passes.math.schedule import MAX_STEP
from cocomp.passes.math.tiles import choose_pixel_tiles, choose_tiles, estimate, thinned
from cocomp.passes.math.work import VectorUnit, Work

from ._mask import weight_mask

WORTH_IT = 0.9
"""Share of the cycles below which planar activations are asked for: neighbours may have to be written in another order."""


def wants_planes(group: Group, weight: np.ndarray, unit: VectorUnit) -> bool:
    """Whether planes take clearly fewer cycles than channels-last activations, for `weight`: a cache line of pixels is
    used whole, one of channels only where neighbouring channels are kept, and registers can run along pixels."""
    need = group.contraction
    assert need is not None
    encoding = group.graph.values[need.loop.operands[1]].type.encoding
    if isinstance(sparse.encoding_of(encoding), Dense):
        return False
    works = thinned_works(structured.loops_of(group.graph.operations[need.loop.results[0]]), weight, unit)
    return works is not None and planar_cycles(works[1], unit) < WORTH_IT * channels_last_cycles(works[0], unit)


def thinned_works(loops: structured.Loops, weight: np.ndarray, unit: VectorUnit) -> tuple[Work, Work] | None:
    """What a contraction with zeros in its weight has to do, channels last and in planes; None where there are hardly any, or
    where no pixels follow each other at one distance."""
    kept = weight_mask(weight, loops)
    if kept is None or kept.mean() > NEARLY_DENSE:
        return None
    x, w, y = loops.maps
    in_w = frozenset[int]().union(*(e.dims() for e in w))
    pixels = [e for e in y if e.dims() and not e.dims() & in_w]
    step = _step(x[-1], pixels[-1].dims()) if pixels else None
    if step is None:
        return None
    extents = [loops.bounds[d] for e in pixels for d in e.dims()]
    rows, columns = kept.shape[0], kept.shape[1] * kept.shape[2]
    whole = kept.shape[2] == 1 and step == 1
    every_column = Work(
        rows=rows,
        outer_rows=1,
        batches=1,
        pixels=prod(extents) if whole else extents[-1],
        outer_pixels=1 if whole else prod(extents[:-1]),
        columns=columns,
        input_bytes=4 * kept.shape[1] * prod(extents),
        weight_bytes=4 * rows * columns,
        pixel_step=kept.shape[1] * step,
        lines=1 if whole or len(extents) < 2 else extents[-2],
        line_step=extents[-1] * step * step,
    )
    channels_last = thinned(every_column, [kept.reshape(1, rows, columns)], unit)
    return channels_last, dataclasses.replace(
        channels_last, contiguous_rows=False, contiguous_pixels=True, pixel_step=step
    )


def channels_last_cycles(work: Work, unit: VectorUnit) -> float:
    """Cycles of the best kernel on channels-last activations, zeros left out or kept."""
    return min(estimate(w, choose_tiles(w, unit), unit) for w in (work, dataclasses.replace(work, kept={})))


def planar_cycles(work: Work, unit: VectorUnit) -> float:
    """Cycles of the best kernel on activations in planes."""
    found = [choose_tiles(work, unit)]
    if work.pixel_step <= MAX_STEP and (tiles := choose_pixel_tiles(work, unit)) is not None:
        found.append(tiles)
    return min(estimate(work, tiles, unit) for tiles in found)


def _step(last_axis: structured.Expr, pixel: frozenset[int]) -> int | None:
    """How far the input's last axis moves with each pixel; None where it does not."""
    steps = [step for atom, step in last_axis.terms if isinstance(atom, Dim) and atom.index in pixel]
    return steps[0] if len(steps) == 1 else None
