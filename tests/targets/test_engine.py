"""The engine of an accelerator, part by part: its cores for all operands, its steps, what it keeps on chip, what it is estimated to take."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from cocomp.passes.math.accelerator import Design, IntegerType, Sweep, Tiles
from cocomp.passes.math.accelerator.design import WEIGHT_SEGMENT, units, weight_depth
from cocomp.passes.math.accelerator.stages import Product, slots_of, sweeps_of
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.targets.fpga.hls import engine, sweeps
from cocomp.targets.fpga.hls.cores import core
from cocomp.targets.fpga.hls.network import Network
from cocomp.targets.fpga.hls.network import Sweep as Loop
from cocomp.targets.fpga.hls.packing import pack
from cocomp.targets.fpga.hls.project import files, write
from cocomp.targets.fpga.hls.rungs import SANITIZED, simulate
from tests.targets.networks import alone, compiled, network_of, product

PACKING = importlib.import_module("cocomp.targets.fpga.hls.packing")
NIBBLE = IntegerType(4, signed=False)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def run(folder: Path, program: str) -> list[int]:
    """Numbers that a program prints, compiled with the headers of projects."""
    (folder / "main.cpp").write_text(program)
    shim = str(resources.files("cocomp.targets.fpga.hls") / "shim")
    subprocess.run(["g++", "-std=c++14", "-O1", "-w", f"-I{shim}", "main.cpp", "-o", "main"], cwd=folder, check=True)
    found = subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


HEAD = '#include "ap_int.h"\n#include <cstdio>\ntypedef ap_uint<4> activation_t;\n'


@needs_compiler
@pytest.mark.parametrize("text", ["fixed<4>", "fixed<3>"])
def test_packed_products_are_exact(text: str, tmp_path: Path) -> None:
    """All weights of two rows, all activations."""
    quantiser = parse_quantiser(text)
    codes = 1 << quantiser.bits
    width = quantiser.product_bits(4)
    program = f"""{HEAD}{core(quantiser, NIBBLE, "packed", "fine")}
int main() {{
  for (int a = 0; a < {codes}; a++)
    for (int b = 0; b < {codes}; b++)
      for (int x = 0; x < 16; x++) {{
        ap_int<{width}> low, high;
        multiply_fine(a, b, x, low, high);
        std::printf("%d %d\\n", (int)low, (int)high);
      }}
}}
"""
    found = np.array(run(tmp_path, program)).reshape(codes, codes, 16, 2)
    x = np.arange(16)
    expected = quantiser.table[:, None, None] * x, quantiser.table[None, :, None] * x
    assert np.array_equal(found, np.stack(np.broadcast_arrays(*expected), axis=-1))


@needs_compiler
@pytest.mark.parametrize(
    ("text", "where"),
    [("fixed<4>", "dsp"), ("fixed<4>", "fabric"), ("fixed<8>", "dsp"), ("pot<4>", "fabric"), ("sp2<4>", "fabric"), ("esb<4, 1>", "fabric")],
)  # fmt: skip
def test_products_are_exact(text: str, where: str, tmp_path: Path) -> None:
    quantiser = parse_quantiser(text)
    program = f"""{HEAD}{core(quantiser, NIBBLE, where, "wide")}
int main() {{
  for (int a = 0; a < {1 << quantiser.bits}; a++)
    for (int x = 0; x < 16; x++)
      std::printf("%d\\n", (int)multiply_wide(a, x));
}}
"""
    found = np.array(run(tmp_path, program)).reshape(-1, 16)
    assert np.array_equal(found, quantiser.table[:, None] * np.arange(16))
    assert f"impl={where}" in program


def test_products_that_are_not_made_there() -> None:
    with pytest.raises(ValueError, match="expected products of pot<4> in fabric, got dsp"):
        core(parse_quantiser("pot<4>"), NIBBLE, "dsp", "coarse")
    with pytest.raises(ValueError, match="expected packed products of at most 10 bits, got 12 of fixed<8> with ui4"):
        core(parse_quantiser("fixed<8>"), NIBBLE, "packed", "wide")


def simulated(network: Network, inputs: list[np.ndarray], folder: Path) -> str:
    write(files(network, inputs), folder)
    return simulate(folder, flags=SANITIZED)


WIDE = IntegerType(8, True)


@needs_compiler
@pytest.mark.parametrize(("rows", "together"), [((3, 1, 1), 1), ((2, 3, 1), 2), ((0, 4, 0), 4), ((5, 3, 2), 8)])
def test_rows_may_be_odd_where_products_are_packed(rows: tuple[int, int, int], together: int, tmp_path: Path) -> None:
    places = tuple(place for place in range(3) if rows[place])
    network, inputs = alone(*product(places=places), Tiles(8, rows), ("fabric", "packed", "dsp"), together)
    assert "65 sums" in simulated(network, inputs, tmp_path)


@needs_compiler
@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize("kind", [NIBBLE, WIDE])
def test_an_input_on_chip(kind: IntegerType, lanes: int, tmp_path: Path) -> None:
    """As large as its words, plane by plane, and not with a word less."""
    network, inputs = alone(*product(kinds=(kind, NIBBLE)), Tiles(lanes, (3, 2, 1)))
    words = 5 * -(-21 // lanes) * -(-kind.bits // 4)
    for capacity, held in ((words, 1), (words - 1, 0)):
        network.design = dataclasses.replace(network.design, capacity=capacity)
        walk = pack(network).layers[0]["walk"]
        assert isinstance(walk, dict) and walk["held"] == held
    network.design = dataclasses.replace(network.design, capacity=words)
    assert "65 sums" in simulated(network, inputs, tmp_path)


@needs_compiler
@pytest.mark.parametrize("kind", [NIBBLE, WIDE])
def test_the_weights_of_one_pixel_come_in_segments(
    kind: IntegerType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, inputs = alone(*product(pixels=1, kinds=(kind, NIBBLE)), Tiles(4, (9, 9, 9)))
    monkeypatch.setattr(PACKING, "WEIGHT_SEGMENT", 2)
    packed = pack(network)
    planes = kind.bits // 4
    assert packed.layers[0]["steps"] == 3 * planes and packed.most_entries == 2
    assert "13 sums" in simulated(network, inputs, tmp_path)


def test_buffers_are_as_deep_as_is_estimated() -> None:
    """Of the classifiers of a VGG, a segment; otherwise all of a row."""
    wide = 4 * (WEIGHT_SEGMENT + 9)
    for pixels, depth in ((1, WEIGHT_SEGMENT), (2, WEIGHT_SEGMENT + 9)):
        gemm, x = product(columns=wide, pixels=pixels, factor=1e-4)
        network, _ = alone(gemm, x, Tiles(4, (3, 2, 1)))
        stage = Product("product", gemm.counts, wide, 1, pixels, pixels)
        assert pack(network).most_entries == depth == weight_depth([stage], network.design.sizes) // 2


def test_channels_are_where_estimates_have_them() -> None:
    network, _ = network_of("chain")
    seen = 0
    for stage in network.products:
        for tensor in (t for t in (stage.x, stage.y) if t.order):
            maker = next(p for p in network.products if tensor.order in (p.y.order, f"{p.name}:order"))
            assert tensor.extent == slots_of(maker.gemm.counts, network.design.sizes)
            seen += 1
    assert seen > 4


def test_what_is_added_up_lies_in_one_order() -> None:
    """Residuals of a chain of blocks are read side by side."""
    network, _, stages = compiled("chain", "rmsmp", "xc7z020", 4)
    added = [s for s in network.stages if isinstance(s, Loop) and sum(t.offset >= 0 for t, _, _ in s.reads) > 1]
    assert len(added) == 2
    for sweep in added:
        assert {t.order for t, _, _ in sweep.reads if t.offset >= 0} == {sweep.y.order} and sweep.y.order
    assert not any(stage.is_apart for stage in sweeps_of(stages))


@pytest.mark.parametrize("model", ["cnn", "chain", "gru", "former", "mobile", "pruned", "joined"])
def test_sweeps_share_the_hardware_that_is_estimated(model: str) -> None:
    network, _, stages = compiled(model, "rmsmp", "xc7z020", 4)
    found = sweeps.functions(network, pack(network)).shared
    assert len(found) <= len(units(stages))
    assert model not in ("former", "mobile") or len(found) < sum(isinstance(s, Sweep) for s in stages)
    assert sum(len(f.calls) for f in found) == len([s for s in stages if isinstance(s, Sweep)])


def test_what_flows_is_as_wide_as_the_design() -> None:
    gemm, x = product()
    network, _ = alone(gemm, x, Tiles(16, (3, 2, 1)), ("fabric", "packed", "dsp"))
    design = dataclasses.replace(network.design, capacity=7, requantisers=4)
    types, source = engine.types(pack(network), design), engine.source(design, gemm.quantisers)
    assert "LANES = 16" in types and "CAPACITY = 7" in types and "ap_int<17> multiplier" in types
    assert "TOGETHER = 4, WORDS = 2" in types and "ap_int<49> product = sum * row.multiplier" in source
    assert "ap_uint<4> coarse[MOST_ENTRIES][3][16]" in source and "ap_uint<8> wide[MOST_ENTRIES][1][16]" in source
    wider = Design(Tiles(64, (3, 2, 1)), ("fabric", "packed", "dsp"), 4)
    assert "ap_uint<4> coarse[MOST_ENTRIES][6][32]" in engine.source(wider, gemm.quantisers)
