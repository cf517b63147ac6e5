"""Which elements of a contraction's weight are not zero."""

from __future__ import annotations

import numpy as np

from cocomp.dialects.structured import Loops
from cocomp.passes.math import affine

Array = np.ndarray


def weight_mask(weight: Array, loops: Loops) -> Array | None:
    """What is kept, bool[rows, channels, kernel positions]; None where the weight has no rows or is read through a reshape."""
    found = weight_view(weight, loops)
    return None if found is None else (found[0] != 0).reshape(found[1])


def weight_view(weight: Array, loops: Loops) -> tuple[Array, tuple[int, int, int]] | None:
    """A weight with an axis for each of its dimensions in the contraction, in memory of the weight itself where that is
    contiguous, and its extent in rows, channels and kernel positions; None as for `weight_mask`."""
    x, w, y = loops.maps
    position = affine.linearize(w, weight.shape)
    in_x, in_w, in_y = (frozenset[int]().union(*(e.dims() for e in m)) for m in (x, w, y))
    rows = sorted(in_w & in_y)
    columns = sorted(in_w - in_y)
    if not position.is_linear or not columns or not (in_w & in_y) - in_x:
        return None
    windows = [e.dims() for e in x if len(e.dims()) > 1]
    positions = [d for d in columns if any(d in dims for dims in windows)]
    channels = [d for d in columns if d not in positions]
    flat = np.ascontiguousarray(weight).reshape(-1)[position.constant :]
    dims = [*rows, *channels, *positions]
    strides = [position.coefficient(d) * flat.itemsize for d in dims]
    view = np.lib.stride_tricks.as_strided(flat, [loops.bounds[d] for d in dims], strides)
    of_rows, of_channels, of_positions = (
        int(np.prod([loops.bounds[d] for d in group])) for group in (rows, channels, positions)
    )
    return view, (of_rows, of_channels, of_positions)
