"""Kernels that run one after the other in one launch: how their tasks fall into units that need each other's results only.

A kernel's task number has *digits*, outermost first: loops whose ranges the tasks divide evenly. Fixing the leading ones cuts the
kernel into units, and every buffer that it touches into slices, where each unit stays in its own. Kernels that agree on
units and on the slices of the buffers between them can run unit by unit: a thread takes unit i through all of them, and what
they pass on needs memory for one slice a thread instead of memory for all.

Pure arithmetic; sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod

from . import affine
from .affine import Bounds, Expr

Buffer = Hashable


@dataclass(frozen=True)
class Digit:
    """`count` tasks along a dimension, each taking `step` of it."""

    dim: int
    step: int
    count: int


@dataclass(frozen=True)
class Walk:
    """How an access moves with the digits: `strides[j]` with digit j, staying in `spans[j]` bytes while digits 0..j are fixed.

    Only as many digits as that can be said of.
    """

    strides: tuple[int, ...] = ()
    spans: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """A kernel in a sequence."""

    tasks: int
    digits: tuple[int, ...]
    """Counts of the leading digits of its task number."""
    walks: Mapping[Buffer, Walk]
    """How it walks the buffers that other kernels may write."""
    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    constants: Mapping[str, int] = field(default_factory=dict[str, int])
    """Weights that it reads, and their bytes."""


@dataclass(frozen=True)
class Limits:
    """What bounds a chain."""

    cache_bytes: int
    """For what a unit passes on, and for weights that alternate in the cache."""
    arguments: int
    """Buffers that a launch can have."""
    units: int = 6
    """Units that are enough to keep all threads busy."""


@dataclass(frozen=True)
class Chain:
    """`steps` (positions in the sequence) that run in one launch, as `units` units; `local` buffers are needed by nobody else: the
    size of their slices."""

    steps: tuple[int, ...]
    units: int
    local: Mapping[Buffer, int] = field(default_factory=dict[Buffer, int])


def exact_digits(loops: Iterable[tuple[int, int, int]]) -> tuple[Digit, ...]:
    """Digits of (dimension, its extent, what a task takes of it), up to the first that does not divide evenly."""
    found: list[Digit] = []
    for dim, extent, step in loops:
        if extent % step:
            break
        if extent > step:
            found.append(Digit(dim, step, extent // step))
    return tuple(found)


def walk_of(positions: Sequence[Expr], digits: Sequence[Digit], bounds: Bounds, element_bytes: int) -> Walk:
    """How accesses of one buffer at `positions` (in elements, over dimensions of extents `bounds`) move with the digits."""
    strides: list[int] = []
    spans: list[int] = []
    limited = list(bounds)
    for digit in digits:
        found = {_coefficient(p, digit.dim) for p in positions}
        stride = found.pop() if len(found) == 1 else None
        if stride is None or stride < 0:
            break
        limited[digit.dim] = digit.step
        ranges = [affine.interval(p, limited) for p in positions]
        if min(low for low, _ in ranges) < 0:
            break
        strides.append(stride * digit.step * element_bytes)
        spans.append((max(high for _, high in ranges) + 1) * element_bytes)
    return Walk(tuple(strides), tuple(spans))


def _coefficient(position: Expr, dim: int) -> int | None:
    """Distance of neighbours along a dimension, where it is the same everywhere."""
    if any(not isinstance(atom, affine.Dim) and dim in atom.operand.dims() for atom, _ in position.terms):
        return None
    return position.coefficient(dim)


def slice_of(walk: Walk, digits: Sequence[int], units: int) -> int | None:
    """Bytes of a slice where the leading digits make so many units, each of which stays in its slice; None where they do not."""
    products = list(accumulate(digits, lambda a, b: a * b))
    last = next((j for j, product in enumerate(products) if product % units == 0), None)
    if last is None or last >= len(walk.strides):
        return None
    stride = walk.strides[last]
    if any(walk.strides[j] != stride * (products[last] // products[j]) for j in range(last)):
        return None
    return stride * (products[last] // units) if walk.spans[last] <= stride else None


def form_chains(steps: Sequence[Step], limits: Limits, kept: Container[Buffer] = ()) -> Iterator[Chain]:
    """Chains of two or more neighbours in a sequence of kernels, each as long as it can be. `kept` are buffers that somebody
    else may read.

    A kernel of one task is no faster on more threads: neighbours of that kind always share a launch. Others have to pass
    something on, need enough units for the threads, and what they touch together has to fit the cache.
    """
    start = 0
    while start < len(steps):
        found = None
        for stop in range(start + 2, len(steps) + 1):
            longer = _chain(range(start, stop), steps, limits, kept)
            if longer is None:
                break
            found = longer
        if found is not None:
            yield found
        start = found.steps[-1] + 1 if found else start + 1


def _chain(numbers: range, steps: Sequence[Step], limits: Limits, kept: Container[Buffer]) -> Chain | None:
    """One launch for some neighbours, if there should be one."""
    members = [steps[n] for n in numbers]
    touched = frozenset[Buffer]().union(*(s.reads | s.writes | s.constants.keys() for s in members))
    if len(touched) > limits.arguments:
        return None
    if all(step.tasks == 1 for step in members):
        return Chain(tuple(numbers), 1)
    before = frozenset[Buffer]().union(*(s.writes for s in members[:-1]))
    if not before & members[-1].reads:
        return None
    weights = [sum(s.constants.values()) for s in members]
    others = sum(weights) - max(weights)  # one alone is read as it would be without the others
    if others > limits.cache_bytes // 16 and sum(weights) > limits.cache_bytes:
        return None
    for units in _units(members, limits):
        local = _slices(numbers, steps, units, kept)
        if local is not None and sum(local.values()) <= limits.cache_bytes:
            return Chain(tuple(numbers), units, local)
    return None


def _units(members: Sequence[Step], limits: Limits) -> list[int]:
    """Numbers of units to try, finest first."""
    most = min(prod(step.digits) for step in members)
    enough = min(limits.units, max(step.tasks for step in members))
    return [n for n in range(most, enough - 1, -1) if all(prod(s.digits) % n == 0 for s in members)]


def _slices(numbers: range, steps: Sequence[Step], units: int, kept: Container[Buffer]) -> dict[Buffer, int] | None:
    """Buffers that nobody outside touches, with the sizes of their slices; None where some unit needs another's results."""
    members = [steps[n] for n in numbers]
    written = frozenset[Buffer]().union(*(s.writes for s in members))
    local: dict[Buffer, int] = {}
    for buffer in sorted(written, key=lambda b: next(i for i, s in enumerate(members) if b in s.writes)):
        users = [s for s in members if buffer in s.reads | s.writes]
        if len(users) == 1:
            continue
        if sum(buffer in s.writes for s in steps) > 1:
            return None
        sizes = {slice_of(s.walks[buffer], s.digits, units) if buffer in s.walks else None for s in users}
        if len(sizes) > 1 or None in sizes:
            return None
        others = (s for n, s in enumerate(steps) if n not in numbers)
        if buffer not in kept and not any(buffer in s.reads for s in others):
            local[buffer] = next(size for size in sizes if size is not None)
    return local
