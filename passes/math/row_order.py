"""Matrix reorder (GRIM, arXiv 2108.11033): an order of rows in which neighbours keep the same columns, or similar ones.

Rows are paired, pairs are paired, and so on, every time those that have most columns in common: groups of 2, 4, 8, ... rows
are nested in one another, so that one order serves row groups of every height. Identical rows meet first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .tiles import kept_columns

Array = np.ndarray
HEIGHTS = (4, 8, 16)
"""Rows of the groups that are counted: what the kernels use most."""
WORTH_IT = 0.9
"""Share of the products that an order may leave, at every height, to be worth it."""
MOST_ROWS = 4096
"""Rows beyond which comparing each with each would take too much memory."""
MOST_PRODUCTS = 1 << 35
"""Multiplications that comparing may take: of wider matrices a sample of the columns is compared."""
DIFFERENT = 1e-6
"""What a column that only one of two has weighs beside one that both have."""
APART = 1e-9
"""What distance weighs beside the same: among equals neighbours stay neighbours."""


def products(kept: Array, height: int) -> float:
    """Elements that row groups of `height` neighbours multiply; `kept` is bool[rows, columns]. A last group counts as whole."""
    return kept_columns(kept[None], height) * -(-len(kept) // height) * height


def better_order(matrices: Sequence[Array], weights: Sequence[float]) -> Array | None:
    """One order for the rows of all `matrices`, bool[rows, columns] of what each keeps: int[rows], position -> row. `weights`
    says how often each is multiplied. None where the order saves too little at one of the `HEIGHTS` that fit twice, or where
    a matrix would have more products than before: what is in blocks stays in them."""
    rows = len(matrices[0])
    before = {h: np.array([products(m, h) for m in matrices]) for h in HEIGHTS if h < rows <= MOST_ROWS}
    wanted = {h: WORTH_IT * (found @ weights) for h, found in before.items() if 2 * h <= rows}
    fewest = np.array([np.count_nonzero(m) for m in matrices]) @ weights
    if not wanted or any(fewest >= most for most in wanted.values()):
        return None
    order = arrange(matrices, weights)
    for height, found in before.items():
        after = np.array([products(m[order], height) for m in matrices])
        if (after > found).any() or after @ weights > wanted.get(height, np.inf):
            return None
    return order


def arrange(matrices: Sequence[Array], weights: Sequence[float]) -> Array:
    """The order itself, whatever it saves: int[rows], position -> row."""
    rows, columns = len(matrices[0]), sum(m.shape[1] for m in matrices)
    step = -(-columns * rows * rows // MOST_PRODUCTS)
    kept = [m[:, ::step].astype(np.float32) for m in matrices]
    total = sum(w * m.shape[1] for m, w in zip(kept, weights, strict=True))
    shares = [w / total for w in weights]
    groups = [[row] for row in range(rows)]
    last: list[int] = []
    """What is left over for want of a partner, shorter than a group: it stays behind them, so that they stay aligned."""
    while groups:
        partners = _partners(kept, shares)
        alone = [g for g, p in enumerate(partners) if p < 0]
        last = [*(groups[alone[0]] if alone else []), *last]
        firsts = [g for g, p in enumerate(partners) if g < p]
        kept = [np.maximum(m[firsts], m[partners[firsts]]) for m in kept]
        groups = [[*groups[g], *groups[partners[g]]] for g in firsts]
    return np.array(last, np.int64)


def _partners(kept: Sequence[Array], shares: Sequence[float]) -> Array:
    """int[groups], the partner of each group, -1 for one that is left over: the two that share most, then of the others the
    two that share most, and so on. A pair where each is the other's best is one of them."""
    numbers = np.arange(len(kept[0]))
    shared = sum(share * (m @ m.T) for m, share in zip(kept, map(np.float64, shares), strict=True))
    own = np.diag(shared)
    score = shared - DIFFERENT * (own[:, None] + own - 2 * shared) - APART / len(own) * (numbers[:, None] ^ numbers)
    np.fill_diagonal(score, -np.inf)
    partners = np.full(len(own), -1)
    free = numbers
    while len(free) > 1:
        best = score.argmax(axis=1)
        mutual = best[best] == np.arange(len(free))
        partners[free[mutual]] = free[best[mutual]]
        free, score = free[~mutual], score[np.ix_(~mutual, ~mutual)]
    return partners
