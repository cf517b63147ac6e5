"""What operations of `@main` say about being fused.

    %y = linalg.generic {.., fusion.mapping = "one-to-one", fusion.group = 3 : i64} ..
    func.func private @group_3(..) attributes {fusion.mapping = "many-to-many"} ..

`fusion.mapping` is the mapping type of an operation (`passes.math.mapping`), or of all operations of a kernel together. It is
written by `classify-mapping`, read by `plan-fusion`, which writes those of kernels, and dropped when kernels are compared.

`fusion.group` tells which kernel an operation is a part of; one that says nothing is in those that read it, or in none. On the
operation that makes the kernel's result, `fusion.fused` is the mapping type of the kernel. `plan-fusion` writes both, `form-groups`
drops them.
"""

from __future__ import annotations

from collections.abc import Sequence

from cocomp.passes.math.mapping import MappingType
from cocomp.support.mlir import ir

MAPPING = "fusion.mapping"
GROUP = "fusion.group"
FUSED = "fusion.fused"


def mapping_of(op: ir.Operation) -> MappingType | None:
    """Mapping type written on an operation, None where there is none."""
    return MappingType.parse(op.attributes[MAPPING].value) if MAPPING in op.attributes else None


def set_mapping_of(op: ir.Operation, kind: MappingType | None) -> None:
    """Write an operation's mapping type, or drop it."""
    if kind is not None:
        op.attributes[MAPPING] = ir.StringAttr.get(str(kind), op.context)
    elif MAPPING in op.attributes:
        del op.attributes[MAPPING]


def group_of(op: ir.Operation) -> int | None:
    """Number of the kernel that an operation is planned to be a part of, None where there is none."""
    return op.attributes[GROUP].value if GROUP in op.attributes else None


def plan_group(members: Sequence[ir.Operation], number: int, kind: MappingType) -> None:
    """Write on operations that they share a kernel of some type. The last one makes its result."""
    for op in members:
        op.attributes[GROUP] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), number)
    members[-1].attributes[FUSED] = ir.StringAttr.get(str(kind))


def form_group(function: ir.Operation, operations: Sequence[ir.Operation]) -> None:
    """Drop what says that a function's operations share a kernel; the function says of which type it is."""
    for op in operations:
        if FUSED in op.attributes:
            function.attributes[MAPPING] = op.attributes[FUSED]
        for name in (GROUP, FUSED):
            if name in op.attributes:
                del op.attributes[name]
