"""What is not a number stays that through clamps, minima and maxima, as in PyTorch."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import cocomp

NAN = float("nan")


class Clamps(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (
            x.clamp(-1, 1),
            x.clamp(min=0.5),
            functional.relu(x),
            functional.relu6(x),
            functional.hardtanh(x),
            torch.maximum(x, y),
            torch.minimum(x, y),
            torch.where(x < y, x, y),
            functional.max_pool1d(x, 2),
            torch.amax(x, -1),
        )


def test_not_a_number_is_kept() -> None:
    x = torch.tensor([[NAN, 2.0, -3.0, NAN, 1.0, 0.5, 7.0, -0.5] * 3])
    y = torch.tensor([[0.0, NAN, 1.0, NAN, 2.0, 0.25, 8.0, -1.0] * 3])
    found = cocomp.compile(Clamps().eval(), (x, y)).load(1)(x, y)
    for number, (actual, expected) in enumerate(zip(found, Clamps()(x, y), strict=True)):
        np.testing.assert_array_equal(actual, expected.numpy(), err_msg=f"output {number}")
