"""What every front end hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cocomp.support.mlir import ir
from cocomp.support.weights import WeightStore

Array = np.ndarray


class Reference(Protocol):
    """The original of an imported model, run by the framework that it comes from."""

    @property
    def outputs(self) -> Sequence[str]:
        """Graph nodes that give the model's results, in order."""
        ...

    def values(self, inputs: Sequence[Array], nodes: set[str]) -> dict[str, Array]:
        """What the named graph nodes compute from `inputs`; a node whose value is not one tensor is left out."""
        ...


@dataclass
class Imported:
    """A model in the compiler's hands: the module of phase `imported` and the weights beside it."""

    module: ir.Module
    weights: WeightStore
    reference: Reference | None = None
    """What results are compared with, where there is something."""
    examples: Sequence[Array] = field(default_factory=tuple[Array, ...])
    """Inputs that came with the model or were made for it; empty when none are known."""
