"""Accuracy of the elementary functions over all of single precision, in units in the last place, against double precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn

import cocomp

Array = np.ndarray
LANES = 1 << 16


def every_kind_of_number() -> Array:
    """Numbers of every sign and exponent, denormals among them, and a dense sample where functions bend."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, LANES // 2, dtype=np.uint64).astype(np.uint32)
    numbers = bits.view(np.float32)
    bend = rng.uniform(-12, 12, LANES // 4).astype(np.float32)
    wide = rng.uniform(-110, 110, LANES // 8).astype(np.float32)
    near = np.concatenate([1 + rng.uniform(-1e-3, 1e-3, LANES // 16), rng.uniform(-1e-4, 1e-4, LANES // 16)]).astype(
        np.float32
    )
    return np.concatenate([numbers, bend, wide, near])


SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, -1e-45, 1.17549435e-38, 3.4028235e38, -3.4028235e38],
    np.float32,
)
FUNCTIONS: dict[str, tuple[Callable, Callable]] = {
    "exp": (torch.exp, np.exp), "expm1": (torch.expm1, np.expm1), "log": (torch.log, np.log), "log1p": (torch.log1p, np.log1p),
    "log2": (torch.log2, np.log2), "log10": (torch.log10, np.log10), "sqrt": (torch.sqrt, np.sqrt), "rsqrt": (torch.rsqrt, lambda x: 1 / np.sqrt(x)),
    "tanh": (torch.tanh, np.tanh), "sigmoid": (torch.sigmoid, special.expit), "erf": (torch.erf, special.erf), "sin": (torch.sin, np.sin),
    "cos": (torch.cos, np.cos), "atan": (torch.atan, np.arctan), "sinh": (torch.sinh, np.sinh), "cosh": (torch.cosh, np.cosh),
    "asin": (torch.asin, np.arcsin), "acos": (torch.acos, np.arccos), "asinh": (torch.asinh, np.arcsinh), "acosh": (torch.acosh, np.arccosh),
    "atanh": (torch.atanh, np.arctanh), "tan": (torch.tan, np.tan), "exp2": (torch.exp2, np.exp2),
    "pow 1.7": (lambda x: x**1.7, lambda x: x**np.float64(np.float32(1.7))), "pow 3": (lambda x: x**3, lambda x: x**3.0),
    "pow -2": (lambda x: x**-2, lambda x: x**-2.0),
}  # fmt: skip


class All(nn.Module):
    """Every function of one input."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(f(x) for f, _ in FUNCTIONS.values())


@cache
def computed() -> tuple[Array, dict[str, Array]]:
    """All functions on all numbers, by one artefact."""
    x = np.concatenate([every_kind_of_number(), SPECIAL])
    model = cocomp.compile(All().eval(), (torch.from_numpy(x),)).load(threads=2)
    return x, dict(zip(FUNCTIONS, model.run([x]), strict=True))


def ulps(found: Array, exact: Array) -> Array:
    """Distance from the exact result in units in the last place of its single precision neighbour; zero for denormals."""
    unit = np.spacing(np.maximum(np.abs(exact), np.float64(1.17549435e-38)).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - exact) / unit


# Where a function is measured, and how many units it may be off there.
LIMITS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "exp": (lambda x: (x > -87.33) & (x < 88.72), 2), "expm1": (lambda x: (x > -87.3) & (x < 88.72), 4), "exp2": (lambda x: np.abs(x) < 20, 16),
    "log": (lambda x: x > 0, 3), "log1p": (lambda x: (x > -0.999) & (x < 1e37), 4), "log2": (lambda x: x > 0, 4), "log10": (lambda x: x > 0, 4),
    "sqrt": (lambda x: x >= 0, 0.5), "rsqrt": (lambda x: x > 1e-37, 1.5), "tanh": (lambda x: np.abs(x) > 1e-30, 8), "sigmoid": (lambda x: np.abs(x) < 80, 4),
    "erf": (lambda x: np.abs(x) > 1e-30, 16), "sin": (lambda x: np.abs(x) < 3, 3), "cos": (lambda x: np.abs(x) < 1.5, 3), "atan": (lambda x: np.abs(x) > 1e-30, 4),
    "sinh": (lambda x: (np.abs(x) < 80) & (np.abs(x) > 1e-30), 6), "cosh": (lambda x: np.abs(x) < 80, 4), "asinh": (lambda x: (np.abs(x) < 1e18) & (np.abs(x) > 1e-18), 6),
    "acosh": (lambda x: (x > 1.01) & (x < 1e18), 16), "atanh": (lambda x: (np.abs(x) < 0.99) & (np.abs(x) > 1e-18), 8), "asin": (lambda x: (np.abs(x) < 1) & (np.abs(x) > 1e-18), 6),
    "acos": (lambda x: np.abs(x) < 0.99, 6), "tan": (lambda x: np.abs(x) < 1.5, 8), "pow 1.7": (lambda x: (x > 1e-3) & (x < 1e3), 40), "pow 3": (lambda x: (np.abs(x) > 1e-12) & (np.abs(x) < 1e12), 3),
    "pow -2": (lambda x: (np.abs(x) > 1e-18) & (np.abs(x) < 1e18), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_accuracy(name: str) -> None:
    x, results = computed()
    inside, limit = LIMITS[name]
    normal = (np.abs(x) >= 1.17549435e-38) & np.isfinite(x) & inside(x)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][1](x.astype(np.float64))
    error = ulps(results[name][normal], exact[normal])
    assert np.isfinite(error).all()
    worst = np.argmax(error)
    assert error[worst] <= limit, f"{error[worst]:.1f} units off at {x[normal][worst]!r}"


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_special_values(name: str) -> None:
    """Poles, infinities and signs of zero; denormal inputs may count as zero."""
    _, results = computed()
    found = results[name][-len(SPECIAL) :]
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][1](SPECIAL.astype(np.float64)).astype(np.float32)
    for x, f, e in zip(SPECIAL, found, exact, strict=True):
        if name == "pow 1.7" and np.isneginf(x):
            continue  # infinity by IEEE 754, not a number here as for every other negative base
        if 0 < abs(x) < 1.2e-38 or (abs(x) > 1e38 and name in ("sin", "cos", "tan", "asinh", "acosh", "sinh", "cosh")):
            continue
        if np.isnan(e) or np.isinf(e):
            assert np.array_equal(f, e, equal_nan=True), f"{name}({x!r}) is {f!r}, expected {e!r}"
        else:
            assert np.isclose(f, e, rtol=1e-5, atol=1e-37), f"{name}({x!r}) is {f!r}, expected {e!r}"


def test_functions_stay_within_their_range() -> None:
    """What is built on these bounds must hold for every input: probabilities, logarithms of them."""
    x, results = computed()
    real = ~np.isnan(x)
    for name, low, high in (
        ("tanh", -1, 1),
        ("erf", -1, 1),
        ("sigmoid", 0, 1),
        ("sin", -1.000001, 1.000001),
        ("cos", -1.000001, 1.000001),
    ):
        wide = real & (np.abs(x) < 1e4) if name in ("sin", "cos") else real
        values = results[name][wide]
        assert np.nanmin(values) >= low and np.nanmax(values) <= high, name
        assert not np.isnan(values).any(), name
