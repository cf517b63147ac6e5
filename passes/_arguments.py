"""Weights as arguments of the main function."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cocomp.support.mlir import ir
from cocomp.support.weights import WeightStore


def add_weight(
    main: ir.Operation,
    kind: ir.Type,
    name: str,
    array: np.ndarray,
    weights: WeightStore,
    location: ir.Location,
    filled: int = 0,
) -> ir.Value:
    """A new argument of `main` that stands for `array`, stored under `name` or, where that is taken, one like it. `filled`
    as for `WeightStore.add`."""
    stored = weights.add(name, array, filled)
    argument = main.regions[0].blocks[0].add_argument(kind, location)
    signature = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
    main.attributes["function_type"] = ir.TypeAttr.get(
        ir.FunctionType.get([*signature.inputs, kind], signature.results)
    )
    marks = (
        list(main.attributes["arg_attrs"])
        if "arg_attrs" in main.attributes
        else [ir.DictAttr.get({})] * len(signature.inputs)
    )
    marks.append(ir.DictAttr.get({"sparse.name": ir.StringAttr.get(stored)}))
    main.attributes["arg_attrs"] = ir.ArrayAttr.get(marks)
    return argument


def rename_weights(function: ir.Operation, names: Mapping[int, str]) -> None:
    """Let arguments, by their numbers, stand for other weights."""
    if names:
        marks = list(function.attributes["arg_attrs"])
        for number, name in names.items():
            marks[number] = ir.DictAttr.get({"sparse.name": ir.StringAttr.get(name)})
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(marks)
