"""What the compiler is made of, by name, and what other packages add to it.

A built-in pass is a file of `cocomp.passes`: `select-layout` is `SelectLayoutPass` in `layout/select_layout.py`. Other
packages join through Python entry points:

    [project.entry-points."cocomp.passes"]
    count-ops = "their_package.count_ops:CountOpsPass"      # a subclass of cocomp.support.passes.Pass

    [project.entry-points."cocomp.targets"]
    their-board = "their_package.board:target"              # a function: name of a processor ("" for none) -> CpuTarget

    [project.entry-points."cocomp.encodings"]
    theirs = "their_package.encoding:find"                  # a function: mask of what is kept -> attribute or None

Importing this module is cheap: a pass is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .diagnostics import UsageError
from .machine import CpuTarget

if TYPE_CHECKING:
    from .passes import Pass

PASSES, TARGETS, ENCODINGS = "cocomp.passes", "cocomp.targets", "cocomp.encodings"
"""Entry point groups; the first is also the package of the built-in passes."""
FOLDERS = ("tensor", "quant", "sparsity", "fusion", "layout", "kernel", "gpu", "hls", "plan", "convert")
"""Folders of passes, in the order of the phases that they work in."""


class PassTable(Mapping[str, "type[Pass]"]):
    """Pass name -> class. Built-in passes come first; another package cannot replace one."""

    def __getitem__(self, name: str) -> type[Pass]:
        if name in self.modules:
            class_name = "".join(word.capitalize() for word in name.split("-")) + "Pass"
            return getattr(import_module(self.modules[name]), class_name)
        return _foreign_pass(name)

    def __contains__(self, name: object) -> bool:
        return name in self.modules or name in self.foreign

    def __iter__(self) -> Iterator[str]:
        return iter([*self.modules, *(name for name in self.foreign if name not in self.modules)])

    def __len__(self) -> int:
        return len(self.modules.keys() | self.foreign.keys())

    @cached_property
    def modules(self) -> dict[str, str]:
        """Built-in pass -> module that holds it."""
        spec = find_spec(PASSES)
        roots = [Path(root) for root in (spec.submodule_search_locations if spec else None) or ()]
        return {
            file.stem.replace("_", "-"): f"{PASSES}.{folder}.{file.stem}"
            for folder in FOLDERS
            for root in roots
            for file in sorted((root / folder).glob("*.py"))
            if not file.stem.startswith("_")
        }

    @cached_property
    def foreign(self) -> dict[str, EntryPoint]:
        """Pass of another package -> its entry point."""
        return _entries(PASSES)


def _foreign_pass(name: str) -> type[Pass]:
    from .passes import Pass

    found = load_plugin(PASSES, name)
    if not (isinstance(found, type) and issubclass(found, Pass)) or getattr(found, "name", "") != name:
        raise UsageError(
            f"plug-in '{name}' of group '{PASSES}': expected a subclass of Pass whose name is '{name}', got {found!r}"
        )
    return found


def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def plugin_names(group: str) -> list[str]:
    """What other packages add to a group; nothing is imported."""
    return sorted(_entries(group))


def load_plugin(group: str, name: str) -> Any:
    """The object behind an entry point. Raises KeyError where there is none, UsageError where it cannot be imported."""
    entry = _entries(group)[name]
    try:
        return entry.load()
    except Exception as error:  # code of another package may raise anything
        package = entry.dist.name if entry.dist else "an unknown package"
        raise UsageError(
            f"plug-in '{name}' of {package} cannot be loaded ({entry.value}): {type(error).__name__}: {error}"
        ) from error


def encodings() -> dict[str, Any]:
    """Weight encodings of other packages, by name."""
    return {name: load_plugin(ENCODINGS, name) for name in plugin_names(ENCODINGS)}


def foreign_target(name: str, cpu: str) -> CpuTarget | None:
    """The description that another package has of target `name`, None where there is none."""
    if name not in _entries(TARGETS):
        return None
    described = load_plugin(TARGETS, name)(cpu)
    if not isinstance(described, CpuTarget):
        raise UsageError(f"plug-in '{name}' of group '{TARGETS}': expected a CpuTarget, got {type(described).__name__}")
    return described


PASS_TABLE = PassTable()
