"""What tests share: the command-line tools as functions, small models, and artefacts that are compiled once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
    from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # so that `benchmarks.models` can be imported wherever pytest starts

TIME_LIMIT = 120
os.environ.setdefault("COCOMP_PIPELINE_CACHE", "off")  # tests leave nothing in the user's cache


class Tool(SimpleNamespace):
    """What a run of a tool left: `code`, `out`, `err`."""

    code: int
    out: str
    err: str


def run_tool(
    name: str, *arguments: object, cwd: Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
) -> Tool:
    """Run a command-line tool in a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", f"cocomp.cli.{name}", *map(str, arguments)],
        cwd=cwd, input=stdin, capture_output=True, text=True, timeout=TIME_LIMIT, check=False, env={**os.environ, **(env or {})},
    )  # fmt: skip
    return Tool(code=done.returncode, out=done.stdout, err=done.stderr)


def interrupt(command: Sequence[str], ready: Callable[[], bool], cwd: Path) -> Tool:
    """Start a command, send it SIGINT once `ready` says so, and wait for its end."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    limit = time.monotonic() + TIME_LIMIT
    while process.poll() is None and not ready() and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIME_LIMIT)
    return Tool(code=process.returncode, out=out, err=err)


class Capture:
    """Runs a tool's `main` in this process, which saves the time of importing PyTorch again."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, name: str, *arguments: object) -> Tool:
        from importlib import import_module

        self.capture.readouterr()
        try:
            code = import_module(f"cocomp.cli.{name}").main([str(a) for a in arguments])
        except SystemExit as error:  # argparse ends so
            code = int(error.code or 0)
        out, err = self.capture.readouterr()
        return Tool(code=code, out=out, err=err)


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Capture:
    """`tool("cocompc", ...)` runs a tool here and gives its exit code and what it printed."""
    return Capture(capsys)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def network() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A small network with a convolution, a batch norm, a residual and a linear layer; and its input."""
    from tests.small_models import residual

    return residual()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the small network in every format that front ends read."""
    from tests.small_models import save_all

    directory = tmp_path_factory.mktemp("models")
    save_all(directory)
    return directory


@pytest.fixture(scope="session")
def library(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network, compiled for this machine."""
    import cocomp
    from tests.small_models import residual

    module, inputs = residual()
    return cocomp.compile(module, inputs).save(tmp_path_factory.mktemp("library") / "residual.so")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
