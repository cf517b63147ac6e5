"""What a graph of terms costs at run time: arithmetic, bytes between kernels and memory, kernels.

A kernel takes as long as its arithmetic or its bytes, whichever is more, a share of the other, and some time to start.

Kernels are counted as `plan-fusion` will make them, nearly: an operation is computed where its only reader is, a contraction
with the operations on its result, reductions with one another where they run over the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .terms import Contract, Kind, Term, View, composed, is_transposing


@dataclass(frozen=True)
class Rates:
    """A processor, for this purpose."""

    flops_per_cycle: float
    """Of contractions; element-wise operations count as half a multiply-add."""
    bytes_per_cycle: float = 8.0
    """Between kernels and the memory behind the second-level cache, one core."""
    exposed: float = 1 / 16
    """Share of a kernel's arithmetic, or of its bytes, whichever is less, that the other does not hide."""
    kernel_cycles: float = 3000.0
    """From the end of one kernel to the start of the next: threads meet, caches are cold. About a microsecond."""


DEAR = {
    "arith.divf": 4,
    "arith.remf": 16,
    "math.sqrt": 4,
    "math.rsqrt": 4,
    "math.exp": 12,
    "math.tanh": 16,
    "math.erf": 16,
}
"""Scalar operations that take longer than an addition, and by how much, vectorised."""
DEAR_MATH = 16
"""The same of functions that are not listed."""
FREE = ("arith.extf", "arith.truncf", "arith.select", "arith.constant")
"""Scalar operations that cost nothing beside what they stand with."""


@dataclass(frozen=True)
class Cost:
    """`cycles` weighs the others by the processor's rates."""

    cycles: float = 0.0
    flops: int = 0
    """As the report counts them: one for every scalar operation, two for a multiply-add."""
    bytes: int = 0
    kernels: int = 0

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.cycles - other.cycles,
            self.flops - other.flops,
            self.bytes - other.bytes,
            self.kernels - other.kernels,
        )


class CycleError(Exception):
    """A choice of terms in which a value is needed for itself."""


@dataclass
class _Kernel:
    members: set[int] = field(default_factory=set[int])
    contracts: bool = False
    rows: int = 0
    """Results of its reductions, 0 without any."""


def is_moving(term: Term) -> bool:
    """Whether a term computes nothing."""
    return term.operator in ("leaf", "num", "view", "concat", "delta")


def order_of(roots: Iterable[int], chosen: Callable[[int], Term]) -> list[int]:
    """Everything that the roots need, operands first. Raises CycleError."""
    done: dict[int, None] = {}
    open_: set[int] = set()
    stack = [(r, False) for r in reversed(list(roots))]
    while stack:
        number, left = stack.pop()
        if left:
            open_.discard(number)
            done[number] = None
        elif number in open_:
            raise CycleError
        elif number not in done:
            open_.add(number)
            stack.append((number, True))
            stack += [(o, False) for o in reversed(chosen(number).operands) if o not in done]
    return list(done)


def flops_of(term: Term, kind: Kind, kinds: Callable[[int], Kind]) -> int:
    """Arithmetic operations of a term at run time."""
    if isinstance(term.parameter, Contract):
        return term.parameter.flops
    if term.operator == "reduce":
        return kinds(term.operands[0]).elements
    return kind.elements if term.operator == "op" else 0


def cycles_of(term: Term, flops: int, rates: Rates) -> float:
    """What these operations take."""
    if term.operator == "contract":
        return flops / rates.flops_per_cycle
    return 2 * weight_of(term.key.split("|", 1)[0]) * flops / rates.flops_per_cycle


def weight_of(name: str) -> int:
    """How many additions a scalar operation takes as long as."""
    if name in ("math.absf", "math.fma", "math.floor", "math.ceil", "math.copysign"):
        return 1
    return 0 if name in FREE else DEAR.get(name, DEAR_MATH if name.startswith("math.") else 1)


def _is_transposed(number: int, readers: Mapping[int, list[int]], roots: set[int], terms: Mapping[int, Term]) -> bool:
    """Whether something reads a view, through all views that lie below it, in another order than its source is written in."""
    view = terms[number].parameter
    if not isinstance(view, View) or not (number in roots or any(terms[r].operator != "view" for r in readers[number])):
        return False
    source = terms[number].operands[0]
    while isinstance(below := terms[source].parameter, View):
        view = composed(view, below)
        source = terms[source].operands[0]
    return is_transposing(view)


def price(
    roots: Iterable[int],
    chosen: Callable[[int], Term],
    kinds: Callable[[int], Kind],
    constant: Callable[[int], bool],
    rates: Rates,
) -> Cost:
    """Cost of computing the roots, each by its chosen term. What is constant is computed at compile time. Raises CycleError."""
    roots = list(roots)
    order = order_of(roots, chosen)
    terms = {n: chosen(n) for n in order}
    running = [n for n in order if not known_or_leaf(n, terms, constant)]
    readers: dict[int, list[int]] = {n: [] for n in order}
    for n in running:
        for operand in dict.fromkeys(terms[n].operands):
            readers[operand].append(n)
    flops = {n: flops_of(terms[n], kinds(n), kinds) for n in running}
    kernels = list({id(k): k for k in _kernels(running, readers, set(roots), terms, kinds).values()}.values())
    cycles, moved = 0.0, 0
    for kernel in kernels:
        size = _moved(kernel, readers, set(roots), terms, kinds)
        arithmetic = sum(cycles_of(terms[n], flops[n], rates) for n in kernel.members)
        streaming = size / rates.bytes_per_cycle
        cycles += max(arithmetic, streaming) + rates.exposed * min(arithmetic, streaming)
        moved += size
    copied = [n for n in running if _is_copied(n, readers, set(roots), terms, kinds, constant)]
    extra = sum(2 * kinds(n).bytes for n in copied)
    extra += sum(kinds(n).bytes for n in running if _is_transposed(n, readers, set(roots), terms))
    launched = len(kernels) + len(copied)
    cycles += extra / rates.bytes_per_cycle + launched * rates.kernel_cycles
    return Cost(cycles, sum(flops.values()), moved + extra, launched)


def _is_copied(
    number: int,
    readers: Mapping[int, list[int]],
    roots: set[int],
    terms: Mapping[int, Term],
    kinds: Callable[[int], Kind],
    constant: Callable[[int], bool],
) -> bool:
    """Whether a kernel has to copy a view: a part of something, for a convolution or for what wants it in one piece."""
    if terms[number].operator != "view" or kinds(number).elements >= kinds(terms[number].operands[0]).elements:
        return False
    weighed = (terms[r].operator == "contract" and constant(terms[r].operands[1]) for r in readers[number])
    return number in roots or any(weighed)


def known_or_leaf(number: int, terms: Mapping[int, Term], constant: Callable[[int], bool]) -> bool:
    """Whether a value is there before the first kernel runs."""
    return constant(number) or terms[number].operator in ("leaf", "num")


def _kernels(
    running: list[int],
    readers: Mapping[int, list[int]],
    roots: set[int],
    terms: Mapping[int, Term],
    kinds: Callable[[int], Kind],
) -> dict[int, _Kernel]:
    """The kernel of everything that computes, readers first."""
    kernels: dict[int, _Kernel] = {}
    for n in reversed(running):
        if is_moving(terms[n]):
            continue
        through = _readers_through_views(n, readers, roots, terms)
        joined = {id(kernels[r]): kernels[r] for r in through or () if r in kernels}
        kernel = next(iter(joined.values())) if through and len(joined) == 1 else None
        if kernel is None or not _joins(n, through or [], kernel, terms, kinds):
            kernel = _Kernel()
        kernel.members.add(n)
        kernel.contracts |= terms[n].operator == "contract"
        kernel.rows = kernel.rows or (kinds(n).elements if terms[n].operator == "reduce" else 0)
        kernels[n] = kernel
    return kernels


def _readers_through_views(
    number: int, readers: Mapping[int, list[int]], roots: set[int], terms: Mapping[int, Term]
) -> list[int] | None:
    """What computes with a value; None where something else wants it in memory, too."""
    if number in roots:
        return None
    found: list[int] = []
    for reader in readers[number]:
        if terms[reader].operator == "concat":
            return None
        if terms[reader].operator == "view":
            behind = _readers_through_views(reader, readers, roots, terms)
            if behind is None:
                return None
            found += behind
        else:
            found.append(reader)
    return found


def _joins(
    number: int, readers: list[int], kernel: _Kernel, terms: Mapping[int, Term], kinds: Callable[[int], Kind]
) -> bool:
    """Whether a value can be computed in the kernel that reads it."""
    if any(terms[r].operator == "contract" for r in readers):
        return False
    operator = terms[number].operator
    if operator == "pad":
        return False
    if operator == "contract":
        same = all(kinds(m).elements == kinds(number).elements or terms[m].operator == "pad" for m in kernel.members)
        return same and not kernel.contracts and not kernel.rows
    if operator == "reduce":
        return not kernel.contracts and kernel.rows in (0, kinds(number).elements)
    return True


def _moved(
    kernel: _Kernel,
    readers: Mapping[int, list[int]],
    roots: set[int],
    terms: Mapping[int, Term],
    kinds: Callable[[int], Kind],
) -> int:
    """Bytes that a kernel reads and writes, each value once."""
    read: dict[int, int] = {}
    for member in kernel.members:
        for operand in terms[member].operands:
            source, size = operand, kinds(operand).bytes
            while terms[source].operator == "view":
                source = terms[source].operands[0]
                size = min(size, kinds(source).bytes)
            if source not in kernel.members and not kinds(source).number:
                read[source] = max(read.get(source, 0), size)
    written = 0
    for member in kernel.members:
        inside = all(r in kernel.members or terms[r].operator == "view" for r in readers[member])
        if member in roots or not inside or _leaves(member, kernel, readers, roots, terms):
            written += kinds(member).bytes
    return sum(read.values()) + written


def _leaves(
    member: int, kernel: _Kernel, readers: Mapping[int, list[int]], roots: set[int], terms: Mapping[int, Term]
) -> bool:
    """Whether a value is needed outside of its kernel."""
    behind = _readers_through_views(member, readers, roots, terms)
    return behind is None or any(r not in kernel.members for r in behind)
