"""`benchmarks.fpga`: cores are counted, models become stages, designs are compared; a missing tool is an error that says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import fpga, fpga_cores, fpga_designs
from benchmarks.fpga_cores import Core, tables
from benchmarks.fpga_stages import list_stages
from cocomp.passes.math.accelerator import Stage, Sweep, find_device
from cocomp.passes.math.accelerator.costs import CORE_LUTS, REQUANTISER_DSPS, REQUANTISER_LUTS
from cocomp.passes.math.accelerator.stages import products_of
from cocomp.passes.math.quantisers.rows import rmsmp
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


class Small(nn.Module):
    """One of each that has a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm2d(16)
        self.alone = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.second = nn.Conv2d(16, 20, 3, padding=1)
        self.project = nn.Linear(20, 16)
        self.attention_norm = nn.LayerNorm(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        x = self.second(x + self.alone(x))
        tokens = self.project(nn.functional.gelu(x.flatten(2).transpose(1, 2))) * 0.5
        q = self.attention_norm(tokens)
        tokens = nn.functional.scaled_dot_product_attention(q[:, None], q[:, None], tokens[:, None])
        return (tokens[:, 0] * q).mean(dim=1)


def stages_of_small() -> list[Stage]:
    with torch.device("meta"):
        return list_stages(Small(), (torch.empty(1, 3, 32, 32),), rmsmp())


def test_operators_become_stages() -> None:
    stages = stages_of_small()
    units = [stage.unit for stage in stages if isinstance(stage, Sweep)]
    assert units[:4] == ["windows", "pooling", "depth-wise", "addition"] and units[-2:] == ["scaling", "mean"]
    assert sorted(units[4:-2]).count("batched product") == 2 and {"gelu", "layer norm", "softmax"} <= set(units)
    first, second, linear = products_of(stages)
    assert (first.channels, first.taps, first.pixels, first.rows) == (147, 1, 256, 16)  # three channels are few
    assert (second.channels, second.taps, second.pixels, second.counts) == (16, 9, 64, (12, 7, 1))
    assert (linear.channels, linear.taps, linear.pixels, linear.positions) == (20, 1, 64, 64)
    alone = next(stage for stage in stages if isinstance(stage, Sweep) and stage.unit == "depth-wise")
    assert alone.operations == 2 * 16 * 9 * 64 and (alone.reads, alone.writes) == (1024, 1024)


def test_operators_without_a_stage_are_named() -> None:
    with pytest.raises(ValueError, match="expected an operator that a stage is known for, got aten.sigmoid.default"):
        list_stages(nn.Sigmoid(), (torch.ones(1, 3),), rmsmp())
    with pytest.raises(ValueError, match="expected one group or as many as channels, got 2"):
        list_stages(nn.Conv2d(4, 4, 1, groups=2), (torch.ones(1, 4, 2, 2),), rmsmp())


def test_designs_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fpga_designs, "MODELS", {"resnet18": lambda _: (Small(), (torch.ones(1, 3, 32, 32),))})
    monkeypatch.setattr(fpga_designs, "EMITTED", {})
    monkeypatch.setattr(fpga_designs, "STEP", 45)
    assert fpga.main(["--explore", "--pages", str(tmp_path), "--json", str(tmp_path / "fpga.json")]) == 0
    shown = capsys.readouterr().out
    assert "RMSMP 60:35:5" in shown and "122.6" in shown and "resnet18, xc7z045" in shown
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["resnet18-xc7z020.html", "resnet18-xc7z045.html"]
    found = json.loads((tmp_path / "fpga.json").read_text())["explore"]
    assert found["resnet18 xc7z020"]["demand"]["luts"] <= 0.8 * 53200


def test_stages_are_those_that_are_emitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga_designs, "EMITTED", {"small": lambda _: cnn()})
    found = fpga_designs.stages_of("small", rmsmp("50:45:5"))
    first, second, last = products_of(found)
    assert (first.channels, first.taps, first.scattered) == (27, 1, False)
    assert (second.source, second.taps, second.positions, last.scattered) == (first.counts, 9, 36, True)
    assert [p.counts for p in (first, second)] == [rmsmp("50:45:5").counts(rows) for rows in (16, 24)]


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
