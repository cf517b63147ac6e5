"""Weights in PyTorch's sparse layouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cocomp
from cocomp.support.diagnostics import CompileError

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "coo": Tensor.to_sparse,
    "csr": Tensor.to_sparse_csr,
    "csc": Tensor.to_sparse_csc,
    "bsr": lambda w: w.to_sparse_bsr((4, 4)),
}
PRODUCTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linear": lambda w, x: nn.functional.linear(x, w),
    "matmul": lambda w, x: (w @ x.t()).t(),
    "sparse.mm": lambda w, x: torch.sparse.mm(w, x.t()).t(),
}


class Product(nn.Module):
    """A product with a weight that is a parameter or a buffer."""

    def __init__(self, weight: Tensor, product: str, kind: str) -> None:
        super().__init__()
        self.product = PRODUCTS[product]
        if kind == "parameter":
            self.weight: Tensor = nn.Parameter(weight, requires_grad=False)
        else:
            self.register_buffer("weight", weight, persistent=kind == "saved buffer")

    def forward(self, x: Tensor) -> Tensor:
        return self.product(self.weight, x)


def blocks() -> Tensor:
    """A weight of which a quarter of the 4x4 blocks is kept."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(16, 24, generator=generator) < 0.25
    return torch.randn(64, 96, generator=generator) * mask.repeat_interleave(4, 0).repeat_interleave(4, 1)


@pytest.mark.filterwarnings("ignore")  # sparse layouts are in beta, says PyTorch
@pytest.mark.parametrize(
    ("layout", "product", "kind"),
    [
        ("coo", "linear", "parameter"),
        ("csr", "linear", "parameter"),
        ("csr", "sparse.mm", "saved buffer"),
        ("csc", "matmul", "buffer"),
        ("bsr", "linear", "parameter"),
        ("coo", "sparse.mm", "buffer"),
    ],
)
def test_sparse_weights_are_compiled_as_what_they_hold(layout: str, product: str, kind: str) -> None:
    model, x = Product(LAYOUTS[layout](blocks()), product, kind).eval(), torch.randn(8, 96)
    program = torch.export.export(model, (x,))
    artifact = cocomp.compile(program, (x,))
    with artifact.load(1) as loaded:
        np.testing.assert_allclose(loaded(x), model(x).numpy(), rtol=1e-4, atol=1e-4)
    (kernel,) = (k for k in artifact.manifest["dispatches"] if k["flops"])
    assert kernel["facts"]["encoding"] != "dense"
    assert program.state_dict.get("weight", model.weight).layout == model.weight.layout  # the caller's is not touched


@pytest.mark.filterwarnings("ignore")
def test_sparse_inputs_are_refused() -> None:
    class Spread(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sparse.mm(x, torch.ones(96, 2))

    with pytest.raises(CompileError, match=r"input 'x' has the layout torch.sparse_csr"):
        cocomp.compile(Spread(), (blocks().to_sparse_csr(),))
