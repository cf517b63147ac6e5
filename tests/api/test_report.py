"""The report of a compilation."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

import cocomp
from cocomp import report
from cocomp.report import render, report_of
from tests.small_models import residual


@pytest.fixture(scope="module")
def artifact() -> cocomp.Artifact:
    module, inputs = residual()
    return cocomp.compile(module, inputs)


def test_report_holds_what_its_docstring_says(artifact: cocomp.Artifact):
    described = json.loads(render(artifact, "residual", ".json"))
    assert report.__doc__ is not None
    documented, _, kernel = report.__doc__.partition("kernels         ")
    for key in described:
        assert key in (documented if key != "kernels" else report.__doc__)
    for key in described["kernels"][0]:
        assert key in kernel


def test_kernels_are_described(artifact: cocomp.Artifact):
    described = report_of(artifact, "residual")
    conv = next(k for k in described["kernels"] if k["layer"] == "conv" and k["flops"])
    assert conv["encoding"] == "dense"
    assert conv["kept"] == 1
    assert "small_models.py" in conv["source"]
    assert conv["written_bytes"] == 8 * 8 * 8 * 4
    assert conv["flops"] >= 2 * 8 * 8 * 8 * 8 * 9
    assert described["totals"]["dispatches"] == len(described["kernels"])
    assert 8 * 8 * 9 * 4 < described["weight_bytes"] < described["artifact_bytes"]


class Balanced(HTMLParser):
    """Counts rows, and notes anything that is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.foreign = 0, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.foreign += [value or "" for key, value in attrs if key in ("src", "href")]


def test_page_has_a_row_for_every_kernel_and_loads_nothing(artifact: cocomp.Artifact):
    parser = Balanced()
    parser.feed(render(artifact, "<model>", ".html").decode())
    assert parser.rows > len(artifact.manifest["dispatches"])
    assert parser.foreign == []
    assert "<model>" not in render(artifact, "<model>", ".html").decode()
