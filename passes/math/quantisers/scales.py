"""How far apart the levels of each row are."""

from __future__ import annotations

from functools import cache

import numpy as np

from ._base import Array, Quantiser

METHODS = ("mse", "max", "dda")
STEPS = 64
"""Scales that are tried for the least squared error."""
REFINEMENTS = 8
BLOCK = 1 << 14
"""Weights that are looked at together: all that is computed of them stays in the cache."""
GLANCE = 32
"""Weights of a row that most scales are found wrong by."""
EXACT = 2.0**-20
"""Of the largest magnitude: how far a row's weights may be from levels that they are said to be on."""


def fit(rows: Array, quantiser: Quantiser, method: str = "mse") -> Array:
    """The scale of each row, float[rows, n] -> float64[rows]: a weight becomes scale * numerator.

    `max` puts the largest magnitude on the largest level; `mse` takes the least squared error, among evenly spaced scales up to
    that, then by least squares; `dda` is what is best for a normal distribution of the row's deviation. A row of zeros has scale 1.
    """
    if method not in METHODS:
        raise ValueError(f"expected one of {', '.join(METHODS)}, got '{method}'")
    values = np.asarray(rows, np.float64)
    largest = np.abs(values).max(axis=1, initial=0.0)
    top = np.where(largest > 0, largest, quantiser.most) / quantiser.most
    if method == "max":
        return top
    if method == "dda":
        deviation = np.sqrt((values**2).mean(axis=1)) if values.shape[1] else np.zeros(len(values))
        return np.where(deviation > 0, deviation * normal_scale(quantiser), 1.0)
    size = max(BLOCK // max(values.shape[1], 1), 1)
    blocks = [slice(at, at + size) for at in range(0, len(values), size)]
    return np.concatenate([_least(values[b], top[b], quantiser) for b in blocks]) if blocks else top


def _least(values: Array, top: Array, quantiser: Quantiser) -> Array:
    """The scales of rows with the least squared error."""
    best, error = top, _error(values, top, quantiser)
    for step in range(1, STEPS):
        best, error = _better(values, best, error, top * (step / STEPS), quantiser)
    for _ in range(REFINEMENTS):
        numerators = quantiser.round(values / best[:, None])
        square = (numerators**2).sum(axis=1)
        solved = np.where(square > 0, (values * numerators).sum(axis=1) / np.maximum(square, 1), best)
        best, error = _better(values, best, error, np.where(solved > 0, solved, best), quantiser)
    return best


def quantise(rows: Array, scales: Array, quantiser: Quantiser) -> Array:
    """Numerators of rows, float[rows, n] and float[rows] -> int64[rows, n]."""
    return quantiser.round(np.asarray(rows, np.float64) / np.asarray(scales, np.float64)[:, None])


def find(rows: Array, quantiser: Quantiser) -> Array:
    """The scale at which a row is on its levels already, but for rounding in single precision; not a number where it is not.
    float[rows, n] -> float64[rows]."""
    values = np.asarray(rows, np.float64)
    largest = np.abs(values).max(axis=1, initial=0.0)
    found = np.where(largest == 0, 1.0, np.nan)
    for level in quantiser.magnitudes[:0:-1]:
        open_rows = np.isnan(found).nonzero()[0]
        scales = largest[open_rows] / level
        likely = _fits(values[open_rows, :GLANCE], scales, largest[open_rows], quantiser)
        open_rows, scales = open_rows[likely], scales[likely]
        fits = _fits(values[open_rows], scales, largest[open_rows], quantiser)
        found[open_rows[fits]] = scales[fits]
    return found


def _fits(values: Array, scales: Array, largest: Array, quantiser: Quantiser) -> Array:
    """Whether the values of each row are on the levels of its scale."""
    distance = np.abs(values - scales[:, None] * quantise(values, scales, quantiser)).max(axis=1, initial=0.0)
    return distance <= EXACT * largest


def fit_activation(values: Array, bits: int) -> tuple[float, int, int]:
    """(scale, lowest and highest level) of activations: both signs where there are negative ones, and of evenly spaced scales up to the largest
    magnitude's that with the least squared error."""
    seen = np.asarray(values, np.float64).reshape(-1)
    signed = bool(seen.min(initial=0.0) < 0)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    top = float(np.abs(seen).max(initial=0.0)) / high or 1.0

    def error(scale: float) -> float:
        return float(((seen - np.clip(np.rint(seen / scale), low, high) * scale) ** 2).sum())

    return min((top * step / STEPS for step in range(STEPS, STEPS // 16 - 1, -1)), key=error), low, high


@cache
def normal_scale(quantiser: Quantiser) -> float:
    """The scale with the least squared error for the standard normal distribution, by quadrature."""
    x = np.linspace(0, 8, 8001)[None, :]
    density = np.exp(-(x**2) / 2)

    def error(scale: float) -> float:
        return float((density * (x - scale * quantiser.round(x / scale)) ** 2).sum())

    candidates = np.geomspace(0.25, 8, 400) / quantiser.most
    best = min(candidates, key=error)
    return float(min(np.linspace(0.98, 1.02, 81) * best, key=error))


def _better(values: Array, best: Array, error: Array, scales: Array, quantiser: Quantiser) -> tuple[Array, Array]:
    """Of two scales for each row the one with the smaller error, and the error."""
    found = _error(values, scales, quantiser)
    wins = found < error
    return np.where(wins, scales, best), np.where(wins, found, error)


def _error(values: Array, scales: Array, quantiser: Quantiser) -> Array:
    restored = scales[:, None] * quantise(values, scales, quantiser)
    return ((values - restored) ** 2).sum(axis=1)
