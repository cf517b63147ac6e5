"""What makes a randomly initialised network a fair test: inputs, varied parameters, calibrated batch norms."""

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def structured_inputs(inputs: Inputs) -> Inputs:
    """Inputs of the same shapes and dtypes that look like data: waves, ramps and edges, or repeating token ids.

    A wrong border, a swapped axis or a bad approximation far from zero can hide in the average over noise.
    Floats have mean 0 and deviation 1; ids stay within the range of the ids given.
    """
    return tuple(_waves(tensor) if tensor.is_floating_point() else _pattern(tensor) for tensor in inputs)


def _waves(like: Tensor) -> Tensor:
    value = torch.zeros(like.shape)
    edge = torch.ones(like.shape)
    for axis, size in enumerate(like.shape[1:], start=1):
        along = torch.linspace(0, 1, size).reshape([-1 if i == axis else 1 for i in range(like.dim())])
        value = value + torch.sin((axis + 1) * torch.pi * along) + along
        edge = edge * (along > 0.4)  # a box in one corner: edges along every axis
    value = value + 2 * edge
    return ((value - value.mean()) / value.std()).to(like.dtype)


def _pattern(like: Tensor) -> Tensor:
    distinct = like.flatten()[:7]
    return distinct.repeat(like.numel() // len(distinct) + 1)[: like.numel()].reshape(like.shape)


def vary_constants(module: nn.Module) -> None:
    """Adds noise to parameters that start constant (zero biases, unit scales, ViT's zero head).

    A compiler that drops a zero bias is right by accident. Draws from torch's global generator.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn_like(parameter), alpha=0.1 if parameter.dim() == 1 else 0.02)


def calibrate(module: nn.Module, inputs: Inputs, batches: int = 1) -> nn.Module:
    """Gives batch norms the statistics of their inputs, and returns `module` in evaluation mode.

    Fresh statistics (mean 0, variance 1) let a deep random network fade to 1e-10, where agreement means nothing.
    Each batch is one random and one structured example; only batch norms are in training mode, so no dropout.
    Draws from torch's global generator.
    """
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, BATCH_NORMS)]
    if not norms:
        return module
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
        norm.train()
    structured = structured_inputs(inputs)
    with torch.no_grad():
        for _ in range(batches):
            module(*(torch.cat((torch.randn_like(a), b)) for a, b in zip(inputs, structured, strict=True)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module.eval()
