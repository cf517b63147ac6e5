"""Schedules by measuring: which kernels there are, what is known of them, trials in turns."""

from __future__ import annotations

import hashlib
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.passes.math.gain import fastest
from cocomp.support.interrupts import deferred_interrupt
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.passes import Pass, State
from cocomp.support.tuning import Tuned, TuningDatabase

from ._candidates import SCHEDULES, Candidate
from ._contraction import Contraction, encoding_of, matrix_of, read_contraction
from ._trial import set_schedule, trial, without_schedule

FACTS = "tune-contractions"
"""The report's name of what was tuned, whichever pass did it."""
TOGETHER = 6
"""Schedules measured in turns, the predicted one among them."""
MOST = 4 * (TOGETHER - 1)
"""Schedules that are measured beside the predicted one, at most."""
SECONDS_OF_A_TRIAL = 0.4
"""Time that the versions of a kernel run for; compiling them takes longer."""
TRIAL_BYTES = 1 << 30
"""Of weights in one trial: each version has its own."""


@dataclass(frozen=True)
class Tuning(Pass):
    """What passes that measure schedules have in common.

    Kernels share `seconds` in proportion to their predicted cycles, the costliest first; what the `database` (a file; empty:
    the user's) knows already is taken from there; with `seconds=0` nothing is measured, else at least one kernel. The predicted schedule stays
    unless another one is faster by more than noise, in two trials. `threads` is how many the kernels are timed with (0: all processors). Every
    result is on the disk before the next kernel's turn.
    """

    seconds: float = 0.0
    database: str = ""
    threads: int = 0
    force: bool = False
    """Whether zeros of weights have to be left out."""

    @abstractmethod
    def ways(self, contraction: Contraction, weights: Sequence[str], state: State) -> list[Candidate]:
        """The ways to compute a contraction that are worth measuring, by predicted cycles."""

    def finer(self, contraction: Contraction, schedule: ir.DictAttr, state: State) -> list[ir.DictAttr]:
        """What else may be said of a schedule and is worth measuring once it is the best, the most promising first."""
        return []

    @abstractmethod
    def machine(self) -> str:
        """What times hang on, beside the target."""

    def run(self, module: ir.Module, state: State) -> None:
        kernels = sorted(self._kernels(module, state), key=lambda k: -k.cost)
        with TuningDatabase(Path(self.database) if self.database else None, create=self.seconds > 0) as database:
            missing: list[_Kernel] = []
            for kernel in kernels:
                known = database.get(kernel.key)
                if known is None or kernel.called(known.schedule) is None:
                    missing.append(kernel)
                else:
                    _apply(kernel, known, state)
            end = time.monotonic() + self.seconds - state.measured
            for number, kernel in enumerate(missing if self.seconds else ()):
                left = max(0.0, end - time.monotonic())
                if number and not left:
                    return
                state.tell(f"tuning kernel {number + 1} of {len(missing)}, {left:.0f} s left: {kernel.layer}")
                share = left * kernel.cost / sum(k.cost for k in missing[number:])
                tuned = _search(kernel, share, self.threads or len(os.sched_getaffinity(0)), state)
                database.put(kernel.key, tuned)
                _apply(kernel, tuned, state)

    def _kernels(self, module: ir.Module, state: State) -> Iterator[_Kernel]:
        """Every kernel whose contraction can be scheduled in more than one way, that of equal layers once."""
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        calls: dict[str, list[ir.Operation]] = {}
        for op in ops_in(functions["main"].regions[0].blocks[0]):
            if op.name == "func.call":
                calls.setdefault(op.attributes["callee"].value, []).append(op)
        of_arguments = graphs.weights_of_calls(list(functions.values()))
        for name, found in calls.items():
            function = functions[name]
            schedule = ir.DictAttr.get({s: function.attributes[s] for s in SCHEDULES if s in function.attributes})
            if not len(schedule):
                continue
            contraction = read_contraction(graphs.read_group(function))
            weights = of_arguments.get((name, contraction.w_argument), [])
            ranked = self.ways(contraction, weights, state)
            others = [other for _, other in ranked if other != schedule][:MOST]
            finer = partial(self._finer, contraction, state)
            if not others and not finer(schedule):
                continue
            yield _Kernel(
                function=function,
                names=[structured.weight_name(value) for value in found[0].operands],
                layer=next((path for _, path in origins(found[0].location) if path), name),
                key=key_of(function, contraction, weights, state, f"{self.machine()} {self.force}"),
                schedules=[schedule, *others],
                finer=finer,
                cost=len(found) * ranked[0][0],
            )

    def _finer(self, contraction: Contraction, state: State, schedule: ir.DictAttr) -> list[ir.DictAttr]:
        return self.finer(contraction, schedule, state)[:MOST]


@dataclass(frozen=True)
class _Kernel:
    """A function with a contraction. Handles are valid during the pass, which changes attributes only."""

    function: ir.Operation
    names: Sequence[str | None]
    """The weight that each argument is in the first call."""
    layer: str
    key: str
    schedules: Sequence[ir.DictAttr]
    """What it may get: the predicted schedule, then those to measure beside it, the most promising first."""
    finer: Callable[[ir.DictAttr], list[ir.DictAttr]]
    """What the best of them may get in turn."""
    cost: float
    """Predicted cycles, of all calls."""

    def called(self, text: str) -> ir.DictAttr | None:
        """The schedule that is written so, None where it may not get such a one."""
        found = (s for schedule in self.schedules for s in (schedule, *self.finer(schedule)) if str(s) == text)
        return next(found, None)


def key_of(
    function: ir.Operation, contraction: Contraction | None, weights: Sequence[str], state: State, how: str
) -> str:
    """Digest of all that the best schedule of a function hangs on: what is computed, on tensors that lie how, on which processor and
    `how`, and where the weights of its contraction have zeros."""
    from cocomp import __version__

    parts = [__version__, repr(state.target), how, without_schedule(function)]
    digest = hashlib.sha256("\n".join(parts).encode())
    if contraction is not None and encoding_of(contraction) != "dense":
        for name in weights:
            digest.update(np.packbits(matrix_of(name, state.weights[name], contraction) != 0).tobytes())
    return digest.hexdigest()


def _search(kernel: _Kernel, share: float, threads: int, state: State) -> Tuned:
    """Measure schedules for `share` seconds, and a few of them however little that is; what is finer in the second half."""
    predicted, *others = kernel.schedules
    start = time.monotonic()
    first = share / 2 if kernel.finer(predicted) else share
    best, gain, measured = _best(kernel, predicted, others, first, threads, state) if others else (predicted, 1.0, 0)
    left = share - (time.monotonic() - start)
    if not measured or left > 0:
        best, more, also = _best(kernel, best, kernel.finer(best), left, threads, state)
        gain, measured = gain * more, measured + also
    if best != predicted:  # who comes first, and where in memory, must not make the difference
        confirmed, again = fastest(_times(kernel, [best, predicted], threads, state)[:, ::-1])
        best, gain = (best, min(gain, again)) if confirmed else (predicted, 1.0)
    return Tuned(kernel.layer, str(best), gain, measured)


def _best(
    kernel: _Kernel, base: ir.DictAttr, others: Sequence[ir.DictAttr], seconds: float, threads: int, state: State
) -> tuple[ir.DictAttr, float, int]:
    """(the fastest, its speed-up over `base`, how many others were measured) in about so many seconds, in one trial at least."""
    best, gain, measured = base, 1.0, 0
    weight_bytes = sum(state.weights[name].nbytes for name in kernel.names if name is not None)
    together = max(1, min(TOGETHER, TRIAL_BYTES // max(1, weight_bytes)) - 1)
    start = time.monotonic()
    while measured < len(others):
        schedules = [base, *others[measured : measured + together]]
        number, faster = fastest(_times(kernel, schedules, threads, state))
        if faster > gain:
            best, gain = schedules[number], faster
        measured += len(schedules) - 1
        if (time.monotonic() - start) * (measured + together) > seconds * measured:
            break
    return best, gain, measured


def _times(kernel: _Kernel, schedules: Sequence[ir.DictAttr], threads: int, state: State) -> np.ndarray:
    """Nanoseconds[rounds, schedules] that a kernel takes here, its tensors in the memory that their layouts say."""
    assert state.measure is not None
    with deferred_interrupt():
        module, weights = trial(kernel.function, kernel.names, state.weights, schedules)
        times = state.measure(module, weights, state.target, threads, SECONDS_OF_A_TRIAL)
    return times[:, -len(schedules) :]  # what fills images is measured, too


def _apply(kernel: _Kernel, tuned: Tuned, state: State) -> None:
    """Put a schedule on the kernel's function, and what is known of it into the report."""
    schedule = kernel.called(tuned.schedule)
    assert schedule is not None
    set_schedule(kernel.function, schedule)
    how = "predicted" if schedule == kernel.schedules[0] else "tuned"
    name = kernel.function.attributes["sym_name"].value
    state.facts.setdefault(FACTS, {})[name] = {"schedule": how, "gain": tuned.gain}
