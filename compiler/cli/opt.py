"""cocomp-opt: run passes, ours and MLIR's, on a module of text. It is what the tests of single passes use."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocomp.support.diagnostics import CompileError, InternalError, UsageError, first_line
from cocomp.support.registry import PASS_TABLE

from . import _shell
from ._expected import Diagnostic, complaints

if TYPE_CHECKING:
    from cocomp.support.mlir import ir
    from cocomp.support.passes import Pass
    from cocomp.support.weights import WeightStore

SPLIT = re.compile(r"^// -----.*\n", re.MULTILINE)
HERE = re.compile(r"(?:^|\()-:(\d+)")
"""A place in the text itself, which the parser calls "-"."""
EPILOG = """\
examples:
  cocomp-opt model.mlir -p 'raise-contractions,canonicalize,plan-fusion,form-groups'
  cocomp-opt model.mlir -p 'lower-contractions' -target=linux-x86-64 -mcpu=x86-64-v4 --print-after=lower-contractions
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command."""
    options = _shell.parse_arguments(_parser(), arguments)
    return _shell.guarded("cocomp-opt", lambda: _list_passes() if options.list_passes else _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cocomp-opt", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE.mlir", help="module to change; - or nothing: stdin"
    )
    parser.add_argument("-p", "--passes", default="", metavar="PIPELINE", help="passes, e.g. 'pass-a{option=1},pass-b'")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--list-passes", action="store_true", help="list our passes with their options and stop")
    parser.add_argument(
        "--print-after",
        action="append",
        default=[],
        metavar="PASS",
        help="print the module to stderr after PASS (or 'all')",
    )
    parser.add_argument(
        "--split-input-file",
        action="store_true",
        help="treat the parts between lines '// -----' as modules of their own",
    )
    parser.add_argument(
        "--verify-diagnostics", action="store_true", help="compare diagnostics with comments // expected-error {{...}}"
    )
    parser.add_argument("--mlir-print-debuginfo", action="store_true", help="print locations")
    _shell.add_target_flags(parser)
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--weights", metavar="FILE", help="weights of the module (default: FILE.safetensors beside it)"
    )
    weights.add_argument(
        "--random-weights",
        action="store_true",
        help="make up weights for all arguments with sparse.name, and example inputs",
    )
    parser.add_argument(
        "--save-weights", metavar="FILE", help="write the weights as the passes leave them (safetensors)"
    )
    parser.add_argument(
        "--emit", metavar="OUT.so", help="then compile and link: the passes have led to phase 'kernels'"
    )
    return parser


def _list_passes() -> int:
    import dataclasses
    import inspect

    for name in PASS_TABLE:
        class_ = PASS_TABLE[name]
        options = " ".join(f"{f.name.replace('_', '-')}={f.default}" for f in dataclasses.fields(class_))
        print(f"{name}{f'{{{options}}}' if options else ''}\n    {(inspect.getdoc(class_) or '').splitlines()[0]}")
    print("and every pass of MLIR, in its own syntax")
    return _shell.OK


def _run(options: argparse.Namespace) -> int:
    from cocomp import dialects
    from cocomp.support.mlir import context as new_context

    if options.emit and options.split_input_file:
        raise UsageError("expected one module for --emit, got --split-input-file")
    text = _shell.read_text(options.file)
    context = new_context()
    dialects.register(context)
    passes = _passes(options.passes, context)
    parts = SPLIT.split(text) if options.split_input_file else [text]
    outputs: list[str] = []
    code, first_line = _shell.OK, 0
    for part in parts:
        chunk = _Chunk(options, part, first_line, context)
        code = max(code, chunk.process(passes))
        outputs.append(chunk.output)
        first_line += part.count("\n") + 1
    if not options.verify_diagnostics and (code == _shell.OK or options.output == "-"):
        _write(options.output, "\n// -----\n".join(outputs).encode())
    return code


def _passes(text: str, context: ir.Context) -> list[Pass]:
    """The pipeline; a name that neither we nor MLIR know is refused before anything runs."""
    from cocomp.support.mlir import passmanager
    from cocomp.support.passes import Upstream, parse_pipeline

    inner = re.fullmatch(r"\s*builtin\.module\((.*)\)\s*", text, re.DOTALL)
    passes = parse_pipeline(inner.group(1) if inner else text, PASS_TABLE)
    for step in passes:
        if isinstance(step, Upstream):
            try:
                with context:
                    passmanager.PassManager.parse(f"builtin.module({step.pipeline})")
            except ValueError as error:
                raise UsageError(_unknown(step.pipeline, error)) from None
    return passes


def _unknown(text: str, error: ValueError) -> str:
    from difflib import get_close_matches

    name = re.split(r"[{(]", text)[0]
    close = get_close_matches(name, PASS_TABLE, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "; --list-passes lists ours"
    reported = re.findall(r"error: (.*)", str(error))
    return f"cannot parse '{text}' in the pipeline: {reported[0] if reported else first_line(error)}{hint}"


def _write(file: str, data: bytes) -> None:
    if file == "-":
        sys.stdout.buffer.write(data)
        return
    from cocomp.artifact import write_whole

    write_whole({Path(file): data})


@dataclass
class _Chunk:
    """One module of the input on its way through the passes. `first_line` is how many lines of the file precede it."""

    options: argparse.Namespace
    text: str
    first_line: int
    context: ir.Context
    reported: list[Diagnostic] = field(default_factory=list[Diagnostic])
    notes: list[str] = field(default_factory=list[str])
    output: str = ""

    def process(self, passes: Sequence[Pass]) -> int:
        """Run the passes; the exit code."""
        code = _shell.OK
        handler = self.context.attach_diagnostic_handler(self._collect)
        try:
            self._transform(passes)
        except CompileError as error:
            self._add(error.message, error.where, error.notes)
            code = _shell.REJECTED
        except InternalError as error:
            code = self._add_internal(error)
        finally:
            handler.detach()
        if self.options.verify_diagnostics:
            self.reported, self.notes = complaints(self.text, self.reported), []
            code = _shell.REJECTED if self.reported else _shell.OK
        self._print()
        return code

    def _transform(self, passes: Sequence[Pass]) -> None:
        from cocomp.support.instrument import PrintAfter
        from cocomp.support.mlir import parse
        from cocomp.support.passes import State, VerifyAfter, run_passes
        from cocomp.targets.gpus import target_called

        target = target_called(self.options.target, self.options.mcpu, self.options.precision)
        module = parse(self.text, self.context, "-")
        weights = self._weights(module)
        examples = _examples(module) if self.options.random_weights else ()
        state = State(target, weights, _evaluate, examples, _measure, _schedule, _settle)
        run_passes(passes, module, state, [PrintAfter(self.options.print_after), VerifyAfter()])
        self.output = module.operation.get_asm(enable_debug_info=self.options.mlir_print_debuginfo) + "\n"
        if self.options.save_weights:
            _write(self.options.save_weights, state.weights.to_safetensors())
        if self.options.emit:
            _emit(self.options, module, state.weights)

    def _weights(self, module: ir.Module) -> WeightStore:
        from cocomp.support.weights import WeightStore

        if self.options.random_weights:
            return _random_weights(module)
        if self.options.weights:
            return WeightStore.from_safetensors(Path(self.options.weights))
        beside = Path(self.options.file).with_suffix(".safetensors")
        return WeightStore.from_safetensors(beside) if beside.is_file() else WeightStore()

    def _collect(self, diagnostic: Any) -> bool:
        """Called by MLIR for what is reported without an exception: warnings, remarks, errors of verifiers."""
        from cocomp.support.mlir import source_line

        kind = str(diagnostic.severity).rpartition(".")[2].lower()
        self._append(kind, diagnostic.message, source_line(diagnostic.location))
        for note in diagnostic.notes:
            self._append("note", note.message, source_line(note.location))
        return True

    def _add_internal(self, error: InternalError) -> int:
        """Report what MLIR says behind an internal error, or the error itself; the exit code."""
        from cocomp.support.mlir import ir, source_line

        missing = error.__cause__
        if isinstance(missing, KeyError) and f'sparse.name = "{missing.args[0]}"' in self.text:
            notes = ["give them with --weights=FILE.safetensors, or make them up with --random-weights"]
            self._add(f"the values of weight '{missing.args[0]}' are needed", "", notes)
            return _shell.REJECTED
        cause: Any = error.__cause__
        if not isinstance(cause, ir.MLIRError) or not cause.error_diagnostics:
            if not any(d.kind == "error" for d in self.reported):
                self._add(f"internal error: {error}", "", ())
            return _shell.INTERNAL
        for diagnostic in cause.error_diagnostics:
            self._add(diagnostic.message, source_line(diagnostic.location), ())
            for note in diagnostic.notes:
                self._append("note", note.message, source_line(note.location))
        return _shell.INTERNAL

    def _add(self, message: str, where: str, notes: Sequence[str]) -> None:
        self._append("error", message, where)
        self.notes += notes

    def _append(self, kind: str, message: str, where: str) -> None:
        here = HERE.search(where)
        elsewhere = f"{where}: " if where and not here else ""
        self.reported.append(Diagnostic(kind, int(here.group(1)) if here else None, elsewhere + message))

    def _print(self) -> None:
        for diagnostic in self.reported:
            line = f":{diagnostic.line + self.first_line}" if diagnostic.line is not None else ""
            print(f"{self.options.file}{line}: {diagnostic.kind}: {diagnostic.message}", file=sys.stderr)
        for note in self.notes:
            print(f"note: {note}", file=sys.stderr)


def _evaluate(module: ir.Module, weights: WeightStore) -> list[Any]:
    from cocomp.driver import evaluate_on_host  # imports the whole pipeline, which few passes need

    return evaluate_on_host(module, weights)


def _schedule(module: ir.Module, *arguments: Any) -> None:
    from cocomp.driver import schedule_groups

    schedule_groups(module, *arguments)


def _settle(module: ir.Module, *arguments: Any) -> None:
    from cocomp.driver import settle_memory

    settle_memory(module, *arguments)


def _measure(module: ir.Module, *arguments: Any) -> Any:
    from cocomp.driver import measure_here

    return measure_here(module, *arguments)


def _examples(module: ir.Module) -> list[Any]:
    from cocomp.frontend.imported import module_inputs
    from cocomp.frontend.inputs import examples

    return examples(module_inputs(module))


def _random_weights(module: ir.Module) -> WeightStore:
    """Seeded values for every argument that names a weight."""
    from cocomp.frontend.inputs import InputSpec
    from cocomp.support.mlir import ops_in
    from cocomp.support.weights import WeightStore

    store = WeightStore()
    for function in ops_in(module.body):
        attributes = list(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else []
        for number, (named, value) in enumerate(zip(attributes, function.regions[0].blocks[0].arguments, strict=False)):
            if "sparse.name" in named and named["sparse.name"].value not in store:
                type_ = value.type
                store.add(
                    named["sparse.name"].value, InputSpec(str(type_.element_type), tuple(type_.shape)).example(number)
                )
    return store


def _emit(options: argparse.Namespace, module: ir.Module, weights: WeightStore) -> None:
    """Code generation and linking alone."""
    from cocomp.driver import Compilation
    from cocomp.options import Options
    from cocomp.targets.gpus import target_called

    chosen = Options(target=options.target, cpu=options.mcpu, precision=options.precision)
    target = target_called(chosen.target, chosen.cpu, chosen.precision)
    Compilation(module, weights, chosen).finish(target).save(options.emit, header=False)


if __name__ == "__main__":
    sys.exit(main())
