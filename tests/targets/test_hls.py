"""The emitted C++ computes what numpy does, bit by bit, and its test bench notices where it does not."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import Gemm, IntegerType, Tiles
from cocomp.passes.math.quantisers import Quantiser, parse_quantiser
from cocomp.passes.math.quantisers.dyadic import Dyadic
from cocomp.support.diagnostics import CompileError
from cocomp.targets.fpga.hls.bench import files, write
from cocomp.targets.fpga.hls.cores import core, product_bits
from cocomp.targets.fpga.hls.rungs import SANITIZED, simulate, verify_csim

GOLDEN = Path(__file__).parents[1] / "golden" / "hls"
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def product(
    mixture: tuple[str, str, str] = ("pot<4>", "fixed<4>", "fixed<8>"),
    rows: int = 13,
    columns: int = 21,
    pixels: int = 5,
    kinds: tuple[IntegerType, IntegerType] = (IntegerType(4, False), IntegerType(4, False)),
    factor: float = 0.02,
    seed: int = 0,
    places: tuple[int, ...] = (0, 1, 2),
) -> tuple[Gemm, np.ndarray]:
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


CASES = {
    "rmsmp": product(),
    "fabric": product(("sp2<4>", "apot<4>", "esb<4, 1>"), kinds=(IntegerType(4, True), IntegerType(8, True))),
    "wide": product(("esb<8, 4>", "apot<7>", "sp2<8>"), 5, 9, 3, (IntegerType(8, True), IntegerType(8, True)), 1e-5),
    "one kind": product(rows=4, columns=1, pixels=1, places=(1,)),
    "saturating": product(kinds=(IntegerType(8, False), IntegerType(4, True)), factor=1.0, places=(0, 2)),
}


@needs_compiler
@pytest.mark.parametrize("name", CASES)
def test_the_simulation_is_exact(name: str, tmp_path: Path) -> None:
    gemm, x = CASES[name]
    verify_csim(gemm, x, tmp_path, Tiles(4, (3, 2, 1)))
    assert (
        simulate(tmp_path, flags=SANITIZED)
        == f"{x.shape[1] * gemm.rows} sums and {x.shape[1] * gemm.rows} outputs are as they should be"
    )
    if name == "saturating":
        outputs = gemm.run(x)
        assert outputs.min() == gemm.output.low and outputs.max() == gemm.output.high


@needs_compiler
@pytest.mark.skipif(
    importlib.util.find_spec("hls4ml") is None, reason="hls4ml, which brings ap_int.h, is not installed"
)
def test_the_simulation_is_exact_with_other_headers(tmp_path: Path) -> None:
    found = importlib.util.find_spec("hls4ml")
    assert found is not None and found.origin is not None
    for number, (gemm, x) in enumerate(CASES.values()):
        include = Path(found.origin).parent / "templates" / "vivado" / "ap_types"
        verify_csim(gemm, x, tmp_path / str(number), Tiles(4, (3, 2, 1)), include)


@needs_compiler
@settings(deadline=None, max_examples=6, derandomize=True)
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
    verify_csim(gemm, x, tmp_path_factory.mktemp("csim"), Tiles(lanes, tile))


@needs_compiler
@pytest.mark.parametrize(("file", "what"), [("golden_acc.hex", "sum"), ("golden_out.hex", "output"), ("in.hex", "sum")])
def test_one_wrong_byte_is_noticed(file: str, what: str, tmp_path: Path) -> None:
    gemm, x = CASES["rmsmp"]
    write(gemm, Tiles(4, (3, 2, 1)), x, tmp_path)
    path = tmp_path / "tb" / file
    lines = path.read_text().splitlines()
    lines[17] = (
        f"{(int(lines[17], 16) + 1) & 15:08x}"
        if what != "sum" or file == "in.hex"
        else lines[17][:-1] + ("0" if lines[17][-1] != "0" else "1")
    )
    path.write_text("\n".join(lines) + "\n")
    row = r"\d+" if file == "in.hex" else str(17 % gemm.rows)
    with pytest.raises(
        CompileError,
        match=rf"the simulation failed: {what} of row {row}, pixel {17 // 13 if file != 'in.hex' else 0}: expected",
    ):
        simulate(tmp_path)


@needs_compiler
def test_a_file_of_the_bench_has_to_be_whole(tmp_path: Path) -> None:
    gemm, x = CASES["rmsmp"]
    write(gemm, Tiles(4, (3, 2, 1)), x, tmp_path)
    golden = tmp_path / "tb" / "golden_out.hex"
    golden.write_text(golden.read_text()[:-9])
    with pytest.raises(CompileError, match="golden_out.hex: expected 65 numbers, got 64"):
        simulate(tmp_path)
    golden.unlink()
    with pytest.raises(CompileError, match="golden_out.hex: cannot be read"):
        simulate(tmp_path)


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match="the simulation needs make: apt-get install make"):
        simulate(tmp_path)


@pytest.mark.parametrize("name", ["rmsmp", "fabric"])
def test_the_sources_are_the_golden_ones(name: str, request: pytest.FixtureRequest) -> None:
    """`pytest tests/targets/test_hls.py --update-golden` writes them."""
    gemm, x = CASES[name]
    made = files(gemm, Tiles(4, (3, 2, 1)), x, name)
    alike = ("src/types.h", f"src/{name}.h", "tb/tb.cpp") if name == "rmsmp" else ()
    for path in (f"src/{name}.cpp", *alike):
        golden = GOLDEN / name / path
        if request.config.getoption("--update-golden"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(made[path])
        assert golden.read_text() == made[path], f"{golden}: written anew with --update-golden"


def test_what_vitis_wants_is_there() -> None:
    """Directives of today's tool, none of yesterday's, no pointers that walk."""
    gemm, x = CASES["rmsmp"]
    source = files(gemm, Tiles(4, (3, 2, 1)), x, "gemm")["src/gemm.cpp"]
    for wanted in (
        "INTERFACE m_axi",
        "INTERFACE s_axilite",
        "DATAFLOW",
        "PIPELINE II=1",
        "ARRAY_PARTITION",
        "impl=dsp",
        "impl=fabric",
    ):
        assert wanted in source
    assert not re.search(r"HLS (RESOURCE|DATA_PACK)|\+\+\)|\*\(", source.replace("++) {", ""))


@pytest.mark.parametrize("text", ["fixed<4>", "fixed<8>", "pot<4>", "sp2<4>", "esb<4, 1>", "apot<5>"])
def test_products_are_as_wide_as_they_have_to_be(text: str) -> None:
    quantiser: Quantiser = parse_quantiser(text)
    kind = IntegerType(4, False)
    assert product_bits(quantiser, kind) == quantiser.product_bits(4)
    assert f"impl={quantiser.core}" in core(quantiser, kind)
