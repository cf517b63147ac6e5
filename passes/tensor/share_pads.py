"""Paddings whose operand others read, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.dialects.graph import users
from cocomp.support.mlir import ir, ops_in, tensor
from cocomp.support.passes import Pass, State

from ._pads import filling_of, padded


@dataclass(frozen=True)
class SharePadsPass(Pass):
    """Let everybody read the inside of a padded tensor, so that it is written with its border and never copied.

        %x = linalg.generic { add }                        %x = linalg.generic { add }
        %p = tensor.pad %x [1] [1] { 0 }          -->      %p = tensor.pad %x [1] [1] { 0 }
        %c = "sparse.contract"(%p, %w)                     %c = "sparse.contract"(%p, %w)
        %y = linalg.generic ins(%x, %c) { add }            %i = tensor.extract_slice %p [1] [n] [1]
                                                           %y = linalg.generic ins(%i, %c) { add }

    A padding whose operand nobody else reads is part of the kernel that makes the operand; any other would be a kernel of its
    own. The parts of a concatenation are padded instead of it, where the border is along other axes. Where an operand
    has several paddings the first one is shared. Results of the model stay as they are.
    """

    name: ClassVar[str] = "share-pads"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            block = function.regions[0].blocks[0]
            for op in ops_in(block):
                if op.name == "tensor.pad" and _is_shared(op):
                    _share(op)


READERS = ("linalg.generic", "sparse.contract", "tensor.pad", "tensor.extract_slice", "tensor.expand_shape", "tensor.collapse_shape")  # fmt: skip
"""Operations that can read the inside of something."""


def _is_shared(pad: ir.Operation) -> bool:
    """Whether the operand has other readers, and a kernel that could write its border."""
    value = pad.operands[0]
    readers = list(users(value))
    if len(readers) < 2 or any(r.name not in READERS for r in readers) or filling_of(pad) is None:
        return False
    return _can_be_padded(value, pad)


def _can_be_padded(value: ir.Value, pad: ir.Operation) -> bool:
    if isinstance(value, ir.BlockArgument):
        return False
    maker = value.owner.operation
    if maker.name != "tensor.concat":
        return (structured.is_generic(maker) or structured.is_contract(maker)) and structured.view_of(maker) is None
    axis = maker.attributes["dim"].value
    if any(list(pad.attributes[side])[axis] for side in ("static_low", "static_high")):
        return False
    return all(len(list(users(part))) == 1 and _can_be_padded(part, pad) for part in maker.operands)


def _share(pad: ir.Operation) -> None:
    value = pad.operands[0]
    whole = _padded_like(value, pad)
    rank = len(structured.shape_of(value))
    low, sizes = list(pad.attributes["static_low"]), list(structured.shape_of(value))
    with ir.InsertionPoint.after(whole.owner.operation), pad.location:
        inside = tensor.ExtractSliceOp(value.type, whole, [], [], [], low, sizes, [1] * rank).result
    pad.results[0].replace_all_uses_with(whole)
    pad.erase()
    _replace_other_uses(value, inside, whole)


def _padded_like(value: ir.Value, pad: ir.Operation) -> ir.Value:
    """`value` with the border of `pad`, right behind what makes it; of a concatenation, that of padded parts."""
    maker = value.owner.operation
    if maker.name == "tensor.concat":
        parts = [_padded_like(part, pad) for part in maker.operands]
        with ir.InsertionPoint.after(maker), maker.location:
            return tensor.concat(pad.results[0].type, maker.attributes["dim"].value, parts)
    low, high = (list(pad.attributes[side]) for side in ("static_low", "static_high"))
    filling = filling_of(pad)
    assert filling is not None
    with ir.InsertionPoint.after(maker), pad.location:
        return padded(value, low, high, filling)


def _replace_other_uses(value: ir.Value, inside: ir.Value, whole: ir.Value) -> None:
    maker = value.owner.operation
    if maker.name == "tensor.concat":
        value.replace_all_uses_with(inside)
        maker.erase()
        return
    own = whole.owner.operation
    for use in list(value.uses):
        user = use.owner.operation
        if user != own:
            user.operands[use.operand_number] = inside
