"""TorchScript: the scripted or traced module is run once on fake tensors, and what it does becomes an exported program.

Tracing at the dispatcher resolves loops, branches and calls for the given shapes, keeps composite operators whole
(convolution, attention, ...), and never runs Python code of the file: a TorchScript archive holds none.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.fx.proxy
from torch import nn
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._traceback import CapturedTraceback

from cocomp.support.diagnostics import CompileError, first_line


def load_script(path: Path) -> torch.jit.ScriptModule:
    """Load a TorchScript archive onto the CPU, in evaluation mode."""
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise CompileError(
            f"the TorchScript archive cannot be read: {first_line(error)}",
            where=str(path),
            notes=["save it again with torch.jit.save"],
        ) from error


def argument_names(script: torch.jit.ScriptModule) -> list[str]:
    """Names of what `forward` takes."""
    forward: Any = script.forward
    return [argument.name for argument in forward.schema.arguments[1:]]


def export_script(script: torch.jit.ScriptModule, inputs: Sequence[torch.Tensor]) -> ExportedProgram:
    """The exported program of what `script` does to inputs of these shapes; weights keep their names."""
    try:
        with torch.no_grad(), torch.jit.optimized_execution(False), _script_frames():  # pyright: ignore[reportPrivateImportUsage]
            traced = make_fx(
                script, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True, record_stack_traces=True
            )(*inputs)
    except Exception as error:  # the interpreter raises errors of many kinds
        raise _failure(script, inputs, error) from error
    traced.graph.eliminate_dead_code()
    named = _with_names(traced, script)
    with torch.no_grad():
        program = torch.export.export(named, tuple(inputs))
    _copy_places(named.graph, program)
    return program


@contextlib.contextmanager
def _script_frames() -> Iterator[None]:
    """Record frames of the TorchScript interpreter for graph nodes, where PyTorch records those of Python alone."""
    original = torch.fx.proxy.CapturedTraceback  # pyright: ignore[reportPrivateImportUsage]

    class WithScript:
        @staticmethod
        def extract() -> Any:
            return CapturedTraceback.extract(script=True)

    torch.fx.proxy.CapturedTraceback = WithScript  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
    try:
        yield
    finally:
        torch.fx.proxy.CapturedTraceback = original  # pyright: ignore[reportPrivateImportUsage]


def _failure(script: torch.jit.ScriptModule, inputs: Sequence[torch.Tensor], error: Exception) -> CompileError:
    """What is wrong: running the module itself tells it better than tracing does."""
    names = ", ".join(argument_names(script))
    try:
        script(*inputs)
    except Exception as reason:  # raised by the interpreter, of many kinds
        return CompileError(
            f"the TorchScript module does not run on inputs of these shapes: {_innermost(reason)}",
            where=_script_line(reason),
            notes=[f"give every input of its forward with --input, in order: {names}"],
        )
    return CompileError(
        f"the TorchScript module cannot be traced: {_innermost(error)}",
        where=_script_line(error),
        notes=["its shapes must not depend on values; or export the original module with torch.export"],
    )


def _innermost(error: BaseException) -> str:
    """TorchScript puts its own traceback first and the reason last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("RuntimeError:").strip() if lines else type(error).__name__


def _script_line(error: BaseException) -> str:
    """The innermost line of the user's original code that TorchScript's traceback names."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', str(error))
    outside = [f"{file}:{line}" for file, line in frames if "/torch/" not in file]
    return outside[-1] if outside else ""


def _with_names(traced: torch.fx.GraphModule, script: torch.jit.ScriptModule) -> torch.fx.GraphModule:
    """The traced graph over a module whose parameters are called as those of the script."""
    names = {id(value): name for name, value in [*script.named_buffers(), *script.named_parameters()]}
    root = nn.Module()
    for node in traced.graph.nodes:
        if node.op != "get_attr":
            continue
        value = getattr(traced, node.target)
        name = names.get(id(value), node.target.lstrip("_"))
        _put(root, name, value)
        node.target = name
    return torch.fx.GraphModule(root, traced.graph)


def _put(root: nn.Module, name: str, value: torch.Tensor) -> None:
    *path, leaf = name.split(".")
    owner = root
    for part in path:
        if not hasattr(owner, part):
            owner.add_module(part, nn.Module())
        owner = getattr(owner, part)
    if hasattr(owner, leaf):
        return
    if isinstance(value, nn.Parameter):
        owner.register_parameter(leaf, value)
    else:
        owner.register_buffer(leaf, value)


def _copy_places(source: torch.fx.Graph, program: ExportedProgram) -> None:
    """Module paths and source lines: the line in the archive, and the module whose weights a node uses."""
    traced = [n for n in source.nodes if n.op == "call_function"]
    exported = [n for n in program.graph.nodes if n.op == "call_function"]
    same = [n.target for n in traced] == [n.target for n in exported]
    for number, node in enumerate(exported):
        path = _module_of(node, program)
        node.meta["nn_module_stack"] = {"": ("", "")} | ({path: (path, "")} if path else {})
        node.meta["stack_trace"] = traced[number].meta.get("stack_trace", "") if same else ""


def _module_of(node: torch.fx.Node, program: ExportedProgram) -> str:
    signature = program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    named = [weights[n.name] for n in node.all_input_nodes if n.name in weights]
    return named[0].rpartition(".")[0] if named else ""
