"""Quantised weights and activations while a model is trained: torch modules that round and let gradients through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from cocomp.passes.math.quantisers import Quantiser
from cocomp.passes.math.quantisers.rows import Mixture
from cocomp.passes.math.quantisers.scales import fit, fit_activation


def rounded(values: Tensor, quantiser: Quantiser) -> Tensor:
    """Numerators of values in units of the scale, as `Quantiser.round`; straight through for gradients, where values are in range."""
    inside = values.clamp(-quantiser.most, quantiser.most)
    magnitudes = torch.as_tensor(quantiser.magnitudes, dtype=values.dtype, device=values.device)
    thresholds = torch.as_tensor(quantiser.thresholds, dtype=values.dtype, device=values.device)
    found = magnitudes[torch.bucketize(inside.detach().abs(), thresholds)] * inside.detach().sign()
    return inside + (found - inside).detach()


class QuantisedRows(nn.Module):
    """A parametrization of a weight: every row is rounded by its own quantiser, at its own scale.

    places: int8[rows], of quantisers in the mixture. scales: float[rows], a parameter where it is learned (LSQ).
    """

    places: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor, mixture: Mixture, method: str) -> None:
        super().__init__()
        self.mixture, self.method, self.is_on = mixture, method, True
        rows = weight.shape[0]
        self.register_buffer("places", torch.zeros(rows, dtype=torch.int8))
        scales = torch.ones(rows, dtype=weight.dtype)
        if method == "learned":
            self.scales = nn.Parameter(scales)
        else:
            self.register_buffer("scales", scales)
        self.assign(weight.detach(), torch.as_tensor(mixture.assign(variance(weight))))

    def assign(self, weight: Tensor, places: Tensor) -> None:
        """Set each row's quantiser, and fit the scales."""
        self.places.copy_(places)
        self.refit(weight)

    def refit(self, weight: Tensor) -> None:
        """Fit the scales to a weight; those that are learned start there."""
        flat = weight.detach().reshape(len(weight), -1).double().cpu().numpy()
        method = "mse" if self.method == "learned" else self.method
        with torch.no_grad():
            for place in set(self.places.tolist()):
                chosen = (self.places == place).nonzero()[:, 0]
                found = fit(flat[chosen.cpu().numpy()], self.mixture.quantisers[place], method)
                self.scales[chosen] = torch.as_tensor(found, dtype=self.scales.dtype, device=self.scales.device)

    def numerators(self, weight: Tensor) -> Tensor:
        """Of each element, in the weight's type, with gradients to it and to the scales."""
        flat = weight.reshape(len(weight), -1) / self._scales(weight)[:, None]
        found = flat
        for place in sorted(set(self.places.tolist())):
            chosen = (self.places == place)[:, None]
            found = torch.where(chosen, rounded(flat, self.mixture.quantisers[place]), found)
        return found

    def project(self, weight: Tensor) -> Tensor:
        """The nearest weight of the set."""
        return (self.numerators(weight) * self._scales(weight)[:, None]).reshape(weight.shape)

    def _scales(self, weight: Tensor) -> Tensor:
        if self.method != "learned":
            return self.scales
        scales = self.scales.abs().clamp_min(1e-12)
        share = 1 / (weight[0].numel() * self.mixture.quantisers[1].most) ** 0.5  # LSQ's gradient scale
        return scales.detach() + (scales - scales.detach()) * share

    def forward(self, weight: Tensor) -> Tensor:
        return self.project(weight) if self.is_on else weight


class QuantisedActivation(nn.Module):
    """Rounds to `levels * scale`: 0.. 2 ** bits - 1 where nothing was negative in calibration, else of both signs.

    Says nothing while it is calibrated; after `freeze` it is the operation that `torch.export` knows, with numbers for constants.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits, self.state, self.constant = bits, "calibrating", 1.0
        self.low, self.high = 0, 2**bits - 1
        self.scale = nn.Parameter(torch.ones(()))
        self.sample: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """What the layer reads."""
        if self.state == "calibrating":
            self.sample.append(x.detach().reshape(-1))
            return x
        if self.state == "frozen":
            return torch.fake_quantize_per_tensor_affine(x, self.constant, 0, self.low, self.high)
        scale = self.scale.abs().clamp_min(1e-12)
        share = 1 / (x[0].numel() * self.high) ** 0.5
        scale = scale.detach() + (scale - scale.detach()) * share
        inside = (x * (1 / scale)).clamp(self.low, self.high)
        return (inside + (inside.round() - inside).detach()) * scale

    def settle(self) -> None:
        """Take the scale with the least squared error on what was seen. Raises ValueError where nothing was."""
        if not self.sample:
            raise ValueError("no batch came by in calibration")
        seen = torch.cat(self.sample)
        self.sample = []
        scale, self.low, self.high = fit_activation(seen.double().cpu().numpy(), self.bits)
        self._take(scale)
        self.state = "training"

    def _take(self, scale: float) -> None:
        with torch.no_grad():
            self.scale.fill_(scale)

    def freeze(self) -> None:
        """No more training."""
        self._take(abs(float(self.scale.detach())) or 1e-12)
        self.scale.requires_grad_(False)
        self.constant = float(self.scale)
        self.state = "frozen"


def variance(weight: Tensor) -> np.ndarray:
    """Of each row."""
    return weight.detach().reshape(len(weight), -1).double().var(dim=1, unbiased=False).cpu().numpy()


def row_curvature(
    loss: Callable[[], Tensor], weight: nn.Parameter, steps: int = 8, seed: int = 0, at_once: int = 32
) -> np.ndarray:
    """The largest eigenvalue, by magnitude, of the loss's second derivatives within each row of a weight; float64[rows].

    Power iteration with products that differentiation gives exactly, `at_once` rows together.
    """
    (gradient,) = torch.autograd.grad(loss(), weight, create_graph=True)
    generator = torch.Generator().manual_seed(seed)
    rows = len(weight)
    vectors = torch.randn(weight.shape, generator=generator, dtype=weight.dtype).to(weight.device).reshape(rows, -1)
    found = torch.zeros(rows, dtype=torch.float64)
    for first in range(0, rows, at_once):
        chosen = range(first, min(first + at_once, rows))
        v = torch.nn.functional.normalize(vectors[chosen.start : chosen.stop], dim=1)
        for _ in range(steps):
            product = _within_rows(gradient, weight, v, first)
            found[chosen.start : chosen.stop] = (product * v).sum(dim=1).double().cpu()
            v = torch.where(product.norm(dim=1, keepdim=True) > 0, torch.nn.functional.normalize(product, dim=1), v)
    return found.abs().numpy()


def _within_rows(gradient: Tensor, weight: nn.Parameter, vectors: Tensor, first: int) -> Tensor:
    """Products of the second derivatives within rows first, first + 1.. and a vector for each, [k, columns]."""
    count = len(vectors)
    spread = torch.zeros(count, *weight.shape, dtype=weight.dtype, device=weight.device).reshape(count, len(weight), -1)
    own = torch.arange(count)
    spread[own, first + own] = vectors
    (product,) = torch.autograd.grad(
        gradient, weight, spread.reshape(count, *weight.shape), retain_graph=True, is_grads_batched=True
    )
    return product.reshape(count, len(weight), -1)[own, first + own].detach()
