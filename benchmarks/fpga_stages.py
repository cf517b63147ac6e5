"""Stages of an accelerator for a model: its operators as they run, on tensors without values.

Sizes alone, for models that take long to compile: channels lie side by side wherever they are, where the emitter has them where the engine writes
them. Norms of batches, activations and biases cost nothing: they are in the factors and biases of the rows. An
activation takes a byte, that of a layer norm two.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cocomp.passes.math.accelerator import Product, Stage, Sweep
from cocomp.passes.math.quantisers.rows import Mixture

FEW_CHANNELS = 8
"""With fewer, windows are unfolded: their columns lie side by side."""
GELU_BITS, EXP_BITS = 256 * 8, 1024 * 16
FREE = (
    "native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "relu", "relu_", "hardtanh", "hardtanh_", "t",
    "view", "_unsafe_view", "transpose", "permute", "expand", "clone", "detach", "dropout", "slice", "select", "unsqueeze",
    "squeeze", "alias", "empty", "arange", "ones", "zeros", "full", "lift_fresh", "_to_copy", "contiguous", "reshape", "rand_like",
)  # fmt: skip
"""Operators that no stage is for, beside those of positions and masks, whose results are integers."""


class Lister(TorchDispatchMode):
    """Writes down a stage for every operator that is one. Raises ValueError for those that it does not know."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.mixture = mixture
        self.found: list[Stage] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        y = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in HANDLERS:
            HANDLERS[name](self, args, y)
        elif name not in FREE and isinstance(y, Tensor) and y.is_floating_point():
            raise ValueError(f"expected an operator that a stage is known for, got {func}")
        return y

    def product(self, rows: int, channels: int, taps: int, pixels: int, positions: int) -> None:
        """In the engine."""
        self.found.append(
            Product(f"product {len(self.found)}", self.mixture.counts(rows), channels, taps, pixels, positions)
        )

    def sweep(
        self, unit: str, points: int, reads: int, writes: int, multiplies: int, adds: int, tables: int = 0
    ) -> None:
        """In loops."""
        self.found.append(Sweep(f"{unit} {len(self.found)}", points, reads, writes, multiplies, adds, tables, unit))


def list_stages(model: nn.Module, inputs: tuple[Tensor, ...], mixture: Mixture) -> list[Stage]:
    """What an accelerator would compute, stage after stage. Raises ValueError for operators that are not known."""
    lister = Lister(mixture)
    with torch.no_grad(), lister:
        model.eval()(*inputs)
    return lister.found


def _convolution(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    x, weight, groups = args[0], args[1], args[8]
    channels, taps, pixels = x.shape[1], math.prod(weight.shape[2:]), math.prod(y.shape[2:])
    if groups == channels > 1:
        found.sweep("depth-wise", y.numel() * taps, x.numel(), y.numel(), 1, 1)
        return
    if groups != 1:
        raise ValueError(f"expected one group or as many as channels, got {groups}")
    if channels < FEW_CHANNELS and taps > 1:
        columns = channels * taps
        found.sweep("windows", pixels * columns, pixels * columns, pixels * columns, 0, 0)
        found.product(weight.shape[0], columns, 1, pixels, pixels)
    else:
        found.product(weight.shape[0], channels, taps, pixels, math.prod(x.shape[2:]))


def _linear(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    x = args[-2]
    found.product(y.shape[1], x.shape[1], 1, x.shape[0], x.shape[0])


def _batched(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    left, right = args[:2]
    found.sweep("batched product", y.numel() * left.shape[2], left.numel() + right.numel(), y.numel(), 1, 1)


def _attention(found: Lister, args: Sequence[Any], y: Sequence[Tensor]) -> None:
    query, key, value = args[:3]
    scores = math.prod(query.shape[:3]) * key.shape[2]
    found.sweep("batched product", scores * query.shape[3], query.numel() + key.numel(), scores, 1, 1)
    found.sweep("softmax", 3 * scores, 3 * scores, scores, 1, 1, EXP_BITS)
    found.sweep("batched product", scores * value.shape[3], scores + value.numel(), query.numel(), 1, 1)


def _scaling(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    """By numbers it costs nothing: they are in the factors."""
    if isinstance(args[1], Tensor):
        found.sweep("scaling", y.numel(), args[0].numel() + args[1].numel(), y.numel(), 2, 0)


def _addition(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    read = sum(tensor.numel() for tensor in args if isinstance(tensor, Tensor))
    found.sweep("addition", y.numel(), read, y.numel(), 2, 1)


def _pooling(found: Lister, args: Sequence[Any], y: Any) -> None:
    of = y[0] if isinstance(y, tuple) else y
    found.sweep("pooling", of.numel() * math.prod(args[1]), args[0].numel(), of.numel(), 0, 1)


def _mean(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    found.sweep("mean", args[0].numel(), args[0].numel(), y.numel(), 0, 1)


def _norm(found: Lister, args: Sequence[Any], y: Sequence[Tensor]) -> None:
    points = args[0].numel()
    found.sweep("layer norm", 3 * points, 3 * 2 * points, points, 2, 2)


def _gelu(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    found.sweep("gelu", y.numel(), y.numel(), y.numel(), 0, 0, GELU_BITS)


def _softmax(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    found.sweep("softmax", 3 * y.numel(), 3 * y.numel(), y.numel(), 1, 1, EXP_BITS)


def _lookup(found: Lister, args: Sequence[Any], y: Tensor) -> None:
    found.sweep("embedding", y.numel(), y.numel(), y.numel(), 0, 0)


HANDLERS: dict[str, Callable[[Lister, Sequence[Any], Any], None]] = {
    "convolution": _convolution,
    "addmm": _linear,
    "mm": _linear,
    "bmm": _batched,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "mul": _scaling,
    "add": _addition,
    "add_": _addition,
    "max_pool2d_with_indices": _pooling,
    "mean": _mean,
    "_adaptive_avg_pool2d": _mean,
    "native_layer_norm": _norm,
    "gelu": _gelu,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "embedding": _lookup,
}
"""Operator -> what lists its stages, of its arguments and its result."""
