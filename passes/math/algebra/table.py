"""Every rule: those on trees of operations, and those that compute with index maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .branches import identity_branch, widen_kernel
from .contractions import (
    merge_products,
    product_of_transpose,
    scale_of_input_by_channel,
    scale_weight_by_channel,
    slice_of_product,
    transpose_of_product,
)
from .parallel import NAME, merge_parallel
from .rules import EXACT, FAST, RULES, WEIGHTS, Rule
from .saturate import Classes, Finding, Structural, saturate
from .terms import Terms
from .views import (
    compose_views,
    compute_before_broadcast,
    extreme_of_broadcast,
    factor_out_of_sum,
    sum_of_broadcast,
)


@dataclass(frozen=True)
class Computed:
    """A rule that is a function; `before` and `after` are for readers."""

    name: str
    before: str
    after: str
    grade: str
    find: Structural


COMPUTED = (
    Computed("compose-views", "view(view(A))", "view(A)", EXACT, compose_views),
    Computed("compute-before-broadcast", "f(spread(A), spread(B))", "spread(f(A, B))", EXACT, compute_before_broadcast),
    Computed("extreme-of-broadcast", "Max(spread(A))", "A", EXACT, extreme_of_broadcast),
    Computed("sum-of-broadcast", "Sum(spread(A))", "A * n", FAST, sum_of_broadcast),
    Computed("factor-out-of-sum", "Sum(spread(A)*B)", "A*Sum(B)", FAST, factor_out_of_sum),
    Computed("transpose-of-product", "transpose(dot(A, B))", "dot(A, B)", EXACT, transpose_of_product),
    Computed("product-of-transpose", "dot(transpose(A), B)", "dot(A, B)", EXACT, product_of_transpose),
    Computed("slice-of-product", "slice(dot(A, B))", "dot(slice(A), slice(B))", EXACT, slice_of_product),
    Computed("scale-weight-by-channel", "dot(A, K1) * spread(K2)", "dot(A, K1*K2)", WEIGHTS, scale_weight_by_channel),
    Computed("scale-of-input-by-channel", "dot(A*spread(K1), K2)", "dot(A, K1*K2)", WEIGHTS, scale_of_input_by_channel),
    Computed(
        "merge-products", "dot(dot(A, K1) + K2, K3)", "dot(A, dot(K1, K3)) + dot(K2, K3)", WEIGHTS, merge_products
    ),
    Computed("widen-kernel", "dot(A, K1) + dot(pad(A), K2)", "dot(pad(A), pad(K1)) + ..", WEIGHTS, widen_kernel),
    Computed("identity-branch", "A + dot(pad(A), K)", "dot(pad(A), identity) + ..", WEIGHTS, identity_branch),
)
PARALLEL = Rule(NAME, "f(dot(A, K1)), f(dot(A, K2))", "slices of f(dot(A, [K1 K2]))", EXACT)
NAMES = tuple(r.name for r in (*RULES, *COMPUTED, PARALLEL))


def grow(
    graph: Terms, roots: Sequence[int], fast: bool, only: Sequence[str] = (), nodes: int = 20000, seconds: float = 30.0
) -> Classes:
    """Everything equal to the terms by the rules named in `only` (all, where none is), those of fast mathematics if `fast`."""
    seeds: list[Finding] = list(merge_parallel(graph, roots)) if not only or NAME in only else []
    rules = [r for r in RULES if not only or r.name in only]
    computed = [c.find for c in COMPUTED if (not only or c.name in only) and (fast or c.grade != FAST)]
    return saturate(graph, seeds, rules, computed, fast, nodes, seconds)


def listing() -> Iterator[str]:
    """One line a rule: name, class, what becomes of what."""
    for rule in (*RULES, *COMPUTED, PARALLEL):
        exact = " (exact on integers)" if isinstance(rule, Rule) and rule.integers and rule.grade != EXACT else ""
        yield f"{rule.name:<31}{rule.grade:<11}{rule.before}  -->  {rule.after}{exact}"
