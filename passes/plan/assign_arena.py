"""One arena for all activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import plan
from cocomp.passes.math.arena import Lifetime, pack, share
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

ALIGNMENT = 64
"""Bytes; a cache line."""


@dataclass(frozen=True)
class AssignArenaPass(Pass):
    """Give every `plan.arena` an offset so that buffers alive at the same time do not overlap.

    %a = "plan.arena"() {bytes = 802816, offset = -1}             -->   {bytes = 802816, offset = 0}
    %i = "plan.image"() {bytes = 802816, slot = -1, offset = -1}  -->   {bytes = 802816, slot = 0, offset = 802816}

    A buffer lives from its first to its last launch. Persistent buffers lie one after the other in memory of their
    own. Images that share a slot never live at the same time; slots count from the end of the arena. Leaves the sizes as
    `plan.arena_bytes`, `plan.image_bytes` and `plan.persistent_bytes` on `@main`.
    """

    name: ClassVar[str] = "assign-arena"
    alignment: int = ALIGNMENT
    """Of every buffer, in bytes."""

    def run(self, module: ir.Module, state: State) -> None:
        main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
        buffers = _lifetimes(main)
        arena = [v for v in buffers if v.owner.name == "plan.arena"]
        offsets, total = pack([buffers[v] for v in arena], self.alignment)
        for value, offset in zip(arena, offsets, strict=True):
            value.owner.attributes["offset"] = plan.i64(offset)
        main.attributes["plan.arena_bytes"] = plan.i64(total)
        main.attributes["plan.image_bytes"] = plan.i64(self._place_images(buffers, total))
        main.attributes["plan.persistent_bytes"] = plan.i64(_place_persistent(main))

    def _place_images(self, buffers: Mapping[ir.Value, Lifetime], start: int) -> int:
        images = [v for v in buffers if v.owner.name == "plan.image"]
        slots, sizes = share([buffers[v] for v in images])
        sizes = [-(-size // self.alignment) * self.alignment for size in sizes]
        for value, slot in zip(images, slots, strict=True):
            value.owner.attributes["slot"] = plan.i64(slot)
            value.owner.attributes["offset"] = plan.i64(start + sum(sizes[:slot]))
        return sum(sizes)


def _lifetimes(main: ir.Operation) -> dict[ir.Value, Lifetime]:
    """Of the arena's buffers and of images."""
    body = ops_in(main.regions[0].blocks[0])
    placed = {op.results[0]: op for op in body if op.name in ("plan.arena", "plan.image")}
    found: dict[ir.Value, Lifetime] = {}
    for time, launch in enumerate(plan.launches(body)):
        for value in (v for op in launch for v in op.operands if v in placed):
            first = found[value].first if value in found else time
            found[value] = Lifetime(placed[value].attributes["bytes"].value, first, time)
    return found


def _place_persistent(main: ir.Operation) -> int:
    total = 0
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name == "plan.persistent":
            op.attributes["offset"] = plan.i64(total)
            total += -(-op.attributes["bytes"].value // ALIGNMENT) * ALIGNMENT
    return total
