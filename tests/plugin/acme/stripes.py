"""An encoding: every row keeps every n-th column and no other."""

from __future__ import annotations

import numpy as np

from cocomp.support.mlir import ir


def find(kept: np.ndarray) -> ir.Attribute | None:
    """`"acme.stripes<n>"` for a mask bool[rows, channels, positions] that keeps every n-th column, None for any other."""
    columns = kept.reshape(len(kept), -1)
    used = np.flatnonzero(columns.any(0))
    step = int(used[1] - used[0]) if len(used) > 1 else 1
    wanted = np.arange(columns.shape[1]) % step == used[0] if step > 1 else np.zeros(0, bool)
    return ir.StringAttr.get(f"acme.stripes<{step}>") if step > 1 and (columns == wanted).all() else None
