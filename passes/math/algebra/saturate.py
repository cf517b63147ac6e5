"""Equality saturation: an e-graph of terms, grown by rules until they add nothing or it is full.

egglog (arXiv 2304.04332) holds the e-graph and matches the rules that are text. Those that compute with index maps are
functions: between two rounds each looks at all classes and says which new terms are equal to what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .rules import Rule, programs
from .terms import Kind, Term, Terms, kind_of

COLUMNS = {
    "num": ("String",),
    "op1": ("String", "T"),
    "op2": ("String", "T", "T"),
    "op3": ("String", "T", "T", "T"),
    "view": ("i64", "T"),
    "reduce": ("String", "i64", "T"),
    "contract": ("i64", "T", "T"),
    "pad": ("i64", "T"),
    "concat": ("String", "T", "T"),
    "delta": ("i64",),
}
"""Operators of the e-graph: texts, numbers of parameters, operands. Element-wise operations by the number of operands."""
ROUNDS = 10
"""How often every rule is matched, at most."""
TOGETHER = 50
"""Actions in one command."""


@dataclass(frozen=True)
class New:
    """A term whose operands are classes or new terms."""

    term: Term
    operands: tuple[int | New, ...]


@dataclass(frozen=True)
class Finding:
    """What a structural rule found: class number `whole` is equal to `made`."""

    rule: str
    whole: int
    made: int | New


@dataclass
class Classes:
    """A snapshot of the e-graph. In `terms` the operands are classes."""

    terms: list[list[Term]]
    kinds: list[Kind]
    known: set[int]
    """Classes whose value is known at compile time and that rules may change."""
    class_of: list[int]
    """Class of each term that was there from the beginning."""
    makers: dict[Term, list[str]] = field(default_factory=dict[Term, list[str]])
    """Rules that have made a term."""
    merged: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    """Rules that found a class equal to another that was there."""
    stopped: str = ""
    """Why saturation ended before the rules added nothing more: `nodes`, `rounds` or `seconds`."""
    rounds: int = 0
    _users: dict[int, list[tuple[int, Term]]] | None = None
    _places: dict[Term, int] | None = None

    def find(self, number: int, operator: str) -> Iterator[Term]:
        """Terms of a class with that operator."""
        return (t for t in self.terms[number] if t.operator == operator)

    def users(self, number: int) -> list[tuple[int, Term]]:
        """(class, term) of every term with an operand of that class."""
        if self._users is None:
            self._users = {}
            for user, terms in enumerate(self.terms):
                for term in terms:
                    for operand in dict.fromkeys(term.operands):
                        self._users.setdefault(operand, []).append((user, term))
        return self._users.get(number, [])

    def holds(self, finding: Finding) -> bool:
        """Whether a finding says nothing new."""
        return self._place(finding.made) == finding.whole

    def _place(self, what: int | New) -> int | None:
        """The class of a term, if it has one."""
        if isinstance(what, int):
            return what
        if self._places is None:
            self._places = {t: n for n, found in enumerate(self.terms) for t in found}
        operands = [self._place(o) for o in what.operands]
        term = Term(what.term.operator, what.term.key, what.term.parameter, tuple(o or 0 for o in operands))
        return None if None in operands else self._places.get(term)

    @property
    def size(self) -> int:
        return sum(map(len, self.terms))


Seeds = Sequence[Finding]
"""Findings in the graph as it was, with numbers of terms in place of classes."""
Structural = Callable[[Classes], Iterable[Finding]]


def saturate(
    terms: Terms,
    seeds: Seeds,
    rules: Sequence[Rule],
    computed: Sequence[Structural],
    fast: bool,
    nodes: int,
    seconds: float,
) -> Classes:
    """Everything that the rules find equal to the terms, `seeds` being known before; `computed` rules are functions.

    `nodes` and ROUNDS bound the work, and are counted between rounds, so that results are the same in every run. Where it
    takes longer than `seconds` nothing is to be made of the result: it says so in `stopped`.
    """
    start = time.perf_counter()
    graph = _Graph(terms, rules, fast)
    graph.add([f"(node {n})" for n in range(len(terms.terms))], seeds)
    found = graph.snapshot()
    for count in range(1, ROUNDS + 1):
        before = found.size
        graph.run()
        found = graph.snapshot()
        fresh = [f for rule in computed for f in rule(found) if not found.holds(f)]
        if fresh:
            graph.add(graph.names(found), fresh)
            found = graph.snapshot()
        found.rounds = count
        if time.perf_counter() - start > seconds:
            found.stopped = "seconds"
            return found
        if found.size > nodes:
            found.stopped = "nodes"
            return found
        if found.size == before:
            return found
    found.stopped = "rounds"
    return found


class _Graph:
    """egglog's e-graph. The term numbered n has a second name there, `(node n)`; that of a leaf is its only one."""

    def __init__(self, terms: Terms, rules: Sequence[Rule], fast: bool) -> None:
        from egglog.bindings import EGraph

        self.terms = terms
        self.parameters: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.batches = 0
        self.graph = EGraph()
        self._say(_declarations())
        self._say("\n".join(p for rule in rules for p in programs(rule, fast)))
        self._act(list(self._facts()))

    def _say(self, program: str) -> None:
        self.graph.run_program(*self.graph.parse_program(program))

    def _act(self, actions: Sequence[str]) -> None:
        """Perform actions: faster as those of rules that match once than one by one."""
        for start in range(0, len(actions), TOGETHER):
            self.batches += 1
            some = " ".join(actions[start : start + TOGETHER])
            self._say(f"(rule ((batch {self.batches})) ({some}) :ruleset batches) (batch {self.batches})")
        self._say("(run batches 1) (run spread 3)")

    def run(self) -> None:
        """One round: every match of every rule."""
        self._say("(run main 1) (run spread 3)")

    def _facts(self) -> Iterator[str]:
        uses = [0] * len(self.terms.terms)
        for term in self.terms.terms:
            for operand in term.operands:
                uses[operand] += 1
        for number, term in enumerate(self.terms.terms):
            if term.operator == "leaf":
                yield f"(node {number})"
                if number in self.terms.constant - self.terms.pruned:
                    yield f"(known (node {number}))"
            else:
                text = self._text(term, [f"(node {o})" for o in term.operands])
                yield f"(union (node {number}) {text})"
                if uses[number] == 1:
                    yield f"(private (node {number}))"

    def _text(self, term: Term, operands: Sequence[str]) -> str:
        return f"({' '.join([_name(term), *self._columns(term), *operands])})"

    def _columns(self, term: Term) -> Iterator[str]:
        columns = COLUMNS[_name(term)]
        if "String" in columns:
            escaped = term.key.replace("\\", "\\\\").replace('"', '\\"')
            yield f'"{escaped}"'
        if "i64" in columns:
            if term.parameter not in self.numbers:
                self.numbers[term.parameter] = len(self.parameters)
                self.parameters.append(term.parameter)
            yield str(self.numbers[term.parameter])

    def add(self, names: Sequence[str], findings: Iterable[Finding]) -> None:
        """Tell the e-graph what was found, numbers standing for `names`."""

        lines: list[str] = []

        def text(what: int | New, rule: str) -> str:
            if isinstance(what, int):
                return names[what]
            made = self._text(what.term, [text(o, rule) for o in what.operands])
            operator, rest = made[1:].split(" ", 1)
            lines.append(f'(by_{operator} "{rule}" {rest}')
            return made

        for finding in findings:
            made = text(finding.made, finding.rule)
            lines.append(f"(union {names[finding.whole]} {made})")
            if isinstance(finding.made, int):
                lines.append(f'(same "{finding.rule}" {made})')
        self._act(list(dict.fromkeys(lines)))

    def names(self, classes: Classes) -> list[str]:
        """Classes as egglog writes them."""
        known: dict[int, str] = {}
        for number, place in enumerate(classes.class_of):
            known.setdefault(place, f"(node {number})")
        pending = [n for n in range(len(classes.terms)) if n not in known]
        while pending:
            rest: list[int] = []
            for number in pending:
                ready = (t for t in classes.terms[number] if all(o in known for o in t.operands))
                term = next(ready, None)
                if term is None:
                    rest.append(number)
                else:
                    known[number] = self._text(term, [known[o] for o in term.operands])
            assert len(rest) < len(pending), "a class whose terms all hold themselves"
            pending = rest
        return [known[n] for n in range(len(classes.terms))]

    def snapshot(self) -> Classes:
        """The e-graph as it is. Classes are in the order of the first terms that they hold."""
        functions = self.graph.freeze().functions
        order: dict[Any, int] = {}
        nodes = {self.graph.value_to_i64(row.inputs[0]): row.output for row in functions["node"].rows}
        class_of = [order.setdefault(nodes[n], len(order)) for n in range(len(self.terms.terms))]
        rows = [(name, row) for name in COLUMNS for row in functions[name].rows]
        read = self._reader(order)
        pending: list[tuple[Any, Term]] = []
        for name, row in rows:
            order.setdefault(row.output, len(order))
            pending.append((row.output, read(name, row.inputs)))
        terms: list[list[Term]] = [[] for _ in order]
        for number, term in enumerate(self.terms.terms):
            if term.operator == "leaf":
                terms[class_of[number]].append(term)
        for output, term in pending:
            terms[order[output]].append(term)
        known = {order[row.inputs[0]] for row in functions["known"].rows}
        found = Classes(terms, _kinds(terms, self.terms), known, class_of)
        for row in functions["same"].rows:
            found.merged.setdefault(order[row.inputs[1]], []).append(self.graph.value_to_string(row.inputs[0]))
        for name in COLUMNS:
            for row in functions[f"by_{name}"].rows:
                maker = self.graph.value_to_string(row.inputs[0])
                found.makers.setdefault(read(name, row.inputs[1:]), []).append(maker)
        return found

    def _reader(self, order: dict[Any, int]) -> Callable[[str, Sequence[Any]], Term]:
        def read(name: str, inputs: Sequence[Any]) -> Term:
            key, parameter, operands = "", None, []
            for column, value in zip(COLUMNS[name], inputs, strict=True):
                if column == "String":
                    key = self.graph.value_to_string(value)
                elif column == "i64":
                    parameter = self.parameters[self.graph.value_to_i64(value)]
                else:
                    operands.append(order.setdefault(value, len(order)))
            return Term("op" if name.startswith("op") else name, key, parameter, tuple(operands))

        return read


def _name(term: Term) -> str:
    return f"op{len(term.operands)}" if term.operator == "op" else term.operator


def _declarations() -> str:
    lines = [
        "(sort T)",
        "(constructor node (i64) T)",
        "(relation known (T))",
        "(relation private (T))",
        "(relation same (String T))",
    ]
    lines += ["(relation batch (i64))", "(ruleset batches)"]
    lines += ["(ruleset main)", "(ruleset spread)"]
    for name, columns in COLUMNS.items():
        lines.append(f"(constructor {name} ({' '.join(columns)}) T)")
        lines.append(f"(relation by_{name} (String {' '.join(columns)}))")
        letters = [f"x{i}" for i in range(len(columns))]
        operands = [x for x, c in zip(letters, columns, strict=True) if c == "T"]
        conditions = " ".join(f"(known {x})" for x in operands)
        lines.append(f"(rule ((= t ({name} {' '.join(letters)})) {conditions}) ((known t)) :ruleset spread)")
    return "\n".join(lines)


def _kinds(terms: Sequence[Sequence[Term]], original: Terms) -> list[Kind]:
    """Type of every class, from any of its terms whose operands have one."""
    kinds: dict[int, Kind] = {}
    pending = list(range(len(terms)))
    while pending:
        rest: list[int] = []
        for number in pending:
            for term in terms[number]:
                if term.operator == "leaf":
                    assert isinstance(term.parameter, int)
                    kinds[number] = original.kinds[term.parameter]
                elif all(o in kinds for o in term.operands):
                    kinds[number] = kind_of(term, [kinds[o] for o in term.operands])
                if number in kinds:
                    break
            else:
                rest.append(number)
        assert len(rest) < len(pending), "a class without a type"
        pending = rest
    return [kinds[n] for n in range(len(terms))]
