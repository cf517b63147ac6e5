"""Layouts of concatenations whose parts hang on one another."""

import numpy as np
import torch
from torch import nn

import cocomp


class PartOfPart(nn.Module):
    """The larger part of the concatenation is computed from the smaller one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = torch.softmax(x, -1)
        large = torch.softmax(torch.tanh(small).repeat(2, 1, 1) * 3, -1)
        return torch.cat([small, large]) + 1


def test_a_part_may_be_computed_from_another_part() -> None:
    x = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    found = cocomp.compile(PartOfPart().eval(), (x,)).load(1)(x)
    np.testing.assert_allclose(found, PartOfPart()(x).numpy(), rtol=1e-5)
