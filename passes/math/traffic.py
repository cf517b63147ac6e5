"""What a kernel takes, by counting: arithmetic as often as its loops repeat it, memory once, a launch.

    cycles = max(arithmetic, stream) + exposed * min(arithmetic, stream) + a launch

- *arithmetic*: every operation at every point of the loops around it. What is fused into an inner loop is computed for each of its
  points, so a value that is broadcast, or that several reductions read, costs more than in a kernel of its own. Dear values that
  several reductions read are computed once and kept.
- *strided access*: an element that is not beside the one before it in the innermost loop is loaded alone, each time.
- *stream*: bytes of what is in memory, each once: a row that is read again is in a cache. Two kernels write and read what one
  kernel keeps in registers.

The same rates as for rewriting (`algebra.cost`), which has no loops yet. Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from . import affine
from .algebra.cost import Rates
from .nest import Loop, Need, Nest

LOADED_ALONE = 1.0
"""Cycles of an element that no vector load brings."""


def cycles(
    made: Nest,
    domain: frozenset[int],
    work: Callable[[Loop], float],
    dear: Callable[[Loop], bool],
    leaf: Callable[[int], tuple[tuple[int, ...], int]],
    written: int,
    rates: Rates,
) -> float:
    """Cycles of a kernel on one core.

    domain: dimensions of the result that reductions share (`nest.domain`). work: floating-point operations of an operation at one
    point. dear: whether its values are kept where two reductions need them. leaf: shape of a value in memory, and bytes of an element. written: bytes of the results.
    """
    arithmetic, kept = 0.0, dict[tuple[int, ...], float]()
    for need in made.maps:
        needed = points_of(need, made, domain) * work(need.loop)
        if dear(need.loop):
            kept[need.loop.results] = max(kept.get(need.loop.results, 0.0), needed)
        else:
            arithmetic += needed
    arithmetic += sum(kept.values())
    for need, own in zip(made.reductions, made.own_dims, strict=True):
        dims = frozenset[int]().union(own, *(e.dims() for e in need.point))
        arithmetic += min(_extent(dims, made), prod(need.loop.bounds)) * work(need.loop)  # windows may reach beyond
    walked = _innermost(made)
    loaded, moved = 0.0, dict[int, int]()
    for number, index in made.accesses:
        shape, size = leaf(number)
        dims = frozenset[int]().union(frozenset(), *(e.dims() for e in index))
        points = _extent(dims, made)
        moved[number] = max(moved.get(number, 0), min(points, prod(shape)) * size)
        position = affine.linearize(index, shape)
        if not position.is_linear or (walked in position.dims() and position.coefficient(walked) != 1):
            loaded += points * LOADED_ALONE
    busy = arithmetic / rates.flops_per_cycle + loaded
    streaming = (sum(moved.values()) + written) / rates.bytes_per_cycle
    return max(busy, streaming) + rates.exposed * min(busy, streaming) + rates.kernel_cycles


def points_of(need: Need, made: Nest, domain: frozenset[int]) -> int:
    """How often an element-wise operation is computed: for each point of the loops that it stands in."""
    used = frozenset[int]().union(frozenset(), *(e.dims() for e in need.point))
    return _extent(used | (domain if made.reductions else frozenset(range(made.n_root))), made)


def _extent(dims: frozenset[int], made: Nest) -> int:
    return prod(made.bounds[d] for d in dims)


def _innermost(made: Nest) -> int:
    """The dimension of the innermost loop, as far as it is known before layouts are: a reduction's, or the result's last one."""
    own = [d for dims in made.own_dims for d in dims if made.bounds[d] > 1]
    live = own or [d for d in range(made.n_root) if made.bounds[d] > 1]
    return live[-1] if live else 0
