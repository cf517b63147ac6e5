"""cocomp: an optimizing compiler that makes pruned and quantised PyTorch models run at the speed of their sparsity.

    artifact = cocomp.compile(model, (example,))
    y = artifact.load(threads=2)(x)

Importing the package is cheap; what a name needs is imported when the name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "compile": "cocomp.api",
    "register_dialects": "cocomp.api",
    "compile_module": "cocomp.api",
    "accelerator": "cocomp.api",
    "Project": "cocomp.artifact",
    "Artifact": "cocomp.artifact",
    "Options": "cocomp.options",
    "load": "cocomp.runtime.loader",
    "Model": "cocomp.runtime.loader",
    "CompileError": "cocomp.support.diagnostics",
    "UsageError": "cocomp.support.diagnostics",
    "WeightStore": "cocomp.support.weights",
    "ArtifactError": "cocomp.runtime.manifest",
    "InputError": "cocomp.runtime.loader",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from .api import accelerator, compile, compile_module, register_dialects
    from .artifact import Artifact, Project
    from .options import Options
    from .runtime.loader import InputError, Model, load
    from .runtime.manifest import ArtifactError
    from .support.diagnostics import CompileError, UsageError
    from .support.weights import WeightStore


def __getattr__(name: str) -> Any:
    if name in ("bcrc", "prune", "quantize"):
        return import_module(f"cocomp.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'cocomp' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
