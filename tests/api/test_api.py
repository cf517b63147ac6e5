"""The Python interface: compile, load, run, and its errors."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp.runtime.loader import Model
from tests.small_models import residual, two_inputs, unsupported

Network = tuple[nn.Module, tuple[torch.Tensor, ...]]


@pytest.fixture(scope="module")
def artifact() -> cocomp.Artifact:
    module, inputs = residual()
    return cocomp.compile(module, inputs)


@pytest.fixture(scope="module")
def pair() -> Model:
    module, inputs = two_inputs()
    return cocomp.compile(module, inputs).load(threads=1)


def test_module_is_compiled_and_run(artifact: cocomp.Artifact, network: Network):
    module, (x,) = network
    with torch.no_grad():
        wanted = module(x).numpy()
    np.testing.assert_allclose(artifact.load(threads=2)(x), wanted, atol=1e-5)
    np.testing.assert_allclose(artifact.load()(x.numpy()), wanted, atol=1e-5)


def test_exported_program_needs_no_inputs(network: Network):
    program = torch.export.export(*network)
    assert cocomp.compile(program).manifest["inputs"][0]["name"] == "x"


def test_progress_tells_every_phase(network: Network):
    phases: list[str] = []
    cocomp.compile(*network, progress=lambda name, _seconds: phases.append(name))
    assert phases == ["imported", "rewritten", "sparse", "fused", "laid-out", "kernels", "target"]


def test_saved_artefact_loads_again(artifact: cocomp.Artifact, network: Network, tmp_path: Path):
    path = artifact.save(tmp_path / "model.so")
    assert (tmp_path / "model.h").read_text() == artifact.header
    with cocomp.load(path, threads=1) as model:
        assert model.threads == 1
        assert model(network[1][0]).shape == (1, 5)


def test_results_of_several_outputs_are_a_tuple(pair: Model):
    results = pair(torch.ones(2, 8), torch.tensor([1, 2]))
    assert isinstance(results, tuple) and len(results) == 2


def test_outputs_into_given_memory(pair: Model):
    x, ids = np.ones((2, 8), np.float32), np.array([1, 2])
    out = [np.empty((2, 8), np.float32) for _ in range(2)]
    assert pair.run([x, ids], out)[0] is out[0]
    np.testing.assert_array_equal(out[1], pair(x, ids)[1])


def test_non_contiguous_inputs_are_copied(pair: Model):
    x = np.arange(16, dtype=np.float32).reshape(8, 2).T
    np.testing.assert_array_equal(pair(x, np.array([1, 2]))[0], pair(x.copy(), np.array([1, 2]))[0])


X, IDS = np.ones((2, 8), np.float32), np.array([1, 2])
WRONG_INPUTS = [
    ((X,), "expected 2 inputs (x, ids), got 1"),
    ((X, IDS, IDS), "expected 2 inputs (x, ids), got 3"),
    ((X[:1], IDS), "input 'x': expected float32 of shape [2, 8], got float32 of shape [1, 8]"),
    ((X.astype(np.float64), IDS), "input 'x': expected float32 of shape [2, 8], got float64 of shape [2, 8]"),
    ((X, IDS.astype(np.int32)), "input 'ids': expected int64 of shape [2], got int32 of shape [2]"),
    ((X, [[1], [2, 3]]), "input 'ids': expected int64 of shape [2], cannot make an array of a list"),
    (
        (torch.ones(2, 8, dtype=torch.bfloat16), IDS),
        "input 'x': expected float32 of shape [2, 8], cannot make an array of a Tensor of torch.bfloat16",
    ),
]


@pytest.mark.parametrize(("inputs", "message"), WRONG_INPUTS, ids=range(len(WRONG_INPUTS)))
def test_wrong_inputs(pair: Model, inputs: tuple[object, ...], message: str):
    with pytest.raises(cocomp.InputError) as caught:
        pair(*inputs)
    assert str(caught.value) == message


WRONG_OUTPUTS = [
    [X],
    [X, X[:1]],
    [X, X.astype(np.float64)],
    [X, np.ones((8, 2), np.float32).T],
]


@pytest.mark.parametrize("out", WRONG_OUTPUTS, ids=range(len(WRONG_OUTPUTS)))
def test_wrong_memory_for_outputs(pair: Model, out: list[np.ndarray]):
    with pytest.raises(cocomp.InputError, match=r"expected (2 output arrays, got 1|a C-contiguous array of float32)"):
        pair.run([X, IDS], out)


def test_wrong_number_of_threads(artifact: cocomp.Artifact):
    with pytest.raises(cocomp.ArtifactError, match="expected a number of threads from 0"):
        artifact.load(threads=-1)


def test_model_outlives_its_artefact(network: Network):
    model = cocomp.compile(*network).load(threads=1)
    gc.collect()
    assert model(network[1][0]).shape == (1, 5)


def test_closed_model_says_so(artifact: cocomp.Artifact, network: Network):
    model = artifact.load(threads=1)
    model.close()
    model.close()
    with pytest.raises(cocomp.ArtifactError, match="a null pointer"):
        model(network[1][0])


def test_unsupported_operation(network: Network):
    with pytest.raises(cocomp.CompileError) as caught:
        cocomp.compile(*unsupported())
    assert "aten.linalg_qr" in caught.value.message
    assert str(caught.value).splitlines()[1].startswith("note: replace the operation")


def test_targets_and_phases_are_checked(network: Network):
    with pytest.raises(cocomp.UsageError, match="unknown target 'toaster'"):
        cocomp.compile(*network, target="toaster")
    with pytest.raises(cocomp.UsageError, match="expected options that lead to an artefact, got compile-to=fused"):
        cocomp.compile(*network, options=cocomp.Options(compile_to="fused"))


@pytest.mark.parametrize(("key", "value"), [("precision", "f12"), ("compile_to", "nowhere")])
def test_options_are_validated(key: str, value: str):
    with pytest.raises(cocomp.UsageError, match=f"unknown (precision|phase) '{value}': expected one of"):
        cocomp.Options(**{key: value})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int4"}, "unknown quantiser 'int4': expected one of fixed<bits>"),
        ({"quantize": "rmsmp:60:35:6"}, "expected three shares that add up to 100, got 60:35:6: 101"),
        ({"quantize": "fixed<4>", "activation_bits": 1}, "expected 2 to 16 bits for activations, got 1"),
    ],
)
def test_what_is_no_quantisation(options: dict[str, Any], message: str):
    with pytest.raises(cocomp.UsageError, match=message):
        cocomp.Options(**options)


def test_options_round_trip():
    options = cocomp.Options(target="linux-arm64", cpu="cortex-a76", compile_to="fused", fast_math=True, workers=3)
    assert cocomp.Options.parse(str(options)) == options
    assert cocomp.Options.parse(str(options)).digest == options.digest != cocomp.Options().digest
    for text in ("target", "speed=high"):
        with pytest.raises(cocomp.UsageError, match="unknown option"):
            cocomp.Options.parse(text)
    quantised = cocomp.Options(quantize="esb<4, 1>", activation_bits=8)
    assert cocomp.Options.parse(str(quantised)) == quantised
    with pytest.raises(cocomp.UsageError, match="expected 2 to 16 bits for activations, got 'four'"):
        cocomp.Options.parse("activation-bits=four")
    with pytest.raises(cocomp.UsageError, match="expected true or false for fast-math, got 'fast'"):
        cocomp.Options.parse("fast-math=fast")


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="module 'cocomp' has no attribute 'compute'"):
        getattr(cocomp, "compute")  # noqa: B009  (so that pyright does not see it)
    assert all(getattr(cocomp, name) for name in cocomp.__all__)


def test_artefact_needs_nothing_but_libc(artifact: cocomp.Artifact, tmp_path: Path):
    """A C program that knows the headers only."""
    from importlib.resources import files

    artifact.save(tmp_path / "model.so")
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "cocomp.h"\n#include "model.h"\n'
        "int main(void) {\n  static float x[3 * 8 * 8], y[5];\n  cocomp_model *model;\n"
        "  int status = cocomp_create(2, &model);\n  const void *inputs[] = {x};\n  void *outputs[] = {y};\n"
        "  if (!status) status = cocomp_run(model, inputs, outputs);\n"
        '  printf("%s %d\\n", cocomp_message(status), y[0] == y[0] && y[0] != 0);\n  cocomp_destroy(model);\n'
        "  return status;\n}\n"
    )
    native = str(files("cocomp.runtime") / "native")
    compiler = [shutil.which("cc")] if shutil.which("cc") else [sys.executable, "-m", "ziglang", "cc"]
    command = [
        *compiler, "-std=c99", "-Wall", "-Werror", f"-I{native}", "main.c", "./model.so", "-o", "main"
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" 1\n")
