"""The page of explorations: what it says is what was found, it needs nothing else, and a browser shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from cocomp.passes.math.accelerator import Exploration, explore, find_device
from cocomp.passes.math.accelerator.stages import mixed
from cocomp.passes.math.quantisers import Fixed
from cocomp.passes.math.quantisers.rows import all_of
from cocomp.targets.fpga.designs import numbers, page, staircase, text
from tests.math.products import CONVOLUTIONS, RMSMP

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FIXED = (Fixed(4), Fixed(4), Fixed(4))


def found_on(device: str) -> dict[str, Exploration]:
    """RMSMP beside Fixed-4."""
    stages = mixed(CONVOLUTIONS, all_of(Fixed(4)))
    return {
        "RMSMP <60:35:5>": explore(CONVOLUTIONS, RMSMP.quantisers, 4, find_device(device)),
        "Fixed-4": explore(stages, FIXED, 4, find_device(device)),
    }


@pytest.fixture(scope="module")
def explorations() -> dict[str, Exploration]:
    return found_on("xc7z020")


class Tags(HTMLParser):
    """Which tags there are, and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_shows_what_was_found(explorations: dict[str, Exploration]) -> None:
    text = page("two <products>", explorations)
    tags = Tags()
    tags.feed(text)
    assert tags.outside == [] and tags.tags.count("svg") == 2
    assert "two &lt;products&gt;" in text and "RMSMP &lt;60:35:5&gt;" in text and "<products>" not in text
    shown = unescape(text)
    for name, found in explorations.items():
        row = next(line for line in shown.splitlines() if line.startswith("<tr>") and f"</i>{name}<td>" in line)
        assert str(found.best.design) in row
        assert re.findall(r"<td class=number>([^<]*)", row) == list(numbers(found.best))
    first = explorations["RMSMP <60:35:5>"].best
    for part in first.parts:
        assert f"<tr><td>{part.name}<td class=number>{part.demand.luts:,.0f}" in shown
    assert shown.count("<td>compute<") + shown.count("<td>memory<") == len(first.stages)


def test_every_point_of_a_front_can_be_read(explorations: dict[str, Exploration]) -> None:
    shown = page("model", explorations)
    points = sum(len(staircase(e.front, kind)) for e in explorations.values() for kind in ("luts", "dsps"))
    assert shown.count("<circle") == points == shown.count("</title></circle>")
    assert len(re.findall(r"<circle class='series-\d best'", shown)) >= len(explorations)
    numbers = [float(n) for n in re.findall(r" c[xy]='([\d.]+)'", shown)]
    assert len(numbers) == 2 * points and min(numbers) > 0 and max(numbers) < 460


def test_stairs_only_lead_down(explorations: dict[str, Exploration]) -> None:
    front = explorations["Fixed-4"].front
    for kind in ("luts", "dsps"):
        stair = staircase(front, kind)
        values = [(p.cycles, getattr(p.demand, kind)) for p in stair]
        assert values[0][0] == front[0].cycles
        assert all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(values))
        for point in front:
            assert any(c <= point.cycles and v <= getattr(point.demand, kind) for c, v in values)


def test_the_text_is_a_table(explorations: dict[str, Exploration]) -> None:
    head, *rows = text(explorations).splitlines()
    assert " ".join(head.split()) == "cores ms inputs / s GOPS mJ / input LUT DSP BRAM design"
    assert [row.startswith(name) for row, name in zip(rows, explorations, strict=True)] == [True, True]
    for row, found in zip(rows, explorations.values(), strict=True):
        assert row.endswith(str(found.best.design)) and f" {found.best.seconds * 1e3:.2f} " in row
        assert head.index("ms") + 2 == row.index(f"{found.best.seconds * 1e3:.2f}") + len(numbers(found.best)[0])


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_a_browser_draws_both_panels(explorations: dict[str, Exploration], tmp_path: Path) -> None:
    assert BROWSER is not None
    (tmp_path / "page.html").write_text(page("model", explorations))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [BROWSER, *options, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.count("<circle") == page("model", explorations).count("<circle")


def test_what_no_page_is_made_of(explorations: dict[str, Exploration]) -> None:
    for make in (text, lambda found: page("model", found)):
        with pytest.raises(ValueError, match="expected 1 to 6 explorations, got 0"):
            make({})
        with pytest.raises(ValueError, match="expected 1 to 6 explorations, got 7"):
            make({str(i): explorations["Fixed-4"] for i in range(7)})
        with pytest.raises(ValueError, match="expected explorations of one device, got xc7z020, xc7z045"):
            make({"a": explorations["Fixed-4"], "b": found_on("xc7z045")["Fixed-4"]})
