"""`cocompc -target=fpga-hls`: projects, designs, and what it says of what it cannot do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cocomp.cli.cocompc import main

MODEL = "tests.targets.accelerators:cnn"
COMMON = [MODEL, "-target=fpga-hls", "--quantize=rmsmp"]


def said(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    assert main(arguments) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_a_project_is_written_and_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    text = said(capsys, [*COMMON, "--device=xc7z020", "--verify", "-o", str(folder)], 0)
    assert "xc7z020" in text and "estimated:" in text
    for name in (
        "src/accelerator.cpp", "src/engine.cpp", "src/weights/codes.bin", "shim/ap_int.h", "tb/tb.cpp", "tcl/csynth.tcl",
        "reports/estimate.json", "reports/table.md", "reports/designs.html", "Makefile", "rtl",
    ):  # fmt: skip
        assert (folder / name).exists(), name
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["inputs"][0]["type"] == "si8" and manifest["quantisers"] == ["pot<4>", "fixed<4>", "fixed<8>"]
    (folder / "notes.txt").write_text("mine")
    said(capsys, [*COMMON, "-o", str(folder)], 0)
    assert (folder / "notes.txt").read_text() == "mine"
    assert "xc7z045" in (folder / "reports" / "table.md").read_text()


def test_designs_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, [*COMMON, "--explore", "-o", str(tmp_path / "designs.html")], 0)
    assert "rmsmp 60:35:5" in text and "rmsmp 80:15:5" in text and "that none beats" in text
    assert "<svg" in (tmp_path / "designs.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            [MODEL, "-target=fpga-hls"],
            2,
            "expected --quantize=rmsmp or a quantiser such as fixed<4> with -target=fpga-hls",
        ),
        ([*COMMON, "--device=virtex"], 2, "unknown device 'virtex': expected one of xc7z010, xc7z020"),
        ([MODEL, "-target=fpga-hls", "--quantize=rmsmp:60:35:6"], 2, "expected three shares that add up to 100"),
        ([MODEL, "-target=fpga-hls", "--quantize=fixed<9>"], 2, "expected 2 to 8 bits"),
        ([*COMMON, "--activation-bits=5"], 2, "expected --activation-bits=4 or 8 with -target=fpga-hls, got 5"),
        ([*COMMON, "--precision=f16"], 2, "expected no --precision=f16 with -target=fpga-hls"),
        ([*COMMON, "--tune=1"], 2, "expected no --tune=1.0 with -target=fpga-hls"),
        ([*COMMON, "--report=r.html"], 2, "expected no --report with -target=fpga-hls: a project has its reports"),
        ([*COMMON, "--verify=1e-3"], 2, "expected --verify without a tolerance with -target=fpga-hls"),
        ([*COMMON, "--explore", "--verify"], 2, "expected no --verify with --explore"),
        ([*COMMON, "--explore", "-o", "designs.txt"], 2, "expected -o FILE.html with --explore"),
        ([MODEL, "--explore"], 2, "expected no --explore with -target=host"),
        ([MODEL, "--device=xc7z020"], 2, "expected no --device=xc7z020 with -target=host: only fpga-hls has some"),
        (["tests.targets.accelerators:sorted_rows", *COMMON[1:]], 1, "the accelerator"),
        (["tests.targets.accelerators:embedded", *COMMON[1:]], 1, "expected floating point numbers, got int64"),
        (
            ["tests.targets.accelerators:long", *COMMON[1:]],
            1,
            "sums of 262144 products of 8 and 8 bits are beyond 32 bits",
        ),
        (["tests.targets.accelerators:sums", *COMMON[1:]], 1, "the model has no matrix product with weights"),
        (["tests.targets.accelerators:huge", *COMMON[1:], "--device=xc7z010"], 1, "no design fits xc7z010"),
    ],
)
def test_errors_say_what_to_do(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "out"
    monkeypatch.chdir(Path(__file__).parents[2])
    given = arguments if "-o" in arguments or code == 2 else [*arguments, "-o", str(folder)]
    assert message in said(capsys, given, code)
    assert not folder.exists() and not list(tmp_path.iterdir())


def test_other_files_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "it holds other files" in said(capsys, [*COMMON, "-o", str(tmp_path)], 1)
    assert "it is a file" in said(capsys, [*COMMON, "-o", str(tmp_path / "notes.txt")], 1)
    assert "no such directory" in said(capsys, [*COMMON, "-o", str(tmp_path / "none" / "out")], 1)
