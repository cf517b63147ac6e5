"""Matrix products to test with."""

from __future__ import annotations

import numpy as np

from cocomp.passes.math.accelerator import Gemm, IntegerType
from cocomp.passes.math.quantisers import Fixed, Pot, Quantiser
from cocomp.passes.math.quantisers.dyadic import Dyadic

UI4 = IntegerType(4, signed=False)
RMSMP: tuple[Quantiser, Quantiser, Quantiser] = (Pot(4, "log"), Fixed(4), Fixed(8))


def random_gemm(
    seed: int,
    places: list[int],
    columns: int,
    quantisers: tuple[Quantiser, Quantiser, Quantiser] = RMSMP,
    activation: IntegerType = UI4,
    output: IntegerType = UI4,
) -> Gemm:
    """Any codes, also those that are never written, factors that use the range of the outputs and go beyond it."""
    rng = np.random.default_rng(seed)
    bits = np.array([quantisers[place].bits for place in places])
    codes = rng.integers(0, 1 << bits[:, None], (len(places), columns)).astype(np.uint8)
    most = [quantisers[place].most * (activation.high - activation.low) * columns**0.5 for place in places]
    factors = tuple(Dyadic.of(float(rng.normal()) * (output.high - output.low + 1) / m) for m in most)
    bias = np.array([rng.integers(-int(m), int(m) + 1) for m in most], np.int32)
    return Gemm(quantisers, np.array(places, np.int8), codes, bias, factors, activation, output)


def random_activations(seed: int, gemm: Gemm, pixels: int) -> np.ndarray:
    """int64[K, pixels] of the whole range, both ends in it."""
    rng = np.random.default_rng(seed)
    x = rng.integers(gemm.activation.low, gemm.activation.high + 1, (gemm.columns, pixels))
    x[:, 0] = gemm.activation.high
    x[:, -1] = gemm.activation.low
    return x
