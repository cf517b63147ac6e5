"""Choosing one term for every class of an e-graph.

A search from what is there: a class changes to another of its terms where the whole then costs less. The cost of a graph is not
the sum of its trees', terms are shared and kernels hold many of them; so every step is judged by the cost of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .cost import Cost, CycleError, Rates, cycles_of, flops_of, is_moving, order_of, price
from .saturate import Classes
from .terms import Kind, Term, Terms, View, is_transposing

TOGETHER = "merge-parallel"
"""A rule whose findings pay when all that share its new term are taken, and not one by one."""


LEAST = 1e-6
"""Share of the cost that a step has to save."""
SMALL = 1e-3
"""Cycles for a term that costs nothing, so that fewer are better."""
UNDONE = "as it was"
"""In place of rules where a step takes back what an earlier one did."""
SILENT = ("commute-product", "commute-sum")
"""Rules that save nothing by themselves."""


@dataclass(frozen=True)
class Step:
    """What one change of the choice was: by which rules, of which class, and what it saves."""

    rules: tuple[str, ...]
    whole: int
    saved: Cost


@dataclass
class Choice:
    """A term for every class."""

    terms: list[Term]
    before: Cost
    after: Cost
    steps: list[Step] = field(default_factory=list[Step])


def extract(original: Terms, classes: Classes, roots: Sequence[int], rates: Rates) -> Choice:
    """The cheapest choice that the search finds. `roots` are the terms that something outside needs."""
    return _Search(original, classes, roots, rates).run()


class _Search:
    def __init__(self, original: Terms, classes: Classes, roots: Sequence[int], rates: Rates) -> None:
        self.graph, self.classes, self.rates = original, classes, rates
        self.ends = list(dict.fromkeys(roots))
        self.roots = list(dict.fromkeys(classes.class_of[r] for r in roots))
        self.constant = self._constants(original)
        self.original = set(classes.class_of)
        self.chosen = self._cheapest_trees()
        for number in range(len(original.terms) - 1, -1, -1):
            term = original.terms[number]
            place = classes.class_of[number]
            self.chosen[place] = Term(
                term.operator, term.key, term.parameter, tuple(classes.class_of[o] for o in term.operands)
            )
        self._count_uses()

    def run(self) -> Choice:
        before, best = self._before(), self._price()
        steps: list[Step] = []
        if best.cycles < before.cycles * (1 - LEAST):  # what rules found equal to something that is there
            steps.append(Step(*self._found_equal(), before - best))
        improved = True
        while improved:
            improved = False
            moved: set[int] = set()
            for moves in self._moves():
                if len(moves) > 1 and moved & set(moves):
                    continue  # part of what was just taken together
                found = self._try(moves, best)
                if found is not None:
                    rules = self._rules(moves)
                    steps.append(Step(rules, next(iter(moves)), best - found))
                    best, improved = found, True
                    moved |= set(moves)
        return Choice(self.chosen, before, best, steps)

    def _price(self) -> Cost:
        return price(self.roots, self.chosen.__getitem__, self._kind, self.constant.__contains__, self.rates)

    def _before(self) -> Cost:
        """Cost of the graph as it was."""
        terms, known = self.graph.terms, set[int]()
        for number, term in enumerate(terms):
            if number in self.graph.constant or (term.operator != "leaf" and all(o in known for o in term.operands)):
                known.add(number)
        kinds = self.graph.kinds.__getitem__
        return price(self.ends, terms.__getitem__, kinds, known.__contains__, self.rates)

    def _found_equal(self) -> tuple[tuple[str, ...], int]:
        """Rules by which terms of the graph fell into one class, and the first such class."""
        active = [n for n in order_of(self.roots, self.chosen.__getitem__) if n in self.classes.merged]
        rules = dict.fromkeys(rule for number in active for rule in self.classes.merged[number])
        return tuple(rules), active[0] if active else self.roots[0]

    def _kind(self, number: int) -> Kind:
        return self.classes.kinds[number]

    def _moves(self) -> Iterable[dict[int, Term]]:
        """Changes worth a closer look: those taken together first."""
        active = order_of(self.roots, self.chosen.__getitem__)
        together: dict[int, dict[int, Term]] = {}
        for number in active:
            for term in self.classes.terms[number]:
                if TOGETHER in self.classes.makers.get(term, ()) and term != self.chosen[number]:
                    together.setdefault(term.operands[0], {})[number] = term
        yield from together.values()
        for number in active:
            if number not in self.constant:
                for term in self.classes.terms[number]:
                    if term != self.chosen[number] and self._looks_cheaper(number, term):
                        yield {number: term}

    def _looks_cheaper(self, number: int, term: Term) -> bool:
        """By the terms that would come and go, each counted by itself."""
        current = self.chosen[number]
        if current.operator == term.operator == "view":
            return False  # views are composed anyway
        if (current.operator, current.key, sorted(current.operands)) == (
            term.operator,
            term.key,
            sorted(term.operands),
        ):
            return False
        change: dict[int, int] = {}
        saved = self._alone(number, current) - self._alone(number, term)
        for operand in term.operands:
            saved -= self._count(operand, 1, change)
        for operand in current.operands:
            saved += self._count(operand, -1, change)
        return saved > 0

    def _count(self, number: int, by: int, change: dict[int, int]) -> float:
        """Cost of everything that becomes needed (by = 1), or is not any more (by = -1), with one reader more or less."""
        before = self.uses.get(number, 0) + change.get(number, 0)
        change[number] = change.get(number, 0) + by
        if min(before, before + by) > 0 or number in self.constant:
            return 0.0
        term = self.chosen[number]
        return self._alone(number, term) + sum(self._count(o, by, change) for o in term.operands)

    def _alone(self, number: int, term: Term) -> float:
        """Cost of a term by itself, in cycles."""
        kind = self._kind(number)
        if number in self.constant or is_moving(term):
            transposes = isinstance(term.parameter, View) and is_transposing(term.parameter)
            return kind.bytes / self.rates.bytes_per_cycle if transposes and number not in self.constant else 0.0
        cycles = cycles_of(term, flops_of(term, kind, self._kind), self.rates)
        kernel = self.rates.kernel_cycles if term.operator in ("contract", "reduce", "pad") else 0.0
        return cycles + kernel + kind.bytes / self.rates.bytes_per_cycle

    def _count_uses(self) -> None:
        """How many chosen terms, or things outside, need each class."""
        self.uses: dict[int, int] = dict.fromkeys(self.roots, 1)
        for number in order_of(self.roots, self.chosen.__getitem__):
            for operand in self.chosen[number].operands:
                self.uses[operand] = self.uses.get(operand, 0) + 1

    def _try(self, moves: Mapping[int, Term], best: Cost) -> Cost | None:
        """Make the moves; the new cost, or None where they are taken back because it is no lower."""
        previous = {number: self.chosen[number] for number in moves}
        for number, term in moves.items():
            self.chosen[number] = term
        try:
            found = self._price()
            if found.cycles < best.cycles * (1 - LEAST):
                self._count_uses()
                return found
        except CycleError:
            pass
        for number, term in previous.items():
            self.chosen[number] = term
        return None

    def _rules(self, moves: Mapping[int, Term]) -> tuple[str, ...]:
        """The rules that have made the new terms, those below that nothing needed before included."""
        found: dict[str, None] = {}
        seen: set[int] = set()
        pending = list(moves)
        while pending:
            number = pending.pop(0)
            if number in seen:
                continue
            seen.add(number)
            term = self.chosen[number]
            makers = self.classes.makers.get(term, ()) or self.classes.merged.get(number, ())
            found.update(dict.fromkeys(m for m in makers if m not in SILENT))
            pending += [o for o in term.operands if o not in self.original]
        return tuple(found) or (UNDONE,)

    def _constants(self, original: Terms) -> set[int]:
        """Classes that are known at compile time."""
        known = {self.classes.class_of[n] for n in original.constant}
        pending = [n for n in range(len(self.classes.terms)) if n not in known]
        grown = True
        while grown:
            rest = [n for n in pending if not self._is_constant(n, known)]
            grown = len(rest) < len(pending)
            pending = rest
        return known

    def _is_constant(self, number: int, known: set[int]) -> bool:
        for term in self.classes.terms[number]:
            if term.operator != "leaf" and all(o in known for o in term.operands):
                known.add(number)
                return True
        return False

    def _cheapest_trees(self) -> list[Term]:
        """For every class the term with the cheapest tree: where the search starts in what rules have added."""
        costs: dict[int, float] = {}
        chosen: dict[int, Term] = {}
        changed = True
        while changed:
            changed = False
            for number, terms in enumerate(self.classes.terms):
                for term in terms:
                    if all(o in costs for o in term.operands):
                        cost = self._alone(number, term) + sum(costs[o] for o in term.operands) + SMALL
                        if number not in costs or cost < costs[number] - SMALL / 2:
                            costs[number], chosen[number], changed = cost, term, True
        return [chosen[n] for n in range(len(self.classes.terms))]
