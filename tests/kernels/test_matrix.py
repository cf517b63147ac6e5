"""Linear layers, matrix products of activations, attention and what is written as einsum."""

from __future__ import annotations

import random

import pytest
import torch
from differential import Case, check
from torch import nn
from torch.nn import functional as F

EXTENTS = (1, 2, 3, 5, 7, 8, 16, 17, 31, 32, 33, 64, 100)


@pytest.mark.parametrize("seed", range(3))
def test_linear_layers(seed: int) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    cases = []
    for _ in range(10):
        inputs, outputs = rng.choice(EXTENTS), rng.choice((*EXTENTS, 130))
        lead = [rng.choice((1, 2, 3, 7, 17)) for _ in range(rng.randint(0, 3))]
        layer = nn.Linear(inputs, outputs, bias=rng.random() < 0.7)
        cases.append(Case(f"linear {lead} {inputs}->{outputs}", layer, (torch.randn(*lead, inputs),)))
    check(*cases, threads=(1, 2))


@pytest.mark.parametrize("seed", range(4))
def test_products_of_activations(seed: int) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    cases = []
    for _ in range(10):
        m, n, k = (rng.choice(EXTENTS) for _ in range(3))
        batch = [rng.choice((1, 2, 3, 5)) for _ in range(rng.randint(0, 2))]
        a, b = torch.randn(*batch, m, k), torch.randn(*batch, k, n)
        kind = rng.choice(("plain", "left transposed", "right transposed", "broadcast"))
        if kind == "left transposed":
            case = Case(f"{kind} {batch} {m}x{k}x{n}", lambda a, b: a.transpose(-1, -2) @ b, (a.mT.contiguous(), b))
        elif kind == "right transposed":
            case = Case(f"{kind} {batch} {m}x{k}x{n}", lambda a, b: a @ b.transpose(-1, -2), (a, b.mT.contiguous()))
        elif kind == "broadcast":
            case = Case(f"{kind} {batch} {m}x{k}x{n}", torch.matmul, (a, torch.randn(k, n)))
        else:
            case = Case(f"{kind} {batch} {m}x{k}x{n}", torch.matmul, (a, b))
        cases.append(case)
    check(*cases)


def test_products_of_vectors() -> None:
    torch.manual_seed(0)
    a, v, w = torch.randn(7, 33), torch.randn(33), torch.randn(33)
    check(
        Case("matrix times vector", torch.mv, (a, v)),
        Case("vector times matrix", torch.matmul, (v, a.T.contiguous())),
        Case("dot", torch.dot, (v, w)),
        Case("outer", torch.outer, (v, w)),
        Case("bmm", torch.bmm, (torch.randn(4, 5, 17), torch.randn(4, 17, 3))),
        Case("baddbmm", lambda c, a, b: torch.baddbmm(c, a, b, beta=0.5, alpha=2.0), (torch.randn(4, 5, 3), torch.randn(4, 5, 17), torch.randn(4, 17, 3))),
        Case("addmm", torch.addmm, (torch.randn(3), torch.randn(5, 17), torch.randn(17, 3))),
        Case("bilinear", nn.Bilinear(5, 7, 3), (torch.randn(2, 5), torch.randn(2, 7))),
    )  # fmt: skip


@pytest.mark.parametrize(
    "equation, shapes",
    [
        ("bhqd,bhkd->bhqk", [(2, 3, 5, 8), (2, 3, 7, 8)]),
        ("bhqk,bhkd->bqhd", [(2, 3, 5, 7), (2, 3, 7, 8)]),
        ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 6)]),
        ("bi,bj->bij", [(2, 5), (2, 7)]),
        ("bij->bji", [(2, 5, 7)]),
        ("bii->bi", [(2, 5, 5)]),
        ("bij->b", [(2, 5, 7)]),
        ("nchw,kc->nkhw", [(2, 6, 5, 5), (4, 6)]),
        ("btnh,bfnh->bnft", [(1, 5, 2, 8), (1, 7, 2, 8)]),
        ("abc,cd->abd", [(1, 17, 33), (33, 31)]),
    ],
)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    torch.manual_seed(1)
    check(Case(equation, lambda *xs: torch.einsum(equation, *xs), tuple(torch.randn(*s) for s in shapes)))


def test_attention() -> None:
    torch.manual_seed(2)

    def heads(batch: int, count: int, length: int, width: int) -> torch.Tensor:
        return torch.randn(batch, count, length, width)

    mask = torch.rand(1, 1, 9, 13) > 0.3
    mask[..., 0] = True
    attend = F.scaled_dot_product_attention
    check(
        Case("self", attend, (heads(2, 3, 17, 16), heads(2, 3, 17, 16), heads(2, 3, 17, 16))),
        Case("cross", attend, (heads(1, 2, 9, 8), heads(1, 2, 13, 8), heads(1, 2, 13, 24))),
        Case("causal", lambda q, k, v: attend(q, k, v, is_causal=True), (heads(1, 2, 33, 8),) * 3),
        Case("boolean mask", attend, (heads(2, 2, 9, 8), heads(2, 2, 13, 8), heads(2, 2, 13, 8), mask)),
        Case(
            "added mask", attend, (heads(2, 2, 9, 8), heads(2, 2, 13, 8), heads(2, 2, 13, 8), torch.randn(1, 1, 9, 13))
        ),
        Case("scale", lambda q, k, v: attend(q, k, v, scale=0.7), (heads(1, 1, 5, 7),) * 3),
        Case("one query", attend, (heads(1, 4, 1, 32), heads(1, 4, 64, 32), heads(1, 4, 64, 32))),
        Case(
            "grouped queries",
            lambda q, k, v: attend(q, k, v, enable_gqa=True),
            (heads(1, 4, 7, 8), heads(1, 2, 7, 8), heads(1, 2, 7, 8)),
        ),
    )


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` on one sequence."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, count, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


def test_transformer_layers() -> None:
    torch.manual_seed(3)
    check(
        Case("multi-head", SelfAttention(48, 4).eval(), (torch.randn(2, 17, 48),)),
        Case("encoder", nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval(), (torch.randn(2, 9, 32),)),
        Case(
            "decoder",
            nn.TransformerDecoderLayer(32, 4, 64, batch_first=True).eval(),
            (torch.randn(2, 9, 32), torch.randn(2, 5, 32)),
        ),
    )


class Recurrent(nn.Module):
    """A recurrent network: its output sequence and its last state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sequence, state = self.network(x)
        return (sequence, *(state if isinstance(state, tuple) else (state,)))


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_recurrent_networks(kind: type[nn.Module]) -> None:
    torch.manual_seed(4)
    check(
        Case("one layer", Recurrent(kind(7, 17)), (torch.randn(5, 1, 7),)),
        Case(
            "two layers, batch first", Recurrent(kind(8, 16, num_layers=2, batch_first=True)), (torch.randn(3, 4, 8),)
        ),
        Case("both directions", Recurrent(kind(5, 6, bidirectional=True)), (torch.randn(3, 2, 5),)),
        Case("no bias", Recurrent(kind(3, 4, bias=False)), (torch.randn(2, 1, 3),)),
    )


class Cell(nn.Module):
    """One step of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(7, 9)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.cell(x, (h, c))


def test_recurrent_cells() -> None:
    torch.manual_seed(5)
    check(
        Case("gru", nn.GRUCell(7, 9), (torch.randn(3, 7), torch.randn(3, 9))),
        Case("rnn", nn.RNNCell(7, 9), (torch.randn(3, 7), torch.randn(3, 9))),
        Case("lstm", Cell(), (torch.randn(3, 7), torch.randn(3, 9), torch.randn(3, 9))),
    )
