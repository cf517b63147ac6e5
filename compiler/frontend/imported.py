"""What every front end hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cocomp.support.mlir import ir
from cocomp.support.weights import WeightStore

from .inputs import InputSpec

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


def module_inputs(module: ir.Module) -> list[InputSpec]:
    """Names, types and shapes of what `@main` takes beside weights."""
    main = module.body.operations[0]
    arguments = list(main.regions[0].blocks[0].arguments)
    attributes = list(main.attributes["arg_attrs"]) if "arg_attrs" in main.attributes else [{}] * len(arguments)
    inputs = [(a, v.type) for a, v in zip(attributes, arguments, strict=True) if "sparse.name" not in a]
    return [
        InputSpec(
            str(t.element_type), tuple(t.shape), a["cocomp.input"].value if "cocomp.input" in a else f"input{number}"
        )
        for number, (a, t) in enumerate(inputs)
    ]
