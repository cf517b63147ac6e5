"""What was measured, kept in a file of SQLite: one row for each kernel, for each join of two and for each tensor of a
kernel in other memory, written as soon as it is known."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .diagnostics import CompileError

SCHEMA = 3
"""Version of the tables and of what their texts mean; part of the file and, through it, of every key."""
OLDER = (1, 2)
"""Versions with fewer tables."""
APPLICATION = 0x636F636F
"""`application_id` of our files, by which SQLite tells them from others."""
SECONDS_TO_WAIT = 30.0
"""For another process that is writing."""
KERNELS = """\
CREATE TABLE IF NOT EXISTS kernels (
  key TEXT PRIMARY KEY,     -- SHA-256 of all that the best schedule hangs on
  layer TEXT NOT NULL,      -- where the kernel was met first, for people
  schedule TEXT NOT NULL,   -- attributes of the function, as MLIR writes them
  gain REAL NOT NULL,       -- speed-up over the predicted schedule; 1 where that stays
  measured INTEGER NOT NULL -- schedules that were measured
) WITHOUT ROWID
"""
JOINS = """\
CREATE TABLE IF NOT EXISTS joins (
  key TEXT PRIMARY KEY,     -- SHA-256 of all that it hangs on whether two kernels are to be one
  layer TEXT NOT NULL,      -- where the two were met first, for people
  pays INTEGER NOT NULL,    -- whether they are
  gain REAL NOT NULL        -- time of both over the time of one
) WITHOUT ROWID
"""
"""Since version 2."""
MEMORIES = """\
CREATE TABLE IF NOT EXISTS memories (
  key TEXT PRIMARY KEY,     -- SHA-256 of all that the times of a kernel hang on, with its tensors in two kinds of memory
  layer TEXT NOT NULL,      -- where the kernel was met first, for people
  time REAL NOT NULL,       -- nanoseconds with the predicted memory
  saved REAL NOT NULL,      -- that it takes less with the other
  error REAL NOT NULL       -- standard error of that
) WITHOUT ROWID
"""
"""Since version 3."""


@dataclass(frozen=True)
class Tuned:
    """The best schedule of a kernel."""

    layer: str
    schedule: str
    gain: float
    measured: int


@dataclass(frozen=True)
class Joined:
    """Whether two kernels are to be one."""

    layer: str
    pays: bool
    gain: float


@dataclass(frozen=True)
class Moved:
    """What a kernel takes less when a tensor of it is in other memory: nanoseconds."""

    layer: str
    time: float
    saved: float
    error: float


def default_file() -> Path:
    """Where the results are kept unless somebody says otherwise: in the user's cache (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "cocomp", "tuning.sqlite")


class TuningDatabase:
    """A context manager around an open file (None: `default_file`), made when `create` is set and it is not there.

    Every result is on the disk when `put` returns. Raises CompileError, naming the file, when it cannot be used.
    """

    def __init__(self, file: Path | None, create: bool) -> None:
        self.file = file = file or default_file()
        with self._explained():
            if create:
                file.parent.mkdir(parents=True, exist_ok=True)
            elif not file.is_file():
                raise CompileError(
                    "no such tuning database",
                    where=str(file),
                    notes=["--tune=SECONDS makes it; --tune=0 only reads it"],
                )
            self._connection = sqlite3.connect(file, SECONDS_TO_WAIT, isolation_level=None)
            try:
                self._open(create)
            except BaseException:
                self._connection.close()
                raise

    def get(self, key: str) -> Tuned | None:
        """What is known of a kernel."""
        with self._explained():
            query = "SELECT layer, schedule, gain, measured FROM kernels WHERE key = ?"
            row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else Tuned(*row)

    def put(self, key: str, tuned: Tuned) -> None:
        """Keep what was found out about a kernel."""
        row = (key, tuned.layer, tuned.schedule, tuned.gain, tuned.measured)
        with self._explained():
            self._connection.execute("INSERT OR REPLACE INTO kernels VALUES (?, ?, ?, ?, ?)", row)

    def get_join(self, key: str) -> Joined | None:
        """What is known of two kernels that could be one."""
        with self._explained():
            row = self._connection.execute("SELECT layer, pays, gain FROM joins WHERE key = ?", (key,)).fetchone()
        return None if row is None else Joined(row[0], bool(row[1]), row[2])

    def put_join(self, key: str, joined: Joined) -> None:
        """Keep what was found out about two kernels that could be one."""
        with self._explained():
            query = "INSERT OR REPLACE INTO joins VALUES (?, ?, ?, ?)"
            self._connection.execute(query, (key, joined.layer, joined.pays, joined.gain))

    def get_moved(self, key: str) -> Moved | None:
        """What is known of a kernel with a tensor in other memory."""
        with self._explained():
            query = "SELECT layer, time, saved, error FROM memories WHERE key = ?"
            row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else Moved(*row)

    def put_moved(self, key: str, moved: Moved) -> None:
        """Keep what was found out about a kernel with a tensor in other memory."""
        row = (key, moved.layer, moved.time, moved.saved, moved.error)
        with self._explained():
            self._connection.execute("INSERT OR REPLACE INTO memories VALUES (?, ?, ?, ?, ?)", row)

    def __enter__(self) -> TuningDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _open(self, create: bool) -> None:
        """Check whose file it is; a new one becomes ours."""
        application = self._pragma("application_id")
        version = self._pragma("user_version")
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application, version, tables) == (0, 0, 0) and create:
            self._become(f"PRAGMA application_id = {APPLICATION}; {KERNELS}; {JOINS}; {MEMORIES}")
        elif application != APPLICATION:
            raise _unusable(self.file, "it belongs to another program")
        elif version in OLDER and create:
            self._become(f"{JOINS}; {MEMORIES}")
        elif version != SCHEMA:
            newer = ["--tune=SECONDS brings it up to date"] if version in OLDER else []
            raise _unusable(self.file, f"expected version {SCHEMA} of the tables, got {version}", newer)

    def _become(self, script: str) -> None:
        """Bring the file to the present version, all or nothing."""
        self._connection.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version = {SCHEMA}; {script}; COMMIT")

    def _pragma(self, name: str) -> int:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever the system or SQLite says becomes a message that names the file."""
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, read-only, disk full
            raise CompileError(f"cannot use the tuning database: {error}", where=str(self.file)) from error
        except sqlite3.DatabaseError as error:  # no database, or a damaged one
            raise _unusable(self.file, str(error)) from error
        except OSError as error:
            what = f"cannot make the directory of the tuning database: {error.strerror}"
            raise CompileError(what, where=str(self.file)) from error


def _unusable(file: Path, why: str, remedies: Sequence[str] = ()) -> CompileError:
    return CompileError(
        f"not a tuning database of this compiler: {why}",
        where=str(file),
        notes=remedies or ["delete the file, or name another with --tune-database=FILE"],
    )
