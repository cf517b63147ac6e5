"""Brute force beside the arithmetic: expressions as trees, evaluated by numpy on every point of a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr


@dataclass(frozen=True)
class Tree:
    """An index computation before any simplification: `dim`, `constant`, `add`, `scale`, `div` or `mod`."""

    kind: str
    number: int = 0
    parts: tuple[Tree, ...] = ()

    def values(self, grid: Sequence[np.ndarray]) -> np.ndarray:
        """What it computes on a grid of points, by definition."""
        inner = [p.values(grid) for p in self.parts]
        match self.kind:
            case "dim":
                return grid[self.number]
            case "constant":
                return np.full_like(grid[0], self.number)
            case "add":
                return inner[0] + inner[1]
            case "scale":
                return inner[0] * self.number
            case "div":
                return np.floor_divide(inner[0], self.number)
            case _:
                return np.mod(inner[0], self.number)

    def build(self, bounds: Sequence[int]) -> Expr:
        """The same through the constructors under test."""
        inner = [p.build(bounds) for p in self.parts]
        match self.kind:
            case "dim":
                return affine.dim(self.number)
            case "constant":
                return affine.as_expr(self.number)
            case "add":
                return inner[0] + inner[1]
            case "scale":
                return inner[0] * self.number
            case "div":
                return affine.floordiv(inner[0], self.number, bounds)
            case _:
                return affine.mod(inner[0], self.number, bounds)


def grid_of(bounds: Sequence[int]) -> list[np.ndarray]:
    """Coordinates of every point of the box, one flat array a dimension."""
    return [axis.ravel() for axis in np.indices(bounds)]


def values_of(expr: Expr, bounds: Sequence[int]) -> np.ndarray:
    """An expression on every point of the box; constants are spread."""
    grid = grid_of(bounds)
    return np.zeros_like(grid[0]) + affine.evaluate(expr, grid)  # pyright: ignore[reportArgumentType]


boxes = st.lists(st.integers(1, 9), min_size=1, max_size=3)


def trees(n_dims: int) -> st.SearchStrategy[Tree]:
    """Index computations over `n_dims` dimensions. Small divisors collide, which is where the rules apply."""
    leaves = st.one_of(
        st.integers(0, n_dims - 1).map(lambda i: Tree("dim", i)),
        st.integers(-20, 20).map(lambda c: Tree("constant", c)),
    )
    factors, divisors = st.sampled_from([-6, -1, 2, 3, 4, 6, 8, 12]), st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: Tree("add", 0, p)),
            st.tuples(factors, inner).map(lambda p: Tree("scale", p[0], (p[1],))),
            st.tuples(divisors, inner).map(lambda p: Tree("div", p[0], (p[1],))),
            st.tuples(divisors, inner).map(lambda p: Tree("mod", p[0], (p[1],))),
        ),
        max_leaves=8,
    )


@st.composite
def indexed(draw: st.DrawFn) -> tuple[list[int], Tree]:
    """A box and a computation over its dimensions."""
    bounds = draw(boxes)
    return bounds, draw(trees(len(bounds)))


@st.composite
def factored_shapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes of the same number of elements."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3, 4, 5]), min_size=1, max_size=5))

    def grouped() -> tuple[int, ...]:
        cuts = draw(st.lists(st.booleans(), min_size=len(factors) - 1, max_size=len(factors) - 1))
        shape = [factors[0]]
        for factor, cut in zip(factors[1:], cuts, strict=True):
            if cut:
                shape.append(factor)
            else:
                shape[-1] *= factor
        return tuple(shape)

    return grouped(), grouped()
