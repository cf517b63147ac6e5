"""Pruning by magnitude onto the structures of GRIM and RT3D: what the pruned models of the zoo are made with.

The zeros alone tell the structure; nothing is handed to the compiler beside the weights.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

BLOCK_ROWS = 16
"""Filters that share their kept columns: the width of the widest register, see the block-size search of GRIM."""
C3D_KGS = {"features.3": 0.85, "features.6": 0.80, "features.8": 0.85, "features.13": 0.80}
"""Share of kernel positions that RT3D's released C3D removes from conv2, conv3a, conv3b and conv4b: 3.57x fewer operations."""


def prune_columns(weight: Tensor, rate: float, rows: int = BLOCK_ROWS) -> Tensor:
    """BCR: every block of `rows` filters keeps 1/rate of the columns of its matrix, those of the largest L2 norm."""
    matrix = weight.reshape(weight.shape[0], -1)
    kept = max(1, round(matrix.shape[1] / rate))
    pruned = torch.zeros_like(matrix)
    for first in range(0, len(matrix), rows):
        block = matrix[first : first + rows]
        columns = block.norm(dim=0).topk(kept).indices
        pruned[first : first + rows, columns] = block[:, columns]
    return pruned.reshape(weight.shape)


def prune_kernel_groups(weight: Tensor, removed: float, filters: int = 8, channels: int = 4) -> Tensor:
    """KGS: groups of `filters` x `channels` kernels lose the same positions, those below one threshold a layer."""
    rows, depth = weight.shape[:2]
    groups = weight.reshape(rows // filters, filters, depth // channels, channels, -1)
    norms = groups.pow(2).sum(dim=(1, 3))
    threshold = norms.flatten().kthvalue(round(removed * norms.numel())).values
    return (groups * (norms > threshold)[:, None, :, None]).reshape(weight.shape)


def prune_convolutions(module: nn.Module, prune: Callable[[Tensor], Tensor]) -> nn.Module:
    """Prune every convolution but the first and depth-wise ones, in place."""
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Conv3d) and m.groups == 1]
    for layer in convolutions[1:]:
        layer.weight.data = prune(layer.weight.data)
    return module


def prune_layers(module: nn.Module, removed: Mapping[str, float]) -> nn.Module:
    """KGS in the named layers, in place."""
    for name, share in removed.items():
        layer = module.get_submodule(name)
        weight = layer.get_parameter("weight")
        weight.data = prune_kernel_groups(weight.data, share)
    return module
