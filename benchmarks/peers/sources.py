"""A zoo model, or a pruned one, in the formats that peers read, with inputs and PyTorch's answers, cached.

    python -m benchmarks.peers.sources NAME DIRECTORY FORMAT...

The export runs in a process of its own (this command): a crash in an exporter then costs one model, and the harness
stays small.
"""

import hashlib
import json
import sys
import warnings
from collections.abc import Collection
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cache import cache_directory, versioned_directory
from benchmarks.peers.adapter import save_arrays
from benchmarks.peers.process import run_logged

if TYPE_CHECKING:  # torch is slow to load, and finding cached files needs none of it
    import torch
    from torch import nn

    from benchmarks.inputs import Inputs

HERE = Path(__file__).parent
INPUTS = ("random", "structured")
TORCHSCRIPT, ONNX, WEIGHTS = "model.pt", "model.onnx", "weights.npz"
DONE = "facts.json"  # written last


@dataclass(frozen=True)
class Facts:
    """What the table says about a model: bytes of its parameters and buffers, operations of one run, and those of its
    layers' weights that are not zero (0: unknown)."""

    weight_bytes: int
    flops: int
    kept_flops: int = 0


@dataclass(frozen=True)
class Sources:
    """The directory of one exported model.

    The formats that were asked for (one is missing where its exporter failed, and `.reason` tells why), and for each of
    INPUTS an `.npz` of inputs (input0, ...) and a `-reference.npz` of PyTorch's output.
    """

    name: str
    directory: Path

    @property
    def onnx(self) -> Path:
        return self._exported(ONNX)

    @property
    def torchscript(self) -> Path:
        return self._exported(TORCHSCRIPT)

    @property
    def weights(self) -> Path:
        """The state dict as arrays."""
        return self._exported(WEIGHTS)

    @property
    def facts(self) -> Facts:
        return Facts(**json.loads((self.directory / DONE).read_text()))

    def inputs(self, kind: str) -> Path:
        return self.directory / f"{kind}.npz"

    def reference(self, kind: str) -> Path:
        return self.directory / f"{kind}-reference.npz"

    def _exported(self, name: str) -> Path:
        path = self.directory / name
        reason = _reason(self.directory, name)
        if not path.exists():
            raise ExportError(reason.read_text() if reason.exists() else f"{name} was not exported")
        return path


class ExportError(RuntimeError):
    """A model could not be brought into some format; the message is the reason for the table."""


def ensure_sources(name: str, formats: Collection[str] = (TORCHSCRIPT, ONNX)) -> Sources:
    """The exported model `name`, made by a child process on the first call. Raises ExportError."""
    directory = versioned_directory(cache_directory("models"), name, version_of(name))
    tried = all((directory / file).exists() or _reason(directory, file).exists() for file in formats)
    if not tried or not (directory / DONE).exists():
        (directory / DONE).unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.peers.sources", name, str(directory), *formats]
        done = run_logged(command, directory / "export.log", cwd=HERE.parents[1])
        if not (directory / DONE).exists():
            raise ExportError(f"export failed: {done.reason}")
    return Sources(name, directory)


def version_of(name: str) -> str:
    """Changes when the model, the exporter or their packages do, so that nothing stale is measured."""
    from benchmarks.models import MODELS

    files = [HERE.parent / "models.py", HERE.parent / "networks.py", HERE.parent / "inputs.py", Path(__file__)]
    if name not in MODELS:
        from cocomp import prune
        from cocomp.passes.math import encodings

        files += [HERE.parent / "pruned.py", Path(prune.__file__)]
        files += sorted(Path(encodings.__file__).parent.glob("*.py"))
    versions = ",".join(version(package) for package in ("torch", "torchvision", "transformers"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files) + versions.encode()).hexdigest()[:10]


def export(name: str, directory: Path, formats: Collection[str]) -> None:
    """Writes all files of Sources for model `name`. A format that fails leaves its reason instead."""
    import torch

    from benchmarks.inputs import structured_inputs
    from benchmarks.pruned import find

    # The fused attention of inference mode is one opaque operator, which no format has.
    torch.backends.mha.set_fastpath_enabled(False)
    module, inputs = find(name).factory()
    with torch.no_grad():
        for kind, values in (("random", inputs), ("structured", structured_inputs(inputs))):
            save_arrays(directory / f"{kind}.npz", [value.numpy() for value in values])
            save_arrays(directory / f"{kind}-reference.npz", [module(*values).numpy()], "output")
        for file in formats:
            try:
                EXPORTERS[file](module, inputs, directory / file)
            except Exception as error:
                _reason(directory, file).write_text(f"{file}: {_first_line(error)}")
                (directory / file).unlink(missing_ok=True)
        tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}.values()
        size = sum(t.numel() * t.element_size() for t in tensors)
        facts = Facts(size, _count_flops(module, inputs), count_kept_flops(module, inputs))
    (directory / DONE).write_text(json.dumps(asdict(facts)))


def _reason(directory: Path, file: str) -> Path:
    return directory / f"{file}.reason"


def _to_torchscript(module: "nn.Module", inputs: "Inputs", path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, inputs, check_trace=False), str(path))


def _to_onnx(module: "nn.Module", inputs: "Inputs", path: Path) -> None:
    """The tracing exporter first: its graphs are what peers' fusions were written for."""
    import torch

    names = [f"input{i}" for i in range(len(inputs))]
    failures: list[str] = []
    for dynamo in (False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    module, inputs, str(path), dynamo=dynamo, external_data=False,
                    input_names=names, output_names=["output0"], opset_version=17 if not dynamo else 18,
                )  # fmt: skip
            return
        except Exception as error:
            failures.append(_first_line(error))
    raise ExportError("; then ".join(failures))


def _to_weights(module: "nn.Module", inputs: "Inputs", path: Path) -> None:
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    np.savez(path, **arrays)


EXPORTERS = {TORCHSCRIPT: _to_torchscript, ONNX: _to_onnx, WEIGHTS: _to_weights}


def _count_flops(module: "nn.Module", inputs: "Inputs") -> int:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    # Operators that do all of an attention or an LSTM at once are not counted; what they consist of is.
    with counter, sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
        module(*inputs)
    return counter.get_total_flops()


def count_kept_flops(module: "nn.Module", inputs: "Inputs") -> int:
    """Two for every time that one run multiplies with a weight that is not zero, in layers."""
    from torch import nn

    found = 0

    def count(layer: nn.Module, given: "tuple[torch.Tensor, ...]", output: "torch.Tensor") -> None:
        nonlocal found
        if isinstance(layer, nn.RNNBase):
            times = given[0].numel() // layer.input_size
            weights = [w for name, w in layer.named_parameters() if name.startswith("weight")]
        else:
            weight = layer.get_parameter("weight")
            filters = weight.shape[0]
            times, weights = output.numel() // filters, [weight]
        found += 2 * times * sum(int(w.count_nonzero()) for w in weights)

    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.RNNBase)
    hooks = [layer.register_forward_hook(count) for layer in module.modules() if isinstance(layer, kinds)]
    module(*inputs)
    for hook in hooks:
        hook.remove()
    return found


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
