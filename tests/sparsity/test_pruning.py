"""The projections of the pruned models keep what they promise: the share, the largest, in the promised structure."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.networks import C3D
from benchmarks.pruning import C3D_KGS, prune_columns, prune_convolutions, prune_kernel_groups, prune_layers
from cocomp.passes.math.structure import Blocks, KernelGroups, find_structure


def structure_of(weight: torch.Tensor) -> object:
    return find_structure((weight != 0).flatten(2).numpy() if weight.dim() > 2 else (weight != 0)[:, :, None].numpy())


@pytest.mark.parametrize("rate", [1.5, 4, 8, 1000])
@pytest.mark.parametrize(
    ("shape", "rows"), [((32, 16, 3, 3), 16), ((24, 40), 8), ((20, 8, 1, 1), 16), ((8, 4, 3, 3, 3), 4)]
)
def test_columns(shape: tuple[int, ...], rows: int, rate: float) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape)
    pruned = prune_columns(weight, rate, rows)
    matrix, whole = pruned.flatten(1), weight.flatten(1)
    wanted = max(1, round(matrix.shape[1] / rate))
    for first in range(0, len(matrix), rows):
        block, original = matrix[first : first + rows], whole[first : first + rows]
        kept = (block != 0).any(0)
        assert int(kept.sum()) == wanted
        assert torch.equal(block[:, kept], original[:, kept])
        assert original[:, kept].norm(dim=0).min() >= original[:, ~kept].norm(dim=0).max()
    assert torch.equal(prune_columns(pruned, rate, rows), pruned)


@pytest.mark.parametrize("removed", [0.25, 0.7, 0.9])
@pytest.mark.parametrize(("shape", "filters", "channels"), [((32, 16, 3, 3), 8, 4), ((16, 8, 3, 3, 3), 4, 2)])
def test_groups_of_kernels(shape: tuple[int, ...], filters: int, channels: int, removed: float) -> None:
    torch.manual_seed(1)
    weight = torch.randn(shape)
    pruned = prune_kernel_groups(weight, removed, filters, channels)
    kept = pruned != 0
    groups = shape[0] // filters * (shape[1] // channels) * weight[0, 0].numel()
    assert int(kept.sum()) == (groups - round(removed * groups)) * filters * channels
    assert torch.equal(pruned[kept], weight[kept])
    found = structure_of(pruned)
    assert isinstance(found, KernelGroups) and (found.rows, found.channels) == (filters, channels)


def test_first_and_depthwise_convolutions_stay_whole() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(
        *(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 32, 1), nn.Flatten(), nn.Linear(32, 4)),
    )
    prune_convolutions(model, lambda weight: prune_columns(weight, 4))
    shares = [float((m.get_parameter("weight") != 0).float().mean()) for m in model if not isinstance(m, nn.Flatten)]
    assert shares == [1, 1, 0.25, 1]
    assert structure_of(model[2].get_parameter("weight")) == Blocks(16, 16)


def test_named_layers_only() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
    prune_layers(model, {"1": 0.5})
    assert [float((m.get_parameter("weight") != 0).float().mean()) for m in model] == [1, 0.5]


def test_c3d_is_pruned_to_the_published_rate() -> None:
    """3.57 times fewer operations, without weights: sizes are enough."""
    with torch.device("meta"):
        value, layers = torch.empty(1, 3, 16, 112, 112), C3D().features
    whole = left = 0.0
    for name, layer in layers.named_children():
        value = layer(value)
        if isinstance(layer, nn.Conv3d):
            products = layer.weight.numel() * value[0, 0].numel()
            whole += products
            left += products * (1 - C3D_KGS.get(f"features.{name}", 0))
    assert whole / left == pytest.approx(3.57, abs=0.02)
