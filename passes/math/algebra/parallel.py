"""Contractions of one input side by side become one, together with what follows each of them alike."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

from cocomp.passes.math import affine

from . import terms
from .saturate import Finding, New
from .terms import Contract, Pad, Term, Terms, View, dim_of

LONGEST = 24
"""Operations that are followed behind a contraction."""
FEW = 4
"""So many branches are merged in all combinations; of more, all or none."""
NAME = "merge-parallel"


@dataclass(frozen=True)
class _Branch:
    number: int
    """Of the contraction."""
    channel: int
    """Its loop dimension of output channels."""
    ends: dict[Hashable, int]
    """What is computed from the contraction and constants alone, by how; the value that everything else reads."""


def merge_parallel(graph: Terms, roots: Sequence[int]) -> Iterator[Finding]:
    """f(A.W1 + b1), f(A.W2 + b2), .. --> slices of f(A.[W1 W2 ..] + [b1 b2 ..])."""
    known = _known(graph)
    users: dict[int, list[int]] = {n: [] for n in range(len(graph.terms))}
    for number, term in enumerate(graph.terms):
        for operand in dict.fromkeys(term.operands):
            users[operand].append(number)
    groups: dict[Hashable, list[_Branch]] = {}
    for number, term in enumerate(graph.terms):
        found = term.parameter
        if isinstance(found, Contract) and term.operands[1] in known and number not in known:
            channel = _channel(found)
            if channel is not None:
                bounds = tuple(0 if d == channel else b for d, b in enumerate(found.bounds))
                key = (term.operands[0], bounds, found.maps, graph.kinds[number].element)
                axis = found.maps[2].index(affine.dim(channel))
                ends = _ends(graph, number, axis, users, set(roots), known)
                groups.setdefault(key, []).append(_Branch(number, channel, ends))
    for branches in groups.values():
        some = range(len(branches), 1, -1) if len(branches) <= FEW else [len(branches)]
        for part in (p for size in some for p in combinations(branches, size)):
            yield from _merge(graph, part, known)


def _known(graph: Terms) -> set[int]:
    known: set[int] = set()
    for number, term in enumerate(graph.terms):
        leaf = term.operator == "leaf"
        if (number in graph.constant - graph.pruned) if leaf else all(o in known for o in term.operands):
            known.add(number)
    return known


def _channel(found: Contract) -> int | None:
    """The dimension of output channels: in the weight and the result, and not in the input."""
    rows = [d for d in sorted((found.dims(1) & found.dims(2)) - found.dims(0)) if found.bounds[d] > 1]
    if len(rows) != 1:
        return None
    plain = all(affine.dim(rows[0]) in found.maps[m] for m in (1, 2))
    return rows[0] if plain else None


def _ends(
    graph: Terms, start: int, axis: int, users: dict[int, list[int]], roots: set[int], known: set[int]
) -> dict[Hashable, int]:
    inside = {start}
    signatures: dict[int, Hashable] = {start: "it"}
    ends: dict[Hashable, int] = {"it": start}
    while len(inside) < LONGEST:
        around = {u for n in inside for u in users[n]} - inside
        fit = (u for u in sorted(around) if graph.terms[u].operator == "op" or _pads_others(graph.terms[u], axis))
        following = next((u for u in fit if all(o in inside or o in known for o in graph.terms[u].operands)), None)
        if following is None:
            break
        inside.add(following)
        term = graph.terms[following]
        operands = tuple(signatures[o] if o in inside else _signature(graph.terms[o]) for o in term.operands)
        signatures[following] = (term.key, term.parameter, operands)
        read = [n for n in sorted(inside) if n in roots or any(u not in inside for u in users[n])]
        if len(read) == 1:
            ends[signatures[read[0]]] = read[0]
    return ends


def _pads_others(term: Term, axis: int) -> bool:
    """Whether a term pads axes other than that of the channels."""
    return isinstance(term.parameter, Pad) and not term.parameter.low[axis] and not term.parameter.high[axis]


def _signature(term: Term) -> Hashable:
    """What constants have to have in common."""
    if term.operator == "num":
        return term.key
    return term.parameter.index if isinstance(term.parameter, View) else "constant"


def _merge(graph: Terms, branches: Sequence[_Branch], known: set[int]) -> Iterator[Finding]:
    common = [s for s in reversed(branches[0].ends) if all(s in b.ends for b in branches)]
    ends = [b.ends[common[0]] for b in branches]
    made = _Merger(graph, branches, known).of(ends)
    if made is None:
        return
    found = graph.terms[branches[0].number].parameter
    assert isinstance(found, Contract)
    axis = found.maps[2].index(affine.dim(branches[0].channel))
    extents = [graph.kinds[b.number].shape[axis] for b in branches]
    for end, offset in zip(ends, accumulate(extents, initial=0), strict=False):
        shape = graph.kinds[end].shape
        index = tuple(affine.dim(a) + (offset if a == axis else 0) for a in range(len(shape)))
        yield Finding(NAME, end, New(terms.view(View(shape, index), end), (made,)))


class _Merger:
    """Builds one value out of those of several branches that are computed alike."""

    def __init__(self, graph: Terms, branches: Sequence[_Branch], known: set[int]) -> None:
        self.graph, self.known = graph, known
        self.starts = [b.number for b in branches]
        first = graph.terms[self.starts[0]].parameter
        assert isinstance(first, Contract)
        self.contract, self.channel = first, branches[0].channel
        self.axis = first.maps[2].index(affine.dim(self.channel))
        extents = [graph.kinds[n].shape[self.axis] for n in self.starts]
        self.shape = tuple(sum(extents) if a == self.axis else e for a, e in enumerate(first.shape))

    def of(self, numbers: Sequence[int]) -> int | New | None:
        """The merged value of one value a branch."""
        found = [self.graph.terms[n] for n in numbers]
        if list(numbers) == self.starts:
            return self._contraction(found)
        if found[0].operator == "num":
            return numbers[0]
        if numbers[0] in self.known:
            return self._constant(numbers, found)
        operands = [self.of(column) for column in zip(*(t.operands for t in found), strict=True)]
        made = [o for o in operands if o is not None]
        return New(found[0], tuple(made)) if len(made) == len(operands) else None

    def _contraction(self, found: Sequence[Term]) -> New:
        bounds = tuple(self.shape[self.axis] if d == self.channel else b for d, b in enumerate(self.contract.bounds))
        axis = self.contract.maps[1].index(affine.dim(self.channel))
        weight = _joined(axis, [t.operands[1] for t in found])
        x = found[0].operands[0]
        return New(terms.contract(Contract(bounds, self.contract.maps, self.shape), x, x), (x, weight))

    def _constant(self, numbers: Sequence[int], found: Sequence[Term]) -> int | New | None:
        first = found[0].parameter
        if not isinstance(first, View):
            return _joined(self.axis, numbers)
        sources = [t.operands[0] for t in found]
        axes = [a for a, e in enumerate(first.index) if self.axis in e.dims()]
        view = terms.view(View(self.shape, first.index), sources[0])
        if not axes:
            return New(view, (sources[0],)) if len(set(sources)) == 1 else None
        whole = dim_of(first.index[axes[0]]) == self.axis and all(
            self.graph.kinds[s].shape[axes[0]] == self.graph.kinds[n].shape[self.axis]
            for s, n in zip(sources, numbers, strict=True)
        )
        return New(view, (_joined(axes[0], sources),)) if len(axes) == 1 and whole else None


def _joined(axis: int, numbers: Sequence[int]) -> int | New:
    joined: int | New = numbers[0]
    for number in numbers[1:]:
        joined = New(terms.concat(axis, numbers[0], number), (joined, number))
    return joined
