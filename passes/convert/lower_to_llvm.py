"""Kernels in the LLVM dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.mlir import ir, run_upstream
from cocomp.support.passes import Pass, State

PIPELINE = (
    "canonicalize,cse,loop-invariant-code-motion,convert-vector-to-scf,convert-vector-to-llvm,convert-scf-to-cf,expand-strided-metadata,"
    "finalize-memref-to-llvm,convert-math-to-llvm,convert-arith-to-llvm,convert-ub-to-llvm,convert-cf-to-llvm,"
    "convert-func-to-llvm{use-bare-ptr-memref-call-conv=1},reconcile-unrealized-casts,canonicalize,cse"
)
"""Buffers become bare pointers: a kernel's C signature is its buffers and the range of tasks."""


@dataclass(frozen=True)
class LowerToLlvmPass(Pass):
    """Lower a module of kernels to the LLVM dialect.

        func @group_3(%x: memref<4096xf32>, .., %first: index, %last: index)
      -->
        llvm.func @group_3(%x: !llvm.ptr, .., %first: i64, %last: i64)

    Needs a module that holds kernels only.
    """

    name: ClassVar[str] = "lower-to-llvm"

    def run(self, module: ir.Module, state: State) -> None:
        run_upstream(module, PIPELINE)
