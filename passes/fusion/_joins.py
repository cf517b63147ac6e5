"""Whether two kernels are to be one: predicted, found in the database, or measured."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cocomp.dialects import fusion, structured
from cocomp.passes import _outline
from cocomp.passes.kernel._trial import stand_ins
from cocomp.passes.math.gain import fastest
from cocomp.passes.math.mapping import MappingType
from cocomp.passes.math.plan import Members
from cocomp.support.interrupts import deferred_interrupt
from cocomp.support.mlir import func, ir, ops_in, origins
from cocomp.support.passes import State
from cocomp.support.tuning import Joined, TuningDatabase
from cocomp.support.weights import WeightStore

from ._kernels import Kernels

SECONDS_OF_A_TRIAL = 0.2
"""Time that the kernels of a trial run for; compiling them takes longer."""
Version = tuple[int, int]
"""Numbers of the groups of the first and of the second operations in a trial."""
TOGETHER: Version = (0, 0)
APART: Version = (1, 2)


@dataclass(frozen=True)
class Predicted:
    """What pays by the cost model."""

    kernels: Kernels

    def pays(self, first: Members, second: Members) -> bool:
        """Whether the kernel of both takes no more cycles than the two."""
        alone = self.kernels.cycles(first), self.kernels.cycles(second)
        together = self.kernels.cycles(first | second)
        if together is None or alone[0] is None or alone[1] is None:
            return True
        return together <= alone[0] + alone[1]


@dataclass
class Measured:
    """What pays by the database, or by a trial while there are seconds left; else by the cost model.

    The key is a digest of what is computed, of shapes, processor and threads, but of no layouts and no names: equal parts of
    other models are found again.
    """

    kernels: Kernels
    database: TuningDatabase
    threads: int
    seconds: float
    state: State

    def pays(self, first: Members, second: Members) -> bool:
        """Whether the kernel of both is faster than the two, as far as that is known."""
        predicted = Predicted(self.kernels).pays(first, second)
        key = self._key(_trial(self.kernels, first, second, (TOGETHER, APART), self.state)[0])
        known = self.database.get_join(key)
        if known is None and self.state.measured < self.seconds:
            started = time.monotonic()
            known = self._measure(first, second, predicted)
            self.database.put_join(key, known)
            self.state.measured += time.monotonic() - started
        return predicted if known is None else known.pays

    def _key(self, module: ir.Module) -> str:
        from cocomp import __version__

        main = module.body.operations[0].operation
        del main.attributes["arg_attrs"]
        text = main.get_asm(enable_debug_info=False, use_local_scope=True)
        parts = [__version__, repr(self.state.target), str(self.threads), text]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _measure(self, first: Members, second: Members, predicted: bool) -> Joined:
        """What is predicted stays unless the other is faster by more than noise, whichever comes first."""
        layer = _layer(self.kernels, first | second)
        self.state.tell(f"measuring whether two kernels are to be one: {layer}")
        expected, other = (TOGETHER, APART) if predicted else (APART, TOGETHER)
        pays, gain = predicted, 1.0
        overruled, faster = fastest(self._times(first, second, (expected, other)))
        if overruled:
            confirmed, again = fastest(self._times(first, second, (other, expected))[:, ::-1])
            pays, gain = (not predicted, min(faster, again)) if confirmed else (predicted, 1.0)
        return Joined(layer, pays, gain)

    def _times(self, first: Members, second: Members, order: Sequence[Version]) -> np.ndarray:
        """Nanoseconds[rounds, versions] of one kernel and of two, in some order."""
        state = self.state
        assert state.measure is not None and state.schedule is not None
        with deferred_interrupt():
            module, weights = _trial(self.kernels, first, second, order, state)
            state.schedule(module, weights, state.target)
            calls = [
                op for op in ops_in(module.body.operations[0].operation.regions[0].blocks[0]) if op.name == "func.call"
            ]
            names = [op.attributes["callee"].value for op in calls]
            cut = 1 + names.index(f"group_{order[0][-1]}")
            times = state.measure(module, weights, state.target, self.threads, SECONDS_OF_A_TRIAL)
        return np.stack([times[:, :cut].sum(axis=1), times[:, cut:].sum(axis=1)], axis=1)


def _trial(
    kernels: Kernels, first: Members, second: Members, order: Sequence[Version], state: State
) -> tuple[ir.Module, WeightStore]:
    """A module whose `@main` computes the same with one kernel and with two, in some order, from made-up values, and its weights.

    func @main(%x {sparse.name = "input"}) {
      %y = .. {fusion.group = 0}, %z = .. {fusion.group = 0}, %v = .. {fusion.group = 1}, %w = .. {fusion.group = 2}, return %z, %w
    }
    """
    members = {kernels.operations[m]: int(m in second) for m in first | second}
    results = list(kernels.operations[max(second)].results)
    operations, arguments = _outline.needed(results, kernels.read_through.union(members))
    names = [structured.weight_name(value) for value in arguments]
    store, attributes = stand_ins(names, arguments, state.weights)
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        signature = ir.FunctionType.get([a.type for a in arguments], [r.type for r in results] * 2)
        main = func.FuncOp("main", signature)
    main.attributes["arg_attrs"] = attributes
    block = main.add_entry_block()
    returned: list[ir.Value] = []
    with ir.InsertionPoint(block):
        for version in order:
            copies = dict(zip(arguments, block.arguments, strict=True))
            groups: dict[int, list[ir.Operation]] = {}
            for op in operations:
                _outline.copy(op, copies)
                if op in members:
                    groups.setdefault(version[members[op]], []).append(copies[op.results[0]].owner.operation)
            for number, group in groups.items():
                fusion.plan_group(group, number, MappingType.MANY_TO_MANY)  # no matter which type
            returned += [copies[r] for r in results]
        func.ReturnOp(returned)
    return module, store


def _layer(kernels: Kernels, members: Members) -> str:
    """What the model calls the place of some operations."""
    found = [path for m in sorted(members) for _, path in origins(kernels.operations[m].location) if path]
    return found[0] if found else "a part of the model"
