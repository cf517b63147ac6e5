"""A loop schedule visits every point of its domain exactly once, whatever the shapes and strides."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.schedule import Access, LoopSchedule, schedule_loops, step_of


def visited(schedule: LoopSchedule, domain: frozenset[int]) -> Counter[tuple[int, ...]]:
    """Points that a schedule computes, read off the meaning of its fields."""
    found: Counter[tuple[int, ...]] = Counter()
    for task in product(*(range(schedule.task_extent(d)) for d in schedule.task_dims)):
        choices: dict[int, list[int]] = {}
        for dim in sorted(domain):
            extent = schedule.bounds[dim]
            if dim in schedule.task_dims:
                first = task[schedule.task_dims.index(dim)] * schedule.task_step(dim)
                last = min(first + schedule.task_step(dim), extent)
            else:
                first, last = 0, extent
            assert dim in schedule.task_dims or dim in schedule.loop_dims or dim == schedule.across
            if dim == schedule.across:
                choices[dim] = list(along_registers(schedule, first, last))
            elif dim in schedule.loop_dims:
                step = schedule.tile.get(dim, 1)
                choices[dim] = [i + j for i in range(first, last, step) for j in range(step)]
            else:
                choices[dim] = [first]
        found.update(product(*choices.values()))
    return found


def along_registers(schedule: LoopSchedule, first: int, last: int) -> list[int]:
    """Whole registers up to the last one that is full, then a partial one at the end of the dimension."""
    assert schedule.across is not None
    extent, lanes = schedule.bounds[schedule.across], schedule.lanes
    full = extent - extent % lanes
    stride = lanes * schedule.vectors
    points = [i + j for i in range(first, min(last, full), stride) for j in range(stride)]
    return [*points, *range(full, extent)] if last == extent else points


@st.composite
def kernels(draw: st.DrawFn) -> tuple[LoopSchedule, frozenset[int]]:
    """The schedule of a random kernel: dimensions, some of them reduced, and memory walked in random orders."""
    n_root = draw(st.integers(1, 4))
    own = [draw(st.integers(1, 2)) for _ in range(draw(st.integers(0, 2)))]
    total = n_root + sum(own)
    bounds = draw(st.lists(st.sampled_from([1, 2, 3, 5, 7, 8, 16, 17, 31, 32, 33, 64]), min_size=total, max_size=total))
    inner = draw(st.sets(st.integers(0, n_root - 1), max_size=n_root - 1)) if own else set()
    domain = frozenset(range(n_root)) - inner
    numbers = iter(range(n_root, total))
    owned = [[next(numbers) for _ in range(count)] for count in own]
    accesses = [Access(_walk(draw, range(total), bounds)) for _ in range(draw(st.integers(1, 3)))]
    return schedule_loops(
        bounds, n_root, domain, owned, accesses, _walk(draw, range(n_root), bounds), draw(st.sampled_from([4, 8, 16])),
        [draw(st.booleans()) for _ in own],
    ), domain  # fmt: skip


def _walk(draw: st.DrawFn, dims: range, bounds: list[int]) -> Expr:
    """A position in memory: some dimensions in some order, overlapping where windows slide."""
    order = draw(st.permutations(list(dims)))
    used = order[: draw(st.integers(1, len(order)))]
    position, stride = Expr(), 1
    for dim in used:
        position = position + affine.dim(dim) * stride
        stride = stride * bounds[dim] if draw(st.integers(0, 4)) else stride
    return position


@given(kernels())
def test_every_point_is_computed_once(case: tuple[LoopSchedule, frozenset[int]]) -> None:
    schedule, domain = case
    if schedule.tasks > 20_000:
        return
    points = 1
    for dim in domain:
        points *= schedule.bounds[dim]
    if points > 60_000:
        return
    found = visited(schedule, domain)
    assert len(found) == points
    assert set(found.values()) <= {1}
    assert all(0 <= i < schedule.bounds[d] for p in list(found)[:50] for i, d in zip(p, sorted(domain), strict=True))


@given(kernels())
def test_registers_run_along_one_thing(case: tuple[LoopSchedule, frozenset[int]]) -> None:
    schedule, domain = case
    if schedule.across is not None:
        assert schedule.across in domain and set(schedule.inside) == {None}
    assert not set(schedule.inside) & domain
    assert schedule.describe() in ("scalar", f"{schedule.lanes} lanes")


def test_contiguous_memory_decides() -> None:
    image = [64, 56, 56]  # channels, rows, columns

    def walk(order: list[int]) -> Expr:
        return affine.linearize([affine.dim(d) for d in order], [image[d] for d in order])

    for order in ([0, 1, 2], [1, 2, 0]):
        chosen = schedule_loops(image, 3, frozenset({0, 1, 2}), [], [Access(walk(order))], walk(order), 8, [])
        assert chosen.across == order[-1]


def test_a_large_kernel_is_many_tasks_and_a_small_one_is_one() -> None:
    def of(extent: int) -> LoopSchedule:
        position = affine.dim(0)
        return schedule_loops([extent], 1, frozenset({0}), [], [Access(position)], position, 8, [])

    assert of(100).tasks == 1
    assert of(1 << 20).tasks >= 16


def test_steps_through_divisions_are_unknown() -> None:
    bounds = (6, 5)
    position = affine.dim(0) * 7 + affine.floordiv(affine.dim(1), 2, bounds)
    assert step_of(position, 0) == 7
    assert step_of(position, 1) is None
