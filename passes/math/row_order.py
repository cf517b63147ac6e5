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
"""Share of the products of the smallest groups that an order may leave to be worth it."""
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
    says how often each is multiplied. None where no order saves enough products of the smallest groups without adding any
    to a matrix, whatever the height: what is in blocks stays in them."""
    rows = len(matrices[0])
    if not 2 * HEIGHTS[0] <= rows <= MOST_ROWS:
        return None
    before = {h: np.array([products(m, h) for m in matrices]) for h in HEIGHTS if h < rows}
    enough = WORTH_IT * (before[HEIGHTS[0]] @ weights)
    if np.array([np.count_nonzero(m) for m in matrices]) @ weights >= enough:
        return None
    for order in (arrange(matrices, weights), arrange_inside(matrices, weights)):
        after = {h: np.array([products(m[order], h) for m in matrices]) for h in before}
        if after[HEIGHTS[0]] @ weights <= enough and all((after[h] <= before[h]).all() for h in before):
            return order
    return None


def arrange_inside(matrices: Sequence[Array], weights: Sequence[float]) -> Array:
    """An order that leaves the largest groups as they are, for rows of which no two are alike but in the blocks of one group."""
    tall = HEIGHTS[-1]
    parts = [
        first + arrange([m[first : first + tall] for m in matrices], weights)
        for first in range(0, len(matrices[0]), tall)
    ]
    return np.concatenate(parts)


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
