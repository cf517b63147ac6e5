"""A Vulkan loader that pretends, for the tests of the runtime."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.gpu_parts import HERE, NATIVE


@pytest.fixture(scope="session")
def pretend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loader in front of the system's that does what the environment says."""
    library = tmp_path_factory.mktemp("pretend") / "libpretend.so"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fvisibility=hidden"]
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-fno-sanitize=all", *flags, f"-I{NATIVE}",
         str(HERE / "pretend.c"), "-o", str(library)],
        check=True,
    )  # fmt: skip
    return library
