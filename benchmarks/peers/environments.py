"""One virtual environment per peer, made once: their dependencies contradict each other (protobuf, numpy)."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cache import cache_directory, versioned_directory

STAMP = "complete"  # written last: an environment without it was interrupted and is made anew
NO_CALLERS_PACKAGES = ("PYTHONPATH", "PYTHONHOME")  # these would leak the harness' packages into a peer


class InstallError(RuntimeError):
    """pip could not make a peer's environment; the message ends with pip's own last line."""


@dataclass(frozen=True)
class Requirements:
    """What pip installs, pinned: `packages` with what they depend on, `alone` without.

    `alone` is for a wheel whose stated dependencies its command line does not need (pnnx asks for all of torch).
    """

    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()

    def digest(self) -> str:
        """Names these requirements on this version of Python."""
        text = "\n".join((sys.version.split()[0], *self.packages, "", *self.alone))
        return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Environment:
    """An installation of Python below `root`, and its interpreter."""

    root: Path
    python: Path

    def file(self, path: str) -> Path:
        """A file that a package installed, by its path below site-packages."""
        return next(self.root.glob("lib/python*/site-packages")) / path


def ensure_environment(name: str, requirements: Requirements, progress: Callable[[str], None]) -> Environment:
    """The environment of peer `name`, made on the first call. `progress` gets a line before each slow step.

    Raises InstallError.
    """
    root = versioned_directory(cache_directory("environments"), name, requirements.digest())
    environment = Environment(root, root / "bin" / "python")
    if (root / STAMP).exists():
        return environment
    shutil.rmtree(root)
    progress(f"{name}: making an environment")
    _run([sys.executable, "-m", "venv", str(root)], name)
    pip = [str(environment.python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    progress(f"{name}: installing {' '.join(requirements.packages + requirements.alone)}")
    _run([*pip, *requirements.packages], name)
    if requirements.alone:
        _run([*pip, "--no-deps", *requirements.alone], name)
    (root / STAMP).touch()
    return environment


def isolated_variables() -> dict[str, str]:
    """This process' environment variables without those that would leak its packages."""
    return {key: value for key, value in os.environ.items() if key not in NO_CALLERS_PACKAGES}


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, env=isolated_variables(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise InstallError(f"{name}: {' '.join(command[1:4])} failed: {last[0]}")
