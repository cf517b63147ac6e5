"""A rung of the ladder: the emitted C++, simulated, against numpy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cocomp.support.diagnostics import CompileError

from .network import Array, Network
from .project import files, write

SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"


def verify_csim(network: Network, inputs: Sequence[Array], folder: Path, include: Path | None = None) -> None:
    """Write a network's project and simulate it on integers; with the headers in `include` where that is given. Raises
    CompileError where one sum or number is not what it should be, and where there is no compiler."""
    write(files(network, inputs), folder)
    simulate(folder, include)


def simulate(folder: Path, include: Path | None = None, flags: str = "-O2") -> str:
    """`make csim` in a project's folder: what it said."""
    for tool, package in (("make", "make"), ("g++", "g++")):
        if shutil.which(tool) is None:
            raise CompileError(f"the simulation needs {tool}: apt-get install {package}")
    command = ["make", "--silent", "-j2", "--always-make", "-C", str(folder), "csim", f"CXXFLAGS={flags}"]
    if include is not None:
        command.append(f"INCLUDE={include}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        raise CompileError(f"the simulation failed: {said[0] if said else done.stdout}", notes=said[1:6])
    return done.stdout.strip()
