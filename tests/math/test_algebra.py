"""Rewriting by mathematical properties: whatever the rules put into one class has one value, for all shapes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cocomp.passes.math import affine
from cocomp.passes.math.affine import Expr, dim
from cocomp.passes.math.algebra import terms
from cocomp.passes.math.algebra.cost import CycleError, Rates, order_of
from cocomp.passes.math.algebra.extract import extract
from cocomp.passes.math.algebra.rules import FAST, RULES, Rule
from cocomp.passes.math.algebra.saturate import Classes
from cocomp.passes.math.algebra.table import COMPUTED, NAMES, PARALLEL, grow, listing
from cocomp.passes.math.algebra.terms import Contract, Delta, Kind, Pad, Reduce, Term, Terms, View

RATES = Rates(64.0)
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALAR: Mapping[str, Callable[..., np.ndarray]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "negf": np.negative, "shli": np.left_shift,
    "sqrt": np.sqrt, "absf": np.abs, "exp": np.exp,
}  # fmt: skip
REDUCE: Mapping[str, Callable[..., np.ndarray]] = {"add": np.sum, "mul": np.prod, "maximum": np.max}


def at(expr: Expr, grid: Sequence[np.ndarray]) -> np.ndarray:
    """An index expression at every point of a grid."""
    total = np.full(grid[0].shape if grid else (), expr.constant)
    for atom, factor in expr.terms:
        if isinstance(atom, affine.Dim):
            value = grid[atom.index]
        elif isinstance(atom, affine.FloorDiv):
            value = at(atom.operand, grid) // atom.divisor
        else:
            value = at(atom.operand, grid) % atom.divisor
        total = total + factor * value
    return total


def compute(term: Term, operands: Sequence[np.ndarray]) -> np.ndarray:
    """The value of a term."""
    what = term.parameter
    if term.operator == "num":
        return np.array(float(term.key))
    if isinstance(what, View):
        grid = list(np.indices(what.shape))
        return operands[0][tuple(at(e, grid) for e in what.index)]
    if isinstance(what, Contract):
        grid = list(np.indices(what.bounds))
        x, weight, y = (tuple(at(e, grid) for e in m) for m in what.maps)
        result = np.zeros(what.shape)
        np.add.at(result, y, operands[0][x] * operands[1][weight])
        return result
    if isinstance(what, Reduce):
        function = REDUCE[term.key.removeprefix("arith.").rstrip("fi")]
        return function(operands[0], axis=what.axes, keepdims=what.keep).astype(operands[0].dtype)
    if isinstance(what, Pad):
        return np.pad(operands[0], list(zip(what.low, what.high, strict=True)), constant_values=what.value)
    if isinstance(what, Delta):
        made = np.zeros(what.shape)
        made[(range(what.shape[0]), range(what.shape[0]), *what.centre)] = 1
        return made
    if term.operator == "concat":
        return np.concatenate(operands, int(term.key))
    name = term.key.removeprefix("arith.").removeprefix("math.")
    function = SCALAR.get(name) or SCALAR[name.rstrip("fi")]
    same = next((o.dtype for o in operands if o.shape), operands[0].dtype)
    return function(*(o.astype(same) for o in operands))


def check(graph: Terms, classes: Classes, seed: int = 0) -> None:
    """Every term of every class has the class's value."""
    random = np.random.default_rng(seed)
    values: dict[int, np.ndarray] = {}
    for number, term in enumerate(graph.terms):
        place = classes.class_of[number]
        if term.operator == "leaf":
            kind = graph.kinds[number]
            made = (
                random.integers(-9, 9, kind.shape) if kind.element[0] == "i" else random.uniform(0.5, 2.0, kind.shape)
            )
            values[place] = made.astype(np.int32) if kind.element[0] == "i" else made
        elif place not in values:
            values[place] = compute(term, [values[classes.class_of[o]] for o in term.operands])
    pending = True
    while pending:
        pending = False
        for place, found in enumerate(classes.terms):
            for term in found:
                if place not in values and all(o in values for o in term.operands) and term.operator != "leaf":
                    values[place], pending = compute(term, [values[o] for o in term.operands]), True
    for place, found in enumerate(classes.terms):
        for term in found:
            if term.operator != "leaf":
                np.testing.assert_allclose(compute(term, [values[o] for o in term.operands]), values[place], rtol=1e-9)


def fired(classes: Classes) -> set[str]:
    """Rules that have made something."""
    made = [*classes.makers.values(), *classes.merged.values()]
    return {name.removesuffix(" f").removesuffix(" i") for names in made for name in names}


def product(m: int, n: int, k: int) -> Contract:
    """[m, k] times [n, k]."""
    return Contract((m, n, k), ((dim(0), dim(2)), (dim(1), dim(2)), (dim(0), dim(1))), (m, n))


def window(channels: int, size: int, kernel: int) -> Contract:
    """A convolution of [channels, size + kernel - 1] with [channels, channels, kernel]."""
    maps = ((dim(2), dim(1) + dim(3)), (dim(0), dim(2), dim(3)), (dim(0), dim(1)))
    return Contract((channels, size, channels, kernel), maps, (channels, size))


class Builder:
    """The graph of one side of a rule."""

    def __init__(self, element: str, m: int, n: int, k: int) -> None:
        self.graph, self.element = Terms(), element
        self.m, self.n, self.k = m, n, k
        self.leaves: dict[str, int] = {}

    def leaf(self, name: str, shape: tuple[int, ...]) -> int:
        """A value from outside; known at compile time where its name says so."""
        if name not in self.leaves:
            self.leaves[name] = self.graph.leaf(Kind(shape, self.element), constant=name.startswith("K"))
        return self.leaves[name]

    def op(self, name: str, *operands: int) -> int:
        return self.graph.make(terms.apply(f"arith.{name}{self.element[0]}", *operands))

    def build(self, tree: ast.expr, shape: tuple[int, ...]) -> int:
        """The term of an expression."""
        if isinstance(tree, ast.Name):
            if tree.id == "n":
                return self.graph.make(terms.num(3))
            return self.leaf(tree.id, shape)
        if isinstance(tree, ast.Constant):
            assert isinstance(tree.value, float)
            return self.graph.make(terms.num(tree.value))
        if isinstance(tree, ast.UnaryOp):
            operand = self.build(tree.operand, shape)
            if self.element == "f64":
                return self.graph.make(terms.apply("arith.negf", operand))
            return self.op("sub", self.graph.make(terms.num(0)), operand)
        if isinstance(tree, ast.BinOp):
            sides = self.build(tree.left, shape), self.build(tree.right, shape)
            if isinstance(tree.op, ast.LShift):
                return self.graph.make(terms.apply("arith.shli", *sides))
            names = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
            return self.op(names[type(tree.op)], *sides)
        assert isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)
        return self.call(tree.func.id, tree.args, shape)

    def call(self, name: str, arguments: Sequence[ast.expr], shape: tuple[int, ...]) -> int:
        """The term of a function."""
        if name == "dot":
            x, weight = self.build(arguments[0], (self.m, self.k)), self.build(arguments[1], (self.n, self.k))
            return self.graph.make(terms.contract(product(self.m, self.n, self.k), x, weight))
        operand = self.build(arguments[0], shape)
        if name in ("Sum", "Prod"):
            kind = {"Sum": "add", "Prod": "mul"}[name]
            return self.graph.make(terms.reduce(f"arith.{kind}{self.element[0]}", Reduce((1,), False), operand))
        if name == "Recip":
            return self.op("div", self.graph.make(terms.num(1)), operand)
        if name == "Square":
            return self.op("mul", operand, operand)
        return self.graph.make(terms.apply({"Sqrt": "math.sqrt", "Abs": "math.absf", "Exp": "math.exp"}[name], operand))


SIZES = st.integers(1, 4)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
@given(m=SIZES, n=SIZES, k=SIZES, seed=st.integers(0, 99))
@FEW
def test_a_rule_preserves_the_function(rule: Rule, m: int, n: int, k: int, seed: int) -> None:
    for element in [*(["f64"] if rule.floats else []), *(["i32"] if rule.integers else [])]:
        builder = Builder(element, m, n, k)
        root = builder.build(ast.parse(rule.before, mode="eval").body, (m, n))
        classes = grow(builder.graph, [root], fast=True, only=[rule.name])
        assert rule.name in fired(classes)
        check(builder.graph, classes, seed)


@pytest.mark.parametrize("rule", [r for r in RULES if r.grade == FAST], ids=lambda r: r.name)
def test_what_rounds_otherwise_needs_fast_math(rule: Rule) -> None:
    builder = Builder("f64", 2, 3, 4)
    root = builder.build(ast.parse(rule.before, mode="eval").body, (2, 3))
    assert not fired(grow(builder.graph, [root], fast=False, only=[rule.name]))


def spread(graph: Terms, value: int, shape: tuple[int, ...], axis: int) -> int:
    """A vector along one axis."""
    return graph.make(terms.view(View(shape, (dim(axis),)), value))


def views(graph: Terms, m: int, n: int, k: int) -> list[int]:
    """Broadcasts, reduced and computed with, and a transpose of a transpose."""
    a, b, c = (graph.leaf(Kind(s, "f64")) for s in ((m,), (m,), (m, n + 1)))
    wide, other = spread(graph, a, (m, n + 1), 0), spread(graph, b, (m, n + 1), 0)
    both = graph.make(terms.apply("arith.mulf", wide, other))
    scaled = graph.make(terms.apply("arith.mulf", wide, c))
    turned = graph.make(terms.view(View((n + 1, m), (dim(1), dim(0))), c))
    again = graph.make(terms.view(View((m, n + 1), (dim(1), dim(0))), turned))
    ends = [graph.make(terms.apply("math.exp", v)) for v in (both, again)]
    reduced = [("arith.maximumf", both, False), ("arith.addf", both, True), ("arith.addf", scaled, False)]
    return ends + [graph.make(terms.reduce(name, Reduce((1,), keep), v)) for name, v, keep in reduced]


def products(graph: Terms, m: int, n: int, k: int) -> list[int]:
    """Transposes, slices and scales of products, and a product of a product."""
    n = n + 1
    x, turned = graph.leaf(Kind((m, k), "f64")), graph.leaf(Kind((k, m), "f64"))
    weight, second = graph.leaf(Kind((n, k), "f64"), True), graph.leaf(Kind((k, n), "f64"), True)
    scale, bias = graph.leaf(Kind((n,), "f64"), True), graph.leaf(Kind((k,), "f64"), True)
    y = graph.make(terms.contract(product(m, n, k), x, weight))
    ends = [graph.make(terms.view(View((n, m), (dim(1), dim(0))), y))]
    ends.append(graph.make(terms.view(View((m, n - 1), (dim(0), dim(1) + 1)), y)))
    for name in ("arith.mulf", "arith.divf"):
        ends.append(graph.make(terms.apply(name, y, spread(graph, scale, (m, n), 1))))
    upright = graph.make(terms.view(View((m, k), (dim(1), dim(0))), turned))
    ends.append(graph.make(terms.contract(product(m, n, k), upright, weight)))
    scaled = graph.make(terms.apply("arith.mulf", x, spread(graph, bias, (m, k), 1)))
    ends.append(graph.make(terms.contract(product(m, n, k), scaled, weight)))
    ends.append(graph.make(terms.contract(product(m, k, n), y, second)))
    shifted = graph.make(terms.apply("arith.addf", y, spread(graph, scale, (m, n), 1)))
    ends.append(graph.make(terms.contract(product(m, k, n), shifted, second)))
    return ends


def branches(graph: Terms, m: int, n: int, k: int) -> list[int]:
    """A convolution of three pixels, one of one pixel and the image, plain and scaled, added up."""
    channels, size = m + 1, n + 2
    image = graph.leaf(Kind((channels, size), "f64"))
    weights = [graph.leaf(Kind((channels, channels, e), "f64"), True) for e in (3, 1)]
    scale = graph.leaf(Kind((channels,), "f64"), True)
    padded = graph.make(terms.pad(Pad((0, 1), (0, 1), 0.0), image))
    wide = graph.make(terms.contract(window(channels, size, 3), padded, weights[0]))
    narrow = graph.make(terms.contract(window(channels, size, 1), image, weights[1]))
    scaled = graph.make(terms.apply("arith.mulf", image, spread(graph, scale, (channels, size), 0)))
    total = graph.make(terms.apply("arith.addf", wide, narrow))
    return [graph.make(terms.apply("arith.addf", total, i)) for i in (image, scaled)]


def parallel(graph: Terms, m: int, n: int, k: int) -> list[int]:
    """Two products of one input, each with a bias of its own, and a third one without."""
    x = graph.leaf(Kind((m, k), "f64"))
    ends: list[int] = []
    for extent in (n + 1, n + 3, n + 1):
        weight, bias = (graph.leaf(Kind(s, "f64"), True) for s in ((extent, k), (extent,)))
        y = graph.make(terms.contract(product(m, extent, k), x, weight))
        if len(ends) < 2:
            y = graph.make(terms.apply("arith.addf", y, spread(graph, bias, (m, extent), 1)))
        ends.append(graph.make(terms.reduce("arith.addf", Reduce((1,), False), y)))
    return ends


GRAPHS = (views, products, branches, parallel)


@pytest.mark.parametrize("build", GRAPHS, ids=lambda b: b.__name__)
@given(m=SIZES, n=SIZES, k=SIZES, seed=st.integers(0, 99))
@FEW
def test_computed_rules_preserve_the_function(
    build: Callable[..., list[int]], m: int, n: int, k: int, seed: int
) -> None:
    graph = Terms()
    roots = build(graph, m, n, k)
    check(graph, grow(graph, roots, fast=True), seed)


def test_every_computed_rule_fires() -> None:
    found: set[str] = set()
    for build in GRAPHS:
        graph = Terms()
        found |= fired(grow(graph, build(graph, 2, 3, 4), fast=True))
    assert {r.name for r in (*COMPUTED, PARALLEL)} <= found


def test_branches_become_one_convolution() -> None:
    graph = Terms()
    roots = branches(graph, 7, 30, 0)[:1]
    choice = extract(graph, grow(graph, roots, fast=False), roots, RATES)
    assert choice.before.flops == 2 * 8 * 8 * 32 * (3 + 1) + 2 * 8 * 32
    assert (choice.after.flops, choice.after.kernels) == (2 * 8 * 8 * 32 * 3, 2)
    assert sum(s.saved.flops for s in choice.steps) == choice.before.flops - choice.after.flops


def test_pruned_weights_stay() -> None:
    graph = Terms()
    x = graph.leaf(Kind((4, 8), "f64"))
    weights = [graph.leaf(Kind((16, 8), "f64"), True, pruned) for pruned in (False, True)]
    first, second = (graph.make(terms.contract(product(4, 16, 8), x, w)) for w in weights)
    root = graph.make(terms.apply("arith.addf", first, second))
    classes = grow(graph, [root], fast=False)
    assert not fired(classes) - {"commute-sum"}


def test_the_budget_in_nodes_ends_the_search_and_says_so() -> None:
    graph = Terms()
    roots = products(graph, 2, 3, 4)
    classes = grow(graph, roots, fast=True, nodes=10)
    assert (classes.stopped, classes.rounds) == ("nodes", 1)
    check(graph, classes)


def test_results_are_the_same_in_every_run() -> None:
    found = []
    for _ in range(2):
        graph = Terms()
        roots = products(graph, 3, 4, 5)
        found.append(extract(graph, grow(graph, roots, fast=True), roots, RATES))
    assert found[0] == found[1]


def test_a_value_needed_for_itself_is_refused() -> None:
    with pytest.raises(CycleError):
        order_of([0], lambda _: terms.apply("arith.negf", 0))


def test_rules_have_one_name_and_a_line_each() -> None:
    lines = list(listing())
    assert len(set(NAMES)) == len(NAMES) == len(lines)
    assert all(name in line and "-->" in line for name, line in zip(NAMES, lines, strict=True))
