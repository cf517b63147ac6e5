"""The engine in Verilog computes what numpy does, bit by bit, in as many cycles as it should; whatever is wrong fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.accelerator import Gemm, IntegerType, Tiles
from cocomp.passes.math.quantisers import QUANTISERS, Apot, Esb, Fixed, Pot, Quantiser, Sp2, parse_quantiser
from cocomp.support.diagnostics import CompileError
from cocomp.targets.fpga.rtl import rungs, verify_netlist, verify_rtl
from cocomp.targets.fpga.rtl.bench import BENCH, SOURCE, write
from cocomp.targets.fpga.rtl.core_bench import measure_core, write_core
from cocomp.targets.fpga.rtl.cores import packed_products
from cocomp.targets.fpga.rtl.rungs import Cells, count_cells, simulate, synthesise
from tests.math.gemms import random_activations, random_gemm

UI4, SI4, SI8 = IntegerType(4, signed=False), IntegerType(4, signed=True), IntegerType(8, signed=True)
SMALL = Tiles(4, (2, 1, 1))
FABRIC = (Sp2(4), Apot(4), Esb(4, 1))


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


needs_icarus = needs("iverilog", "vvp")
needs_verilator = needs("verilator", "g++", "make")
needs_netlist = needs("iverilog", "vvp", "yosys")


def small() -> tuple[Gemm, np.ndarray]:
    """Seven rows of RMSMP's three kinds, eleven columns, five pixels."""
    gemm = random_gemm(1, [0, 1, 2, 0, 1, 0, 0], 11)
    return gemm, random_activations(1, gemm, 5)


# Simulated ------------------------------------------------------------------------------------------------------------

SOME = st.sampled_from([Pot(4), Fixed(4), Fixed(8), Sp2(4), Apot(4), Esb(4, 1), Pot(3), Sp2(8), Esb(8, 4)])
TYPES = st.builds(IntegerType, st.integers(2, 9), st.booleans())


@needs_icarus
@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    st.builds(
        random_gemm, st.integers(0, 999), st.lists(st.integers(0, 2), min_size=1, max_size=9), st.integers(1, 12),
        st.tuples(SOME, SOME, SOME), TYPES, TYPES,
    ),
    st.integers(1, 5),
    st.builds(Tiles, st.integers(1, 9), st.tuples(*[st.integers(1, 4)] * 3)),
)  # fmt: skip
def test_icarus_computes_what_numpy_does(
    tmp_path_factory: pytest.TempPathFactory, gemm: Gemm, pixels: int, tiles: Tiles
) -> None:
    """Columns that are no multiple of the lanes, quantisers without rows, tiles that are not full, single steps."""
    x = random_activations(2, gemm, pixels)
    assert verify_rtl(gemm, x, tmp_path_factory.mktemp("engine"), tiles) == tiles.cycles(gemm, pixels)


def every_quantiser() -> list[Quantiser]:
    found: list[Quantiser] = []
    for cls, bits in product(QUANTISERS.values(), range(2, 9)):
        for k in range(bits - 1) if cls is Esb else [None]:
            try:
                found.append(parse_quantiser(f"{cls.name}<{bits}>" if k is None else f"esb<{bits}, {k}>"))
            except ValueError:
                continue
    return found


ALL = every_quantiser()
TRIPLES = [tuple((ALL * 2)[i : i + 3]) for i in range(0, len(ALL), 3)]


@needs_icarus
@pytest.mark.parametrize("activation", [UI4, SI4], ids=str)
@pytest.mark.parametrize("triple", TRIPLES, ids=lambda triple: "-".join(q.identifier for q in triple))
def test_every_code_meets_every_activation(
    triple: tuple[Quantiser, Quantiser, Quantiser], activation: IntegerType, tmp_path: Path
) -> None:
    codes = [(place, code) for place in range(3) for code in range(2 ** triple[place].bits)]
    gemm = replace(
        random_gemm(0, [place for place, _ in codes], 1, triple, activation, SI8),
        codes=np.array([[code] for _, code in codes], np.uint8),
    )
    x = np.arange(activation.low, activation.high + 1)[None, :]
    tiles = Tiles(1, (3, 3, 3))
    assert verify_rtl(gemm, x, tmp_path, tiles) == tiles.cycles(gemm, 16)


SATURATING = [
    (random_gemm(3, [2, 0, 1, 0, 1, 0, 0, 2, 1, 0], 19, output=SI4), 6),
    (random_gemm(5, [2, 0, 2, 0, 0], 9, FABRIC, SI8, IntegerType(6, signed=False)), 4),
]
"""Of all three kinds, and of two of them; with activations without and with sign. And the slots that they take."""


@needs_icarus
@needs_verilator
@pytest.mark.parametrize("gemm, slots", SATURATING, ids=["rmsmp", "fabric"])
def test_verilator_and_icarus_agree(gemm: Gemm, slots: int, tmp_path: Path) -> None:
    tiles = Tiles(4, (3, 2, 1))
    x = random_activations(4, gemm, 12)
    outputs = gemm.run(x)
    assert outputs.min() == gemm.output.low and outputs.max() == gemm.output.high
    assert verify_rtl(gemm, x, tmp_path, tiles, "verilator") == verify_rtl(gemm, x, tmp_path, tiles, "icarus")
    for name in ("golden_acc.hex", "golden_out.hex"):
        check_corrupted(tmp_path, slots, name, lambda: rungs.run_verilated(tmp_path))


@needs_icarus
@pytest.mark.parametrize("lanes", [1, 3, 8])
@pytest.mark.parametrize("quantiser", [Pot(4), Fixed(4), Apot(6), Esb(5, 2)], ids=str)
def test_a_core_alone_adds_up(quantiser: Quantiser, lanes: int, tmp_path: Path) -> None:
    write_core(quantiser, SI4, lanes, tmp_path)
    assert rungs.run_icarus(tmp_path, [SOURCE, BENCH]) == 400
    golden = tmp_path / "golden_acc.hex"
    words = golden.read_text().splitlines()
    words[-1] = words[-1][:-1] + f"{int(words[-1][-1], 16) ^ 1:x}"
    golden.write_text("\n".join(words))
    with pytest.raises(CompileError, match=r"row 0, pixel \d+: sum -?\d+, expected -?\d+"):
        rungs.run_icarus(tmp_path, [SOURCE, BENCH])


def check_corrupted(folder: Path, slots: int, name: str, rung: Callable[[], int]) -> None:
    """A rung fails, naming row and pixel of the model, if one digit of a golden file is another: that of the first tile's last row, at
    pixel 1."""
    path = folder / name
    words, rows = path.read_text().splitlines(), (folder / "rows.hex").read_text().split()
    row = max(int(word, 16) for word in rows[:slots] if word != "ffffffff")
    place = slots + rows.index(f"{row:08x}")
    wrong = words[place][:-1] + f"{int(words[place][-1], 16) ^ 1:x}"
    what = "sum" if "acc" in name else "output"
    before = path.read_text()
    path.write_text("\n".join([*words[:place], wrong, *words[place + 1 :]]) + "\n")
    with pytest.raises(CompileError, match=rf"row {row}, pixel 1: {what} -?\d+, expected -?\d+") as caught:
        rung()
    assert caught.value.notes == [f"the files are in {folder}"]
    path.write_text(before)
    assert rung() > 0


@needs_icarus
@pytest.mark.parametrize("name", ["golden_acc.hex", "golden_out.hex"])
def test_a_corrupted_number_fails(name: str, tmp_path: Path) -> None:
    gemm, x = small()
    verify_rtl(gemm, x, tmp_path, SMALL)
    check_corrupted(tmp_path, sum(SMALL.rows), name, lambda: simulate(tmp_path, "icarus"))


@needs_icarus
@pytest.mark.parametrize(
    "file, text, instead, message",
    [
        (SOURCE, "product <= acc * multiplier;", "product <= acc;", r"vvp: row \d+, pixel \d: output"),
        (SOURCE, "assign out_valid = lasts", "assign out_valid = 1'b0 && lasts", r"no output after \d+ cycles"),
        (SOURCE, "assign acc_valid = lasts", "assign acc_valid = 1'b0 && lasts", "vvp: 0 sums, 10 outputs"),
        (SOURCE, "module engine", "modul engine", "(?s)iverilog: it ended with status.*syntax error"),
        (BENCH, '$display("cycles', '$display("turns', "(?s)vvp: the test bench did not come to its end.*turns"),
    ],
)
def test_what_is_wrong_is_said(file: str, text: str, instead: str, message: str, tmp_path: Path) -> None:
    gemm, x = small()
    write(gemm, SMALL, x, tmp_path)
    source = (tmp_path / file).read_text()
    assert source.count(text) == 1
    (tmp_path / file).write_text(source.replace(text, instead))
    with pytest.raises(CompileError, match=message):
        simulate(tmp_path, "icarus")


def test_calls_that_cannot_be(tmp_path: Path) -> None:
    gemm, x = small()
    with pytest.raises(ValueError, match="expected one of icarus, verilator, got 'xsim'"):
        verify_rtl(gemm, x, tmp_path, SMALL, "xsim")
    with pytest.raises(ValueError, match="expected one of fabric, dsp, got 'carry'"):
        verify_netlist(gemm, x, tmp_path, SMALL, "carry")
    with pytest.raises(ValueError, match="expected at least one pixel"):
        verify_rtl(gemm, x[:, :0], tmp_path, SMALL)
    with pytest.raises(ValueError, match="expected a core for the 4 rows of pot<4>"):
        verify_rtl(gemm, x, tmp_path, Tiles(4, (0, 1, 1)))


@pytest.mark.parametrize(
    "tool, message",
    [
        ("iverilog", "iverilog is not installed\nnote: Debian: apt-get install iverilog"),
        ("verilator", r"verilator is not installed\nnote: Debian: apt-get install verilator g\+\+ make"),
        ("yosys", "yosys is not installed\nnote: Debian: apt-get install yosys"),
    ],
)
def test_a_missing_tool_is_named(tool: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    gemm, x = small()
    with pytest.raises(CompileError, match=message):
        if tool == "yosys":
            verify_netlist(gemm, x, tmp_path, SMALL)
        else:
            verify_rtl(gemm, x, tmp_path, SMALL, {"iverilog": "icarus"}.get(tool, tool))


# Synthesised ----------------------------------------------------------------------------------------------------------


def test_cells_are_counted_by_kind() -> None:
    kinds = {"LUT2": 3, "LUT6": 4, "INV": 1, "FDRE": 7, "FDSE": 2, "CARRY4": 5, "DSP48E1": 6, "MUXF7": 9}
    assert count_cells(kinds) == Cells(lut=8, dsp=6, ff=9, carry=5)


@needs_netlist
@pytest.mark.slow
@pytest.mark.parametrize("multipliers", ["fabric", "dsp"])
def test_netlists_compute_what_numpy_does(multipliers: str, tmp_path: Path) -> None:
    gemm, x = small()
    found = verify_netlist(gemm, x, tmp_path, SMALL, multipliers)
    assert found.cycles == SMALL.cycles(gemm, 5)
    assert (found.cells.dsp > 0) == (multipliers == "dsp") and min(found.cells.lut, found.cells.ff) > 0
    for name in ("golden_acc.hex", "golden_out.hex"):
        check_corrupted(tmp_path, sum(SMALL.rows), name, lambda: rungs.simulate_netlist(tmp_path))


@needs_netlist
@pytest.mark.slow
def test_a_core_without_multiplier_takes_no_dsp(tmp_path: Path) -> None:
    assert measure_core(Pot(4), UI4, 2, tmp_path, "dsp").dsp == 0
    assert measure_core(Fixed(8), UI4, 2, tmp_path, "dsp").dsp == 2


PACKED_BENCH = """
module bench;
  reg [3:0] x, w0, w1;
  wire signed [8:0] p0, p1;
  reg [17:0] golden [0:4095];
  packed_products dut (.x(x), .w0(w0), .w1(w1), .p0(p0), .p1(p1));
  integer i;
  initial begin
    $readmemh("golden.hex", golden);
    for (i = 0; i < 4096; i = i + 1) begin
      {x, w1, w0} = i;
      #1 if ({p1, p0} !== golden[i]) $fatal(1, "row 0, pixel %0d: %0d and %0d", i, p1, p0);
    end
    $display("cycles %0d", i);
  end
endmodule
"""


def check_packed(folder: Path, activation: IntegerType, sources: list[str]) -> None:
    """All 4096 operands."""
    signed = [*range(8), *range(-8, 0)]
    x = signed if activation.signed else range(16)
    pairs = [(x[i >> 8] * signed[i >> 4 & 15], x[i >> 8] * signed[i & 15]) for i in range(4096)]
    (folder / "golden.hex").write_text("".join(f"{(p1 & 511) << 9 | p0 & 511:x}\n" for p1, p0 in pairs))
    (folder / BENCH).write_text(PACKED_BENCH)
    assert rungs.run_icarus(folder, [*sources, BENCH]) == 4096


@needs_icarus
@pytest.mark.parametrize("activation", [UI4, SI4], ids=str)
def test_two_products_share_a_multiplier(activation: IntegerType, tmp_path: Path) -> None:
    text = packed_products(activation)
    (tmp_path / "packed.v").write_text(text)
    check_packed(tmp_path, activation, ["packed.v"])
    assert text.count("+ product[10];") == 1
    (tmp_path / "packed.v").write_text(text.replace("+ product[10];", ";"))
    with pytest.raises(CompileError, match=r"row 0, pixel \d+: -?\d+ and -?\d+"):
        check_packed(tmp_path, activation, ["packed.v"])


@needs_netlist
@pytest.mark.slow
@pytest.mark.parametrize("activation", [UI4, SI4], ids=str)
def test_the_multiplier_is_one_dsp(activation: IntegerType, tmp_path: Path) -> None:
    (tmp_path / "packed.v").write_text(packed_products(activation))
    cells = synthesise(tmp_path, "packed.v", "packed_products", "dsp")
    assert cells.dsp == 1 and cells.lut <= 16
    check_packed(tmp_path, activation, [rungs.NETLIST, str(rungs.cell_models())])
