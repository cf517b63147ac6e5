"""Which structure the zeros of each weight have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import sparse, structured
from cocomp.passes import _outline
from cocomp.passes.kernel._mask import weight_mask
from cocomp.passes.math.structure import Blocks, Dense, KernelGroups, Structure, find_structure
from cocomp.support import registry
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

Array = np.ndarray
Finder = Callable[[Array], ir.Attribute | None]
"""bool[rows, channels, positions] of what is kept -> the name of its structure."""


@dataclass(frozen=True)
class EncodeWeightsPass(Pass):
    """Write the encoding of every contraction's weight into its type, found from its zeros.

        "sparse.contract"(%x, %w) : (tensor<..>, tensor<64x64x3x3xf32>)
      -->
        "sparse.contract"(%x, %w) : (tensor<..>, tensor<64x64x3x3xf32, #sparse.kgs<8, 4>>)

    Views between a constant that `fold-constants` made and its contraction move into the weight's map first. Reads the
    weights; changes no value. A weight that is used by anything but contractions stays as it is, which means dense. Needs
    `raise-contractions`. Whether zeros are worth leaving out is for `schedule-contractions` to decide.
    """

    name: ClassVar[str] = "encode-weights"

    def run(self, module: ir.Module, state: State) -> None:
        foreign = registry.encodings()
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            for op in ops_in(block):
                if structured.is_contract(op):
                    _read_directly(op)
            _outline.erase_dead(block)
            for argument in block.arguments:
                name = structured.weight_name(argument)
                uses = [use.owner.operation for use in argument.uses]
                if name is None or not uses or not all(_is_weight_of(op, argument) for op in uses):
                    continue
                kept = weight_mask(state.weights[name], structured.loops_of(uses[0]))
                encoding = sparse.dense() if kept is None else _encoding(kept, foreign)
                kind = argument.type
                argument.set_type(ir.RankedTensorType.get(kind.shape, kind.element_type, encoding))
            results = [v.type for v in ops_in(block)[-1].operands]
            type_ = ir.FunctionType.get([a.type for a in block.arguments], results)
            function.attributes["function_type"] = ir.TypeAttr.get(type_)


def _read_directly(contract: ir.Operation) -> None:
    """Let a contraction read a weight itself, not a view of it."""
    loops = structured.loops_of(contract)
    root, index = structured.through_views(contract.operands[1], loops.maps[1], loops.bounds)
    if root == contract.operands[1] or structured.weight_name(root) is None:
        return
    maps = [structured.affine_map(m, len(loops.bounds)) for m in (loops.maps[0], index, loops.maps[2])]
    contract.attributes["maps"] = ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps])
    contract.operands[1] = root


def _is_weight_of(op: ir.Operation, argument: ir.Value) -> bool:
    return structured.is_contract(op) and op.operands[1] == argument and op.operands[0] != argument


def _encoding(kept: Array, foreign: Mapping[str, Finder]) -> ir.Attribute:
    for name, find in sorted(foreign.items()):
        found = _ask(name, find, kept)
        if found is not None:
            return found
    return _attribute(find_structure(kept))


def _ask(name: str, find: Finder, kept: Array) -> ir.Attribute | None:
    """What another package says of a mask; its mistakes are reported as its own."""
    try:
        found = find(kept)
    except Exception as error:  # code of another package may raise anything
        raise UsageError(
            f"plug-in '{name}' of group '{registry.ENCODINGS}' failed: {type(error).__name__}: {error}"
        ) from error
    if found is not None and not isinstance(found, ir.Attribute):
        raise UsageError(
            f"plug-in '{name}' of group '{registry.ENCODINGS}': expected an attribute or None, got {type(found).__name__}"
        )
    return found


def _attribute(structure: Structure) -> ir.Attribute:
    match structure:
        case Dense():
            return sparse.dense()
        case Blocks(rows, columns):
            return sparse.bcr(rows, columns)
        case KernelGroups(rows, channels):
            return sparse.kgs(rows, channels)
