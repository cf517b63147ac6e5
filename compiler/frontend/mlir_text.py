"""`.mlir`: linalg on tensors as text, with the weights in a safetensors file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cocomp import dialects
from cocomp.support.diagnostics import CompileError
from cocomp.support.mlir import ir, ops_in, parse
from cocomp.support.weights import WeightStore

from .imported import Imported, module_inputs
from .inputs import InputSpec, check_specs

ONE_MAIN = (
    "the module holds one function: func.func @main, from tensors of static shape to tensors; "
    "modules of later phases are what cocomp-opt works on"
)


def load_text(path: Path, specs: Sequence[InputSpec], context: ir.Context) -> Imported:
    """Parse a module and read the weights that its arguments name; `specs` are checked against it."""
    module = _parse(path, context)
    main = _main(module, path)
    weights = _weights(main, path)
    inputs = module_inputs(module)
    check_specs(inputs, specs, str(path))
    return Imported(module, weights)


def _parse(path: Path, context: ir.Context) -> ir.Module:
    dialects.register(context)
    try:
        return parse(path.read_text(), context, str(path))
    except CompileError as error:
        if path.suffix == ".mlir":
            raise
        raise CompileError(
            error.message, error.where, [*error.notes, "the file is text, and was read as MLIR"]
        ) from None


def _main(module: ir.Module, path: Path) -> ir.Operation:
    functions = ops_in(module.body)
    names = [f.attributes["sym_name"].value for f in functions if f.name == "func.func"]
    if names != ["main"] or len(functions) != 1:
        found = ", ".join(f"@{n}" for n in names) or "no function"
        raise CompileError(f"expected a module of one function @main, got {found}", where=str(path), notes=[ONE_MAIN])
    kind = ir.FunctionType(ir.TypeAttr(functions[0].attributes["function_type"]).value)
    for type_ in [*kind.inputs, *kind.results]:
        if not isinstance(type_, ir.RankedTensorType) or not type_.has_static_shape:
            raise CompileError(
                f"expected tensors of static shape in the type of @main, got {type_}", where=str(path), notes=[ONE_MAIN]
            )
    return functions[0]


def _attributes(main: ir.Operation) -> list[ir.DictAttr]:
    count = len(main.regions[0].blocks[0].arguments)
    return (
        list(main.attributes["arg_attrs"])
        if "arg_attrs" in main.attributes
        else [ir.DictAttr.get({}, main.context)] * count
    )


def _weights(main: ir.Operation, path: Path) -> WeightStore:
    """The weights that arguments name, checked against their types."""
    arguments = zip(_attributes(main), main.regions[0].blocks[0].arguments, strict=True)
    named = {a["sparse.name"].value: v.type for a, v in arguments if "sparse.name" in a}
    if not named:
        return WeightStore()
    file = path.with_suffix(".safetensors")
    if not file.exists():
        raise CompileError(
            f"the module takes {len(named)} weights (arguments with sparse.name), but their file is missing",
            where=str(file),
            notes=["save them with safetensors under the names that stand in the module"],
        )
    store = WeightStore.from_safetensors(file)
    for name, type_ in named.items():
        if name not in store:
            raise CompileError(f"weight '{name}' of {path.name} is missing", where=str(file))
        if list(store[name].shape) != list(type_.shape):
            raise CompileError(
                f"weight '{name}': expected shape {list(type_.shape)} as in {path.name}, got {list(store[name].shape)}",
                where=str(file),
            )
    return WeightStore({name: store[name] for name in named})
