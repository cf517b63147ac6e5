"""Where the benchmarks keep what is slow to make: peers' environments, converted models, native helpers."""

import os
import shutil
from pathlib import Path


def cache_directory(*parts: str) -> Path:
    """The directory `parts` under the benchmarks' cache (XDG base directories), made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(base, "cocomp", "benchmarks", *parts)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def versioned_directory(parent: Path, name: str, version: str) -> Path:
    """`parent/name/version`, made if it is missing; other versions of `name` are deleted, as some take gigabytes."""
    directory = parent / name / version
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.parent.iterdir():
        if stale != directory:
            shutil.rmtree(stale, ignore_errors=True)
    return directory
