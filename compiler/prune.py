"""Prune a torch.nn.Module by magnitude to an encoding that compiles well, and keep it so while it is trained on.

    from cocomp import prune

    prune.project(model, "bcr<16, all>", rate=8)     # every layer but the first convolution keeps 1/8
    ...                                              # fine-tune as usual: what is pruned stays zero
    prune.finish(model)                              # plain weights again, with the zeros in them

Masks are those of `torch.nn.utils.prune`, so that state dicts, optimizers and other tools see what they know. Nothing is
handed to the compiler beside the weights: it finds the zeros itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune as masks

from cocomp.passes.math.encodings import Encoding, parse_encoding
from cocomp.support.diagnostics import UsageError

Array = np.ndarray
Layers = Collection[str] | Callable[[str, nn.Module], bool] | None
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def project(
    model: nn.Module,
    encoding: str | Encoding,
    rate: float | Mapping[str, float],
    layers: Layers = None,
    scope: str = "layer",
) -> dict[str, float]:
    """Set the weights of the smallest norm to zero, in units that `encoding` can leave out; a mask keeps them there.

    encoding: such as `bcr<16, all>`, `kgs<8, 4>`, `pattern<4, 8>`, `nm<2, 4>`, `block<4, 1>`, `channel`, `filter`, `csr`.
    rate: elements for each one that is kept; or a rate for each layer by name, and no other layer is touched.
    layers: names of layers, or a function (name, module) -> bool. Without it all convolutions but the first and
        depth-wise ones, all linear layers but the last, all recurrent layers.
    scope: `layer`, every layer at the rate; or `global`, one threshold for all, so that layers of small weights lose more.

    Returns the share of elements that each weight keeps, by name. Raises UsageError for what does not fit.
    """
    chosen = _parsed(encoding)
    rates = rate if isinstance(rate, Mapping) else None
    wanted = list(rates) if rates is not None else layers
    for value in rates.values() if rates is not None else [rate]:
        if not isinstance(value, int | float) or value < 1:
            raise UsageError(f"expected a rate of at least 1, got {value}")
    if scope not in ("layer", "global") or (scope == "global" and rates is not None):
        raise UsageError(f"expected scope layer, or global with one rate, got {scope}")
    weights = list(_weights(model, wanted))
    if not weights:
        raise UsageError("there is nothing to prune: expected convolutions, linear or recurrent layers")
    arrays = {(layer, name): _matrix(module, name) for layer, module, name in weights}
    thresholds = _global_threshold(arrays, chosen, rate) if scope == "global" else None
    kept: dict[str, float] = {}
    for layer, module, name in weights:
        weight = arrays[layer, name]
        own = rates[layer] if rates is not None else rate
        assert not isinstance(own, Mapping)
        try:
            mask = chosen.project(weight, own) if thresholds is None else chosen.scores(weight) >= thresholds
        except ValueError as error:
            raise UsageError(f"layer '{layer}': {error}") from None
        parameter = getattr(module, name)
        shaped = torch.from_numpy(mask.reshape(parameter.shape)).to(parameter.device, parameter.dtype)
        masks.custom_from_mask(module, name, shaped)
        kept[f"{layer}.{name}" if layer else name] = float(mask.mean())
    return kept


def finish(model: nn.Module) -> nn.Module:
    """Make masked weights plain ones, with the zeros in them; returns the model."""
    for module in model.modules():
        for name in [n.removesuffix("_mask") for n, _ in module.named_buffers(recurse=False) if n.endswith("_mask")]:
            if hasattr(module, f"{name}_orig"):
                masks.remove(module, name)
    return model


def _parsed(encoding: str | Encoding) -> Encoding:
    try:
        found = parse_encoding(encoding) if isinstance(encoding, str) else encoding
    except ValueError as error:
        raise UsageError(str(error)) from None
    if isinstance(found, type):
        from cocomp.passes.math.encodings import usage

        raise UsageError(f"expected {usage(found)}, got '{encoding}'")
    return found


def _weights(model: nn.Module, layers: Layers) -> Iterator[tuple[str, nn.Module, str]]:
    """(layer, module, name of the parameter) of what is to be pruned."""
    named = {name: module for name, module in model.named_modules() if _parameters(module)}
    if layers is None:
        convolutions = [name for name, module in named.items() if isinstance(module, CONVOLUTIONS)]
        linear = [name for name, module in named.items() if isinstance(module, nn.Linear)]
        left_out = {*convolutions[:1], *linear[-1:]} if len(named) > 1 else set[str]()
        chosen = [name for name in named if name not in left_out]
    elif callable(layers):
        chosen = [name for name, module in named.items() if layers(name, module)]
    else:
        unknown = sorted(set(layers) - named.keys())
        if unknown:
            raise UsageError(f"no layer '{unknown[0]}' that can be pruned; there are {', '.join(named) or 'none'}")
        chosen = list(layers)
    for layer in chosen:
        for name in _parameters(named[layer]):
            yield layer, named[layer], name


def _parameters(module: nn.Module) -> list[str]:
    """Names of the weights of a layer that can be pruned."""
    if isinstance(module, CONVOLUTIONS):
        return ["weight"] if module.weight[0].numel() > module.weight[0, 0].numel() else []
    if isinstance(module, nn.Linear):
        return ["weight"]
    return [n for n in module._flat_weights_names if n.startswith("weight")] if isinstance(module, nn.RNNBase) else []


def _matrix(module: nn.Module, name: str) -> Array:
    """A weight as float[rows, channels, positions]."""
    weight: Any = getattr(module, name).detach().cpu().float().numpy()
    return weight.reshape(*weight.shape[:2], -1)


def _global_threshold(arrays: Mapping[Any, Array], encoding: Encoding, rate: Any) -> float:
    """The score below which elements go, so that all weights together keep 1/rate."""
    try:
        scores = np.concatenate([encoding.scores(weight).ravel() for weight in arrays.values()])
    except ValueError as error:
        raise UsageError(str(error)) from None
    count = max(1, round(scores.size / rate))
    return float(np.partition(scores, scores.size - count)[scores.size - count])


__all__ = ["finish", "project"]
