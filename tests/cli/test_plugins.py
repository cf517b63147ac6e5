"""A package that nobody here knows adds a pass and a target, through entry points alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import run_tool

PLUGIN = Path(__file__).parents[1] / "plugin"
CONTRACT = """\
func.func @main(%x: tensor<4x8xf32>, %w: tensor<16x8xf32> {sparse.name = "w"}) -> tensor<4x16xf32> {
  %y = "sparse.contract"(%x, %w) {bounds = array<i64: 4, 16, 8>, maps = [
    affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>]}
    : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
"""


def install(directory: Path, name: str, groups: dict[str, dict[str, str]]) -> None:
    """What an installer writes about a package, as far as entry points go."""
    described = directory / f"{name}-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups.items()]
    (described / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables of an environment in which `tests/plugin` is installed, and a package with mistakes."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    install(tmp_path / "site", project["name"], project["entry-points"])
    broken = {
        "cocomp.passes": {
            "not-there": "no_such_package:Pass",
            "not-a-pass": "acme.board:target",
            "canonical-name": "acme.count_contractions:CountContractionsPass",
        },
        "cocomp.targets": {"not-a-target": "builtins:str"},
    }
    install(tmp_path / "site", "broken", broken)
    return {"PYTHONPATH": f"{tmp_path / 'site'}:{PLUGIN}"}


def test_pass_and_target_of_another_package(environment: dict[str, str], tmp_path: Path):
    pipeline = "canonicalize,count-contractions{label=found}"
    done = run_tool("opt", "-", "-p", pipeline, "-target=acme-board", stdin=CONTRACT, env=environment)
    assert done.err == ""
    assert "attributes {acme.found = 1 : i64}" in done.out


def test_they_are_listed(environment: dict[str, str]):
    assert "acme-board" in run_tool("cocompc", "--list-targets", env=environment).out


def test_target_compiles(environment: dict[str, str], models: Path, tmp_path: Path):
    done = run_tool(
        "cocompc", models / "residual.mlir", "--target=acme-board", "-o", tmp_path / "m.so", env=environment
    )
    assert done.err == ""
    assert run_tool("run", tmp_path / "m.so").out.startswith(f"{tmp_path / 'm.so'}: acme-board (")


WRONG = [
    (("-p", "not-there"), "plug-in 'not-there' of broken cannot be loaded (no_such_package:Pass): ModuleNotFoundError"),
    (
        ("-p", "not-a-pass"),
        "plug-in 'not-a-pass' of group 'cocomp.passes': expected a subclass of Pass whose name is 'not-a-pass'",
    ),
    (("-p", "canonical-name"), "expected a subclass of Pass whose name is 'canonical-name'"),
    (("-target=not-a-target",), "plug-in 'not-a-target' of group 'cocomp.targets': expected a CpuTarget, got str"),
    (
        ("-target=unknown",),
        "unknown target 'unknown': expected one of host, linux-x86-64, linux-arm64, android-cpu, acme-board",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[w[0][-1] for w in WRONG])
def test_mistakes_name_the_package(environment: dict[str, str], arguments: tuple[str, ...], message: str):
    done = run_tool("opt", "-", *arguments, stdin=CONTRACT, env=environment)
    assert done.code == 2
    assert message in done.err
