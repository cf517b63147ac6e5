"""Every flag of cocompc, and every way to use it wrongly."""

from __future__ import annotations

import json
import os
import platform
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Capture, run_tool

NAMED = "tests.small_models:residual"


def test_library_and_header_are_named_after_the_model(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert sorted(p.name for p in here.iterdir()) == ["residual.h", "residual.so"]
    assert os.access(here / "residual.so", os.X_OK)


def test_library_is_named_after_the_factory(tool: Capture, here: Path):
    assert tool("cocompc", NAMED).code == 0
    assert (here / "residual.so").exists()


def test_library_does_not_hide_the_module(tool: Capture, here: Path, monkeypatch: pytest.MonkeyPatch):
    (here / "network.py").write_text("from tests.small_models import residual as network\n")
    monkeypatch.syspath_prepend(here)
    assert tool("cocompc", "network:network").code == 0
    assert (here / "network_model.so").exists()


def test_verify_compares_all_kinds_of_inputs(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2", "--verify", "--threads=2", "--report=r.json", "-o", "out.so")
    assert done.code == 0
    report = json.loads((here / "r.json").read_text())
    assert list(report["verification"]) == ["example", "random", "structured"]
    assert max(report["verification"].values()) < 1e-5
    assert report["measured"] == {"runs": 10, "threads": 2}
    assert all(kernel["microseconds"] > 0 for kernel in report["kernels"])


def test_verify_takes_a_model_that_follows_it(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", "--verify", models / "residual.onnx").code == 0


def test_verify_names_the_first_wrong_kernel(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2", "--verify=0")
    assert done.code == 1
    assert re.search(r"verification failed: relative error .* on example inputs, expected at most 0e\+00", done.err)
    assert re.search(r"note: first wrong: kernel 'group_\d+' of .*small_models.py:\d+\)|every kernel", done.err)
    assert not list(here.iterdir())


def test_verify_needs_an_original(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "--compile-to=imported", "-o", "m.mlir").code == 0
    done = tool("cocompc", "m.mlir", "--verify")
    assert done.code == 1
    assert "cannot be verified: there is no original to compare with" in done.err
    assert not (here / "m.so").exists()


OTHER = "linux-arm64" if platform.machine() == "x86_64" else "linux-x86-64"


@pytest.mark.skipif(OTHER != "linux-arm64" or not shutil.which("qemu-aarch64"), reason="needs qemu-aarch64")
def test_verify_in_an_emulator(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "-target=linux-arm64", "--verify").code == 0


def test_verify_asks_for_the_emulator(tool: Capture, models: Path, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(here))
    done = tool("cocompc", models / "residual.pt2", f"-target={OTHER}", "--verify")
    assert done.code == 1
    assert "cocompc: error: compiled for" in done.err
    assert not list(here.iterdir())


@pytest.mark.parametrize("flag", ["-target=linux-x86-64", "--target=linux-x86-64", "-target linux-x86-64"])
def test_target_is_spelt_with_one_dash_or_two(tool: Capture, models: Path, here: Path, flag: str):
    done = tool("cocompc", models / "residual.pt2", *flag.split(), "-mcpu=x86-64-v3", "--report=r.json", "-o", "out.so")
    assert done.code == 0
    described = json.loads((here / "r.json").read_text())
    assert (described["target"], described["cpu"]) == ("linux-x86-64", "x86-64-v3")


def test_android_library(tool: Capture, models: Path, here: Path):
    arguments = ("-target=android-cpu", "--mcpu=cortex-a78", "-o", "a.so", "--report=r.json")
    assert tool("cocompc", models / "residual.pt2", *arguments).code == 0
    assert json.loads((here / "r.json").read_text())["triple"] == "aarch64-linux-android"


@pytest.mark.parametrize("phase", ["imported", "rewritten", "sparse", "fused", "laid-out", "kernels"])
def test_compile_to_stops_after_a_phase(tool: Capture, models: Path, here: Path, phase: str):
    assert tool("cocompc", models / "residual.pt2", f"--compile-to={phase}").code == 0
    names = {p.name for p in here.iterdir()}
    assert names == {f"residual.{phase}.mlir", f"residual.{phase}.safetensors"}
    assert tool("opt", f"residual.{phase}.mlir").code == 0


def test_compilation_goes_on_from_text(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "--compile-to=sparse", "-o", "s.mlir").code == 0
    assert tool("cocompc", "s.mlir").code == 0
    assert tool("run", "s.so").code == 0


def test_compile_to_writes_to_stdout(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2", "--compile-to=fused", "-o", "-")
    assert "call @group_0" in done.out
    assert not list(here.iterdir())


def test_dump_ir(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "--dump-ir=ir", "-o", "out.so").code == 0
    names = sorted(p.name for p in (here / "ir").iterdir())
    assert names == [
        "0_imported.mlir", "1_rewritten.mlir", "2_sparse.mlir", "3_fused.mlir", "4_laid-out.mlir", "5_kernels.mlir"
    ]  # fmt: skip
    assert "small_models.py" in (here / "ir" / "0_imported.mlir").read_text()


def test_verbose_lists_phases_and_passes_in_a_pipe(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2", "-v")
    assert done.code == 0
    assert re.search(r"^ +fused +\d+\.\d\d s$", done.err, re.MULTILINE)
    assert re.search(r"^ +\d+\.\d\d s  select-layout$", done.err, re.MULTILINE)


def test_progress_on_a_terminal(models: Path, here: Path):
    """A line for every phase, in a terminal only."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "cocomp.cli.cocompc", str(models / "residual.mlir")]
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, cwd=here)
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(parent)
    assert process.wait() == 0
    for phase in ("importing", "rewritten", "fused", "target"):
        assert re.search(rf"{phase}\S* +\d+\.\d\d s".encode(), seen), phase


def test_input_may_stand_before_the_model(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", "--input", "x:1x3x8x8xf32", models / "residual.pt").code == 0


def test_inputs_add_up(tool: Capture, here: Path):
    done = tool("cocompc", "tests.small_models:two_inputs", "--input", "2x8xf32", "--input", "ids:2xi64", "--verify")
    assert done.code == 0


def test_trust_pickle(tool: Capture, models: Path, here: Path):
    arguments = ("--input", "1x3x8x8xf32", "-o", "out.so")
    assert tool("cocompc", models / "pickle.pt", *arguments).code == 1
    assert not list(here.iterdir())
    assert tool("cocompc", models / "pickle.pt", "--trust-pickle", *arguments).code == 0


def test_report_as_page(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "--report=r.html", "-o", "out.so").code == 0
    page = (here / "r.html").read_text()
    assert "gather-gemm" in page
    assert "http" not in page


def test_report_of_memory(tool: Capture, models: Path, here: Path):
    arguments = ("-target=vulkan", "--memory=texture", "-o", "out.so")
    assert tool("cocompc", models / "residual.pt2", *arguments, "--report=r.json").code == 0
    report = json.loads((here / "r.json").read_text())
    memory = [m for kernel in report["kernels"] for m in kernel["memory"]]
    assert any(m["space"] == "image" for m in memory) and report["image_bytes"] > 0
    assert all((m["texels"] is None) == bool(m["reason"]) == (m["space"] != "image") for m in memory)
    assert tool("cocompc", models / "residual.pt2", *arguments, "--report=r.html").code == 0
    page = (here / "r.html").read_text()
    assert "writes an image of " in page and "writes a buffer: it is an output of the model" in page


def test_help_is_quick():
    done = run_tool("cocompc", "--help")
    times: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        done = run_tool("cocompc", "--help")
        times.append(time.perf_counter() - start)
    assert done.code == 0
    assert "exit status" in done.out
    assert min(times) < 0.3


def test_importing_the_package_is_quick():
    code = "import sys, cocomp; print(sorted(m for m in ('numpy', 'torch', 'torch_mlir') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version(tool: Capture):
    done = tool("cocompc", "--version")
    assert (done.code, done.out.split()[0]) == (0, "cocompc")


def test_list_targets(tool: Capture):
    done = tool("cocompc", "--list-targets")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()][:6] == [
        "host",
        "linux-x86-64",
        "linux-arm64",
        "android-cpu",
        "vulkan",
        "android-gpu",
    ]
    assert "cortex-a76" in done.out


def test_list_rewrites(tool: Capture):
    from cocomp.passes.math.algebra.table import NAMES

    done = tool("cocompc", "--list-rewrites")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(NAMES)
    assert {line.split()[1] for line in lines[:-1]} == {"exact", "weights", "fast-math"}
    assert "A*C + A*B  -->  A*(B + C)" in done.out


WRONG = [
    ((), "expected a MODEL to compile"),
    (("-target=toaster",), "unknown target 'toaster': expected one of host,"),
    (("-mcpu=z80",), "unknown x86-64 processor 'z80': expected one of x86-64-v2,"),
    (("-target=linux-arm64", "-mcpu=z80"), "unknown AArch64 processor 'z80': expected one of generic,"),
    (
        ("-target=vulkan", "-mcpu=z80"),
        "unknown GPU 'z80' for -target=vulkan: expected one of adreno, powervr, mali, desktop",
    ),
    (("--memory=cloud",), "argument --memory: invalid choice: 'cloud'"),
    (("--memory=texture",), "expected no --memory=texture with -target=host: processors have no textures"),
    (("--precision=f12",), "argument --precision: invalid choice: 'f12'"),
    (("--compile-to=nowhere",), "argument --compile-to: invalid choice: 'nowhere'"),
    (("--without=tiling",), "cannot do without 'tiling': expected some of rewriting, fusion, layout"),
    (("--threads=-1",), "argument --threads: expected a number from 0, got '-1'"),
    (("--verify=often",), "expected a relative error from 0 to 1 for --verify, got 'often'"),
    (("--verify=2",), "expected a relative error from 0 to 1 for --verify, got '2'"),
    (("--verify", "--compile-to=fused"), "expected no --verify with --compile-to=fused"),
    (("--report=r.json", "--compile-to=fused"), "expected no --report with --compile-to=fused"),
    (("--report=r.txt",), "expected FILE.json or FILE.html for --report, got 'r.txt'"),
    (("--input", "1x3"), "cannot read the input '1x3'"),
    (("--input", "1x3x9x9xf32"), "has the fixed input x:1x3x8x8xf32"),
    (("--frobnicate",), "unrecognized arguments: --frobnicate"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_wrong_usage(tool: Capture, models: Path, here: Path, arguments: tuple[str, ...], message: str):
    model = [models / "residual.pt2"] if arguments else []
    done = tool("cocompc", *model, *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(here.iterdir())
