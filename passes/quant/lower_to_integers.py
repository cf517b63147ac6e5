"""A quantised graph as an accelerator computes it, in integers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.passes.math.quantisers.rows import parse_mixture
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import ir
from cocomp.support.passes import Pass, State

from ._integers import lower


@dataclass(frozen=True)
class LowerToIntegersPass(Pass):
    """Replace floating point numbers by integers and scales.

        %q = linalg.generic ins(%x) { clamp(roundeven(x * (1 / s)), 0, 15) * s }
        %y = sparse.contract(%q, %w)
        %z = linalg.generic ins(%y, %bias) { clamp(roundeven((y + bias) * (1 / t)), 0, 15) * t }
      -->
        %z = hls.product(%q) {weights = "w", scale = t} : (tensor<..xui4>) -> tensor<..xui4>

    Contractions with weights on levels become products, with what is done to each element of the result as far as it is a
    factor for each row, a bias, rounding and clamping. Everything else becomes sweeps of integer arithmetic: sums of several tensors, products, and
    functions of one integer as tables. What is no level is rounded to 16 bits, at scales that what is seen on the example inputs fits. Inputs
    and outputs are integers; `hls.scale` says what they stand for. Needs `quantise-weights` and `quantise-activations`.
    """

    name: ClassVar[str] = "lower-to-integers"
    weights: str = "rmsmp"

    def run(self, module: ir.Module, state: State) -> None:
        try:
            mixture = parse_mixture(self.weights)
        except ValueError as error:
            raise UsageError(f"pass 'lower-to-integers': {error}") from None
        lower(module, mixture, state)
