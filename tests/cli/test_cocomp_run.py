"""cocomp-run: inputs, outputs, measurements, and every way to use it wrongly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import cocomp
from tests.conftest import Capture
from tests.small_models import residual, two_inputs


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with two inputs and two outputs."""
    module, inputs = two_inputs()
    return cocomp.compile(module, inputs).save(tmp_path_factory.mktemp("pair") / "pair.so")


def test_inputs_and_outputs_are_files(tool: Capture, library: Path, here: Path):
    module, (x,) = residual()
    np.save("x.npy", x.numpy())
    done = tool("run", library, "--input", "x.npy", "--output", "y.npy", "--threads=1")
    assert (done.code, done.err) == (0, "")
    with torch.no_grad():
        np.testing.assert_allclose(np.load("y.npy"), module(x).numpy(), atol=1e-5)


def test_random_inputs_are_announced_and_repeatable(tool: Capture, library: Path, here: Path):
    first = tool("run", library, "--output", "a.npy")
    assert first.err == "no --input: random values for x:1x3x8x8xf32\n"
    tool("run", library, "--output", "b.npy")
    tool("run", library, "--seed=7", "--output", "c.npy")
    assert (np.load("a.npy") == np.load("b.npy")).all()
    assert (np.load("a.npy") != np.load("c.npy")).any()


def test_inputs_by_name_and_in_order(tool: Capture, pair: Path, here: Path):
    np.save("x.npy", np.ones((2, 8), np.float32))
    np.save("ids.npy", np.array([1, 2]))
    for words in (["x.npy", "ids.npy"], ["ids=ids.npy", "x=x.npy"]):
        assert tool("run", pair, "--input", *words, "--output", "a.npy", "b.npy").code == 0
    assert np.load("a.npy").shape == (2, 8)


def test_outputs_in_one_archive(tool: Capture, pair: Path, here: Path):
    assert tool("run", pair, "--output", "all.npz").code == 0
    assert len(np.load("all.npz").files) == 2


def test_benchmark(tool: Capture, library: Path, here: Path):
    done = tool("run", library, "--benchmark=5", "--threads=2", "--json=m.json")
    assert done.code == 0
    assert re.search(r"latency +min [\d.]+ ms, median [\d.]+ ms, p90 [\d.]+ ms", done.out)
    assert "5 runs after" in done.out
    assert re.search(r"load +[\d.]+ ms", done.out)
    assert re.search(r"peak memory +[\d.]+ MiB", done.out)
    measured = json.loads(Path("m.json").read_text())
    assert measured["threads"] == 2
    latency = measured["latency"]
    assert 0 < latency["min"] <= latency["median"] <= latency["p90"]
    assert measured["peak_bytes"]["process"] > 1 << 20


def test_benchmark_has_a_default(tool: Capture, library: Path, here: Path):
    assert "50 runs after" in tool("run", "--benchmark", library).out


def test_profile_names_the_module_of_every_kernel(tool: Capture, library: Path, here: Path):
    done = tool("run", library, "--profile", "--json=m.json")
    assert done.code == 0
    assert re.search(r"us +[\d.]+% .* conv.* +group_\d", done.out)
    kernels = json.loads(Path("m.json").read_text())["kernels"]
    assert {"stem", "conv", "head"} <= {layer for k in kernels for layer in k["layers"]}
    assert sum(k["share"] for k in kernels) == pytest.approx(1)
    assert all("small_models.py" in k["source"] for k in kernels if "conv" in k["layers"])


def test_never_imports_pytorch(library: Path):
    code = (
        "import sys; from cocomp.cli.run import main; main([sys.argv[1], '--profile', '--benchmark=2']);"
        "print([m for m in ('torch', 'torch_mlir', 'llvmlite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(library)], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_help_and_version(tool: Capture):
    assert "exit status" in tool("run", "--help").out
    assert tool("run", "--version").out.startswith("cocomp-run ")


@pytest.fixture
def arrays(here: Path) -> Path:
    """Files that do not fit the small network, or are no arrays."""
    np.save(here / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(here / "big.npy", np.zeros((1, 3, 9, 9), np.float32))
    np.save(here / "double.npy", np.zeros((1, 3, 8, 8)))
    np.savez(here / "archive.npz", x=np.zeros(3))
    np.save(here / "object.npy", np.array([{}]), allow_pickle=True)
    (here / "text.npy").write_text("1 2 3")
    (here / "empty.npy").write_bytes(b"")
    return here


REJECTED = [
    (("--input", "no.npy"), 1, "no.npy: cannot be read: No such file or directory"),
    (("--input", "big.npy"), 1, "input 'x': expected float32 of shape [1, 3, 8, 8], got float32 of shape [1, 3, 9, 9]"),
    (
        ("--input", "double.npy"),
        1,
        "input 'x': expected float32 of shape [1, 3, 8, 8], got float64 of shape [1, 3, 8, 8]",
    ),
    (("--input", "archive.npz"), 1, "expected one array (.npy), got an archive of several"),
    (("--input", "object.npy"), 1, "cannot be read as an array of numpy"),
    (("--input", "text.npy"), 1, "cannot be read as an array of numpy"),
    (("--input", "empty.npy"), 1, "cannot be read as an array of numpy"),
    (("--input", "x.npy", "x.npy"), 2, "cannot place the input 'x.npy': the model takes 1 inputs (x)"),
    (("--input", "y=x.npy"), 2, "cannot place the input 'y=x.npy'"),
    (("--output", "a.npy", "b.npy"), 2, "expected one .npz or 1 .npy for the outputs (linear), got 2 files"),
    (("--output", "no/such/y.npy"), 1, "no/such/y.npy: cannot write: No such file or directory"),
    (("--json", "no/such/m.json"), 1, "no/such/m.json: cannot write: No such file or directory"),
    (("--threads=many",), 2, "argument --threads: expected a number from 0, got 'many'"),
    (("--benchmark=0",), 2, "argument --benchmark: expected a number from 1, got '0'"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REJECTED, ids=[" ".join(r[0]) for r in REJECTED])
def test_rejected(tool: Capture, library: Path, arrays: Path, arguments: tuple[str, ...], code: int, message: str):
    before = set(arrays.iterdir())
    done = tool("run", library, *arguments)
    assert done.code == code
    assert message in done.err
    assert set(arrays.iterdir()) == before


def test_missing_input_is_named(tool: Capture, pair: Path, arrays: Path):
    done = tool("run", pair, "--input", "x.npy")
    assert done.code == 2
    assert "expected a file for every input: ids is missing" in done.err


def test_model_is_asked_for(tool: Capture):
    done = tool("run")
    assert done.code == 2
    assert "expected a MODEL.so to run; cocompc makes one" in done.err
