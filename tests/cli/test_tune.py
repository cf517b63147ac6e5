"""`--tune`: results are kept and found again, and whatever is wrong with the database or the flags is said clearly."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cocomp
from cocomp import driver
from cocomp.support import tuning
from cocomp.support.diagnostics import CompileError
from cocomp.support.tuning import APPLICATION, OLDER, SCHEMA, Joined, Moved, Tuned, TuningDatabase, default_file
from tests.conftest import Capture, interrupt

TUNE = "--tune=0.001"
"""Enough for one kernel, which is measured whatever the time."""
KERNELS = 2
"""Contractions of the small network with more than one schedule: the linear layer's five rows leave no choice."""


def rows(file: Path) -> list[Sequence[Any]]:
    """What a database holds."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT key, schedule FROM kernels ORDER BY key").fetchall()
    except sqlite3.OperationalError:  # it is being made
        return []
    finally:
        connection.close()


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Instead of being run, every schedule takes half the time of the predicted one, the first to be seen of a kernel. Number of
    schedules in each trial."""
    seen: list[int] = []
    predicted: dict[str, str] = {}

    def measure(module: Any, *_: object) -> np.ndarray:
        versions = [op.attributes for op in module.body.operations][:-1]
        seen.append(len(versions))
        texts = [str(v["kernel.schedule" if "kernel.schedule" in v else "kernel.winograd"]) for v in versions]
        first = predicted.setdefault(versions[0]["sym_name"].value, texts[0])
        return np.array([[100 if text == first else 50 for text in texts]] * 8)

    monkeypatch.setattr(driver, "measure_here", measure)
    return seen


# ---- results ----


def test_every_kernel_is_measured_once(tool: Capture, models: Path, here: Path, trials: list[int]):
    command = ("cocompc", models / "residual.mlir", "--tune-database=t.sqlite", "-o", "r.so", "--report=r.json")
    assert tool(*command, "--tune=100").code == 0
    assert len(trials) >= KERNELS
    known = rows(here / "t.sqlite")
    assert len(known) == KERNELS
    described = json.loads((here / "r.json").read_text())["kernels"]
    tuned = [k["kernel"] for k in described if (k["schedule"], k["measured_gain"]) == ("tuned", 2.0)]
    assert len(tuned) == KERNELS
    first = (here / "r.so").read_bytes()
    trials.clear()
    for again in ("--tune=100", "--tune=0"):
        assert tool(*command, again).code == 0
        assert trials == [] and rows(here / "t.sqlite") == known
        assert (here / "r.so").read_bytes() == first


def test_only_what_is_missing_is_measured(tool: Capture, models: Path, here: Path, trials: list[int]):
    command = ("cocompc", models / "residual.mlir", "--tune-database=t.sqlite", "-o", "r.so", "--report=r.json")
    assert tool(*command, "--tune=1e-9").code == 0
    (known,) = rows(here / "t.sqlite")
    described = json.loads((here / "r.json").read_text())["kernels"]
    assert sorted(k["schedule"] for k in described).count("tuned") == 1
    assert {k["measured_gain"] for k in described} == {None, 2.0}
    assert tool(*command, "--tune=100").code == 0
    assert len(rows(here / "t.sqlite")) == KERNELS and known in rows(here / "t.sqlite")


@pytest.mark.parametrize("schedule", ["", "{kernel", "{kernel.schedule = {lanes = 3 : i64}}"])
def test_a_schedule_of_another_compiler_is_not_used(
    tool: Capture, models: Path, here: Path, trials: list[int], schedule: str
):
    """Only schedules that the cost model proposes reach the code generator; the kernel is measured again."""
    command = ("cocompc", models / "residual.mlir", "--tune-database=t.sqlite", "--report=r.json")
    assert tool(*command, "--tune=100").code == 0
    known = rows(here / "t.sqlite")
    with sqlite3.connect(here / "t.sqlite") as connection:
        connection.execute("UPDATE kernels SET schedule = ?", (schedule,))
    assert tool(*command, "--tune=0").code == 0
    assert {k["schedule"] for k in json.loads((here / "r.json").read_text())["kernels"]} == {"predicted"}
    assert tool(*command, "--tune=100").code == 0
    assert rows(here / "t.sqlite") == known


@pytest.mark.parametrize("other", ["--threads=3", "-mcpu=x86-64-v2 -target=linux-x86-64", "--precision=f16"])
def test_results_hold_for_what_they_were_measured_with(
    tool: Capture, models: Path, here: Path, trials: list[int], other: str
):
    command = ("cocompc", models / "residual.mlir", "--tune-database=t.sqlite", "-o", "r.so", "--report=r.json")
    assert tool(*command, "--tune=100").code == 0
    if tool(*command, "--tune=0", *other.split()).code == 0:  # not every machine has half precision
        assert {k["schedule"] for k in json.loads((here / "r.json").read_text())["kernels"]} == {"predicted"}


def test_without_tune_nothing_changes(tool: Capture, models: Path, here: Path, trials: list[int]):
    assert tool("cocompc", models / "residual.mlir", "-o", "a.so").code == 0
    assert tool("cocompc", models / "residual.mlir", "-o", "b.so", TUNE, "--tune-database=t.sqlite").code == 0
    assert tool("cocompc", models / "residual.mlir", "-o", "c.so", "--report=c.json").code == 0
    assert (here / "a.so").read_bytes() == (here / "c.so").read_bytes() != (here / "b.so").read_bytes()
    assert {k["schedule"] for k in json.loads((here / "c.json").read_text())["kernels"]} == {"predicted"}


def test_database_in_the_cache(
    tool: Capture, models: Path, here: Path, monkeypatch: pytest.MonkeyPatch, trials: list[int]
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    assert tool("cocompc", models / "residual.mlir", TUNE).code == 0
    assert default_file() == here / "cache" / "cocomp" / "tuning.sqlite"
    assert rows(default_file())


def test_schedules_are_measured(tool: Capture, models: Path, here: Path):
    """Nothing replaced: kernels are compiled and run."""
    command = ("cocompc", models / "residual.mlir", TUNE, "--tune-database=t.sqlite", "--threads=1", "--report=r.json")
    assert tool(*command).code == 0
    assert len(rows(here / "t.sqlite")) == 1
    gains = [k["measured_gain"] for k in json.loads((here / "r.json").read_text())["kernels"]]
    assert sum(gain is not None and gain >= 1 for gain in gains) == 1


def test_interrupted_while_measuring(models: Path, here: Path):
    """What was measured before stays, and is used."""
    file = here / "t.sqlite"
    command = [sys.executable, "-m", "cocomp.cli.cocompc", str(models / "residual.mlir"), f"--tune-database={file}"]
    done = interrupt([*command, "--tune=600"], lambda: file.exists() and len(rows(file)) >= 1, here)
    assert (done.code, done.err.splitlines()[-1]) == (130, "cocompc: error: interrupted")
    assert 1 <= len(rows(file)) < KERNELS
    assert not (here / "residual.so").exists()
    found = [Tuned("", "", 1.0, 0)]
    with TuningDatabase(file, create=False) as database:
        found = [database.get(key) for key, _ in rows(file)]
    assert None not in found


# ---- databases that are none ----


def refused(tool: Capture, models: Path, file: Path, *more: str) -> str:
    """What is said of a database that cannot be used; it must not have been changed."""
    before = file.read_bytes() if file.is_file() else None
    done = tool("cocompc", models / "residual.mlir", *(more or (TUNE,)), f"--tune-database={file}")
    assert done.code == 1 and done.err.startswith("cocompc: error: ") and "Traceback" not in done.err
    assert str(file) in done.err
    assert before is None or file.read_bytes() == before
    return done.err


REMEDY = "note: delete the file, or name another with --tune-database=FILE"


@pytest.mark.parametrize("contents", [b"schedules = 3\n" * 100, b"SQLite format 3\0" + bytes(range(256)) * 20])
def test_no_database(tool: Capture, models: Path, here: Path, contents: bytes):
    (here / "t.sqlite").write_bytes(contents)
    said = refused(tool, models, here / "t.sqlite")
    assert "not a tuning database of this compiler: file is not a database" in said and REMEDY in said


def test_a_database_of_another_program(tool: Capture, models: Path, here: Path):
    with sqlite3.connect(here / "t.sqlite") as connection:
        connection.execute("CREATE TABLE kernels (name TEXT)")
    said = refused(tool, models, here / "t.sqlite")
    assert "not a tuning database of this compiler: it belongs to another program" in said and REMEDY in said


def test_a_database_of_another_version(tool: Capture, models: Path, here: Path):
    with sqlite3.connect(here / "t.sqlite") as connection:
        connection.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA + 1}")
    said = refused(tool, models, here / "t.sqlite")
    assert f"expected version {SCHEMA} of the tables, got {SCHEMA + 1}" in said and REMEDY in said


def older_version(file: Path, version: int) -> None:
    """A database as an older version made it, with one kernel."""
    tables = [tuning.KERNELS, tuning.JOINS][:version]
    with sqlite3.connect(file) as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}; {'; '.join(tables)}"
        )
        connection.execute("INSERT INTO kernels VALUES ('key', 'layer', '{}', 1.5, 5)")


@pytest.mark.parametrize("version", OLDER)
def test_a_database_of_an_older_version_is_brought_up_to_date(here: Path, version: int):
    older_version(here / "t.sqlite", version)
    with TuningDatabase(here / "t.sqlite", create=True) as database:
        assert database.get("key") == Tuned("layer", "{}", 1.5, 5)
        assert database.get_join("key") is None and database.get_moved("key") is None
    with TuningDatabase(here / "t.sqlite", create=False) as database:
        assert database.get("key") == Tuned("layer", "{}", 1.5, 5)


@pytest.mark.parametrize("version", OLDER)
def test_who_only_reads_leaves_an_older_version_alone(tool: Capture, models: Path, here: Path, version: int):
    older_version(here / "t.sqlite", version)
    said = refused(tool, models, here / "t.sqlite", "--tune=0")
    assert f"expected version {SCHEMA} of the tables, got {version}" in said
    assert "note: --tune=SECONDS brings it up to date" in said and REMEDY not in said


def test_what_is_known_of_joins_is_kept(here: Path):
    with TuningDatabase(here / "t.sqlite", create=True) as database:
        for joined in (Joined("layer", True, 1.0), Joined("layer", False, 1.25)):
            database.put_join("key", joined)
            assert database.get_join("key") == joined
        assert database.get_join("other") is None and database.get("key") is None


def test_what_is_known_of_memory_is_kept(here: Path):
    with TuningDatabase(here / "t.sqlite", create=True) as database:
        for moved in (Moved("layer", 1000.0, 50.0, 3.5), Moved("layer", 900.0, -20.0, 0.0)):
            database.put_moved("key", moved)
            assert database.get_moved("key") == moved
        assert database.get_moved("other") is None and database.get_join("key") is None


def test_a_damaged_database(tool: Capture, models: Path, here: Path, trials: list[int]):
    assert tool("cocompc", models / "residual.mlir", "--tune=100", "--tune-database=t.sqlite").code == 0
    whole = (here / "t.sqlite").read_bytes()
    (here / "t.sqlite").write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    said = refused(tool, models, here / "t.sqlite")
    assert "not a tuning database of this compiler: database disk image is malformed" in said and REMEDY in said


def test_no_file_to_read(tool: Capture, models: Path, here: Path):
    said = refused(tool, models, here / "none.sqlite", "--tune=0")
    assert "no such tuning database\nnote: --tune=SECONDS makes it" in said
    assert not (here / "none.sqlite").exists()


def test_a_directory(tool: Capture, models: Path, here: Path):
    assert "cannot use the tuning database: unable to open database file" in refused(tool, models, here)


def test_no_directory_can_be_made(tool: Capture, models: Path, here: Path):
    (here / "file").write_text("")
    said = refused(tool, models, here / "file" / "t.sqlite")
    assert "cannot make the directory of the tuning database: File exists" in said


def test_a_locked_database(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cocomp.support.tuning.SECONDS_TO_WAIT", 0.01)
    with TuningDatabase(here / "t.sqlite", create=True) as database:
        other = sqlite3.connect(here / "t.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CompileError, match="cannot use the tuning database: database is locked"):
            database.put("key", Tuned("layer", "{}", 1.0, 5))
        other.close()
        database.put("key", Tuned("layer", "{}", 1.5, 5))
        assert database.get("key") == Tuned("layer", "{}", 1.5, 5)
        assert database.get("other") is None


# ---- flags ----


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "-inf"])
def test_seconds_are_checked(tool: Capture, models: Path, here: Path, seconds: str):
    done = tool("cocompc", models / "residual.mlir", f"--tune={seconds}")
    said = f"cocompc: error: expected a number of seconds from 0 to tune for, got {seconds}\n"
    assert (done.code, done.err) == (2, said)


def test_seconds_are_a_number(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.mlir", "--tune=long")
    assert done.code == 2 and "argument --tune: invalid float value: 'long'" in done.err


def test_a_database_needs_tune(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.mlir", "--tune-database=t.sqlite")
    assert done.code == 2 and "expected --tune=SECONDS with --tune-database" in done.err


def test_other_machines_cannot_be_timed(tool: Capture, models: Path, here: Path, trials: list[int]):
    target = "-target=android-cpu"
    done = tool("cocompc", models / "residual.mlir", target, "--tune=5", "--tune-database=t.sqlite")
    assert done.code == 2
    assert (
        "expected no --tune=5 with -target=android-cpu: code for cortex-a76 cannot be timed on this machine" in done.err
    )
    assert not (here / "t.sqlite").exists()
    with TuningDatabase(here / "t.sqlite", create=True):
        pass
    assert tool("cocompc", models / "residual.mlir", target, "--tune=0", "--tune-database=t.sqlite").code == 0


def test_options_know_tune(here: Path):
    options = cocomp.Options(tune=2.5, tune_database=here / "t.sqlite", threads=2)
    again = cocomp.Options.parse(str(options))
    assert again == options and again.tune == 2.5 and again.digest != cocomp.Options().digest
    assert cocomp.Options.parse(str(cocomp.Options())) == cocomp.Options()
    for wrong in (-1.0, math.nan):
        with pytest.raises(cocomp.UsageError, match="expected a number of seconds"):
            cocomp.Options(tune=wrong)
    with pytest.raises(cocomp.UsageError, match="expected a number of seconds from 0 to tune for, got 'soon'"):
        cocomp.Options.parse("tune=soon")
