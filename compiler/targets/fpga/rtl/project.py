"""A network's products for the RTL twin of the engine: folders of a project that its Makefile simulates.

The RTL is ours, and not what Vitis makes of the C++: it says that the cores and the requantiser can be built as they are described, in how
many cycles, and what they cost. A product comes with a few of its pixels; one with more weights than simulators read in
reasonable time has its first rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator import Gemm, Tiles
from cocomp.targets.fpga.hls.network import Array, Network, Product

from .bench import write

PIXELS = 4
MOST_WEIGHTS = 1 << 14
LANES, MOST_ROWS = 4, 4


def rtl_files(network: Network, inputs: Sequence[Array]) -> dict[str, bytes]:
    """Files of `rtl/` by their paths, a folder for each product."""
    matrices = network.matrices(inputs)
    found: dict[str, bytes] = {}
    for product, matrix in zip(network.products, matrices, strict=True):
        for path, data in _files(product, matrix).items():
            found[f"rtl/{product.name}/{path}"] = data
    return found


def sample(product: Product, matrix: Array) -> tuple[Gemm, Array, Tiles]:
    """What of a product is simulated: some pixels, and all rows or the first ones."""
    gemm = product.gemm
    rows = np.arange(max(min(gemm.rows, MOST_WEIGHTS // gemm.columns), 1))
    kept = replace(
        gemm,
        places=gemm.places[rows],
        codes=gemm.codes[rows],
        bias=gemm.bias[rows],
        factors=tuple(gemm.factors[: len(rows)]),
    )
    step = max(matrix.shape[1] // PIXELS, 1)
    coarse, fine, wide = (min(n, MOST_ROWS) for n in kept.counts)
    return kept, matrix[:, ::step][:, :PIXELS], Tiles(LANES, (coarse, fine, wide))


def _files(product: Product, matrix: Array) -> dict[str, bytes]:
    gemm, x, tiles = sample(product, matrix)
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        write(gemm, tiles, x, Path(name))
        return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}
