"""Sizes of engines that are worth a look: tiles of rows in which no core could be smaller without being slower."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs

import numpy as np

from .stages import Product

Array = np.ndarray


def row_choices(products: Sequence[Product]) -> Array:
    """Rows of each quantiser that an engine may have, int64[n, 3], in a fixed order, none for a quantiser without rows.

    One quantiser leads with every number of rows at which some product takes fewer tiles. The others follow: as many as they need to
    keep up with it in every product, or fewer, down to their share of all rows, which is less than that where a small product rounds up.
    """
    counts = np.unique(np.array([product.counts for product in products]), axis=0)
    used = [place for place in range(3) if counts[:, place].any()]
    work = np.array([[p.columns * p.pixels * count for count in p.counts] for p in products], np.float64).sum(axis=0)
    found: set[tuple[int, ...]] = set()
    for lead in used:
        for rows in _leads(counts[:, lead]):
            tiles = np.maximum(-(-counts[:, lead] // rows), 1)
            options = [[0], [0], [0]]
            for place in used:
                need = int((-(-counts[:, place] // tiles)).max())
                share = min(max(int(rows * work[place] / work[lead]), 1), need)
                options[place] = [rows] if place == lead else sorted({share, min(share + 1, need), need})
            found.update(pairs(*options))
    return np.array(sorted(found), np.int64).reshape(-1, 3)


def _leads(counts: Array) -> list[int]:
    """Rows of a core below which some product takes more tiles of them."""
    found: list[int] = []
    for rows in range(1, int(counts.max()) + 1):
        tiles = np.maximum(-(-counts // rows), 1)
        if (-(-counts // tiles)).max() == rows:
            found.append(rows)
    return found
