"""The picture of the graph: what is recorded, what is drawn, and that it works in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cocomp
from cocomp.options import Options
from cocomp.passes.math.mapping import MappingType
from cocomp.record import measure
from cocomp.report import render, report_of
from tests.small_models import residual

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Attention(nn.Module):
    """Something of everything: a product of activations, a sum, transpositions, a concatenation, a broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = self.project(x).split(16, dim=-1)
        weights = torch.softmax(q @ k.transpose(-1, -2), dim=-1)
        return torch.cat([weights @ v, x], dim=-1), x.transpose(1, 2).contiguous()


@pytest.fixture(scope="module")
def convolution() -> cocomp.Artifact:
    module, inputs = residual()
    return cocomp.compile(module, inputs)


@pytest.fixture(scope="module")
def attention() -> cocomp.Artifact:
    return cocomp.compile(Attention().eval(), (torch.randn(2, 12, 16),))


def nodes(artifact: cocomp.Artifact, view: str) -> list[dict[str, Any]]:
    return report_of(artifact, "model")["graph"][view]


@pytest.mark.parametrize("name", ["convolution", "attention"])
def test_graphs_are_recorded(name: str, request: pytest.FixtureRequest):
    report = report_of(request.getfixturevalue(name), name)
    before, after = report["graph"]["before"], report["graph"]["after"]
    for view in (before, after, *(n["operators"] for n in after if n["kind"] == "kernel")):
        for number, node in enumerate(view):
            assert all(0 <= source < number for source in node["reads"])
            assert node["kind"] in ("input", "output", "kernel") or MappingType.parse(node["mapping"])
    for view in (before, after):
        assert sum(n["kind"] == "input" for n in view) == len(report["inputs"])
        assert sum(n["kind"] == "output" for n in view) == len(report["outputs"])
    assert [n["kernel"] for n in after if n["kind"] == "kernel"] == list(range(len(report["kernels"])))
    contractions = sum(n["kind"] == "contraction" for n in before)
    assert contractions == sum(o["kind"] == "contraction" for n in after for o in n.get("operators", [])) > 0


def test_kernels_are_told_apart_only_where_calls_are_dispatches(attention: cocomp.Artifact):
    facts = {**attention.facts, "graph": {**attention.facts["graph"], "calls": attention.facts["graph"]["calls"][::-1]}}
    report = report_of(cocomp.Artifact(attention.data, attention.header, attention.manifest, facts), "model")
    assert {n["kernel"] for n in report["graph"]["after"] if n["kind"] == "kernel"} == {None}


def test_operators_say_what_they_do(attention: cocomp.Artifact):
    found = {(n["kind"], n["does"].partition(" ")[0], n["mapping"]) for n in nodes(attention, "before")}
    assert {
        ("contraction", "", "many-to-many"),
        ("reduction", "maximumf", "many-to-many"),
        ("element-wise", "exp", "one-to-one"),
        ("transpose", "", "shuffle"),
        ("extract slice", "", "one-to-one"),
        ("concat", "", "one-to-one"),
    } <= found
    product = next(n for n in nodes(attention, "before") if n["kind"] == "contraction")
    assert product["flops"] == 2 * 2 * 12 * 16 * 48
    assert product["bytes"] == 2 * 12 * 48 * 4 and product["type"] == "2x12x48xf32"
    assert product["layer"] == "project"


def test_edges_between_kernels_have_layouts(convolution: cocomp.Artifact):
    after = nodes(convolution, "after")
    assert all(n["layout"] for n in after if n["kind"] == "kernel")
    assert after[0]["layout"] == "row-major"
    assert any("channels last" in n["layout"] for n in after)


def test_time_is_predicted_until_it_is_measured(convolution: cocomp.Artifact):
    report = report_of(convolution, "residual")
    contractions = [k for k in report["kernels"] if k["predicted_cycles"]]
    assert contractions and all(k["flops"] for k in contractions)
    assert report["measured"] is None and {k["microseconds"] for k in report["kernels"]} == {None}
    page = render(convolution, "residual", ".html").decode()
    assert "cycles predicted" in page and "us measured" not in page
    measured = cocomp.Artifact(convolution.data, convolution.header, convolution.manifest, dict(convolution.facts))
    measure(measured, residual()[1], threads=1)
    report = report_of(measured, "residual")
    assert report["measured"] == {"runs": 10, "threads": 1}
    assert all(k["microseconds"] > 0 for k in report["kernels"])
    assert "us measured" in render(measured, "residual", ".html").decode()


def test_kernels_that_share_a_launch_share_its_time(attention: cocomp.Artifact):
    dispatches = [{**d, "launch": 0} for d in attention.manifest["dispatches"]]
    manifest = {**attention.manifest, "launches": 1, "dispatches": dispatches}
    profile = {"runs": 10, "threads": 1, "microseconds": [7.0]}
    joined = cocomp.Artifact(attention.data, attention.header, manifest, {**attention.facts, "profile": profile})
    assert {k["microseconds"] for k in report_of(joined, "model")["kernels"]} == {7.0}
    assert f"7.0 us measured, {len(dispatches)} kernels in a launch" in render(joined, "model", ".html").decode()


def test_code_for_another_machine_is_not_measured(convolution: cocomp.Artifact):
    manifest = {**convolution.manifest, "triple": "mips-unknown-linux"}
    foreign = cocomp.Artifact(convolution.data, convolution.header, manifest, dict(convolution.facts))
    measure(foreign, residual()[1], threads=1)
    assert "profile" not in foreign.facts


def test_tuned_kernels_have_no_predicted_time(tmp_path: Path):
    module, inputs = residual()
    options = Options(tune=0.3, tune_database=tmp_path / "tuning.sqlite")
    tuned = cocomp.compile(module, inputs, options=options)
    for kernel in report_of(tuned, "residual")["kernels"]:
        assert kernel["schedule"] == "predicted" or kernel["predicted_cycles"] is None


def test_every_node_is_drawn(attention: cocomp.Artifact):
    page = render(attention, "<model>", ".html").decode()
    for view in ("before", "after"):
        (drawn,) = re.findall(rf"<svg id='{view}'.*?</svg>", page, re.S)
        known = nodes(attention, view)
        inner = sum(len(n.get("operators", [])) for n in known)
        assert len(re.findall(r"class='node ", drawn)) == len(known) + inner
    assert "http" not in re.sub(r"<title>.*?</title>", "", page, flags=re.S)


def test_a_report_without_a_graph_has_no_picture(attention: cocomp.Artifact):
    facts = {key: value for key, value in attention.facts.items() if key != "graph"}
    bare = cocomp.Artifact(attention.data, attention.header, attention.manifest, facts)
    assert report_of(bare, "model")["graph"] is None
    assert "<svg" not in render(bare, "model", ".html").decode()


Browse = Callable[[str], str]


@pytest.fixture(scope="module")
def browse(convolution: cocomp.Artifact, tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """The page after its script has run, at an address with the fragment given."""
    if BROWSER is None:
        pytest.skip("no chromium")
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_bytes(render(convolution, "residual", ".html"))
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", f"--user-data-dir={folder}"]

    def open_at(fragment: str) -> str:
        address = f"{(folder / 'report.html').as_uri()}#{fragment}"
        done = subprocess.run(
            [str(BROWSER), *words, "--dump-dom", address], check=False, capture_output=True, text=True, timeout=120
        )
        assert "</html>" in done.stdout, done.stderr
        assert "data-error" not in done.stdout
        return done.stdout

    return open_at


def shown(page: str) -> list[str]:
    """The views that are not hidden."""
    return [name for name in ("before", "after") if not re.search(rf'<svg id="{name}"[^>]*hidden', page)]


def hits(page: str) -> list[str]:
    """Names of the boxes that are highlighted."""
    return re.findall(r'class="node [^"]*\bhit\b[^"]*"[^>]*><title>name: ([^\n<]*)', page)


def test_a_page_opens_with_the_kernels(browse: Browse):
    page = browse("")
    assert shown(page) == ["after"]
    assert hits(page) == []


def test_the_view_changes(browse: Browse):
    page = browse("view=before")
    assert shown(page) == ["before"]
    assert re.search(r'<button data-view="before" aria-pressed="true">', page)


def test_a_search_highlights_what_it_finds(browse: Browse, convolution: cocomp.Artifact):
    page = browse("view=before&search=CONV2D")
    wanted = [n["name"] for n in nodes(convolution, "before") if "conv2d" in n["name"]]
    assert hits(page) == wanted != []
    assert f"1 of {len(wanted)}" in page
    assert "searching" in page
    assert len(hits(browse("search=many-to-many"))) > 0
    assert hits(browse("search=no such thing")) == []


def test_errors_of_the_script_are_seen(tmp_path: Path, browse: Browse):
    """Or else the tests above would pass without one."""
    (tmp_path / "broken.html").write_text(
        "<!doctype html><script>addEventListener('error', e => { document.documentElement.dataset.error = e.message; }); nothing();</script>"
    )
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    done = subprocess.run(
        [str(BROWSER), *words, (tmp_path / "broken.html").as_uri()],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "data-error" in done.stdout
