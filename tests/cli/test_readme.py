"""The README names what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from cocomp.phases import NAMES
from cocomp.support.registry import PASS_TABLE
from tests.conftest import Capture

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_every_pass_stands_in_the_table():
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| `"))
    missing = [name for name in PASS_TABLE if f"`{name}`" not in rows]
    assert missing == []


def test_phases_stand_in_order():
    assert tuple(re.findall(r"^\| `([\w-]+)`: ", README, re.MULTILINE)) == NAMES


def test_flags_exist(tool: Capture):
    known = "".join(tool(name, "--help").out for name in ("cocompc", "run", "opt", "advise"))
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", README))
    assert len(flags) > 10
    assert {flag for flag in flags if flag not in known} == set()
