"""One arena for all activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import plan
from cocomp.passes.math.arena import Lifetime, pack
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

ALIGNMENT = 64
"""Bytes; a cache line."""


@dataclass(frozen=True)
class AssignArenaPass(Pass):
    """Give every `plan.arena` an offset so that buffers alive at the same time do not overlap.

    %a = "plan.arena"() {bytes = 802816, offset = -1}   -->   {bytes = 802816, offset = 0}

    A buffer lives from its first to its last launch. Persistent buffers lie one after the other in memory of their
    own. Leaves the sizes as `plan.arena_bytes` and `plan.persistent_bytes` on `@main`.
    """

    name: ClassVar[str] = "assign-arena"
    alignment: int = ALIGNMENT
    """Of every buffer, in bytes."""

    def run(self, module: ir.Module, state: State) -> None:
        main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
        buffers: dict[ir.Value, Lifetime] = {}
        body = ops_in(main.regions[0].blocks[0])
        operations = {op.results[0]: op for op in body if op.name == "plan.arena"}
        for time, launch in enumerate(plan.launches(body)):
            for value in (v for op in launch for v in op.operands if v in operations):
                size = operations[value].attributes["bytes"].value
                first = buffers[value].first if value in buffers else time
                buffers[value] = Lifetime(size, first, time)
        values = list(buffers)
        offsets, total = pack([buffers[v] for v in values], self.alignment)
        for value, offset in zip(values, offsets, strict=True):
            operations[value].attributes["offset"] = plan.i64(offset)
        main.attributes["plan.arena_bytes"] = plan.i64(total)
        main.attributes["plan.persistent_bytes"] = plan.i64(_place_persistent(main))


def _place_persistent(main: ir.Operation) -> int:
    total = 0
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name == "plan.persistent":
            op.attributes["offset"] = plan.i64(total)
            total += -(-op.attributes["bytes"].value // ALIGNMENT) * ALIGNMENT
    return total
