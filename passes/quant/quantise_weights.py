"""Weights on the levels of quantisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from cocomp.passes._arguments import rename_weights
from cocomp.passes.math.quantisers.rows import Mixture, find_rows, parse_mixture
from cocomp.passes.math.quantisers.scales import fit, quantise
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.passes import Pass, State

from ._joined import joined
from ._matrices import Weight, weights_of


@dataclass(frozen=True)
class QuantiseWeightsPass(Pass):
    """Round every row of the weights of contractions to its quantiser's levels, at a scale of its own.

        func @main(.., %w: tensor<..> {sparse.name = "fc.weight"})
      -->
        func @main(.., %w: tensor<..> {sparse.name = "fc.weight:quantised"})

    Rows that are on levels already, of a model that was trained so, are found and stay; a weight where one row is not is quantised
    anew: rows of the largest variance get the most bits, those of the lowest powers of two (`Mixture.assign`), and scales have the least
    squared error. Rows whose results are added up, at the end of residual blocks, get the same quantiser, so that they lie in the same order. What a row is on is in its values, so no attribute says it. Needs `fold-constants`: weights are final.
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
            block = function.regions[0].blocks[0]
            for group in joined(block, weights_of(block)):
                matrices = {w.name: _Matrix.of(w, state.weights[w.name]) for w in group}
                known = {name: find_rows(matrix.rows, mixture) for name, matrix in matrices.items()}
                given = next((found[0] for found in known.values() if found is not None), None)
                places = _assigned([m.rows for m in matrices.values()], mixture) if given is None else given
                for weight in group:
                    found = known[weight.name]
                    facts[weight.name] = np.bincount(places if found is None else found[0], minlength=3).tolist()
                    number = weight.argument.arg_number
                    if found is None and number not in names:
                        array = matrices[weight.name].quantised(places, mixture)
                        names[number] = state.weights.add(f"{weight.name}:quantised", array)
            rename_weights(function, names)


def _assigned(matrices: Sequence[np.ndarray], mixture: Mixture) -> np.ndarray:
    """The place in a mixture of each row of several weights, float[rows, n] each: int8[rows]. Of each counts how its variance compares to
    that of the weight's rows in the mean."""
    variances = [rows.var(axis=1, dtype=np.float64) for rows in matrices]
    return mixture.assign(np.sum([v / (v.mean() or 1) for v in variances], axis=0))


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A copy of a weight, and a view of it whose first axes are the rows'."""

    array: np.ndarray
    view: np.ndarray
    rows: np.ndarray
    """[rows, columns]."""

    @staticmethod
    def of(weight: Weight, array: np.ndarray) -> _Matrix:
        copy = np.array(array, order="C")
        view = weight.rows(copy)
        if view is None:
            raise CompileError(
                f"weight '{weight.name}' is read through a reshape: its rows cannot be quantised",
                where=where(weight.op),
            )
        count = prod(weight.loops.bounds[d] for d in weight.row_dims)
        return _Matrix(copy, view, view.reshape(count, -1))

    def quantised(self, places: np.ndarray, mixture: Mixture) -> np.ndarray:
        """The weight on the levels of quantisers."""
        rounded = np.empty(self.rows.shape)
        for place, quantiser in enumerate(mixture.quantisers):
            rows = places == place
            if rows.any():
                scales = fit(self.rows[rows], quantiser)
                rounded[rows] = scales[:, None] * quantise(self.rows[rows], scales, quantiser)
        self.view[...] = rounded.reshape(self.view.shape)
        return self.array
