"""The rules on trees of operations, as text: `A*B + A*C --> A*(B + C)`.

Letters are any terms, `K`, `K1`, .. are known at compile time, `n` is a number. Sums, products, differences and shifts are
element-wise; `Sum` and `Prod` reduce, all along the same axes; `dot` contracts, always with the same maps.
Published with DNNFusion (arXiv 2108.13342, table 4, whose first distributive rule has to read A*(B + C)) and our own.

Classes of rules, the last of which runs under `--fast-math` only:

    exact      every finite result has the same bits, and infinities and NaNs come out where they came out before
    weights    what is known at compile time is combined then, as batch norms are: results are rounded elsewhere, and an
               infinite input may give a NaN where it gave an infinity
    fast-math  values that are computed at run time are rounded in another order, or overflow or are undefined elsewhere
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

EXACT, WEIGHTS, FAST = "exact", "weights", "fast-math"


@dataclass(frozen=True)
class Rule:
    """`before` may be replaced by `after`. A rule on integers is exact, whatever it is on floats."""

    name: str
    before: str
    after: str
    grade: str
    integers: bool = False
    """Whether it holds on integers, too: they wrap around, so no sum or product depends on its order."""
    floats: bool = True
    regroups: bool = False
    """Whether it only moves brackets: then it runs where nothing else needs what stands in them."""


RULES = (
    Rule("commute-product", "A*B", "B*A", EXACT, integers=True),
    Rule("commute-sum", "A + B", "B + A", EXACT, integers=True),
    Rule("add-negative", "A + -B", "A - B", EXACT, integers=True),
    Rule("subtract-negative", "A - -B", "A + B", EXACT, integers=True),
    Rule("double-negative", "-(-A)", "A", EXACT),
    Rule("product-of-negatives", "-A * -B", "A*B", EXACT),
    Rule("times-one", "A * 1.0", "A", EXACT, integers=True),
    Rule("divide-by-one", "A / 1.0", "A", EXACT),
    Rule("product-of-absolutes", "Abs(A)*Abs(B)", "Abs(A*B)", EXACT),
    Rule("sum-of-negatives", "Sum(-A)", "-Sum(A)", EXACT),
    Rule("sum-of-shifts", "Sum(A << n)", "Sum(A) << n", EXACT, integers=True, floats=False),
    Rule("product-of-absolutes-apart", "(Abs(A)*B)*Abs(C)", "Abs(A*C)*B", FAST),
    Rule("group-products", "(A*B)*C", "A*(B*C)", FAST, integers=True, regroups=True),
    Rule("group-sums", "(A + B) + C", "A + (B + C)", FAST, integers=True, regroups=True),
    Rule("square-common-factor", "(A*B)*(B*C)", "(A*(B*B))*C", FAST, integers=True),
    Rule("factor-out", "A*C + A*B", "A*(B + C)", FAST, integers=True),
    Rule("factor-out-difference", "A*B - A*C", "A*(B - C)", FAST, integers=True),
    Rule("factor-out-one", "A + A*B", "A*(B + 1.0)", FAST, integers=True),
    Rule("factor-out-quotient", "A/C + B/C", "(A + B)/C", FAST),
    Rule("reciprocal-of-product", "Recip(A)*Recip(A*B)", "Square(Recip(A))*Recip(B)", FAST),
    Rule("product-of-reciprocals", "Recip(A)*Recip(B)", "Recip(A*B)", FAST),
    Rule("square-of-root", "Sqrt(A)*Sqrt(A)", "A", FAST),
    Rule("root-times-root", "(A*Sqrt(B))*(Sqrt(B)*C)", "(A*B)*C", FAST),
    Rule("product-of-roots", "Sqrt(A)*Sqrt(B)", "Sqrt(A*B)", FAST),
    Rule("product-of-exponentials", "Exp(A)*Exp(B)", "Exp(A + B)", FAST),
    Rule("product-over-exponentials", "Prod(Exp(A))", "Exp(Sum(A))", FAST),
    Rule("sum-of-multiples", "Sum(A * n)", "Sum(A) * n", FAST, integers=True),
    Rule("quotient-of-quotient", "(A/B)/C", "A/(B*C)", FAST),
    Rule("divide-by-constant", "A / K", "A * Recip(K)", FAST),
    Rule("contract-sum-of-weights", "dot(A, K1) + dot(A, K2)", "dot(A, K1 + K2)", WEIGHTS),
    Rule("contract-difference-of-weights", "dot(A, K1) - dot(A, K2)", "dot(A, K1 - K2)", WEIGHTS),
    Rule("scale-weight", "dot(A, K) * n", "dot(A, K*n)", WEIGHTS),
    Rule("scale-of-input-into-weight", "dot(A*n, K)", "dot(A, K*n)", WEIGHTS),
    Rule("bias-last", "(dot(A, K1) + K2) + B", "(dot(A, K1) + B) + K2", WEIGHTS),
    Rule("sum-of-biases", "(dot(A, K1) + K2) + K3", "dot(A, K1) + (K2 + K3)", WEIGHTS),
    Rule("contract-sum-of-activations", "dot(A, B) + dot(A, C)", "dot(A, B + C)", FAST),
    Rule("contract-sum-of-inputs", "dot(A, B) + dot(C, B)", "dot(A + C, B)", FAST),
)

UNARY = {"Sqrt": "math.sqrt", "Abs": "math.absf", "Exp": "math.exp"}
BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
REDUCTIONS = {"Sum": "add", "Prod": "mul"}


def programs(rule: Rule, fast: bool) -> Iterator[str]:
    """The rule in the language of egglog: on integers, where it is exact, and on floats, where its class runs."""
    if rule.floats and (fast or rule.grade != FAST):
        yield _program(rule, "f")
    if rule.integers:
        yield _program(rule, "i")


def _program(rule: Rule, suffix: str) -> str:
    before = ast.parse(rule.before, mode="eval").body
    after = ast.parse(rule.after, mode="eval").body
    conditions = [f"(known {name})" for name in sorted(_constants(before))]
    done = _text(after, suffix)
    actions = [f"(union whole {done})", *_signed(rule.name, done)]
    if rule.regroups:
        inner = next(_text(e, suffix) for e in _operands(before) if isinstance(e, ast.BinOp))
        moved = next(_text(e, suffix) for e in _operands(after) if isinstance(e, ast.BinOp))
        conditions.append(f"(private {inner})")
        actions.append(f"(private {moved})")
    body = " ".join([f"(= whole {_text(before, suffix)})", *conditions])
    return f'(rule ({body}) ({" ".join(actions)}) :ruleset main :name "{rule.name} {suffix}")'


def _signed(name: str, done: str) -> list[str]:
    """A note of which rule has made a term, for the report."""
    if not done.startswith("("):
        return [f'(same "{name}" {done})']
    operator, rest = done[1:].split(" ", 1)
    return [f'(by_{operator} "{name}" {rest}']


def _constants(tree: ast.expr) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id.startswith("K")}


def _operands(tree: ast.expr) -> Sequence[ast.expr]:
    return [tree.left, tree.right] if isinstance(tree, ast.BinOp) else []


def _text(tree: ast.expr, suffix: str) -> str:
    """A pattern as egglog writes it."""
    if isinstance(tree, ast.Name):
        return f"(num {tree.id})" if tree.id == "n" else tree.id
    if isinstance(tree, ast.Constant):
        return f'(num "{tree.value}")'
    if isinstance(tree, ast.UnaryOp):
        operand = _text(tree.operand, suffix)
        return f'(op1 "arith.negf" {operand})' if suffix == "f" else f'(op2 "arith.subi" (num "0.0") {operand})'
    if isinstance(tree, ast.BinOp):
        sides = f"{_text(tree.left, suffix)} {_text(tree.right, suffix)}"
        if isinstance(tree.op, ast.LShift):
            return f'(op2 "arith.shli" {sides})'
        return f'(op2 "arith.{BINARY[type(tree.op)]}{suffix}" {sides})'
    assert isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)
    return _call(tree.func.id, [_text(a, suffix) for a in tree.args], suffix)


def _call(name: str, operands: Sequence[str], suffix: str) -> str:
    if name in UNARY:
        return f'(op1 "{UNARY[name]}" {operands[0]})'
    if name in REDUCTIONS:
        return f'(reduce "arith.{REDUCTIONS[name]}{suffix}" r {operands[0]})'
    if name == "Recip":
        return f'(op2 "arith.div{suffix}" (num "1.0") {operands[0]})'
    if name == "Square":
        return f'(op2 "arith.mul{suffix}" {operands[0]} {operands[0]})'
    assert name == "dot", name
    return f"(contract c {operands[0]} {operands[1]})"
