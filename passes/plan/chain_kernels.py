"""Which kernels share a launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cocomp.dialects import plan
from cocomp.passes.math.arena import Lifetime, pack
from cocomp.passes.math.chains import Chain, Limits, Step, Walk, form_chains
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

PADDING = 64
"""Bytes behind a slice, for registers that are loaded past its end; a cache line."""


@dataclass(frozen=True)
class ChainKernelsPass(Pass):
    """Let neighbours in the plan run in one launch, unit by unit, where no unit needs what another one computes.

        %s = "plan.arena"() {bytes = 786432}
        "plan.dispatch"(%q, %k, %s) {kernel = @scores}
        "plan.dispatch"(%s, %v, %y) {kernel = @sum}
      -->
        %s = "plan.local"() {bytes = 65536, offset = 0}
        "plan.dispatch"(%q, %k, %s) {kernel = @scores, chain = 0, units = 12}
        "plan.dispatch"(%s, %v, %y) {kernel = @sum, chain = 0, units = 12}

    That is how attention becomes one launch a layer (a unit is a head, and its scores stay in the cache), and a few matrix
    products of some tokens each. What a unit passes on is in memory of its thread. Kernels of a single task share a launch
    without being cut. Needs the attributes that the lowerings leave on kernels; comes before `assign-arena`.
    """

    name: ClassVar[str] = "chain-kernels"

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        block = functions["main"].regions[0].blocks[0]
        dispatches = [op for op in ops_in(block) if op.name == "plan.dispatch" and "once" not in op.attributes]
        steps = [_step(op, functions[op.attributes["kernel"].value], state) for op in dispatches]
        kept = {op.results[0] for op in ops_in(block) if op.name in ("plan.input", "plan.output")}
        limits = Limits(state.target.l2_bytes * 3 // 4, plan.MAX_ARGUMENTS)
        for number, chain in enumerate(form_chains(steps, limits, kept)):
            _join([dispatches[n] for n in chain.steps], number, chain)


def _step(dispatch: ir.Operation, kernel: ir.Operation, state: State) -> Step:
    written = {w["argument"].value for w in dispatch.attributes["writes"]}
    described = kernel.attributes.get("kernel.walks", [])
    digits = tuple(kernel.attributes.get("kernel.digits", ()))
    reads: set[ir.Value] = set()
    walks: dict[ir.Value, Walk] = {}
    constants: dict[str, int] = {}
    for number, value in enumerate(dispatch.operands):
        source = value.owner.operation
        if source.name in ("plan.constant", "plan.persistent"):
            name, size = _constant(source, state)
            constants[name] = size
            continue
        if number not in written:
            reads.add(value)
        found = list(described[number]) if number < len(described) else []
        walk = Walk(tuple(found[: len(found) // 2]), tuple(found[len(found) // 2 :]))
        walks[value] = walk if value not in walks or walks[value] == walk else Walk()
    return Step(
        tasks=kernel.attributes["kernel.tasks"].value,
        digits=digits,
        walks=walks,
        reads=frozenset(reads),
        writes=frozenset(dispatch.operands[n] for n in written),
        constants=constants,
    )


def _constant(source: ir.Operation, state: State) -> tuple[str, int]:
    """Name and bytes of memory that nothing changes while the model runs."""
    if source.name == "plan.constant":
        name = source.attributes["weight"].value
        return name, state.weights[name].nbytes
    return str(source.results[0]), source.attributes["bytes"].value


def _join(dispatches: Sequence[ir.Operation], number: int, chain: Chain) -> None:
    for op in dispatches:
        op.attributes["chain"], op.attributes["units"] = plan.i64(number), plan.i64(chain.units)
    values: list[ir.Value] = list(chain.local)
    times = [[time for time, op in enumerate(dispatches) if value in list(op.operands)] for value in values]
    sizes = [chain.local[value] for value in values]
    lives = [Lifetime(size + PADDING, min(t), max(t)) for size, t in zip(sizes, times, strict=True)]
    for value, size, offset in zip(values, sizes, pack(lives, PADDING)[0], strict=True):
        source = value.owner.operation
        with ir.InsertionPoint(source), source.location:
            value.replace_all_uses_with(plan.local(size, offset))
        source.erase()
