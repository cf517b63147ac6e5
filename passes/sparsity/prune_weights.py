"""Weights as they would be after pruning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import structured
from cocomp.passes._arguments import rename_weights
from cocomp.passes.kernel._mask import weight_view
from cocomp.passes.math.encodings import Encoding, parse_encoding, usage
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class PruneWeightsPass(Pass):
    """Set weights of contractions to zero by magnitude, in units of `encoding`, until one in `rate` elements is kept.

        func @main(.., %w: tensor<..> {sparse.name = "fc.weight"})
      -->
        func @main(.., %w: tensor<..> {sparse.name = "fc.weight:pruned"})

    The results of the model are no longer what they were: this is for those who want to know how fast a pruned model would
    be (`cocomp-advise --measure`). Leaves weights alone that have an encoding already, that are depth-wise, or that the
    encoding does not fit. Needs `fold-constants`.
    """

    name: ClassVar[str] = "prune-weights"
    encoding: str = "csr"
    rate: float = 1.0

    def run(self, module: ir.Module, state: State) -> None:
        encoding = _parsed(self.encoding)
        if not self.rate >= 1:
            raise UsageError(f"pass 'prune-weights': expected a rate from 1, got {self.rate:g}")
        for function in ops_in(module.body):
            pruned: dict[int, str] = {}
            for op in ops_in(function.regions[0].blocks[0]):
                if not structured.is_contract(op):
                    continue
                loops = structured.loops_of(op)
                weight, index = structured.through_views(op.operands[1], loops.maps[1], loops.bounds)
                name = structured.weight_name(weight)
                if name is None or weight.type.encoding is not None or weight.arg_number in pruned:
                    continue
                loops = dataclasses.replace(loops, maps=(loops.maps[0], index, loops.maps[2]))
                array = _pruned(state.weights[name], loops, encoding, self.rate)
                pruned[weight.arg_number] = state.weights.add(f"{name}:pruned", array)
            rename_weights(function, pruned)


def _pruned(weight: np.ndarray, loops: structured.Loops, encoding: Encoding, rate: float) -> np.ndarray:
    copy = np.array(weight, order="C")
    found = weight_view(copy, loops)
    if found is None:
        return weight
    view, extents = found
    if extents[1] * extents[2] == 1:
        return weight
    try:
        kept = encoding.project(view.reshape(extents), rate)
    except ValueError:
        return weight
    view *= kept.reshape(view.shape)
    return copy


def _parsed(text: str) -> Encoding:
    try:
        found = parse_encoding(text)
    except ValueError as error:
        raise UsageError(f"pass 'prune-weights': {error}") from None
    if isinstance(found, type):
        raise UsageError(f"pass 'prune-weights': expected {usage(found)}, got '{text}'")
    return found
