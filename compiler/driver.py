"""From a module in the compiler's hands to an artefact. Front ends and embedders meet here."""

from __future__ import annotations

import functools
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cocomp import dialects
from cocomp.passes.gpu.tune_shades import TuneShadesPass
from cocomp.passes.kernel.tune_contractions import TuneContractionsPass
from cocomp.support.diagnostics import CompileError, InternalError, UsageError
from cocomp.support.machine import GpuTarget, Target
from cocomp.support.mlir import context, ir
from cocomp.support.passes import Instrument, State, VerifyAfter, run_passes
from cocomp.support.weights import WeightStore

from .artifact import Artifact, Project, write_whole
from .options import FPGA, Options
from .phases import verify_phase
from .pipeline import (
    FROM_SCHEDULES,
    FROM_SHADES,
    PLACING,
    TO_MEMORY,
    TO_SCHEDULES,
    Road,
    cpu_steps,
    fpga_steps,
    gpu_steps,
    quantising_steps,
)
from .record import RecordGraph
from .reproduce import Snapshot
from .targets import cpu, gpu
from .targets.cpus import cpu_target, runs_here
from .targets.describe import copies_of, manifest_of, weights_of
from .targets.gpus import is_here, target_called

Result = TypeVar("Result")
Progress = Callable[[str, float], None]
"""Called with the name of a phase and the seconds it took."""


@dataclass
class Compilation:
    """One model on its way. `module` and `weights` change as phases are run."""

    module: ir.Module
    weights: WeightStore
    options: Options
    progress: Progress = field(default=lambda _name, _seconds: None)
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    instruments: Sequence[Instrument] = ()
    examples: Sequence[np.ndarray] = ()
    """Values of the inputs, where any are known."""

    def run(self) -> Artifact | None:
        """Run the phases; the artefact, or None when the options say to stop before there is one."""
        return self._run(self.finish)

    def run_project(self) -> Project | None:
        """The same for an accelerator's project."""
        return self._run(lambda _: self.finish_project())

    def _run(self, finish: Callable[[Target], Result]) -> Result | None:
        target = target_of(self.options)
        dialects.register(self.module.context)
        state = State(
            target,
            self.weights,
            evaluate=evaluate_on_host,
            examples=self.examples,
            measure=measure_here,
            schedule=schedule_groups,
            settle=settle_memory,
            tell=self._tell,
            facts=self.facts,
        )
        snapshot = Snapshot(self.weights)
        self.instruments = [*self.instruments, snapshot, RecordGraph(self.facts)]
        try:
            self.lower(state)
            if self.options.compile_to != "target":
                return None
            snapshot.take([], self.module)
            return finish(target)
        except InternalError as error:
            error.reproducer = snapshot.write(self.options)
            raise

    def lower(self, state: State, fold: bool = True) -> None:
        """Run the passes of every phase up to the one that the options name."""
        for number, (reached, steps) in enumerate(_road(self.options, state.target, fold)):
            start = time.perf_counter()
            run_passes([step.what for step in steps], self.module, state, [*self.instruments, VerifyAfter()])
            verify_phase(self.module, reached)
            self._dump(number, reached.name)
            self._done(reached.name, start)
            if reached.name == self.options.compile_to:
                return

    def finish(self, target: Target) -> Artifact:
        """Generate code and link."""
        start = time.perf_counter()
        manifest = manifest_of(self.module, target, self.options.precision)
        self.facts["weights"] = weights_of(self.module, self.weights)
        self.facts["copies"] = copies_of(self.module)
        if isinstance(target, GpuTarget):
            library = gpu.emit(self.module, self.weights, target, manifest, self.options.processes)
            self.facts["spirv_bytes"] = library.spirv_bytes
        else:
            library = cpu.emit(self.module, self.weights, target, manifest, self.options.processes)
        self._done("target", start)
        return Artifact(library.data, library.header, manifest, self.facts)

    def finish_project(self) -> Project:
        """Emit an accelerator."""
        from .targets.fpga.hls.emit import emit

        start = time.perf_counter()
        files, manifest = emit(
            self.module, self.weights, self.examples, self.options.device, self.options.quantize,
            self.facts["tile-to-device"]["exploration"],
        )  # fmt: skip
        self._done("target", start)
        return Project(files, manifest, self.facts)

    def _done(self, name: str, start: float) -> None:
        """Tell who watches that a phase is over; the report shows its time."""
        seconds = time.perf_counter() - start
        self.facts.setdefault("phases", {})[name] = seconds
        self.progress(name, seconds)

    def _tell(self, text: str) -> None:
        for instrument in self.instruments:
            instrument.news(text)

    def _dump(self, number: int, name: str) -> None:
        if self.options.dump_ir is not None:
            directory = self.options.dump_ir
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CompileError(f"cannot write: {error.strerror}", where=str(directory)) from error
            text = self.module.operation.get_asm(enable_debug_info=True)
            write_whole({directory / f"{number}_{name}.mlir": text.encode()})


def _road(chosen: Options, target: Target, fold: bool) -> Road:
    if chosen.target == FPGA:
        return fpga_steps(chosen.quantize, chosen.activation_bits, chosen.device, chosen.fast_math, chosen.without)
    quantising = quantising_steps(chosen.quantize, chosen.activation_bits) if chosen.quantize else []
    graph = chosen.precision, chosen.sparsity
    if isinstance(target, GpuTarget):
        tuner = _gpu_tuner(chosen)
        return gpu_steps(*graph, tuner, chosen.fast_math, chosen.without, chosen.memory, chosen.fallback, quantising)
    return cpu_steps(fold, *graph, _tuner(chosen), chosen.fast_math, chosen.without, quantising)


def target_of(options: Options) -> Target:
    """What the options say to compile for. Raises UsageError where there is no such target, or kernels would have to be timed
    that this machine cannot run."""
    if options.target == FPGA:
        return cpu_target("host")  # where constants are computed and activations are measured
    target = target_called(options.target, options.cpu, options.precision)
    if isinstance(target, GpuTarget):
        if options.tune is not None and not is_here(target):
            raise UsageError(
                f"expected no --tune={options.tune:g} with -target={options.target}: its GPUs cannot be asked from this machine"
            )
    elif options.memory != "auto":
        raise UsageError(
            f"expected no --memory={options.memory} with -target={options.target}: processors have no textures"
        )
    elif options.fallback != "none":
        raise UsageError(
            f"expected no --fallback={options.fallback} with -target={options.target}: all kernels run on the CPU there, leave it out"
        )
    elif options.tune and not runs_here(target):
        raise UsageError(
            f"expected no --tune={options.tune:g} with -target={options.target}: code for {target.processor} cannot be "
            "timed on this machine; tune on one like it, and take its --tune-database with --tune=0"
        )
    return target


def _tuner(options: Options) -> TuneContractionsPass | None:
    if options.tune is None:
        return None
    file = str(options.tune_database or "")
    return TuneContractionsPass(options.tune, file, options.threads, options.sparsity.startswith("force"))


def _gpu_tuner(options: Options) -> TuneShadesPass | None:
    if options.tune is None:
        return None
    file, forced = str(options.tune_database or ""), options.sparsity.startswith("force")
    return TuneShadesPass(options.tune, file, options.threads, forced, device_here())


@functools.cache
def device_here() -> str:
    """The GPU that a model compiled with `-target=vulkan` runs on here, as one word. Raises UsageError where there is none."""
    from cocomp.runtime.loader import Model
    from cocomp.runtime.manifest import ArtifactError

    target = target_called("vulkan")
    with context() as made, ir.Location.unknown():
        dialects.register(made)
        module = ir.Module.parse("func.func @main() { return }")
        steps = (step for _, part in gpu_steps() for step in part)
        run_passes([step.what for step in steps], module, State(target, WeightStore(), evaluate=evaluate_on_host))
        artifact = Compilation(module, WeightStore(), Options(target="vulkan")).finish(target)
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        path = Path(name) / "nothing.so"
        path.write_bytes(artifact.data)
        try:
            with Model(path, check=False) as model:
                return re.sub(r"[^\w.]+", "-", model.device).strip("-")
        except ArtifactError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise UsageError(f"expected a GPU to tune for: {reason}") from None


def evaluate_on_host(module: ir.Module, weights: WeightStore) -> list[np.ndarray]:
    """Compile a module whose arguments are all weights for this machine and run it once."""
    from cocomp.runtime.loader import Model

    inner = Compilation(module, weights, Options())
    target = cpu_target("host")
    inner.lower(State(target, weights), fold=False)
    artifact = inner.finish(target)
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        path = Path(name) / "constants.so"
        path.write_bytes(artifact.data)
        with Model(path, check=False) as model:
            return model.run([])


def schedule_groups(module: ir.Module, weights: WeightStore, target: Target) -> None:
    """Take a module whose operations say of which kernel they are a part to where `measure_here` takes it."""
    run_passes([step.what for step in TO_SCHEDULES], module, State(target, weights))


def settle_memory(module: ir.Module, weights: WeightStore, target: Target) -> None:
    """Take a module whose tensors have memory to a plan that has images where kernels read and write whole texels."""
    run_passes([step.what for step in TO_MEMORY], module, State(target, weights))


def measure_here(module: ir.Module, weights: WeightStore, target: Target, threads: int, seconds: float) -> np.ndarray:
    """Times of the kernels of a scheduled module whose arguments are all weights: nanoseconds[rounds, calls]. In a round each
    kernel runs once; the rounds take about `seconds`."""
    from cocomp.runtime.rounds import kernel_times

    inner = Compilation(module, weights, Options())
    steps = FROM_SHADES if isinstance(target, GpuTarget) else [*FROM_SCHEDULES, PLACING]
    run_passes([step.what for step in steps], module, State(target, weights))
    artifact = inner.finish(target)
    with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
        path = Path(name) / "trial.so"
        path.write_bytes(artifact.data)
        return kernel_times(path, threads, seconds)
