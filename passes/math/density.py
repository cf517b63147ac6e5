"""A matrix of what is kept, small enough to look at."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 64, 128
"""Points of a picture at most."""


def picture(kept: np.ndarray) -> list[list[int]]:
    """Per cent of elements that are kept in each cell of a grid laid over the matrix, bool[rows, columns]."""
    down, across = (
        np.linspace(0, n, min(n, most) + 1).astype(int) for n, most in zip(kept.shape, (HEIGHT, WIDTH), strict=True)
    )
    sums = np.add.reduceat(np.add.reduceat(kept, down[:-1], axis=0, dtype=np.int64), across[:-1], axis=1)
    cells = np.diff(down)[:, None] * np.diff(across)[None, :]
    return np.rint(100 * sums / cells).astype(int).tolist()
