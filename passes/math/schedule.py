"""How the loops of a kernel without contraction are run: which dimension fills the registers, what a task is.

Pure arithmetic on extents and strides; the costs are counted memory operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from . import affine
from .affine import Expr

MIN_TASKS = 256
"""Pieces of work that are enough to keep threads evenly busy."""
SMALL_ELEMENTS = 1024
"""Elements beside which counting tasks takes no time."""
TASK_ELEMENTS = 4096
"""Elements that make a task worth handing out; more and smaller ones, which are handed out several at a time, have more in
common with the tasks of neighbours."""
WINDOW = 32
"""Elements of a sum from which on it is not a window of many."""
SUMMED_ALONE = 3 << 12
"""Registers that one thread adds up in about the time that it takes to tell others."""
UNROLL_REDUCTION = 64
"""Iterations up to which a reduction inside a register tile is unrolled."""
TILE_POINTS = 8
MAX_STEP = 4
"""Distance of neighbours in memory up to which registers are loaded whole and shuffled."""


@dataclass(frozen=True)
class Access:
    """Position of an access in its buffer, over the nest's dimensions."""

    position: Expr


@dataclass(frozen=True)
class LoopSchedule:
    """Choices for one kernel. Dimensions are the nest's."""

    bounds: tuple[int, ...]
    across: int | None
    """Dimension of the domain that runs along the registers; None when the inner loops do."""
    inside: tuple[int | None, ...]
    """For each reduction, then for the result: the inner dimension along the registers, if any."""
    task_dims: tuple[int, ...]
    """Dimensions that a task number selects, outermost first."""
    loop_dims: tuple[int, ...]
    """Dimensions of the domain that are loops, outermost first; cut task dimensions among them."""
    steps: dict[int, int] = field(default_factory=dict[int, int])
    """Iterations of a task dimension that one task takes (1 where not given)."""
    tile: dict[int, int] = field(default_factory=dict[int, int])
    """Neighbouring points that are computed together, by dimension."""
    vectors: int = 1
    """Registers along `across` that are computed together."""
    unroll_reductions: bool = False
    lanes: int = 1

    def task_step(self, dim: int) -> int:
        return self.steps.get(dim, 1)

    def task_extent(self, dim: int) -> int:
        """Tasks along a dimension."""
        return -(-self.bounds[dim] // self.task_step(dim))

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        total = 1
        for dim in self.task_dims:
            total *= self.task_extent(dim)
        return total

    def describe(self) -> str:
        """For the report: how wide the registers are filled."""
        if self.across is None and all(d is None for d in self.inside):
            return "scalar"
        return f"{self.lanes} lanes"


def schedule_loops(
    bounds: Sequence[int],
    n_root: int,
    domain: frozenset[int],
    own: Sequence[Sequence[int]],
    accesses: Sequence[Access],
    store: Expr,
    lanes: int,
    inner_vector: Sequence[bool],
) -> LoopSchedule:
    """Choose a schedule.

    `own` are the dimensions of each reduction, `inner_vector` says whether it may be computed in any order. Registers
    run along the dimension that costs the fewest memory operations.
    """
    outer = sorted(domain, key=lambda d: (-abs(store.coefficient(d)), d))
    inner = [d for d in range(n_root) if d not in domain]
    positions = [a.position for a in accesses] + [store]
    inside = [_contiguous(dims, positions, bounds) if ok else None for dims, ok in zip(own, inner_vector, strict=True)]
    inside.append(_contiguous(inner, positions, bounds))
    across = _choose_across(outer, inside, positions, bounds, lanes, list(own), inner)
    if across is not None:
        inside = [None] * len(inside)
    reduction_points = max((_product(bounds, dims) for dims in own), default=1)
    unroll = bool(own) and across is not None and reduction_points <= UNROLL_REDUCTION
    tile = _tile(outer, across, positions, bounds, own) if unroll else {}
    vectors = 1
    if across is not None and not tile:
        full = bounds[across] // lanes
        vectors = next((u for u in (4, 2) if full % u == 0 and full >= u), 1) if own else 1
    points, results = _product(bounds, range(len(bounds))), _product(bounds, outer)
    # What sums up a small image has to wait for the others before and after: that takes longer than doing it alone.
    whole = points < 2 * TASK_ELEMENTS or (len(own) == 1 and results * WINDOW <= points <= SUMMED_ALONE * lanes)
    wanted = 1 if whole else min(MIN_TASKS, points // SMALL_ELEMENTS)
    task_dims, loop_dims, steps = _tasks(outer, across, tile, bounds, lanes * vectors, wanted)
    return LoopSchedule(tuple(bounds), across, tuple(inside), task_dims, loop_dims, steps, tile, vectors, unroll, lanes)


def _product(bounds: Sequence[int], dims: Sequence[int] | range) -> int:
    total = 1
    for d in dims:
        total *= bounds[d]
    return total


def step_of(position: Expr, dim: int) -> int | None:
    """Distance in memory of neighbours along `dim`; None when it is not constant."""
    if any(not isinstance(a, affine.Dim) and dim in a.operand.dims() for a, _ in position.terms):
        return None
    return position.coefficient(dim)


def _cost(dim: int, position: Expr, bounds: Sequence[int], lanes: int, stored: bool = False) -> float:
    """Memory operations of one access when registers run along `dim`."""
    extent = bounds[dim]
    registers = -(-extent // lanes) / extent
    points = _product(bounds, sorted(position.dims() | {dim}))
    step = step_of(position, dim)
    if step == 0:
        return points * registers * 0.5
    if step is not None and 1 <= step <= (1 if stored else MAX_STEP):
        return points * registers * step
    return points * 1.5


def _contiguous(dims: Sequence[int], positions: Sequence[Expr], bounds: Sequence[int]) -> int | None:
    """The dimension among `dims` along which most accesses are contiguous; None when there is no dimension."""
    candidates = [d for d in dims if bounds[d] > 1]
    if not candidates:
        return None

    def score(dim: int) -> tuple[int, int]:
        return sum(step_of(p, dim) == 1 for p in positions), bounds[dim]

    return max(candidates, key=score)


def _choose_across(
    outer: Sequence[int],
    inside: Sequence[int | None],
    positions: Sequence[Expr],
    bounds: Sequence[int],
    lanes: int,
    own: Sequence[Sequence[int]],
    inner: Sequence[int],
) -> int | None:
    candidates = [d for d in outer if bounds[d] > 1]
    if not candidates:
        return None

    def total(dim: int) -> float:
        *loaded, store = positions
        return sum(_cost(dim, p, bounds, lanes) for p in loaded) + _cost(dim, store, bounds, lanes, stored=True)

    best = min(candidates, key=lambda d: (total(d), -bounds[d]))
    if any(i is None and dims for i, dims in zip(inside, [*own, inner], strict=True)):
        return best
    stages = [d for d in inside if d is not None]
    if not stages:
        return best
    along = sum(
        min(_cost(d, p, bounds, lanes) for d in stages if d in p.dims()) for p in positions if p.dims() & set(stages)
    )
    return best if total(best) < along else None


def _tile(
    outer: Sequence[int],
    across: int | None,
    positions: Sequence[Expr],
    bounds: Sequence[int],
    own: Sequence[Sequence[int]],
) -> dict[int, int]:
    """A dimension whose neighbours read overlapping or equal data: windows of depth-wise convolutions and pools."""
    reduced = {d for dims in own for d in dims}
    for dim in reversed(outer):
        if dim == across or bounds[dim] < 2:
            continue
        slides = any(p.coefficient(dim) and any(p.coefficient(r) for r in reduced) for p in positions)
        if not slides:
            continue
        for count in range(min(TILE_POINTS, bounds[dim]), 1, -1):
            if bounds[dim] % count == 0:
                return {dim: count}
    return {}


def _tasks(
    outer: Sequence[int],
    across: int | None,
    tile: dict[int, int],
    bounds: Sequence[int],
    vector_step: int,
    wanted: int,
) -> tuple[tuple[int, ...], tuple[int, ...], dict[int, int]]:
    """(task dims, loop dims, iterations of a task): outer dimensions become tasks until there are enough of them, so that a
    task writes neighbours in memory."""
    order = [d for d in outer if d != across]
    task_dims: list[int] = []
    steps: dict[int, int] = {}
    count = 1

    def cut_across() -> None:
        nonlocal count
        assert across is not None
        step = -(-bounds[across] // -(-wanted // count))
        step = -(-step // vector_step) * vector_step
        if step < bounds[across]:
            task_dims.append(across)
            steps[across] = step
            count *= -(-bounds[across] // step)

    if order and outer[0] == across:
        cut_across()
    for dim in order:
        if count >= wanted:
            break
        task_dims.append(dim)
        step = tile.get(dim, 1)
        most = -(-wanted // count)
        extent = -(-bounds[dim] // step)
        step *= even_step(extent, max(1, extent // most))
        steps[dim] = step
        count *= -(-bounds[dim] // step)
    loop_dims = [d for d in order if d not in task_dims or steps[d] > tile.get(d, 1) or d in tile]
    if count < wanted and across is not None and across not in task_dims:
        cut_across()
    return tuple(task_dims), tuple(loop_dims), steps


def even_step(extent: int, step: int, inner: Sequence[int] = ()) -> int:
    """A step of nearly that size which divides the extent, and of which each of `inner` is a multiple or a part, if there is one:
    kernels that are cut alike can share a launch."""
    for s in range(step, (step - 1) // 2, -1):
        if extent % s == 0 and all(n % s == 0 or s % n == 0 for n in inner):
            return s
    return step
