"""cocomp-opt: its flags, its diagnostics, and that it is quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Capture, run_tool

MATMUL = """\
func.func @main(%x: tensor<4x8xf32>, %w: tensor<16x8xf32> {sparse.name = "w"}) -> tensor<4x16xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<16x8xf32>) outs(%f : tensor<4x16xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %c, %m : f32
      linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
"""
INVALID = """\
func.func @main(%x: tensor<4x?xf32>) -> tensor<4x16xf32> {
  // expected-error @+1 {{expected ranked tensors of static shape}}
  %y = "sparse.contract"(%x, %x) {maps = [], bounds = array<i64: 1>} : (tensor<4x?xf32>, tensor<4x?xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
"""


@pytest.fixture
def matmul(here: Path) -> Path:
    path = here / "matmul.mlir"
    path.write_text(MATMUL)
    return path


def test_our_passes_and_upstream_s_in_one_pipeline(tool: Capture, matmul: Path):
    pipeline = "func.func(linalg-generalize-named-ops),raise-contractions,canonicalize,plan-fusion,form-groups"
    done = tool("opt", matmul, "-p", pipeline)
    assert done.code == 0
    assert "sparse.contract" in done.out
    assert "call @group_0" in done.out


def test_pipeline_may_be_written_as_for_mlir_opt(tool: Capture, matmul: Path):
    assert "sparse.contract" in tool("opt", matmul, "-p", "builtin.module(raise-contractions,canonicalize)").out


def test_no_pipeline_prints_what_was_read(tool: Capture, matmul: Path):
    assert "linalg.generic" in tool("opt", matmul).out


def test_reads_stdin():
    done = run_tool("opt", "-", "-p", "raise-contractions", stdin=MATMUL)
    assert done.code == 0
    assert "sparse.contract" in done.out


def test_writes_a_file(tool: Capture, matmul: Path):
    assert tool("opt", matmul, "-o", "out.mlir").out == ""
    assert "linalg.generic" in Path("out.mlir").read_text()


def test_writes_no_file_after_an_error(tool: Capture, here: Path):
    (here / "bad.mlir").write_text(INVALID)
    assert tool("opt", "bad.mlir", "-o", "out.mlir").code == 1
    assert not (here / "out.mlir").exists()


def test_print_after(tool: Capture, matmul: Path):
    done = tool("opt", matmul, "-p", "raise-contractions,canonicalize", "--print-after=raise-contractions")
    assert done.err.startswith("// after raise-contractions (")
    assert "// after canonicalize" not in done.err
    assert (
        "// after canonicalize" in tool("opt", matmul, "-p", "raise-contractions,canonicalize", "--print-after=all").err
    )


def test_debuginfo(tool: Capture, matmul: Path):
    assert "loc(" in tool("opt", matmul, "--mlir-print-debuginfo").out
    assert "loc(" not in tool("opt", matmul).out


def test_list_passes_names_every_file_of_a_pass(tool: Capture):
    listed = tool("opt", "--list-passes").out
    root = Path(__file__).parents[2] / "passes"
    files = [f for f in root.glob("*/*.py") if not f.stem.startswith("_") and f.parent.name != "math"]
    assert len(files) > 10
    for file in files:
        assert f"\n{file.stem.replace('_', '-')}" in f"\n{listed}"


def test_split_input_file(tool: Capture, here: Path):
    (here / "two.mlir").write_text(f"{MATMUL}// -----\n{MATMUL}")
    done = tool("opt", "two.mlir", "--split-input-file", "-p", "raise-contractions")
    assert done.out.count("// -----") == 1
    assert done.out.count('"sparse.contract"') == 2


def test_verify_diagnostics(tool: Capture, here: Path):
    (here / "bad.mlir").write_text(f"{MATMUL}// -----\n{INVALID}")
    done = tool("opt", "bad.mlir", "--split-input-file", "--verify-diagnostics")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_errors_name_the_line_of_the_file(tool: Capture, here: Path):
    (here / "bad.mlir").write_text(f"{MATMUL}// -----\n{INVALID}")
    done = tool("opt", "bad.mlir", "--split-input-file")
    line = MATMUL.count("\n") + 1 + 3
    assert done.code == 1
    assert f"bad.mlir:{line}: error: 'sparse.contract' op expected ranked tensors of static shape" in done.err


PLACES = [
    ("// expected-error @below {{undeclared SSA}}\nUSE", True),
    ("// expected-error @+1 {{undeclared SSA}}\nUSE", True),
    ("USE // expected-error {{undeclared SSA}}", True),
    ("USE\n// expected-error @above {{undeclared SSA}}", True),
    ("USE\n// expected-error @-1 {{undeclared SSA}}", True),
    ("USE // expected-error-re {{undeclared {{[A-Z]+}} value}}", True),
    ("USE // expected-error {{something else}}", False),
    ("USE // expected-warning {{undeclared SSA}}", False),
    ("// expected-error {{undeclared SSA}}\nUSE", False),
    ("USE // expected-error 2 {{undeclared SSA}}", False),
    ("USE // expected-error @unknown {{undeclared SSA}}", False),
    ("USE", False),
]


@pytest.mark.parametrize(("text", "matches"), PLACES, ids=range(len(PLACES)))
def test_expectations(tool: Capture, here: Path, text: str, matches: bool):
    use = text.replace("USE", "func.func @main() -> f32 { return %y : f32 }")
    (here / "m.mlir").write_text(use + "\n")
    done = tool("opt", "m.mlir", "--verify-diagnostics")
    assert done.code == (0 if matches else 1)
    assert matches or "was not produced" in done.err or "unexpected error" in done.err


def test_compile_error_of_a_pass_is_a_diagnostic(tool: Capture, here: Path):
    """What our passes raise counts as an error at the place that it names."""
    (here / "m.mlir").write_text(INVALID.replace("static shape", "no shape"))
    done = tool("opt", "m.mlir", "--verify-diagnostics")
    assert done.code == 1
    assert 'm.mlir:3: error: expected error "expected ranked tensors of no shape" was not produced' in done.err
    assert "m.mlir:3: error: unexpected error: 'sparse.contract' op expected ranked tensors" in done.err


def test_weights_lie_beside_or_are_named_or_made_up(tool: Capture, matmul: Path):
    import numpy as np

    from cocomp.support.weights import WeightStore

    pipeline = "raise-contractions,encode-weights"
    done = tool("opt", matmul, "-p", pipeline)
    assert done.code == 1
    assert "the values of weight 'w' are needed\nnote: give them with --weights=FILE.safetensors" in done.err
    data = WeightStore({"w": np.ones((16, 8), np.float32)}).to_safetensors()
    Path("other.safetensors").write_bytes(data)
    assert tool("opt", matmul, "-p", pipeline, "--weights=other.safetensors").code == 0
    assert tool("opt", matmul, "-p", pipeline, "--random-weights", "--save-weights=saved.safetensors").code == 0
    assert list(WeightStore.from_safetensors(Path("saved.safetensors"))) == ["w"]
    matmul.with_suffix(".safetensors").write_bytes(data)
    assert tool("opt", matmul, "-p", pipeline).code == 0


def test_target_is_what_passes_see(tool: Capture, matmul: Path):
    pipeline = "func.func(linalg-generalize-named-ops),raise-contractions,canonicalize,plan-fusion,form-groups,select-layout,schedule-contractions"
    wide = tool("opt", matmul, "-p", pipeline, "--random-weights", "-target=linux-x86-64", "-mcpu=x86-64-v4").out
    narrow = tool("opt", matmul, "-p", pipeline, "--random-weights", "-target=linux-arm64").out
    assert "kernel.schedule" in wide
    assert wide != narrow


def test_emit_links_a_library(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "--compile-to=kernels", "-o", "k.mlir").code == 0
    assert tool("opt", "k.mlir", "--emit=k.so").code == 0
    assert tool("run", "k.so").code == 0


WRONG = [
    (
        ("-p", "raise-contraction"),
        "'raise-contraction' does not refer to a registered pass",
        "did you mean 'raise-contractions'?",
    ),
    (("-p", "raise-contractions{wide=true}"), "pass 'raise-contractions': expected key=value with a key of (none)", ""),
    (("-p", "canonicalize{wide=true}"), "no such option wide", ""),
    (("-p", "func.func(canonicalize"), "unbalanced bracket in the pipeline", ""),
    (("-p", "canonicalize)"), "unbalanced bracket at position 12", ""),
    (("-target=toaster",), "unknown target 'toaster'", ""),
    (("--emit=x.so", "--split-input-file"), "expected one module for --emit", ""),
    (("--weights=a", "--random-weights"), "not allowed with argument", ""),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_wrong_usage(tool: Capture, matmul: Path, arguments: tuple[str, ...], message: str, hint: str):
    done = tool("opt", matmul, *arguments)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err


def test_missing_and_binary_files(tool: Capture, here: Path):
    done = tool("opt", "no.mlir")
    assert (done.code, done.err) == (1, "cocomp-opt: error: no.mlir: cannot be read: No such file or directory\n")
    (here / "binary.mlir").write_bytes(b"\xff\xfe\x00")
    assert "expected text, got binary data" in tool("opt", "binary.mlir").err


def test_does_not_import_pytorch():
    code = "import sys; from cocomp.cli.opt import main; main(['-', '-p', 'raise-contractions']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], input=MATMUL, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
