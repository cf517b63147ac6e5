"""Files of pages that are not Python."""

from __future__ import annotations

from importlib.resources import files


def asset(name: str) -> str:
    """The text of a file of `compiler/assets/`."""
    return files("cocomp").joinpath("assets", name).read_text()
