"""Quantise a torch.nn.Module row by row for FPGAs, and train it so.

    from cocomp import quantize

    q = quantize.prepare(model, "rmsmp:60:35:5", activation_bits=4)
    q.calibrate(batches)                                  # ranges of activations
    for epoch in range(epochs):
        q.begin_epoch(epoch, lambda: loss(model(x), y))   # every tenth epoch rows are assigned again, by curvature and variance
        for x, y in batches:
            (loss(model(x), y) + q.penalty()).backward()  # any optimizer, any loop
            ...
        q.end_epoch()
    q.finish()                                            # weights on their levels, activations rounded: ready for torch.export

Weights are rounded straight through (`method="ste"`), or drawn to their levels by ADMM as MSQ does (`method="admm"`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cocomp.fake_quant import QuantisedActivation, QuantisedRows, row_curvature, variance
from cocomp.passes.math.quantisers.rows import Mixture, parse_mixture
from cocomp.support.diagnostics import UsageError

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.GRUCell, nn.LSTMCell)
REASSIGN_EVERY = 10
"""Epochs."""
METHODS = ("ste", "admm")
SCALES = ("mse", "max", "dda", "learned")
Loss = Callable[[], Tensor]


def prepare(
    model: nn.Module,
    weights: str = "rmsmp",
    activation_bits: int = 4,
    input_bits: int = 8,
    scale: str = "mse",
    method: str = "ste",
    layers: Collection[str] | None = None,
) -> Quantisation:
    """Quantise the weights of convolutions, linear layers and recurrent cells, and what these read.

    weights: `rmsmp`, with a ratio `rmsmp:65:30:5`, or a quantiser such as `fixed<4>`, `pot<4>`, `sp2<4>`, `esb<4, 1>`, `apot<4>` for all rows.
    activation_bits: of what a layer reads; `input_bits` of what the first one does. Scales of activations are learned.
    scale: of each row's levels: `mse`, `max`, `dda`, fitted again at every epoch, or `learned`.
    layers: their names; all without it.
    Raises UsageError for what does not fit.
    """
    try:
        mixture = parse_mixture(weights)
    except ValueError as error:
        raise UsageError(str(error)) from None
    for what, given, known in (("method", method, METHODS), ("scale", scale, SCALES)):
        if given not in known:
            raise UsageError(f"expected {what} {', '.join(known[:-1])} or {known[-1]}, got {given}")
    for what, bits in (("activation_bits", activation_bits), ("input_bits", input_bits)):
        if not 2 <= bits <= 8:
            raise UsageError(f"expected {what} from 2 to 8, got {bits}")
    named = {name: module for name, module in model.named_modules() if isinstance(module, LAYERS)}
    strange = sorted(set(layers or ()) - set(named))
    if strange:
        raise UsageError(f"there is no layer '{strange[0]}' to quantise: expected some of {', '.join(named) or 'none'}")
    chosen = [(n, m) for n, m in named.items() if layers is None or n in layers]
    if not chosen:
        raise UsageError("there is nothing to quantise: expected convolutions, linear layers or recurrent cells")
    made = Quantisation(model, mixture, method)
    for number, (name, module) in enumerate(chosen):
        made.add(name, module, scale, input_bits if number == 0 else activation_bits)
    return made


@dataclass
class Weight:
    """A weight that is quantised."""

    layer: str
    module: nn.Module
    name: str
    rows: QuantisedRows
    target: Tensor | None = None
    """ADMM's Z: the nearest weight of the set to the last W + U."""
    dual: Tensor | None = None

    @property
    def label(self) -> str:
        return f"{self.layer}.{self.name}" if self.layer else self.name

    @property
    def original(self) -> nn.Parameter:
        """What is trained."""
        found = self.module.get_submodule(f"parametrizations.{self.name}").original
        assert isinstance(found, nn.Parameter)
        return found


@dataclass
class Rows:
    """A quantised weight: row r is `scales[r] * quantisers[places[r]].decode(codes[r])`."""

    mixture: Mixture
    places: np.ndarray
    scales: np.ndarray
    codes: np.ndarray


@dataclass
class Quantisation:
    """A model whose weights and activations are quantised in training."""

    model: nn.Module
    mixture: Mixture
    method: str
    weights: list[Weight] = field(default_factory=list[Weight])
    activations: dict[str, QuantisedActivation] = field(default_factory=dict[str, QuantisedActivation])

    def add(self, layer: str, module: nn.Module, scale: str, bits: int) -> None:
        """Quantise a layer."""
        for name in [n for n, p in module.named_parameters(recurse=False) if n.startswith("weight") and p.dim() > 1]:
            parameter = getattr(module, name)
            rows = QuantisedRows(parameter, self.mixture, scale)
            rows.is_on = self.method == "ste"
            parametrize.register_parametrization(module, name, rows)
            self.weights.append(Weight(layer, module, name, rows))
        self.activations[layer] = QuantisedActivation(bits)
        module.add_module("input_quantiser", self.activations[layer])
        module.register_forward_pre_hook(_quantise_input)

    def calibrate(self, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> None:
        """See what activations are like, in evaluation mode; from then on they are rounded. Raises UsageError where nothing was seen."""
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            for batch in batches:
                self.model(*batch) if isinstance(batch, tuple) else self.model(batch)
        self.model.train(training)
        for layer, activation in self.activations.items():
            try:
                activation.settle()
            except ValueError as error:
                raise UsageError(f"layer '{layer}': {error}") from None

    def assign(self, loss: Loss | None = None) -> None:
        """Give every row its quantiser: by curvature of the loss and variance, or without a loss by variance alone."""
        for weight in self.weights:
            importance = None if loss is None else row_curvature(loss, weight.original)
            places = weight.rows.mixture.assign(variance(weight.original), importance)
            weight.rows.assign(weight.original.detach(), torch.as_tensor(places))

    def begin_epoch(self, epoch: int, loss: Loss | None = None, every: int = REASSIGN_EVERY) -> None:
        """Assign rows again in every tenth epoch, else fit the scales that are not learned; `loss` is of some batch."""
        if epoch % every == 0:
            self.assign(loss)
        else:
            for weight in self.weights:
                if weight.rows.method != "learned":
                    weight.rows.refit(weight.original.detach())
        for weight in self.weights if self.method == "admm" else ():
            weight.dual = torch.zeros_like(weight.original) if weight.dual is None else weight.dual
            weight.target = weight.rows.project(weight.original.detach() + weight.dual).detach()

    def penalty(self, rho: float = 1.0) -> Tensor:
        """What ADMM adds to the loss: rho / 2 * |W - Z + U|^2; zero for `ste`."""
        found = torch.zeros((), device=next(self.model.parameters()).device)
        for weight in self.weights:
            if weight.target is not None and weight.dual is not None:
                found = found + rho / 2 * (weight.original - weight.target + weight.dual).square().sum()
        return found

    def end_epoch(self) -> None:
        """ADMM's step: U grows by W - Z. Z becomes what is nearest to W + U when the next epoch begins."""
        for weight in self.weights:
            if weight.target is not None and weight.dual is not None:
                weight.dual = weight.dual + weight.original.detach() - weight.target

    def finish(self) -> dict[str, Rows]:
        """Round for good: plain weights on their levels, activations with constant scales. Returns what each weight is, by name."""
        found: dict[str, Rows] = {}
        for weight in self.weights:
            found[weight.label] = self._rows(weight)
            weight.rows.is_on = True
            parametrize.remove_parametrizations(weight.module, weight.name, leave_parametrized=True)
        for activation in self.activations.values():
            activation.freeze()
        return found

    def _rows(self, weight: Weight) -> Rows:
        with torch.no_grad():
            numerators = weight.rows.numerators(weight.original).round().long().cpu().numpy()
        places = weight.rows.places.cpu().numpy()
        codes = np.zeros(numerators.shape, np.uint8)
        for place, quantiser in enumerate(self.mixture.quantisers):
            codes[places == place] = quantiser.encode(numerators[places == place])
        scales = weight.rows.scales.detach().abs().double().cpu().numpy()
        return Rows(self.mixture, places, scales, codes)

    def __iter__(self) -> Iterator[Weight]:
        return iter(self.weights)


def _quantise_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    quantiser = module.get_submodule("input_quantiser")
    first, *rest = inputs
    return (quantiser(first), *rest)
