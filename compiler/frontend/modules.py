"""torch.nn.Module objects: from a factory function or a trusted pickle, exported with the inputs that are known."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from cocomp.support.diagnostics import CompileError, UsageError, first_line
from cocomp.support.mlir import ir

from .exported import export, import_program
from .imported import Imported, module_inputs
from .inputs import InputSpec, check_specs, examples

RETURNS = "a factory takes no arguments and returns a torch.nn.Module, or (module, example_inputs)"


def load_factory(spec: str, specs: Sequence[InputSpec], context: ir.Context) -> Imported:
    """Call `package.module:function`, found from the current directory too, and import what it returns."""
    made = _call(_find(spec), spec)
    model, given = (made[0], made[1]) if isinstance(made, tuple) and len(made) == 2 else (made, ())
    if not isinstance(model, torch.nn.Module | ExportedProgram):
        raise CompileError(f"expected a torch.nn.Module, got {type(model).__name__}", where=spec, notes=[RETURNS])
    if isinstance(given, torch.Tensor):
        given = (given,)
    return import_module(model, tuple(given), specs, spec, context)


def import_module(
    model: Any, given: Sequence[Any], specs: Sequence[InputSpec], where: str, context: ir.Context
) -> Imported:
    """Export with the inputs of `specs`, or with the `given` ones where there are no specs."""
    if isinstance(model, ExportedProgram):
        return import_exported(model, [], specs, where, context)
    arguments, keywords = bind(model, specs) if specs else (tuple(given), {})
    if not arguments and not keywords:
        names = ", ".join(_parameters(model))
        raise UsageError(f"{where}: the shapes of the inputs are needed: --input 1x3x224x224xf32 for each of ({names})")
    imported = import_program(export(model, arguments, keywords), context)
    imported.examples = to_arrays((arguments, keywords))
    return imported


def import_exported(
    program: ExportedProgram, given: Sequence[np.ndarray], specs: Sequence[InputSpec], where: str, context: ir.Context
) -> Imported:
    """Import an exported program, whose shapes are fixed; `specs` are checked against it."""
    imported = import_program(program, context)
    wanted = module_inputs(imported.module)
    check_specs(wanted, specs, where)
    imported.examples = given if [a.shape for a in given] == [w.shape for w in wanted] else examples(wanted)
    return imported


def to_arrays(values: Any) -> list[np.ndarray]:
    """The tensors in a tree of inputs as arrays, in the order in which an exported program takes them."""
    leaves = pytree.tree_leaves(values)
    return [leaf.detach().cpu().numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]


def bind(
    model: torch.nn.Module, specs: Sequence[InputSpec]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Example tensors of `specs` as the positional and keyword arguments that `forward` takes them by."""
    tensors = [torch.from_numpy(array) for array in examples(specs)]
    unnamed = [t for t, s in zip(tensors, specs, strict=True) if not s.name]
    named = {s.name: t for t, s in zip(tensors, specs, strict=True) if s.name}
    if isinstance(model, torch.jit.ScriptModule):
        return _bind_script(model, unnamed, named), {}
    try:
        bound = inspect.signature(model.forward).bind(*unnamed, **named)
    except TypeError as error:
        raise UsageError(
            f"the inputs do not fit the model's forward({', '.join(_parameters(model))}): {error}"
        ) from None
    return bound.args, bound.kwargs


def _bind_script(
    script: torch.jit.ScriptModule, unnamed: list[torch.Tensor], named: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    names = _parameters(script)
    unknown = [name for name in named if name not in names]
    order = [*unnamed, *(named[n] for n in names[len(unnamed) :] if n in named)]
    if unknown or len(order) != len(unnamed) + len(named):
        raise UsageError(
            f"the inputs do not fit the model's forward({', '.join(names)}): got the names {', '.join(named)}"
        )
    return tuple(order)


def _parameters(model: torch.nn.Module) -> list[str]:
    if isinstance(model, torch.jit.ScriptModule):
        from .torchscript import argument_names

        return argument_names(model)
    return list(inspect.signature(model.forward).parameters)


def _find(spec: str) -> Callable[[], Any]:
    module_name, _, name = spec.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise CompileError(
            f"no Python module '{error.name}'", where=spec, notes=["run cocompc in the directory of the package"]
        ) from None
    except AttributeError as error:
        raise CompileError(str(error), where=spec) from None
    except Exception as error:  # an import runs code of the user's
        raise CompileError(f"importing '{module_name}' fails: {_described(error)}", where=spec) from error
    if not callable(found):
        raise CompileError(f"expected a function, got {type(found).__name__}", where=spec, notes=[RETURNS])
    return found


def _call(factory: Callable[[], Any], spec: str) -> Any:
    try:
        return factory()
    except Exception as error:  # the user's code may raise anything
        raise CompileError(f"the factory fails: {_described(error)}", where=spec, notes=[RETURNS]) from error


def _described(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {first_line(error)}{place}"
