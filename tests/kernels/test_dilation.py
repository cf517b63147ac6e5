"""Dilated convolutions on images that are small beside the dilation: most kernel positions see padding only."""

import numpy as np
import pytest
import torch
from torch import nn

import cocomp


@pytest.mark.parametrize(
    ("dilation", "stride", "size", "share"),
    [(36, 1, (14, 14), 1 / 9), (12, 1, (14, 14), 18 / 42), (3, 2, (5, 5), 5 / 9), (7, 1, (5, 20), 1 / 3)],
)
def test_positions_in_the_padding_are_not_multiplied(
    dilation: int, stride: int, size: tuple[int, int], share: float
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 24, 3, padding=dilation, dilation=dilation, stride=stride).eval()
    x = torch.randn(2, 32, *size)
    artifact = cocomp.compile(layer, (x,))
    expected = layer(x).detach().numpy()
    np.testing.assert_allclose(artifact.load(1)(x), expected, atol=1e-5)
    direct = 2 * expected.size * 32 * 9
    assert sum(d["executed_flops"] for d in artifact.manifest["dispatches"]) <= 1.1 * share * direct
