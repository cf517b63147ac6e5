"""Poolings of inputs without a batch."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import cocomp


class Pools(nn.Module):
    def forward(self, image: torch.Tensor, volume: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (
            functional.max_pool1d(image, 2),
            functional.avg_pool1d(image, 2),
            functional.max_pool2d(image, 3, 2, 1),
            functional.avg_pool2d(image[:, :4], 3, 1, 1),
            functional.max_pool3d(volume, 2),
            functional.avg_pool3d(volume, 2),
            functional.adaptive_max_pool2d(image, 2),
        )


def test_poolings_without_a_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = (torch.randn(3, 8, 8, generator=generator), torch.randn(2, 4, 4, 4, generator=generator))
    found = cocomp.compile(Pools().eval(), inputs).load(1)(*inputs)
    for number, (actual, expected) in enumerate(zip(found, Pools()(*inputs), strict=True)):
        np.testing.assert_allclose(actual, expected.numpy(), atol=1e-6, err_msg=f"output {number}")
