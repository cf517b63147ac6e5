"""The report of a compilation."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

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
    documented, _, kernel = report.__doc__.partition("    kernels         ")
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


MOVES = {"copy", "reshape", "transpose", "broadcast", "pad", "expand shape", "collapse shape", "extract slice"}
"""Kinds of operators of a graph that compute nothing."""


class Moving(nn.Module):
    """An input that gets a border, queries and keys from one product, and every second column of an input in a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.mixed = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 32)

    def forward(self, image: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        q, k = self.mixed(tokens).unflatten(2, (2, 2, 8)).permute(2, 0, 3, 1, 4)
        return self.image(image), torch.softmax(q @ k.mT, -1), torch.cat([torch.relu(tokens), tokens[..., ::2]], 2)


@pytest.fixture(scope="module")
def moving() -> cocomp.Artifact:
    torch.manual_seed(0)
    return cocomp.compile(Moving().eval(), (torch.randn(1, 3, 6, 4), torch.randn(1, 8, 16)))


def test_every_kernel_that_only_moves_values_is_listed_with_its_reason(moving: cocomp.Artifact):
    described = json.loads(render(moving, "moving", ".json"))
    copies = {c["dispatch"]: c for c in described["copies"]}
    for node in described["graph"]["after"]:
        if node["kind"] == "kernel":
            assert all(o["kind"] in MOVES for o in node["operators"]) == (node["kernel"] in copies)
    for number, copy in copies.items():
        kernel = described["kernels"][number]
        assert copy["bytes"] == kernel["written_bytes"] and kernel["flops"] == 0
        assert all(copy[key] == kernel[key] for key in ("launch", "kernel", "layer"))
    assert [c["reason"] for c in described["copies"]] == [
        "what surrounds an image has to be in memory",
        "rows of an activation in the place of a weight are contiguous, and to copy a part is cheaper than the whole",
        "a part of a concatenation lies in its memory",
    ]
    assert described["copies"][0]["bytes"] == 3 * 8 * 6 * 4


def test_page_shows_copies(moving: cocomp.Artifact, artifact: cocomp.Artifact):
    text = render(moving, "moving", ".html").decode()
    assert text.count("what surrounds an image has to be in memory") == 1
    assert "<h2>Copies</h2>" in text


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


@pytest.fixture(scope="module")
def pruned() -> cocomp.Artifact:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 3))
    cocomp.prune.project(module, "bcr<16, all>", {"2": 4})
    cocomp.prune.project(module, "csr", {"4": 8})
    return cocomp.compile(cocomp.prune.finish(module).eval(), (torch.randn(1, 3, 30, 30),))


def test_zeros_are_explained(pruned: cocomp.Artifact):
    kernels = report_of(pruned, "pruned")["kernels"]
    found = {k["layer"]: k["sparsity"] for k in kernels if k["sparsity"]}
    assert list(found) == ["2", "4"]
    assert found["2"]["encoding"] == "bcr<16, 32>" and found["4"]["encoding"] == "csr"
    assert found["2"]["rate"] == pytest.approx(4) and found["4"]["rate"] == pytest.approx(8, rel=0.01)
    for sparsity in found.values():
        gap = sparsity["predicted_speed_up"] < 0.9 * sparsity["rate"]
        assert bool(sparsity["reasons"]) == gap
        assert np.mean(sparsity["picture"]) == pytest.approx(100 * (1 - sparsity["zeros"]), abs=1.5)


def test_page_shows_where_zeros_are(pruned: cocomp.Artifact):
    text = render(pruned, "pruned", ".html").decode()
    pictures = re.findall(r"src='data:image/png;base64,([^']+)'", text)
    assert len(pictures) == 2
    for picture in pictures:
        image = Image.open(io.BytesIO(base64.b64decode(picture)))
        image.load()
        assert image.mode == "L" and min(image.size) >= 16
