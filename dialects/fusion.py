"""What operations of `@main` say about being fused.

    %y = linalg.generic {.., fusion.mapping = "one-to-one"} ..

`fusion.mapping` is the mapping type of an operation (`passes.math.mapping`). It is written by `classify-mapping`, read
by what forms groups, and dropped when kernels are compared.
"""

from __future__ import annotations

from cocomp.passes.math.mapping import MappingType
from cocomp.support.mlir import ir

MAPPING = "fusion.mapping"


def mapping_of(op: ir.Operation) -> MappingType | None:
    """Mapping type written on an operation, None where there is none."""
    return MappingType.parse(op.attributes[MAPPING].value) if MAPPING in op.attributes else None


def set_mapping_of(op: ir.Operation, kind: MappingType | None) -> None:
    """Write an operation's mapping type, or drop it."""
    if kind is not None:
        op.attributes[MAPPING] = ir.StringAttr.get(str(kind), op.context)
    elif MAPPING in op.attributes:
        del op.attributes[MAPPING]
