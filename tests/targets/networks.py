"""Networks of integers for tests: of a model, and of a single product."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from cocomp import dialects
from cocomp.api import import_model
from cocomp.dialects.hls import Axis, Windows
from cocomp.driver import Compilation
from cocomp.options import Options
from cocomp.passes.math import affine
from cocomp.passes.math.accelerator import Design, Gemm, IntegerType, Stage, Tiles
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.passes.math.quantisers.dyadic import Dyadic
from cocomp.support.mlir import context
from cocomp.targets.fpga.hls.emit import NAME, integers_of
from cocomp.targets.fpga.hls.network import Network, Product, Tensor, read_network
from tests.targets import accelerators

Array = np.ndarray


def network_of(
    model: str, quantize: str = "rmsmp", device: str = "xc7z020", bits: int = 4
) -> tuple[Network, list[Array]]:
    """The network of a model of `accelerators`, and its example as integers."""
    network, inputs, _ = compiled(model, quantize, device, bits)
    return network, inputs


@functools.cache
def compiled(model: str, quantize: str, device: str, bits: int) -> tuple[Network, list[Array], list[Stage]]:
    """The same, and the stages that it was estimated by."""
    module, inputs = getattr(accelerators, model)()
    made = context()
    dialects.register(made)
    imported = import_model(module, inputs, made)
    options = Options(target="fpga-hls", quantize=quantize, device=device, activation_bits=bits, compile_to="dataflow")
    compilation = Compilation(imported.module, imported.weights, options, examples=imported.examples)
    compilation.run()
    network = read_network(imported.module, imported.weights, NAME)
    return network, integers_of(network, imported.examples), compilation.facts["tile-to-device"]["stages"]


def product(
    mixture: tuple[str, str, str] = ("pot<4>", "fixed<4>", "fixed<8>"),
    rows: int = 13,
    columns: int = 21,
    pixels: int = 5,
    kinds: tuple[IntegerType, IntegerType] = (IntegerType(4, False), IntegerType(4, False)),
    factor: float = 0.02,
    seed: int = 0,
    places: tuple[int, ...] = (0, 1, 2),
) -> tuple[Gemm, Array]:
    """A random matrix product and its activations."""
    rng = np.random.default_rng(seed)
    quantisers = tuple(map(parse_quantiser, mixture))
    where = rng.choice(places, rows).astype(np.int8)
    codes = np.stack([rng.integers(0, 2 ** quantisers[p].bits, columns) for p in where]).astype(np.uint8)
    bias = rng.integers(-100, 100, rows).astype(np.int32)
    factors = tuple(Dyadic.of(float(f)) for f in factor * rng.uniform(-0.3, 1, rows))
    first, second, third = quantisers
    gemm = Gemm((first, second, third), where, codes, bias, factors, *kinds)
    return gemm, rng.integers(kinds[0].low, kinds[0].high + 1, (columns, pixels))


def alone(
    gemm: Gemm, x: Array, tiles: Tiles, multipliers: Sequence[str] | None = None, requantisers: int = 1
) -> tuple[Network, list[Array]]:
    """A network of one product, and what it reads; products are made where their quantisers want them, without `multipliers`."""
    pixels, lanes = x.shape[1], tiles.lanes
    room = -(-gemm.columns // lanes) * lanes
    read = Tensor((pixels, gemm.columns), gemm.activation, 8, 0, (room, 1), axis=1, extent=gemm.columns)
    width = 8 if gemm.output.bits <= 8 else 16
    start = pixels * room if width == 8 else 0
    made = Tensor((pixels, gemm.rows), gemm.output, width, start, (gemm.rows, 1))
    p, r, c = (affine.dim(d) for d in range(3))
    windows = Windows(1, gemm.columns, (Axis(0, 1, -1, 0, 0, pixels),))
    stage = Product(
        "product", "", read, made, gemm, (pixels, gemm.rows, gemm.columns), (p, c), (p, r), (1,), (2,), 0, windows
    )
    coarse, fine, wide = multipliers or [quantiser.core for quantiser in gemm.quantisers]
    memory = (pixels * room + (pixels * gemm.rows if width == 8 else 0), pixels * gemm.rows if width == 16 else 0, 0)
    design = Design(tiles, (coarse, fine, wide), requantisers)
    network = Network(NAME, [read], [made], ([1.0], [1.0]), [stage], memory, {}, design, {})
    return network, [x.T]
