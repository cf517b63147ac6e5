"""Element-wise operations on every type, with broadcasting and strange strides."""

from __future__ import annotations

import math

import pytest
import torch
from differential import Case, check, on_cpus_and_beside_gpus
from torch import Tensor, nn
from torch.nn import functional as F

SHAPES = [(1,), (7,), (3, 5), (2, 3, 17), (1, 31, 33), (2, 3, 5, 7)]

FLOATS = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round,
    "trunc": torch.trunc, "frac": torch.frac, "square": torch.square, "reciprocal": torch.reciprocal, "exp": torch.exp,
    "expm1": torch.expm1, "exp2": torch.exp2, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "tanh": torch.tanh,
    "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh, "atan": torch.atan, "erf": torch.erf,
    "sigmoid": torch.sigmoid, "clamp": lambda x: x.clamp(-0.5, 0.7), "clamp_min": lambda x: x.clamp(min=0.1), "pow3": lambda x: x**3,
    "pow-1": lambda x: x**-1.0, "pow0.5": lambda x: x.abs() ** 0.5, "2**x": lambda x: 2**x, "rsub": lambda x: 1 - x,
    "threshold": lambda x: F.threshold(x, 0.2, -3.0), "logit": lambda x: torch.logit(x.sigmoid() * 0.9 + 0.05),
    "nan_to_num": lambda x: torch.nan_to_num(x / (x > 0)),
}  # fmt: skip
POSITIVE = {
    "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "log": torch.log, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p,
    "acosh": lambda x: torch.acosh(x + 1), "pow": lambda x: x**1.7,
}  # fmt: skip
WITHIN_ONE = {"asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh}
ACTIVATIONS = [
    nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(), nn.SELU(), nn.CELU(0.7), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(),
    nn.Softplus(), nn.Softsign(), nn.Hardtanh(-0.3, 0.9), nn.Hardswish(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Tanhshrink(),
    nn.Softshrink(), nn.Hardshrink(), nn.GLU(1), nn.PReLU(init=0.3), nn.Dropout(), nn.Identity(),
]  # fmt: skip


def test_functions_of_one_number() -> None:
    torch.manual_seed(0)
    check(
        *(Case(name, f, (torch.randn(3, 37) * 3,)) for name, f in FLOATS.items()),
        *(Case(name, f, (torch.rand(3, 37) * 5 + 0.01,)) for name, f in POSITIVE.items()),
        *(Case(name, f, (torch.rand(3, 37) * 1.98 - 0.99,)) for name, f in WITHIN_ONE.items()),
    )


def test_activations() -> None:
    torch.manual_seed(1)
    check(*(Case(str(a), a.eval(), (torch.randn(2, 6, 11) * 4,)) for a in ACTIVATIONS))


TWO = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum,
    "atan2": torch.atan2, "fmod": torch.fmod, "remainder": torch.remainder, "floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "trunc_divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"), "pow": lambda a, b: a.abs() ** b, "lerp": lambda a, b: torch.lerp(a, b, 0.3),
    "hypot": lambda a, b: (a * a + b * b).sqrt(), "add alpha": lambda a, b: torch.add(a, b, alpha=2), "addcmul": lambda a, b: torch.addcmul(a, a, b, value=0.5),
    "addcdiv": lambda a, b: torch.addcdiv(a, a, b.abs() + 1, value=0.5), "xlogy": lambda a, b: torch.xlogy(a, b.abs()),
    "logaddexp": torch.logaddexp, "copysign": torch.copysign, "logical_xor": torch.logical_xor,
}  # fmt: skip
COMPARISONS = {
    "eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge,
}  # fmt: skip


def test_functions_of_two_numbers() -> None:
    torch.manual_seed(2)
    check(*(Case(name, f, (torch.randn(3, 37) * 3, torch.randn(3, 37) * 3)) for name, f in TWO.items()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32])
@on_cpus_and_beside_gpus
def test_comparisons_and_choices(dtype: torch.dtype, target: str, fallback: str) -> None:
    torch.manual_seed(3)
    a, b = torch.randint(-3, 4, (5, 17)).to(dtype), torch.randint(-3, 4, (5, 17)).to(dtype)
    check(
        *(Case(name, f, (a, b)) for name, f in COMPARISONS.items()),
        Case("where", torch.where, (a > b, a, b)),
        Case("masked_fill", lambda m, x: x.masked_fill(m, 2), (a > 0, b)),
        Case("max", torch.maximum, (a, b)),
        Case("clamp", lambda x: x.clamp(-1, 2), (a,)),
        Case("and", lambda x, y: (x > 0) & (y > 0) | ~(x < y) ^ (x == y), (a, b)),
        Case("to float", lambda x: x.to(torch.float32), (a,)),
        Case("to int", lambda x: x.to(torch.int32), (a,)),
        Case("to long", lambda x: x.to(torch.int64), (b,)),
        Case("to bool", lambda x: x.to(torch.bool), (a,)),
        Case("bool sum", lambda x: (x > 0).sum(1), (a,)),
        Case("any all", lambda x: ((x > 2).any(1), (x > -3).all(0)), (a,)),
        target=target,
        fallback=fallback,
    )


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@on_cpus_and_beside_gpus
def test_integers(dtype: torch.dtype, target: str, fallback: str) -> None:
    torch.manual_seed(4)
    a, b = torch.randint(-100, 100, (3, 19), dtype=dtype), torch.randint(1, 12, (3, 19), dtype=dtype)
    check(
        Case("add", torch.add, (a, b)),
        Case("sub", torch.sub, (a, b)),
        Case("mul", torch.mul, (a, b)),
        Case("neg", torch.neg, (a,)),
        Case("abs", torch.abs, (a,)),
        Case("floor divide", lambda x, y: x // y, (a, b)),
        Case("remainder", lambda x, y: x % y, (a, b)),
        Case(
            "divide by -1",
            lambda x, y: (torch.div(x, y - y.clamp(max=0) - 2, rounding_mode="trunc"), x % -1),
            (a, torch.ones_like(a)),
        ),
        Case("true divide", lambda x, y: x / y, (a, b)),
        Case("and or xor not", lambda x, y: (x & y, x | y, x ^ y, ~x), (a, b)),
        Case("shifts", lambda x, y: (x << 2, x >> 1), (a, b)),
        Case("square", lambda x: x * x, (a,)),
        Case("sum", lambda x: (x.sum(), x.sum(1)), (a,)),
        Case("max min", lambda x: (x.amax(1), x.amin(0)), (a,)),
        Case("cumsum", lambda x: x.cumsum(1), (a,)),
        Case("wraps", lambda x: x * torch.iinfo(dtype).max, (a,)),
        target=target,
        fallback=fallback,
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@on_cpus_and_beside_gpus
def test_floating_point_types(dtype: torch.dtype, target: str, fallback: str) -> None:
    torch.manual_seed(5)
    if dtype == torch.bfloat16:
        pytest.skip("artefacts have no bfloat16 tensors")
    a, b = torch.randn(3, 19, dtype=dtype), torch.randn(3, 19, dtype=dtype)
    tolerance = {torch.float64: 1e-6, torch.float32: 1e-6, torch.float16: 2e-3}[dtype]
    check(
        Case("add", torch.add, (a, b), tolerance),
        Case("mul", torch.mul, (a, b), tolerance),
        Case("div", torch.div, (a, b.abs() + 1), tolerance),
        Case("relu", torch.relu, (a,), tolerance),
        Case("exp", torch.exp, (a,), tolerance),
        Case("sum", lambda x: x.sum(1), (a,), tolerance),
        Case("to single", lambda x: x.float() * 2, (a,), tolerance),
        Case("product", torch.matmul, (a, b.T.contiguous()), tolerance),
        Case("softmax", lambda x: x.softmax(-1), (a,), tolerance),
        target=target,
        fallback=fallback,
    )


def test_broadcasting() -> None:
    torch.manual_seed(6)
    pairs = [
        ((3, 1), (1, 17)), ((1,), (5, 7)), ((2, 3, 17), (17,)), ((2, 3, 17), (3, 1)), ((2, 1, 17), (1, 33, 1)), ((1, 1, 1), (2, 5, 31)),
        ((2, 3, 5, 7), (3, 1, 1)), ((2, 3, 5, 7), (2, 1, 1, 1)), ((4, 1, 6), (4, 5, 1)),
    ]  # fmt: skip
    cases = [Case(f"{a} + {b}", lambda x, y: x * 2 + y, (torch.randn(a), torch.randn(b))) for a, b in pairs]
    cases += [Case(f"scalar on {s}", lambda x: (x + 1) * 0.5 - x / 3, (torch.randn(s),)) for s in SHAPES]
    cases.append(Case("expand", lambda x: x.expand(4, 5, 7) * 1.0, (torch.randn(5, 1),)))
    cases.append(Case("zero rank", lambda x, y: x * y, (torch.tensor(1.5), torch.randn(7))))
    check(*cases, threads=(1, 2))


def test_inputs_in_any_order_in_memory() -> None:
    torch.manual_seed(7)
    base = torch.randn(6, 10, 14)
    strange = [
        base.transpose(0, 2),
        base[::2, 1::3],
        base.permute(1, 2, 0),
        base[:, :, 3:9],
        base.flip(1),
        base[2].expand(3, 10, 14),
    ]
    check(*(Case(f"strides {x.stride()}", lambda v: v * 2 + 1, (x,)) for x in strange))


def test_special_values_pass_through() -> None:
    inf, nan = math.inf, math.nan
    x = torch.tensor(
        [0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 1e-42, 3e38, -3e38, 88.8, -88.8, 104.0, -104.0, 0.5, 2.0, 7.0]
    )
    y = torch.tensor([nan, 0.0, -0.0, inf, inf, inf, 1.0, -1e-42, 3e38, 3e38, 1.0, nan, inf, -inf, 1.0, -inf, 0.0])

    def of_one(v: Tensor) -> tuple[Tensor, ...]:
        return (v.relu(), v.abs(), v.exp(), v.sigmoid(), v.tanh(), torch.isnan(v), torch.isinf(v), torch.isfinite(v), v.sqrt(),
                v.floor(), F.silu(v), 1 / v, v.log(), v.max(), v.sum(), v.sign())  # fmt: skip

    def of_two(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        return (a + b, a * b, a / b, a > b, a == b, a != b, torch.where(a < b, a, b))

    check(Case("one", of_one, (x,)), Case("two", of_two, (x, y)))
