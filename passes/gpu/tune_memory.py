"""Memory of tensors by measuring."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.passes.kernel._contraction import read_contraction
from cocomp.passes.kernel._trial import trial
from cocomp.passes.kernel._tuning import key_of
from cocomp.passes.math import gain
from cocomp.passes.math.image import Pitches
from cocomp.support.interrupts import deferred_interrupt
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import ir, ops_in, origins
from cocomp.support.passes import Pass, State
from cocomp.support.tuning import Moved, TuningDatabase

from ._tensors import Tensor, tensors
from ._tiles import rank

SECONDS_OF_A_TRIAL = 0.4
"""Time that the versions of a kernel run for; compiling them takes longer."""
LAYOUTS = ("arg_attrs", "res_attrs")
SLOWER = "its kernels are faster with a buffer"
Memory = Pitches | str
"""Of the image that a tensor is, or why it is none."""


@dataclass(frozen=True)
class TuneMemoryPass(Pass):
    """Put tensors into the memory that makes their kernels faster on this machine's GPU.

        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, "buffer">}, ..)
      -->
        func @group_3(%x: tensor<..> {layout.map = #layout.map<affine_map<..>, 200704, #layout.texture2d<3584>>}, ..)

    With `memory=auto` every tensor that can be an image is tried as what it is not: each kernel that reads or writes it is measured
    with it in a buffer and in an image, all its other tensors where `choose-memory` has put them. It moves where its kernels
    together save more than noise. Whatever `memory` is, what kernels would leave in a buffer after all (`settle-memory`) is in one from
    now on, so that schedules are measured with the memory that kernels will have.

    The largest tensors come first, until `seconds` are over; what the `database` knows is not measured again, and with `seconds=0`
    nothing is. `device` is the GPU's name. Needs `choose-memory` with the same `memory`, and kernels that are not shared yet.
    """

    name: ClassVar[str] = "tune-memory"
    memory: str = "auto"
    seconds: float = 0.0
    database: str = ""
    force: bool = False
    """Whether zeros of weights have to be left out."""
    device: str = ""

    def run(self, module: ir.Module, state: State) -> None:
        found = self._able(module, state)
        if not found or self.memory != "auto":
            return
        kernels = list(self._kernels(module, found, state))
        moved: list[_Candidate] = []
        with TuningDatabase(Path(self.database) if self.database else None, create=self.seconds > 0) as database:
            for candidate in sorted(found, key=lambda c: -c.tensor.bytes * len(c.tensor.places)):
                own = [kernel for kernel in kernels if candidate in kernel.keys]
                known = [self._known(kernel, candidate, database, state) for kernel in own]
                sure = [one for one in known if one is not None]
                time = sum(one.time for one in sure)
                if len(sure) == len(own) and gain.pays(time, [(one.saved, one.error) for one in sure]):
                    moved.append(candidate)
        for candidate in moved:
            candidate.tensor.put(candidate.other)

    def _able(self, module: ir.Module, state: State) -> list[_Candidate]:
        """Tensors that can be images; what could not, for all that `choose-memory` knew, becomes a buffer."""
        assert isinstance(state.target, GpuTarget) and state.settle is not None
        widest = "texture" if self.memory == "auto" else self.memory
        found: list[_Candidate] = []
        for tensor in tensors(module):
            image, given = (tensor.pitches(state.target, memory) for memory in (widest, self.memory))
            if not isinstance(image, str):
                found.append(_Candidate(len(found), tensor, given, image if isinstance(given, str) else SLOWER))
                tensor.put(image)
        if not found:
            return []
        settled = ir.Module.parse(module.operation.get_asm(enable_debug_info=True))
        state.settle(settled, state.weights, state.target)
        refused = {c.number: reason for c in found if (reason := _refusal(c.tensor, module, settled)) is not None}
        for candidate in found:
            is_image = not isinstance(candidate.given, str)
            candidate.tensor.put(refused.get(candidate.number, candidate.given) if is_image else candidate.given)
        return [candidate for candidate in found if candidate.number not in refused]

    def _kernels(self, module: ir.Module, found: Sequence[_Candidate], state: State) -> Iterator[_Kernel]:
        """Every kernel that reads or writes one of the tensors, with the memory that they may have."""
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        weights = graphs.weights_of_calls(list(functions.values()))
        for call in _calls(module):
            function = functions[call.attributes["callee"].value]
            own = [c for c in found if any(place.call == call for place in c.tensor.places)]
            if not own:
                continue
            group = graphs.read_group(function)
            contraction = read_contraction(group) if group.contraction is not None else None
            constants = (
                weights.get((call.attributes["callee"].value, contraction.w_argument), []) if contraction else []
            )
            versions = [self._version(function, constants, state)]
            for candidate in own:
                candidate.tensor.put(candidate.other)
                versions.append(self._version(function, constants, state))
                candidate.tensor.put(candidate.given)
            hows = [f"{self.device} {self.force} {version}" for version in versions[1:]]
            keys = [key_of(function, contraction, constants, state, how) for how in hows]
            yield _Kernel(
                function=function,
                names=[structured.weight_name(value) for value in call.operands],
                layer=next((path for _, path in origins(call.location) if path), call.attributes["callee"].value),
                versions=versions,
                keys=dict(zip(own, keys, strict=True)),
            )

    def _version(self, function: ir.Operation, constants: Sequence[str], state: State) -> ir.DictAttr:
        """The layouts that a function has, and the tile that is predicted for them."""
        made = {name: function.attributes[name] for name in LAYOUTS if name in function.attributes}
        group = graphs.read_group(function)
        contraction = read_contraction(group) if group.contraction is not None else None
        if contraction is not None and not contraction.depthwise:
            made["kernel.schedule"] = rank(contraction, constants, state, self.force)[0][1]
        return ir.DictAttr.get(made)

    def _known(self, kernel: _Kernel, candidate: _Candidate, database: TuningDatabase, state: State) -> Moved | None:
        """What a kernel saves with a tensor in other memory; None where nobody knows and there is no time to find out."""
        if database.get_moved(kernel.keys[candidate]) is None and state.measured < self.seconds:
            started = time.monotonic()
            state.tell(f"measuring in which memory tensors are faster: {kernel.layer}")
            times = _times(kernel, state)
            for key, other in zip(kernel.keys.values(), times.T[1:], strict=True):
                less, error = gain.saved(times[:, 0], other)
                database.put_moved(key, Moved(kernel.layer, float(np.median(times[:, 0])), less, error))
            state.measured += time.monotonic() - started
        return database.get_moved(kernel.keys[candidate])


@dataclass(frozen=True)
class _Candidate:
    """A tensor that can be in an image and in a buffer."""

    number: int
    tensor: Tensor = field(compare=False)
    given: Memory = field(compare=False)
    """What `choose-memory` says."""
    other: Memory = field(compare=False)
    """What it is not."""


@dataclass(frozen=True)
class _Kernel:
    """A function that is called once, and how it may be compiled. Handles are valid during the pass, which changes attributes only."""

    function: ir.Operation
    names: Sequence[str | None]
    """The weight that each argument is."""
    layer: str
    versions: Sequence[ir.DictAttr]
    """Attributes of the function as all its tensors are, then with one of `keys` after the other in other memory."""
    keys: Mapping[_Candidate, str]
    """Of what is known of that in the database."""


def _times(kernel: _Kernel, state: State) -> np.ndarray:
    """Nanoseconds[rounds, versions] of a kernel here. Each version comes twice, forwards and backwards: who comes first must not make
    the difference."""
    assert state.measure is not None
    versions = [*kernel.versions, *reversed(kernel.versions)]
    with deferred_interrupt():
        module, weights = trial(kernel.function, kernel.names, state.weights, versions)
        times = state.measure(module, weights, state.target, 1, SECONDS_OF_A_TRIAL)[:, -len(versions) :]
    count = len(kernel.versions)
    return (times[:, :count] + times[:, count:][:, ::-1]) / 2


def _calls(module: ir.Module) -> list[ir.Operation]:
    main = next(f for f in ops_in(module.body) if f.attributes["sym_name"].value == "main")
    return [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "func.call"]


def _refusal(tensor: Tensor, module: ir.Module, settled: ir.Module) -> str | None:
    """Why a tensor is no image in a settled plan, whose dispatches are the calls of the module; None where it is."""
    main = next(f for f in ops_in(settled.body) if f.attributes["sym_name"].value == "main")
    dispatches = [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "plan.dispatch"]
    written = {place.call: place for place in tensor.places if place.is_result}
    for call, op in zip(_calls(module), dispatches, strict=True):
        if call in written:
            number = len(call.operands) + written[call].number
            described = next(w for w in op.attributes["writes"] if w["argument"].value == number)
            if op.operands[number].owner.name == "plan.image":
                return None
            if "in_buffer" in described:
                return described["in_buffer"].value
    return "its kernels do not agree on its lines"
