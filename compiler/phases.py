"""The states a model goes through, and what is legal after each: checked by code, not by convention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cocomp.support.diagnostics import CompileError, InternalError

if TYPE_CHECKING:
    from cocomp.support.mlir import ir

VIEWS = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice")
TENSOR_OPS = (
    "linalg.generic", "arith.constant", "tensor.empty", "tensor.pad", "tensor.concat", "tensor.insert_slice", "func.return", *VIEWS,
)  # fmt: skip
SEQUENTIAL = ("tm_tensor.scan", "tm_tensor.scatter", "tm_tensor.sort", "tm_tensor.topk")


@dataclass(frozen=True)
class Phase:
    """A named state. `operations` are the names allowed at the top of `@main`; `functions` those in other functions.

    A name that ends in a dot allows a whole dialect. None means that nothing is checked.
    """

    name: str
    meaning: str
    operations: tuple[str, ...] | None
    functions: tuple[str, ...] | None = ()


PHASES = (
    Phase("imported", "linalg on tensors; weights are named arguments", None, None),
    Phase(
        "rewritten",
        "contractions raised, what hangs on weights alone computed",
        (*TENSOR_OPS, "sparse.contract", *SEQUENTIAL),
    ),
    Phase("sparse", "every weight has an encoding", (*TENSOR_OPS, "sparse.contract", *SEQUENTIAL)),
    Phase(
        "fused",
        "one function a kernel; @main calls them",
        ("func.call", "tensor.concat", "tensor.insert_slice", "func.return"),
        (*TENSOR_OPS, "sparse.contract", *SEQUENTIAL),
    ),
    Phase(
        "laid-out",
        "every argument and result of a kernel has a layout; equal kernels are one",
        ("func.call", "tensor.concat", "tensor.insert_slice", "func.return"),
        (*TENSOR_OPS, "sparse.contract", *SEQUENTIAL),
    ),
    Phase(
        "kernels",
        "kernels are loops over flat memory, @main is a plan over the arena",
        ("plan.", "func.return"),
        ("arith.", "scf.", "memref.", "vector.", "math.", "gpu.", "spirv.", "func.return", "ub."),
    ),
    Phase(
        "integers",
        "for FPGAs, after 'rewritten': integers and their scales, computed by products and sweeps",
        ("hls.", "func.return"),
    ),
    Phase("dataflow", "for FPGAs: the engine has a size, tensors have places in memory", ("hls.", "func.return")),
    Phase("target", "compiled and linked", None, None),
)
NAMES = tuple(p.name for p in PHASES)


def phase(name: str) -> Phase:
    """The phase called `name`."""
    return next(p for p in PHASES if p.name == name)


def verify_phase(module: ir.Module, reached: Phase) -> None:
    """Raise when the module holds an operation that is not legal after `reached`.

    An operation of the user's model that got this far is the user's to know about; any other is our mistake.
    """
    from cocomp.support.mlir import ops_in  # the names of the phases are needed without the bindings

    for function in ops_in(module.body):
        is_main = function.attributes["sym_name"].value == "main"
        allowed = reached.operations if is_main else reached.functions
        if allowed is None:
            continue
        for op in ops_in(function.regions[0].blocks[0]):
            if not _is_allowed(op.name, allowed):
                _reject(op, reached)


def _is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == a or (a.endswith(".") and name.startswith(a)) for a in allowed)


def _reject(op: ir.Operation, reached: Phase) -> None:
    from cocomp.support.mlir import where

    if reached.name == "rewritten":
        raise CompileError(
            f"operation '{op.name}' is not supported",
            where=where(op),
            notes=["replace the operation in the model by supported ones, or leave it out of the exported part"],
        )
    raise InternalError(f"'{op.name}' is not legal after phase '{reached.name}' ({where(op)})")
