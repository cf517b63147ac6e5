"""The emitted C++ computes what numpy does, bit by bit, and its test bench notices where it does not."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import IntegerType, Tiles
from cocomp.passes.math.quantisers import Quantiser, parse_quantiser
from cocomp.support.diagnostics import CompileError
from cocomp.targets.fpga.hls.cores import core, product_bits
from cocomp.targets.fpga.hls.packing import pack
from cocomp.targets.fpga.hls.project import files, write
from cocomp.targets.fpga.hls.rungs import SANITIZED, simulate, verify_csim
from cocomp.targets.fpga.rtl import verify_rtl
from cocomp.targets.fpga.rtl.project import rtl_files, sample
from tests.targets.networks import alone, network_of, product

GOLDEN = Path(__file__).parents[1] / "golden" / "hls"
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="no iverilog")
MODELS = ("cnn", "chain", "gru", "former", "mobile", "pruned", "joined")
TILES = Tiles(4, (3, 2, 1))


CASES = {
    "rmsmp": product(),
    "fabric": product(("sp2<4>", "apot<4>", "esb<4, 1>"), kinds=(IntegerType(4, True), IntegerType(8, True))),
    "wide": product(("esb<8, 4>", "apot<7>", "sp2<8>"), 5, 9, 3, (IntegerType(8, True), IntegerType(8, True)), 1e-5),
    "one kind": product(rows=4, columns=1, pixels=1, places=(1,)),
    "saturating": product(kinds=(IntegerType(8, False), IntegerType(4, True)), factor=1.0, places=(0, 2)),
    "sixteen bits": product(kinds=(IntegerType(3, True), IntegerType(16, False)), factor=1.0),
}


@needs_compiler
@pytest.mark.parametrize("name", CASES)
def test_the_simulation_is_exact(name: str, tmp_path: Path) -> None:
    gemm, x = CASES[name]
    network, inputs = alone(gemm, x, TILES)
    write(files(network, inputs), tmp_path)
    count = x.shape[1] * gemm.rows
    expected = f"{count} sums and {count} numbers of 1 stages are as they should be"
    assert simulate(tmp_path, flags=SANITIZED) == expected
    if name == "saturating":
        outputs = gemm.run(x)
        assert outputs.min() == gemm.output.low and outputs.max() == gemm.output.high


@needs_compiler
@pytest.mark.parametrize("model", MODELS)
def test_networks_are_exact(model: str, tmp_path: Path) -> None:
    """Every sum of every product and every number of every stage, under sanitizers."""
    network, inputs = network_of(model)
    write(files(network, inputs), tmp_path)
    assert f"of {len(network.stages)} stages are as they should be" in simulate(tmp_path, flags=SANITIZED)


@needs_compiler
def test_what_is_loaded_counts(tmp_path: Path) -> None:
    """Tables that a function loads, and constants in memory: wrong ones are noticed."""
    network, inputs = network_of("loaded")
    made = files(network, inputs)
    write(made, tmp_path)
    assert b"const four_t four = parameters[p" in made["src/sweeps.cpp"]
    (constant,) = network.constants
    count = len(made["src/weights/constants.bin"])
    assert count == 4 * constant.shape[0] * constant.shape[1]
    assert json.loads(made["manifest.json"])["constants"][0]["offset"] == constant.offset
    assert "of 6 stages are as they should be" in simulate(tmp_path, flags=SANITIZED)
    entries = len(pack(network).parameters)  # what comes after those of products
    for file, at, size in (("constants.bin", 11, 1), ("parameters.bin", 4 * entries, 4 * 12290)):
        path, right = tmp_path / "src" / "weights" / file, made[f"src/weights/{file}"]
        path.write_bytes(right[:at] + b"\x55" * size + right[at + size :])
        command = ["build/csim", "tb", "src/weights"]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.returncode == 1 and "expected" in said.stderr, file
        path.write_bytes(right)


@needs_compiler
@pytest.mark.parametrize(("quantize", "bits"), [("fixed<4>", 4), ("esb<4, 1>", 4), ("sp2<4>", 8)])
def test_any_quantiser_is_exact(quantize: str, bits: int, tmp_path: Path) -> None:
    network, inputs = network_of("cnn", quantize, bits=bits)
    verify_csim(network, inputs, tmp_path)


@needs_compiler
@pytest.mark.skipif(
    importlib.util.find_spec("hls4ml") is None, reason="hls4ml, which brings ap_int.h, is not installed"
)
def test_the_simulation_is_exact_with_other_headers(tmp_path: Path) -> None:
    found = importlib.util.find_spec("hls4ml")
    assert found is not None and found.origin is not None
    include = Path(found.origin).parent / "templates" / "vivado" / "ap_types"
    for model in ("cnn", "former", "mobile", "loaded"):
        network, inputs = network_of(model)
        verify_csim(network, inputs, tmp_path / model, include)


@needs_compiler
@settings(deadline=None, max_examples=5, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 4), st.integers(1, 6), st.tuples(*[st.integers(1, 3)] * 3))
def test_any_size_is_exact(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    columns: int,
    pixels: int,
    lanes: int,
    tile: tuple[int, int, int],
) -> None:
    gemm, x = product(rows=rows, columns=columns, pixels=pixels, seed=rows * columns)
    network, inputs = alone(gemm, x, Tiles(lanes, tile))
    verify_csim(network, inputs, tmp_path_factory.mktemp("csim"))


@needs_compiler
def test_one_wrong_byte_is_noticed(tmp_path: Path) -> None:
    """Of what the bench expects, what it gives, and the weights."""
    network, inputs = alone(*CASES["rmsmp"], TILES)
    write(files(network, inputs), tmp_path)
    simulate(tmp_path)
    for file, what in (
        ("tb/golden_sums.bin", "sum of row 4, pixel 1: expected"),
        ("tb/golden_tensors.bin", "number 17: expected"),
        ("tb/in.bin", "sum of row"),
        ("src/weights/codes.bin", "sum of row"),
    ):
        path = tmp_path / file
        before = path.read_bytes()
        path.write_bytes(before[:68] + bytes([before[68] ^ 3]) + before[69:])
        said = subprocess.run(
            ["build/csim", "tb", "src/weights"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said.returncode == 1 and what in said.stderr, file
        path.write_bytes(before)
    with pytest.raises(CompileError, match="the simulation failed: product: number 0: expected"):
        (tmp_path / "tb" / "golden_tensors.bin").write_bytes(
            bytes([9]) + before[1:][:0] + (tmp_path / "tb" / "golden_tensors.bin").read_bytes()[1:]
        )
        simulate(tmp_path)


@needs_compiler
def test_a_file_of_the_bench_has_to_be_whole(tmp_path: Path) -> None:
    network, inputs = alone(*CASES["rmsmp"], TILES)
    write(files(network, inputs), tmp_path)
    golden = tmp_path / "tb" / "golden_sums.bin"
    golden.write_bytes(golden.read_bytes()[:-1])
    with pytest.raises(CompileError, match="golden_sums.bin: expected 260 bytes, got 259"):
        simulate(tmp_path)
    golden.write_bytes(golden.read_bytes() + bytes(2))
    with pytest.raises(CompileError, match="golden_sums.bin: expected 260 bytes, got more than 260"):
        simulate(tmp_path)
    golden.unlink()
    with pytest.raises(CompileError, match="golden_sums.bin: cannot be read"):
        simulate(tmp_path)


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match="the simulation needs make: apt-get install make"):
        simulate(tmp_path)


def test_inputs_have_to_be_of_their_type() -> None:
    network, inputs = alone(*CASES["rmsmp"], TILES)
    with pytest.raises(ValueError, match=r"input: expected 0 to 15 \(ui4\), got 16"):
        files(network, [np.where(inputs[0] == inputs[0].max(), 16, inputs[0])])


@needs_icarus
@pytest.mark.parametrize("model", ["cnn", "gru", "former", "chain"])
def test_products_of_networks_are_those_of_the_twin(model: str, tmp_path: Path) -> None:
    """The RTL twin of the engine computes every product of a network from what the network gives it."""
    network, inputs = network_of(model)
    for number, (stage, matrix) in enumerate(zip(network.products, network.matrices(inputs), strict=True)):
        gemm, x, tiles = sample(stage, matrix)
        cycles = verify_rtl(gemm, x, tmp_path / str(number), tiles)
        assert cycles == tiles.cycles(gemm, x.shape[1])


@needs_icarus
def test_a_project_simulates_its_twin(tmp_path: Path) -> None:
    """`make iverilog` of a project, and what it says of one wrong digit."""
    network, inputs = network_of("gru")
    write(files(network, inputs) | rtl_files(network, inputs), tmp_path)
    command = ["make", "--silent", "-C", str(tmp_path), "iverilog"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(re.findall(r"^cycles \d+$", said.stdout, re.MULTILINE)) == len(network.products)
    golden = next((tmp_path / "rtl").glob("*/golden_acc.hex"))
    text = golden.read_text()
    golden.write_text(("1" if text[0] != "1" else "2") + text[1:])
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.slow
@pytest.mark.skipif(
    None in map(shutil.which, ("yosys", "iverilog", "verilator")), reason="needs yosys, iverilog, verilator"
)
@pytest.mark.parametrize("model", ["cnn", "gru", "former", "chain"])
def test_a_project_climbs_the_ladder(model: str, tmp_path: Path) -> None:
    """Every rung of a project's Makefile that needs no vendor's tool."""
    network, inputs = network_of(model)
    write(files(network, inputs) | rtl_files(network, inputs), tmp_path)
    for rung in ("csim", "iverilog", "verilator", "netlist"):
        command = ["make", "--silent", "-j2", "-C", str(tmp_path), rung]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0, f"{rung}: {said.stdout[-500:]}{said.stderr[-500:]}"
        found = re.findall(r"^cycles \d+$", said.stdout, re.MULTILINE)
        assert len(found) == (0 if rung == "csim" else len(network.products)), rung


def test_blocks_of_zeros_are_left_out() -> None:
    """Half of the channels are pruned: half of the work is done."""
    network, _ = network_of("pruned", device="xc7z010")
    lanes = network.tiles.lanes
    kept, whole = pack(network).blocks[0]
    assert lanes <= 16 and kept * 2 == whole


@pytest.mark.parametrize("name", ["rmsmp", "mobile"])
def test_the_sources_are_the_golden_ones(name: str, request: pytest.FixtureRequest) -> None:
    """`pytest tests/targets/test_hls.py --update-golden` writes them."""
    network, inputs = alone(*CASES[name], TILES) if name in CASES else network_of(name)
    made = files(network, inputs)
    parts = {
        "rmsmp": ("src/engine.cpp", "src/types.h", "tb/tb.cpp", "Makefile"),
        "mobile": ("src/sweeps.cpp", "src/accelerator.cpp"),
    }
    for path in parts[name]:
        golden = GOLDEN / name / path
        if request.config.getoption("--update-golden"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_bytes(made[path])
        assert golden.read_bytes() == made[path], f"{golden}: written anew with --update-golden"


def test_what_vitis_wants_is_there() -> None:
    """Directives of today's tool, none of yesterday's, no pointers that walk."""
    network, inputs = network_of("cnn")
    made = files(network, inputs)
    source = "".join(made[f"src/{n}.cpp"].decode() for n in ("accelerator", "engine", "sweeps"))
    for wanted in (
        "INTERFACE m_axi", "INTERFACE s_axilite", "DATAFLOW", "PIPELINE II=1", "ARRAY_PARTITION", "impl=dsp", "impl=fabric",
        "ALLOCATION function instances=product limit=1",
    ):  # fmt: skip
        assert wanted in source
    assert all(f"depth={n}" in source for n in (network.memory[0], -(-network.memory[0] // network.tiles.lanes)))
    assert "-m_axi_alignment_byte_size 64 -m_axi_max_widen_bitwidth 512" in made["tcl/csynth.tcl"].decode()
    assert not re.search(r"HLS (RESOURCE|DATA_PACK)|\*\(|\*[a-z0-9]+\+\+", source)


@pytest.mark.parametrize("text", ["fixed<4>", "fixed<8>", "pot<4>", "sp2<4>", "esb<4, 1>", "apot<5>"])
def test_products_are_as_wide_as_they_have_to_be(text: str) -> None:
    quantiser: Quantiser = parse_quantiser(text)
    kind = IntegerType(4, False)
    assert product_bits(quantiser, kind) == quantiser.product_bits(4)
    assert f"impl={quantiser.core}" in core(quantiser, kind, quantiser.core, "any")
