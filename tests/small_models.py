"""Small models for tests, and files of them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch
from torch import nn

from cocomp.api import import_model
from cocomp.support.mlir import context


class Residual(nn.Module):
    """Convolution, batch norm, residual, pooling, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.stem(x))
        y = torch.relu(self.norm(self.conv(y))) + y
        return self.head(y.mean((2, 3)))


class TwoInputs(nn.Module):
    """A float and an integer input, two results."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(16, 8)

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.table(ids)
        return y + x, y * x


class Unsupported(nn.Module):
    """An operation that no CPU kernel exists for, inside a submodule."""

    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.qr(x)[0]

    def __init__(self) -> None:
        super().__init__()
        self.inner = self.Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x * 2) + 1


def residual() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """`Residual` with statistics that are not trivial, and its input."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        module = Residual()
        assert module.norm.running_mean is not None and module.norm.running_var is not None
        module.norm.running_mean.normal_()
        module.norm.running_var.uniform_(0.5, 2)
        return module.eval(), (torch.randn(1, 3, 8, 8),)


def two_inputs() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """`TwoInputs` and its inputs."""
    return TwoInputs().eval(), (torch.ones(2, 8), torch.tensor([3, 5]))


def unsupported() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """`Unsupported` and its input."""
    return Unsupported().eval(), (torch.randn(4, 4),)


def failing() -> nn.Module:
    """A factory with a mistake."""
    raise RuntimeError("no such dataset")


def nothing() -> int:
    """A factory that makes no module."""
    return 3


def without_inputs() -> nn.Module:
    """A factory that leaves the inputs to the caller."""
    return residual()[0]


NOT_A_FACTORY = 3


def save_all(directory: Path) -> None:
    """The small network in every format, and damaged files."""
    module, inputs = residual()
    torch.export.save(torch.export.export(module, inputs), directory / "residual.pt2")
    torch.export.save(torch.export.export(two_inputs()[0], two_inputs()[1]), directory / "two.pt2")
    torch.jit.save(torch.jit.trace(module, inputs), directory / "residual.pt")
    torch.save(module, directory / "pickle.pt")
    torch.save(module, directory / "old_pickle.pt", _use_new_zipfile_serialization=False)
    torch.save(module.state_dict(), directory / "state.pth")
    torch.onnx.export(module, inputs, directory / "residual.onnx", dynamo=False, verbose=False)
    _save_text(module, inputs, directory / "residual.mlir")
    whole = (directory / "residual.pt2").read_bytes()
    (directory / "truncated.pt2").write_bytes(whole[: len(whole) // 2])
    (directory / "corrupt.pt2").write_bytes(_with_flipped_weight(whole))
    (directory / "empty.pt2").write_bytes(b"")
    (directory / "noise.onnx").write_bytes(bytes(range(256)) * 8)
    (directory / "broken.onnx").write_bytes((directory / "residual.onnx").read_bytes()[:-100])
    with zipfile.ZipFile(directory / "other.pt2", "w") as archive:
        archive.writestr("readme.txt", "nothing of PyTorch's")


def _save_text(module: nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> None:
    """As MLIR, which is read without PyTorch: what a process of its own should compile when time counts."""
    imported = import_model(module, inputs, context())
    path.write_text(imported.module.operation.get_asm(enable_debug_info=True))
    path.with_suffix(".safetensors").write_bytes(imported.weights.to_safetensors())


def _with_flipped_weight(whole: bytes) -> bytes:
    """The archive with a bit of its largest record wrong."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
    position = largest.header_offset + 30 + len(largest.filename) + 200
    return whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
