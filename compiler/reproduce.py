"""What is needed to see an internal error again: the module and the weights as the failing step found them."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocomp.support.mlir import ir
from cocomp.support.passes import Instrument, Pass, Upstream
from cocomp.support.weights import WeightStore

from .options import Options


@dataclass
class Snapshot(Instrument):
    """Keeps a copy of the module and the weights from before the pass that runs."""

    weights: WeightStore
    steps: Sequence[Pass] = ()
    module: ir.Operation | None = None
    arrays: WeightStore = field(default_factory=WeightStore)

    def before(self, step: Pass, module: ir.Module) -> None:
        self.take([step], module)

    def take(self, steps: Sequence[Pass], module: ir.Module) -> None:
        """Keep what `steps` are about to change; no steps stand for code generation."""
        self.steps = steps
        self.module = module.operation.clone()
        self.arrays = WeightStore(self.weights)

    def write(self, options: Options) -> str:
        """Write what is kept to a new directory; the command that fails again, or why there is none."""
        if self.module is None:
            return ""
        directory = None
        try:
            directory = Path(tempfile.mkdtemp(prefix="cocomp-reproducer-"))
            text = self.module.get_asm(enable_debug_info=True)
            (directory / "module.mlir").write_text(text)
            if self.arrays:
                (directory / "module.safetensors").write_bytes(self.arrays.to_safetensors())
        except OSError as error:
            if directory is not None:
                shutil.rmtree(directory, ignore_errors=True)
            return f"(no reproducer: {error.strerror})"
        return command(directory / "module.mlir", self.steps, options)


def command(module: Path, steps: Sequence[Pass], options: Options) -> str:
    """The `cocomp-opt` command that runs `steps`, or code generation when there are none."""
    words = ["cocomp-opt", str(module)]
    if steps:
        words += ["-p", ",".join(step.pipeline if isinstance(step, Upstream) else str(step) for step in steps)]
    else:
        words += [f"--emit={module.with_suffix('.so')}"]
    words.append(f"-target={options.target}")
    if options.cpu:
        words.append(f"-mcpu={options.cpu}")
    if options.precision != "f32":
        words.append(f"--precision={options.precision}")
    return shlex.join(words)
