"""Which structure the zeros of each weight have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import sparse, structured
from cocomp.passes import _outline
from cocomp.passes.kernel._mask import weight_mask
from cocomp.passes.math.density import picture
from cocomp.passes.math.encodings import ENCODINGS, Encoding, find_encoding, parse_sparsity, usage
from cocomp.support import registry
from cocomp.support.diagnostics import CompileError, UsageError
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.passes import Pass, State

Array = np.ndarray
Finder = Callable[[Array], ir.Attribute | None]
"""bool[rows, channels, positions] of what is kept -> the name of its structure."""
Encode = Callable[[Array, str, ir.Operation], ir.Attribute]
"""What is kept, name of the weight, the contraction -> encoding."""


@dataclass(frozen=True)
class EncodeWeightsPass(Pass):
    """Write the encoding of every contraction's weight into its type, found from its zeros.

        "sparse.contract"(%x, %w) : (tensor<..>, tensor<64x64x3x3xf32>)
      -->
        "sparse.contract"(%x, %w) : (tensor<..>, tensor<64x64x3x3xf32, #sparse.kgs<8, 4>>)

    Views between a constant that `fold-constants` made and its contraction move into the weight's map first. Reads the
    weights; changes no value. A weight whose type says already how it is encoded keeps that; one that is used by anything but contractions stays as it is, which means dense. Needs
    `raise-contractions`. Whether zeros are worth leaving out is for `schedule-contractions` to decide.

    `sparsity` is `auto`; `off`, everything dense; or `force:ENCODING`, where a weight with zeros that has another
    arrangement is an error. Encodings of other packages are asked first, except when one of ours is forced.
    """

    name: ClassVar[str] = "encode-weights"
    sparsity: str = "auto"

    def run(self, module: ir.Module, state: State) -> None:
        encode = _chosen(self.sparsity)
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            for op in ops_in(block):
                if structured.is_contract(op):
                    _read_directly(op)
            _outline.erase_dead(block)
            for argument in block.arguments:
                name = structured.weight_name(argument)
                uses = [use.owner.operation for use in argument.uses]
                if name is None or not uses or argument.type.encoding is not None:
                    continue
                if not all(_is_weight_of(op, argument) for op in uses):
                    continue
                kept = weight_mask(state.weights[name], structured.loops_of(uses[0]))
                dense = sparse.attribute_of(ENCODINGS["dense"]())
                encoding = dense if kept is None else encode(kept, name, uses[0])
                if kept is not None and encoding != dense:
                    state.facts.setdefault(self.name, {})[name] = picture(kept.reshape(len(kept), -1))
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


def _chosen(sparsity: str) -> Encode:
    """What to do with a mask."""
    if sparsity == "off":
        return lambda kept, name, op: sparse.attribute_of(ENCODINGS["dense"]())
    if sparsity == "auto":
        foreign = registry.encodings()
        return lambda kept, name, op: _encoding(kept, foreign)
    try:
        forced = parse_sparsity(sparsity)
    except ValueError as error:
        raise UsageError(str(error)) from None
    assert forced is not None
    return lambda kept, name, op: sparse.attribute_of(_forced(kept, forced, name, op))


def _encoding(kept: Array, foreign: Mapping[str, Finder]) -> ir.Attribute:
    for name, find in sorted(foreign.items()):
        found = _ask(name, find, kept)
        if found is not None:
            return found
    return sparse.attribute_of(find_encoding(kept))


def _forced(kept: Array, forced: type[Encoding] | Encoding, name: str, op: ir.Operation) -> Encoding:
    found = find_encoding(kept)
    if found.name == "dense":
        return found
    try:
        if isinstance(forced, type):
            wanted = forced.find(kept)
        else:
            wanted = forced if forced.describes(kept) else None
    except ValueError as error:
        raise CompileError(f"weight '{name}': {error}", where=where(op)) from None
    if wanted is None:
        text = usage(forced) if isinstance(forced, type) else str(forced)
        raise CompileError(
            f"the zeros of weight '{name}' are not arranged as {text}",
            where=where(op),
            notes=[f"they are arranged as {found}; --sparsity=auto takes every weight as it is"],
        )
    return wanted


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
