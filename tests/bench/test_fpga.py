"""`benchmarks.fpga`: cores are counted, and a missing tool is an error that says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import fpga, fpga_cores
from benchmarks.fpga_cores import Core, tables
from cocomp.targets.fpga.rtl.rungs import Cells

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
    assert fpga.main(["--json", str(tmp_path / "fpga.json")]) == 0
    shown = capsys.readouterr().out
    assert "LUT / MAC" in shown and "packed" in shown
    fixed, sp2, packed = json.loads((tmp_path / "fpga.json").read_text())["cores"]
    assert fixed["cells"]["dsp"] == 16 and packed["cells"]["dsp"] == 1
    assert sp2["cells"]["dsp"] == 0 and 10 < sp2["lut_per_mac"] < 30
