"""Reductions that the invocations of a workgroup share, on a device that wants many of them, compared with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differential import Case, Together, difference, references
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import cocomp
from cocomp import Options
from tests.vulkan import needs_device

SHARING = Options(target="vulkan", cpu="desktop")
NAN, INFINITY = float("nan"), float("inf")


def run(*cases: Case, options: Options = SHARING) -> list[str]:
    """Compile all cases as one model, run it twice, compare with PyTorch; how the points of each kernel are computed."""
    inputs = [x for c in cases for x in c.inputs]
    artifact = cocomp.compile(Together(cases).eval(), inputs, options=options)
    with artifact.load() as model:
        first, second = model.run(inputs), model.run(inputs)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    found = iter(first)
    with np.errstate(invalid="ignore"):  # infinities are compared before they are subtracted
        problems = [p for c in cases for e in references(c) if (p := difference(c, next(found), e))]
    assert not problems, "\n".join(problems)
    return [d["facts"]["vector"] for d in artifact.manifest["dispatches"]]


@needs_device
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_reductions_are_shared(precision: str) -> None:
    torch.manual_seed(0)
    x, odd, image = torch.randn(3, 8, 200), torch.randn(5, 77), torch.randn(2, 20, 9, 11)
    tolerance = 2e-5 if precision == "f32" else 4e-3
    vectors = run(
        Case("softmax", lambda x: x.softmax(-1), (x,), tolerance),
        Case("softmax of odd rows", lambda x: x.softmax(-1), (odd,), tolerance),
        Case("softmax over columns", lambda x: x.softmax(0), (odd,), tolerance),
        Case("layer norm", lambda x: F.layer_norm(x, (200,)), (x,), tolerance),
        Case("group norm", lambda x: F.group_norm(x, 4), (image,), tolerance),
        Case("maximum", lambda x: x.amax(-1), (x,), tolerance),
        Case("mean of images", lambda x: x.mean((2, 3)), (image,), tolerance),
        Case("variance of everything", lambda x: x.var(), (x,), tolerance),
        Case("sum with a border", lambda x: F.pad(x.sum(-1), (2, 1)), (x,), tolerance),
        Case("sum of integers", lambda i: i.sum(-1), (torch.randint(-9, 9, (3, 55)),)),
        options=Options(target="vulkan", cpu="desktop", precision=precision),
    )
    assert sum("invocations" in vector for vector in vectors) == 9  # all but columns of five


@needs_device
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 300)),
    axes=st.sampled_from([(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]),
    seed=st.integers(0, 1000),
)
def test_any_axes(shape: tuple[int, int, int], axes: tuple[int, ...], seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(shape)
    run(
        Case("sum", lambda x: x.sum(axes), (x,), 1e-4),
        Case("maximum", lambda x: x.amax(axes), (x,)),
        Case("normalised", lambda x: x - x.mean(axes, keepdim=True), (x,), 1e-4),
        Case("softmax", lambda x: x.softmax(axes[-1]), (x,), 1e-4),
    )


@needs_device
def test_what_is_no_number_is_found_wherever_it_is() -> None:
    rows = torch.randn(6, 333, generator=torch.Generator().manual_seed(1))
    rows[0, 300], rows[1, 2], rows[2, 7], rows[3, 332] = NAN, INFINITY, -INFINITY, INFINITY
    rows[3, 0] = -INFINITY
    rows[4] = -INFINITY
    vectors = run(
        Case("maximum", lambda x: x.amax(-1), (rows,)),
        Case("minimum", lambda x: x.amin(-1), (rows,)),
        Case("sum", lambda x: x.sum(-1), (rows,), 1e-4),
        Case("softmax", lambda x: x.softmax(-1), (rows,)),
    )
    assert all(vector.endswith("invocations") for vector in vectors)


@needs_device
def test_what_cannot_be_combined_is_not_shared() -> None:
    x = torch.randn(3, 500, generator=torch.Generator().manual_seed(2))
    assert run(Case("position of the maximum", lambda x: x.argmax(-1), (x,))) == ["a point an invocation"]
