"""`benchmarks.fpga`: cores are counted, models become stages, designs are compared; a missing tool is an error that says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import fpga, fpga_cores, fpga_designs
from benchmarks.fpga_cores import Core, tables
from benchmarks.models import MODELS, Model
from cocomp.passes.math.accelerator import find_device
from cocomp.passes.math.accelerator.costs import CORE_LUTS, REQUANTISER_DSPS, REQUANTISER_LUTS
from cocomp.passes.math.accelerator.stages import products_of
from cocomp.targets.fpga.rtl.engine import requantiser
from cocomp.targets.fpga.rtl.rungs import Cells, synthesise
from tests.math.products import CONVOLUTIONS
from tests.targets.accelerators import cnn

PACKED = Core("2 x fixed<4>, packed", "dsp", 2, Cells(lut=2, dsp=1, ff=0, carry=3))


def test_rows_are_counts_of_a_multiply_add() -> None:
    core = Core("esb<4, 1>", "fabric", 16, Cells(lut=400, dsp=0, ff=352, carry=89))
    (table,) = tables([core], PACKED)
    assert len(table.headers) == 9
    assert table.rows[0] == ("esb<4, 1>", "fabric", "400", "0", "352", "89", "25.0", "0", "8.00")
    assert table.rows[1] == ("2 x fixed<4>, packed", "dsp", "2", "1", "0", "3", "1.0", "0.5", "-")


def test_a_missing_tool_ends_the_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert fpga.main(["--cores"]) == 1
    assert "benchmarks.fpga: yosys is not installed\nnote: Debian: apt-get install yosys" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, ("yosys", "iverilog")), reason="needs yosys and iverilog")
def test_cores_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fpga_cores, "CORES", (("fixed<4>", "dsp"), ("sp2<4>", "fabric")))
    assert fpga.main(["--cores", "--json", str(tmp_path / "fpga.json")]) == 0
    shown = capsys.readouterr().out
    assert "LUT / MAC" in shown and "packed" in shown
    fixed, sp2, packed = json.loads((tmp_path / "fpga.json").read_text())["cores"]
    assert fixed["cells"]["dsp"] == 16 and packed["cells"]["dsp"] == 1
    assert sp2["cells"]["dsp"] == 0 and 10 < sp2["lut_per_mac"] < 30


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, ("yosys", "iverilog")), reason="needs yosys and iverilog")
def test_estimates_know_what_yosys_counts(tmp_path: Path) -> None:
    """Counts of other versions differ a little."""
    for core in fpga_cores.measure(tmp_path / "cores"):
        assert CORE_LUTS[core.name, core.products, 4][16] == pytest.approx(core.cells.lut, rel=0.1)
    (tmp_path / "requantise.v").write_text(requantiser(4, 0, 15))
    cells = synthesise(tmp_path, "requantise.v", "requantise", "dsp")
    assert cells.dsp == REQUANTISER_DSPS and pytest.approx(cells.lut, rel=0.1) == REQUANTISER_LUTS


# Designs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network takes the place of all models."""
    fpga_designs.emit.cache_clear()
    monkeypatch.setitem(MODELS, "small", Model("small", "", cnn))
    monkeypatch.setattr(fpga_designs, "EMITTED", {"small": "xc7z045"})
    monkeypatch.setattr(fpga_designs, "COMPARED", "small")
    monkeypatch.setattr(fpga_designs, "STEP", 45)


@pytest.mark.usefixtures("small")
def test_designs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fpga.main(["--explore", "--pages", str(tmp_path), "--json", str(tmp_path / "fpga.json")]) == 0
    shown = capsys.readouterr().out
    assert "RMSMP 60:35:5" in shown and "122.6" in shown and "small, xc7z045" in shown and "seconds to emit" in shown
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["resnet18-xc7z020.html", "resnet18-xc7z045.html"]
    found = json.loads((tmp_path / "fpga.json").read_text())["explore"]
    assert found["small xc7z020"]["demand"]["luts"] <= 0.8 * 53200


@pytest.mark.usefixtures("small")
def test_stages_are_those_that_are_emitted() -> None:
    made = fpga_designs.emit("small")
    first, second, last = products_of(made.stages)
    assert (first.channels, first.taps, first.scattered) == (27, 1, False)
    assert (second.source, second.taps, second.positions, last.scattered) == (first.counts, 9, 36, True)
    assert made.weights > sum(stage.rows * stage.columns for stage in (first, second)) / 2 and made.sources > 10000


def test_mixtures_stand_beside_fixed_alone_under_the_same_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    device = find_device("xc7z020")
    monkeypatch.setattr(fpga_designs, "STEP", 45)
    rows = {row.name: row for row in fpga_designs.contenders(CONVOLUTIONS, device)}
    assert all(row.found.best.fits for row in rows.values()) and len(rows) == 7
    dsp, packed = rows["Fixed-4 in DSPs, not packed"], rows["Fixed-4 in DSPs, packed"]
    assert packed.found.best.cycles < dsp.found.best.cycles
    assert dsp.found.best.demand.dsps >= dsp.found.best.design.multiply_adds
    table = fpga_designs.comparison(device, list(rows.values()))
    assert [row[0] for row in table.rows] == list(rows) and {len(row) for row in table.rows} == {len(table.headers)}
    assert table.rows[0][8:11] == ("1.00", "40.7", "1.00") and table.rows[3][10] == "3.01"
