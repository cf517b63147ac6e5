"""The only door to the MLIR bindings.

Everybody imports `ir` and the dialect modules from here, so that one file knows where the bindings live, and one
function makes contexts: multithreading off, because Python verifiers crash in a multithreaded context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch_mlir._mlir_libs._mlirRegisterEverything  # noqa: F401  (registers the upstream dialects and passes)
from torch_mlir import ir, passmanager
from torch_mlir._mlir_libs._mlirDialectsGPU import ObjectAttr
from torch_mlir._mlir_libs._mlirDialectsLLVM import translate_module_to_llvmir
from torch_mlir.dialects import arith, ext, func, gpu, linalg, math, memref, scf, tensor, vector

from .diagnostics import CompileError, InternalError

__all__ = [
    "ObjectAttr",
    "apply_transform", "arith", "context", "enclosing_function", "ext", "func", "gpu", "ir", "linalg", "location", "math", "memref", "operators", "ops_in",
    "origins", "parse", "passmanager", "run_upstream", "scf", "source_line", "tensor", "translate_module_to_llvmir", "vector", "walk",
    "where",
]  # fmt: skip


def context() -> ir.Context:
    """A fresh single-threaded context with torch-mlir's dialects registered."""
    from torch_mlir.dialects import torch as torch_dialect

    made = ir.Context()
    made.enable_multithreading(False)
    torch_dialect.register_dialect(made)
    with made, ir.Location.unknown():
        # Running a pass is the only way to load the dialect it produces, tm_tensor (scans, sorts).
        load = passmanager.PassManager.parse("builtin.module(func.func(convert-torch-to-tmtensor))")
        load.run(ir.Module.create().operation)
    return made


def parse(text: str | bytes, made: ir.Context, source: str = "<text>") -> ir.Module:
    """Parse a module; a syntax error becomes a CompileError that names the line of `source`."""
    try:
        with made, ir.Location.unknown():
            return ir.Module.parse(text)
    except ir.MLIRError as error:
        first, *others = error.error_diagnostics
        line = source_line(first.location).removeprefix("-")  # the parser calls every text "-"
        raise CompileError(first.message, where=f"{source}{line}", notes=[d.message for d in others]) from None


def run_upstream(module: ir.Module, pipeline: str) -> None:
    """Run an upstream pass pipeline written as for `mlir-opt --pass-pipeline` without the outer `builtin.module(...)`."""
    with module.context:
        try:
            manager = passmanager.PassManager.parse(f"builtin.module({pipeline})")
        except ValueError as error:
            raise CompileError(f"cannot parse the pipeline '{pipeline}': {error}") from None
        try:
            manager.run(module.operation)
        except ir.MLIRError as error:
            raise InternalError(f"{pipeline}: {error}") from error


def apply_transform(module: ir.Module, script: str) -> None:
    """Apply the named sequence that stands first in a transform script, to the whole of `module`."""
    from torch_mlir.dialects.transform import interpreter

    parsed = parse(script, module.context)
    interpreter.apply_named_sequence(module.operation, parsed.body.operations[0], parsed)


def ops_in(block: ir.Block) -> list[ir.Operation]:
    """A snapshot of a block's operations, safe to walk while the block changes."""
    return [op.operation for op in block.operations]


def walk(operation: ir.Operation, visit: Callable[[ir.Operation], None]) -> None:
    """Visit `operation` and everything nested in it, parents first."""
    visit(operation)
    for region in operation.regions:
        for block in region.blocks:
            for op in ops_in(block):
                walk(op, visit)


def enclosing_function(operation: ir.Operation) -> ir.Operation:
    """The `func.func` around an operation."""
    current: Any = operation
    while current.name != "func.func":
        current = current.parent.operation
    return current


def location(path: str, node: str, file: str, line: int, operator: str = "") -> ir.Location:
    """How the compiler writes down where an operation comes from: node name, module path, operator of the model that the node
    is a part of (empty: it is one), source line."""
    source = ir.Location.file(file, line, 0) if file else ir.Location.unknown()
    if operator not in ("", node):
        source = ir.Location.name(operator, source)
    return ir.Location.name(node, ir.Location.name(path, source))


def _concrete(loc: ir.Location) -> ir.Location:
    """The location as an instance of its own class: those of diagnostics arrive as plain `ir.Location`."""
    return ir.Location.from_attr(loc.attr, loc.context)


def _names(loc: ir.Location) -> Iterator[list[str]]:
    """The nested names of each place recorded in a location: node, module path, operator, as far as they are there."""
    loc = _concrete(loc)
    if isinstance(loc, ir.NameLoc):
        inner = next(_names(loc.child_loc), []) if isinstance(loc.child_loc, ir.NameLoc) else []
        yield [loc.name_str, *inner]
    elif isinstance(loc, ir.FusedLoc):
        for part in loc.locations:
            yield from _names(part)
    elif isinstance(loc, ir.CallSiteLoc):
        yield from _names(loc.callee)


def origins(loc: ir.Location) -> list[tuple[str, str]]:
    """(graph node, module path) pairs recorded in a location, in order, without repeats."""
    return list(dict.fromkeys((names[0], names[1] if len(names) > 1 else "") for names in _names(loc)))


def operators(loc: ir.Location) -> set[str]:
    """The operators of the model that an operation computes a part of: front ends take batch norms apart, and rewriting joins
    what belonged to several. Empty where nothing is recorded."""
    return {names[2] if len(names) > 2 else names[0] for names in _names(loc)}


def source_line(loc: ir.Location) -> str:
    """`file:line` recorded in a location, or an empty string."""
    loc = _concrete(loc)
    if isinstance(loc, ir.NameLoc):
        return source_line(loc.child_loc)
    if isinstance(loc, ir.FusedLoc):
        return next((text for part in loc.locations if (text := source_line(part))), "")
    if isinstance(loc, ir.CallSiteLoc):
        return source_line(loc.callee) or source_line(loc.caller)
    if isinstance(loc, ir.FileLineColLoc):
        return f"{loc.filename}:{loc.start_line}"
    return ""


def where(operation: ir.Operation) -> str:
    """The place of an operation in the user's terms: `layer1.0.conv1 (model.py:12)`."""
    paths = [path or node for node, path in origins(operation.location)]
    line = source_line(operation.location)
    name = paths[0] if paths else ""
    return f"{name} ({line})" if name and line else name or line
