"""Weights on the levels of quantisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.passes._arguments import rename_weights
from cocomp.passes.math.quantisers.rows import Mixture, find_rows, parse_mixture
from cocomp.passes.math.quantisers.scales import fit, quantise
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.passes import Pass, State

from ._matrices import Weight, weights_of


@dataclass(frozen=True)
class QuantiseWeightsPass(Pass):
    """Round every row of the weights of contractions to its quantiser's levels, at a scale of its own.

        func @main(.., %w: tensor<..> {sparse.name = "fc.weight"})
      -->
        func @main(.., %w: tensor<..> {sparse.name = "fc.weight:quantised"})

    Rows that are on levels already, of a model that was trained so, are found and stay; a weight where one row is not is quantised
    anew: rows of the largest variance get the most bits, those of the lowest powers of two (`Mixture.assign`), and scales have the least
    squared error. What a row is on is in its values, so no attribute says it. Needs `fold-constants`: weights are final.
    """

    name: ClassVar[str] = "quantise-weights"
    weights: str = "rmsmp"

    def run(self, module: ir.Module, state: State) -> None:
        try:
            mixture = parse_mixture(self.weights)
        except ValueError as error:
            raise UsageError(f"pass 'quantise-weights': {error}") from None
        facts = state.facts.setdefault(self.name, {})
        for function in ops_in(module.body):
            names: dict[int, str] = {}
            for weight in weights_of(function.regions[0].blocks[0]):
                if weight.argument.arg_number in names:
                    continue
                array, counts = _quantised(weight, state.weights[weight.name], mixture)
                facts[weight.name] = counts
                if array is not None:
                    names[weight.argument.arg_number] = state.weights.add(f"{weight.name}:quantised", array)
            rename_weights(function, names)


def _quantised(weight: Weight, array: np.ndarray, mixture: Mixture) -> tuple[np.ndarray | None, list[int]]:
    """The weight on levels, None where it is already, and how many rows each quantiser has."""
    changed = np.array(array, order="C")
    view = weight.rows(changed)
    if view is None:
        raise CompileError(
            f"weight '{weight.name}' is read through a reshape: its rows cannot be quantised", where=where(weight.op)
        )
    matrix = view.reshape(int(np.prod([weight.loops.bounds[d] for d in weight.row_dims], dtype=np.int64)), -1)
    found = find_rows(matrix, mixture)
    if found is not None:
        return None, np.bincount(found[0], minlength=3).tolist()
    places = mixture.assign(matrix.var(axis=1, dtype=np.float64))
    rounded = np.empty(matrix.shape)
    for place, quantiser in enumerate(mixture.quantisers):
        rows = places == place
        if rows.any():
            scales = fit(matrix[rows], quantiser)
            rounded[rows] = scales[:, None] * quantise(matrix[rows], scales, quantiser)
    view[...] = rounded.reshape(view.shape)
    return changed, np.bincount(places, minlength=3).tolist()
