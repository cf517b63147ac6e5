"""The one road into the compiler, for the command line, tests, embedders and `torch.compile`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cocomp import dialects
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import context as new_context
from cocomp.support.mlir import ir
from cocomp.support.passes import Instrument
from cocomp.support.weights import WeightStore

from .artifact import Artifact, Project
from .driver import Compilation, Progress
from .options import FPGA, Options

if TYPE_CHECKING:
    from .frontend.imported import Imported


def compile(
    model: Any,
    example_inputs: Sequence[Any] = (),
    target: str = "host",
    options: Options | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Compile a torch.nn.Module or an exported program.

    example_inputs: tensors of the shapes and types to compile for (not needed for an exported program).
    target: `host`, `linux-x86-64`, `linux-arm64`, `android-cpu`, `vulkan` or `android-gpu`; `options` says more and, when given, holds the target too.
    Raises CompileError with the place in the model when something is not supported.
    """
    options = options or Options(target=target)
    if options.compile_to != "target":
        raise UsageError(
            f"expected options that lead to an artefact, got compile-to={options.compile_to}; use compile_module"
        )
    artifact = compile_imported(import_model(model, example_inputs, new_context()), options, progress)
    assert artifact is not None
    return artifact


def accelerator(
    model: Any, example_inputs: Sequence[Any] = (), options: Options | None = None, progress: Progress | None = None
) -> Project:
    """The HLS project of a quantised model's accelerator on an FPGA.

    example_inputs: tensors, with which activations are measured; the project's test bench has them. `options` say how weights are quantised and for
    which device (default: rmsmp on an xc7z045). Raises CompileError with the place in the model when something is not supported, or the device is
    too small.
    """
    options = options or Options(target=FPGA, quantize="rmsmp")
    if options.target != FPGA or options.compile_to != "target":
        raise UsageError(f"expected options with target={FPGA} that lead to a project, got '{options}'")
    project = accelerator_of(import_model(model, example_inputs, new_context()), options, progress)
    assert project is not None
    return project


def accelerator_of(
    imported: Imported, options: Options, progress: Progress | None = None, instruments: Sequence[Instrument] = ()
) -> Project | None:
    """The same of what a front end has imported; None when the options say to stop before there is a project."""
    compilation = Compilation(
        imported.module, imported.weights, options, instruments=instruments, examples=imported.examples
    )
    if progress is not None:
        compilation = dataclasses.replace(compilation, progress=progress)
    return compilation.run_project()


def import_model(model: Any, example_inputs: Sequence[Any], context: ir.Context) -> Imported:
    """The module of phase `imported` of a torch.nn.Module or an exported program."""
    from .frontend.exported import export, import_program
    from .frontend.modules import to_arrays

    program = export(model, example_inputs)
    imported = import_program(program, context)
    imported.examples = to_arrays(program.example_inputs)
    return imported


def compile_imported(
    imported: Imported, options: Options, progress: Progress | None = None, instruments: Sequence[Instrument] = ()
) -> Artifact | None:
    """Compile what a front end has imported."""
    return compile_module(imported.module, imported.weights, options, progress, instruments, imported.examples)


def compile_module(
    module: ir.Module,
    weights: WeightStore | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
    instruments: Sequence[Instrument] = (),
    examples: Sequence[Any] = (),
) -> Artifact | None:
    """Compile a module of linalg on tensors that the caller owns; it is changed in place, and so are the weights.

    `@main` takes the inputs; an argument with the attribute `sparse.name` is a weight, found under that name in
    `weights`. None when the options say to stop before there is an artefact: `module` then is in that phase.
    `examples` are values of the inputs, with which activations are measured where these are quantised. `progress` is told of every phase, `instruments` watch every pass.
    """
    options = options or Options()
    if options.target == FPGA and options.compile_to == "target":
        raise UsageError(f"expected a target with an artefact to run, got {FPGA}; use accelerator")
    compilation = Compilation(
        module, WeightStore() if weights is None else weights, options, instruments=instruments, examples=examples
    )
    if progress is not None:
        compilation = dataclasses.replace(compilation, progress=progress)
    return compilation.run()


def register_dialects(context: ir.Context) -> None:
    """Load our dialects into a context of the caller's, and make it single-threaded, which they need."""
    context.enable_multithreading(False)
    dialects.register(context)


__all__ = [
    "Options",
    "accelerator",
    "compile",
    "compile_imported",
    "compile_module",
    "import_model",
    "register_dialects",
]
