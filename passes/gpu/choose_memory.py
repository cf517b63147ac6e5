"""Which tensors had better be images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir
from cocomp.support.passes import Pass, State

from ._tensors import tensors


@dataclass(frozen=True)
class ChooseMemoryPass(Pass):
    """Put tensors between kernels into images.

        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, "buffer">}, ..)
      -->
        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, #layout.texture2d<3584>>}, ..)

    With `memory=texture` all that can be, with `buffer` none, with `auto` those that the target's rule is about. What is too large for
    two dimensions has three (`texture3d`). What is concatenated is in one image with the whole. Inputs, outputs, weights and what the CPU
    computes are in buffers, and so is what has no elements of four to
    a texel, no lines of whole texels, or more of them than a device is certain to take; calls say why of each result
    (`layout.in_buffer`). Needs `select-layout`, and kernels that are not shared yet.
    """

    name: ClassVar[str] = "choose-memory"
    memory: str = "auto"

    def run(self, module: ir.Module, state: State) -> None:
        assert isinstance(state.target, GpuTarget)
        for tensor in tensors(module):
            tensor.put(tensor.pitches(state.target, self.memory))
