"""cocomp-advise: what it prints, what it writes, and how it is used wrongly."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Capture

NAMED = "tests.small_models:residual"


def test_every_layer_has_a_row_and_a_block(tool: Capture, here: Path):
    done = tool("advise", NAMED, "-target=linux-x86-64", "--rates=2,8", "--rows=1,8", "--json=a.json")
    assert (done.code, done.err) == (0, "")
    layers = json.loads((here / "a.json").read_text())
    assert len(done.out.splitlines()) == len(layers) + 1
    conv = next(p for p in layers if p["layer"] == "conv")
    assert (conv["rows"], conv["columns"], conv["pixels"]) == (8, 72, 64)
    found = {(o["rows"], o["rate"]): o["speed_up"] for o in conv["options"]}
    assert list(found) == [(1, 2.0), (1, 8.0), (8, 2.0), (8, 8.0)]
    assert found[8, 8.0] > found[8, 2.0] and found[8, 8.0] > 1
    assert set(conv["blocks"]) == {"2", "8"} and set(conv["blocks"].values()) <= {1, 8}


def test_options_are_measured(tool: Capture, here: Path):
    done = tool("advise", NAMED, "--measure", "--rates=4", "--rows=1,8", "--json=a.json")
    assert (done.code, done.err) == (0, "")
    assert "dense ms" in done.out.splitlines()[0]
    layers = json.loads((here / "a.json").read_text())
    assert {"conv"} <= {p["layer"] for p in layers}
    for p in layers:
        assert p["dense_us"] > 0 and [(o["rows"], o["rate"]) for o in p["options"]] == [(1, 4.0), (8, 4.0)]
        assert all(o["us"] > 0 and o["speed_up"] == p["dense_us"] / o["us"] for o in p["options"])


def test_wrong_usage(tool: Capture, here: Path):
    for arguments, message in (
        (("--rates=0.5",), "expected rates from 1, got '0.5'"),
        (("--rows=0",), "expected a number from 1, got '0'"),
        (("--json=nowhere/a.json",), "nowhere: no such directory"),
        (("-target=moon",), "unknown target 'moon'"),
        (("-target=linux-arm64", "--measure"), "expected no --measure with -target=linux-arm64"),
    ):
        done = tool("advise", NAMED, *arguments)
        assert done.code == 2 and message in done.err


def test_a_missing_model(tool: Capture, here: Path):
    done = tool("advise", "no.pt2")
    assert done.code == 1 and "no.pt2" in done.err and not list(here.iterdir())
