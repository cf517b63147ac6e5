"""Rewriting by mathematical properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from cocomp.passes import _outline
from cocomp.passes.math.algebra.cost import Cost, Rates, order_of
from cocomp.passes.math.algebra.extract import LEAST, Choice, Step, extract
from cocomp.passes.math.algebra.saturate import Classes
from cocomp.passes.math.algebra.table import NAMES, grow
from cocomp.passes.math.algebra.terms import Term
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import ir, origins
from cocomp.support.passes import Pass, State

from ._algebra_read import Reading, read
from ._algebra_write import Writer, sort_operations

PASSES = 3
"""How often the result is rewritten again, as long as it gets cheaper: parallel contractions are found in what is there."""


@dataclass(frozen=True)
class RewriteAlgebraPass(Pass):
    """Replace what the rules of `passes.math.algebra` find a cheaper equal for.

        %a = "sparse.contract"(%x, %w1)                %w = %w1 + %w2      (constants: `fold-constants` evaluates them)
        %b = "sparse.contract"(%x, %w2)        -->     %y = "sparse.contract"(%x, %w)
        %y = linalg.generic { %a + %b }

    Equality saturation, then extraction by arithmetic, bytes and kernels on the target; where that is no cheaper the module
    is left as it is, to the byte. `fast-math` allows rules that round otherwise; `rules` names those to use, joined by `+`,
    all by default. `nodes` and `seconds` bound the search; where the latter runs out, nothing is changed, and the report says
    so. With `annotate` attributes of `@main` tell what was saved. Needs `raise-contractions`.
    """

    name: ClassVar[str] = "rewrite-algebra"
    fast_math: bool = False
    rules: str = ""
    nodes: int = 20000
    seconds: float = 30.0
    annotate: bool = False

    def __post_init__(self) -> None:
        for name in self._only:
            if name not in NAMES:
                raise UsageError(f"unknown rewrite '{name}': expected one of {', '.join(NAMES)}")

    @property
    def _only(self) -> list[str]:
        return [name for name in self.rules.split("+") if name]

    def run(self, module: ir.Module, state: State) -> None:
        main = module.body.operations[0].operation
        facts: dict[str, Any] = {"before": None, "after": None, "steps": [], "stopped": ""}
        for _ in range(PASSES):
            if not self._rewrite(main, state, facts):
                break
        state.facts[self.name] = facts
        if facts["stopped"] == "seconds":
            state.tell(f"rewriting stopped after {self.seconds:g} s, and changed nothing")
        if self.annotate:
            _annotate(main, facts)

    def _rewrite(self, main: ir.Operation, state: State, facts: dict[str, Any]) -> bool:
        """Rewrite once; whether anything has changed."""
        reading = read(main.regions[0].blocks[0], state.weights)
        classes = grow(reading.graph, reading.roots, self.fast_math, self._only, self.nodes, self.seconds)
        facts["stopped"] = classes.stopped or facts["stopped"]
        if classes.stopped == "seconds":
            return False
        roots = [classes.class_of[r] for r in reading.roots]
        choice = extract(reading.graph, classes, reading.roots, Rates(2.0 * state.target.fma_lanes))
        facts["before"] = facts["before"] or _counts(choice.before)
        facts["after"] = _counts(choice.after)
        if choice.after.cycles >= choice.before.cycles * (1 - LEAST):
            return False
        facts["steps"] += [_described(step, reading, classes) for step in choice.steps]
        _apply(main, reading, classes, choice, roots, state)
        return True


def _counts(cost: Cost) -> dict[str, float]:
    return asdict(cost)


def _described(step: Step, reading: Reading, classes: Classes) -> dict[str, Any]:
    """A step for the report: rules, layer, and what it saves."""
    values = (reading.value[n] for n, c in enumerate(classes.class_of) if c == step.whole and n in reading.value)
    value = next(values, None)
    names = [path or node for node, path in origins(_location(value))] if value is not None else []
    return {"rules": list(step.rules), "layer": names[0] if names else "", **_counts(step.saved)}


def _location(value: ir.Value) -> ir.Location:
    return ir.Location.unknown() if isinstance(value, ir.BlockArgument) else value.owner.operation.location


def _apply(
    main: ir.Operation, reading: Reading, classes: Classes, choice: Choice, roots: Sequence[int], state: State
) -> None:
    """Change the IR in place: operations whose terms are chosen stay."""
    order = order_of(roots, choice.terms.__getitem__)
    kept = _kept(reading, classes, choice.terms, set(order))
    block = main.regions[0].blocks[0]
    places = _places(order, choice.terms, classes, reading)
    writer = Writer(main, choice.terms.__getitem__, classes.kinds.__getitem__, places, state.weights)
    writer.values.update(kept)
    with ir.InsertionPoint.at_block_terminator(block):
        for place in order:
            if place in kept and not isinstance(kept[place], ir.BlockArgument):
                for value in _outline.dependencies(kept[place].owner.operation):
                    if value in reading.number:
                        writer.value(classes.class_of[reading.number[value]])
        for root in roots:
            writer.value(root)
    for value, number in reading.number.items():
        new = writer.values.get(classes.class_of[number])
        if new is not None and new != value and value not in reading.constants:
            value.replace_all_uses_with(new)
    sort_operations(block)
    _outline.erase_dead(block)


def _kept(reading: Reading, classes: Classes, chosen: Sequence[Term], active: set[int]) -> dict[int, ir.Value]:
    """Classes whose value an operation makes that stays as it is, or that comes from outside."""
    kept: dict[int, ir.Value] = {}
    for number, value in reading.value.items():
        place = classes.class_of[number]
        if place in active and place not in kept:
            own = [n for n in reading.made.get(number, ()) if reading.graph.terms[n].operator != "leaf"]
            if all(_is_chosen(n, reading, classes, chosen) for n in (*own, number)):
                kept[place] = value
    return kept


def _is_chosen(number: int, reading: Reading, classes: Classes, chosen: Sequence[Term]) -> bool:
    term = reading.graph.terms[number]
    operands = tuple(classes.class_of[o] for o in term.operands)
    return chosen[classes.class_of[number]] == Term(term.operator, term.key, term.parameter, operands)


def _places(
    order: Sequence[int], chosen: Sequence[Term], classes: Classes, reading: Reading
) -> Mapping[int, ir.Location]:
    """Where in the model every class comes from: from its own operation with those that it replaces, or from its readers."""
    own: dict[int, list[ir.Location]] = {}
    active = set(order)
    for number, value in reading.value.items():
        place = classes.class_of[number]
        if not isinstance(value, ir.BlockArgument) and place in active and place not in own:
            replaced = (
                () if _is_chosen(number, reading, classes, chosen) else _replaced(number, reading, classes, active)
            )
            own[place] = list(dict.fromkeys([*replaced, value.owner.operation.location]))
    readers: dict[int, list[ir.Location]] = {}
    places: dict[int, ir.Location] = {}
    for number in reversed(order):
        found = own[number] if number in own else list(dict.fromkeys(readers.get(number, [])))
        places[number] = ir.Location.fused(found) if len(found) != 1 else found[0]
        for operand in chosen[number].operands:
            readers.setdefault(operand, []).append(places[number])
    return places


def _replaced(number: int, reading: Reading, classes: Classes, active: set[int]) -> list[ir.Location]:
    """Locations of the operations that a term was made of and nothing needs any more, contractions first."""
    found: dict[int, None] = {}
    pending = list(reading.graph.terms[number].operands)
    while pending:
        current = pending.pop()
        if current not in found and classes.class_of[current] not in active:
            found[current] = None
            pending += reading.graph.terms[current].operands
    made = [n for n in sorted(found) if n in reading.value and reading.graph.terms[n].operator != "leaf"]
    made.sort(key=lambda n: reading.graph.terms[n].operator != "contract")
    return [reading.value[n].owner.operation.location for n in made]


def _annotate(main: ir.Operation, facts: dict[str, Any]) -> None:
    """Tell in attributes of the function what was saved."""
    used = dict.fromkeys(rule for step in facts["steps"] for rule in step["rules"])
    main.attributes["algebra.rules"] = ir.StringAttr.get(" ".join(used))
    main.attributes["algebra.stopped"] = ir.StringAttr.get(facts["stopped"])
    for key in ("flops", "bytes", "kernels"):
        text = f"{facts['before'][key]} -> {facts['after'][key]}" if facts["before"] else ""
        main.attributes[f"algebra.{key}"] = ir.StringAttr.get(text)
