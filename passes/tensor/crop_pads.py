"""Pads that take elements away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import structured
from cocomp.support.mlir import ir, ops_in, tensor
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class CropPadsPass(Pass):
    """Write a negative pad, which PyTorch and ONNX allow, as a slice before the pad.

    %y = tensor.pad %x low[-1] high[2]      -->      %s = tensor.extract_slice %x[1] [6] [1]
                                                     %y = tensor.pad %s low[0] high[2]

    Needs static shapes; leaves pads that only add.
    """

    name: ClassVar[str] = "crop-pads"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            for op in ops_in(function.regions[0].blocks[0]):
                if op.name == "tensor.pad":
                    _crop(op)


def _crop(pad: ir.Operation) -> None:
    low, high = list(pad.attributes["static_low"]), list(pad.attributes["static_high"])
    if min([*low, *high], default=0) >= 0:
        return
    source = pad.operands[0]
    offsets = [max(0, -n) for n in low]
    sizes = [n + min(0, lo) + min(0, hi) for n, lo, hi in zip(structured.shape_of(source), low, high, strict=True)]
    kind = ir.RankedTensorType.get(sizes, structured.element_of(source))
    with ir.InsertionPoint(pad), pad.location:
        pad.operands[0] = tensor.ExtractSliceOp(kind, source, [], [], [], offsets, sizes, [1] * len(sizes)).result
    pad.attributes["static_low"] = ir.DenseI64ArrayAttr.get([max(0, n) for n in low])
    pad.attributes["static_high"] = ir.DenseI64ArrayAttr.get([max(0, n) for n in high])
