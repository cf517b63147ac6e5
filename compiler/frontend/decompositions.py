"""Which PyTorch operators are taken apart before the import, and how.

The table is chosen, not maximal: an operator stays whole where torch-mlir lowers it to fewer or better linalg operations
than PyTorch's decomposition does (layer norm stays in single precision, softmax needs no index of the maximum, ...).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

aten = torch.ops.aten

KEPT_WHOLE = (
    aten.layer_norm, aten.softmax, aten._softmax, aten._safe_softmax, aten.linear, aten.matmul, aten.conv1d, aten.conv2d,
    aten.max_pool2d, aten.max_pool3d, aten.avg_pool2d, aten.avg_pool3d, aten.hardswish, aten.hardsigmoid, aten.silu, aten.elu, aten.leaky_relu,
    aten.hardtanh, aten.relu6, aten.log_softmax, aten._log_softmax, aten.upsample_nearest2d, aten.pixel_shuffle, aten.pixel_unshuffle,
    aten.addmm, aten.baddbmm, aten.rms_norm,
)  # fmt: skip
"""Operators (all overloads) that torch-mlir lowers well by itself."""


def batch_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inference batch norm as one scale and one shift a channel, both functions of weights alone."""
    scale = torch.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    shape = [1, -1] + [1] * (x.dim() - 2)
    empty = x.new_empty([0])
    return x * scale.view(shape) + shift.view(shape), empty, empty


def fake_quantize(x: torch.Tensor, scale: float, zero_point: int, low: int, high: int) -> torch.Tensor:
    """The nearest of evenly spaced levels."""
    return (torch.clamp(torch.round(x * (1 / scale)) + zero_point, low, high) - zero_point) * scale


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Scaled dot-product attention; the scale sits on the scores, where it fuses with the mask and the softmax."""
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    factor = query.size(-1) ** -0.5 if scale is None else scale
    scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    if is_causal:
        allowed = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()
        scores = scores.masked_fill(~allowed, float("-inf"))
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf")) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.matmul(torch.softmax(scores, -1), value)


def flash_attention_for_cpu(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The form that already exported programs hold; its second result (log-sum-exp) serves training only."""
    result = attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    return result, query.new_empty(query.shape[:-1])


def group_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    n: int,
    c: int,
    hxw: int,
    group: int,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Group norm with a two-pass variance; mean and variance themselves serve training only."""
    grouped = x.reshape(n, group, c // group * hxw)
    centred = grouped - grouped.mean(2, keepdim=True)
    variance = (centred * centred).mean(2, keepdim=True)
    y = (centred * torch.rsqrt(variance + eps)).reshape(x.shape)
    shape = [1, c] + [1] * (x.dim() - 2)
    if weight is not None:
        y = y * weight.view(shape)
    if bias is not None:
        y = y + bias.view(shape)
    empty = x.new_empty([0])
    return y, empty, empty


def gelu(x: torch.Tensor, approximate: str = "none") -> torch.Tensor:
    """GELU, exact or through tanh."""
    if approximate == "tanh":
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))
    return 0.5 * x * (1 + torch.erf(x * math.sqrt(0.5)))


def adaptive_average(x: torch.Tensor, output_size: Sequence[int | None]) -> torch.Tensor:
    """Adaptive average pooling of the last dimensions: a mean where one value is left, else a product with the matrix that
    averages the bins of each dimension (a constant)."""
    first = x.dim() - len(output_size)
    whole = [first + i for i, n in enumerate(output_size) if n == 1]
    if whole:
        x = x.mean(whole, keepdim=True)
    for axis, size in enumerate(output_size, first):
        length = x.size(axis)
        if size is None or size in (1, length):
            continue
        bins, place = torch.arange(size, device=x.device), torch.arange(length, device=x.device)
        low, high = bins * length // size, ((bins + 1) * length + size - 1) // size
        inside = (place[:, None] >= low) & (place[:, None] < high)
        x = torch.matmul(x.movedim(axis, -1), inside.to(x.dtype) / (high - low).to(x.dtype)).movedim(-1, axis)
    return x


def convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """Transposed convolutions as ordinary ones, and depth-wise ones in three dimensions, which torch-mlir lacks."""
    if transposed:
        return _transposed(x, weight, bias, stride, padding, dilation, output_padding, groups)
    if not transposed and weight.dim() == 5 and groups > 1 and weight.size(1) == 1:
        return _depthwise_3d(x, weight, bias, stride, padding, dilation, groups)
    return NotImplemented


def roll(x: torch.Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> torch.Tensor:
    """Without dimensions the elements are rolled as one row."""
    if dims:
        return NotImplemented
    return aten.roll(x.reshape(-1), shifts, [0]).reshape(x.shape)


def batched(pool: Any, rank: int) -> Callable[..., Any]:
    """A pooling of `rank` dimensions of an input that has no batch: torch-mlir wants one."""

    def rule(x: torch.Tensor, *arguments: Any, **keywords: Any) -> Any:
        if x.dim() != rank + 1:
            return NotImplemented
        found = pool(x.unsqueeze(0), *arguments, **keywords)
        return tuple(y.squeeze(0) for y in found) if isinstance(found, tuple) else found.squeeze(0)

    return rule


def is_finite(x: torch.Tensor) -> torch.Tensor:
    """Neither infinite nor not a number."""
    return x.abs() < math.inf if x.is_floating_point() else torch.ones_like(x, dtype=torch.bool)


def copysign(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """|x| with the sign of y, that of a negative zero included: 1 / -0 is negative."""
    negative = (y < 0) | ((y == 0) & (1 / y < 0))
    return torch.where(negative, -x.abs(), x.abs())


def _transposed(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """One output phase a position modulo the stride, each an ordinary convolution; together they are one convolution with
    a channel for each phase, whose results are interleaved. No zero is put between pixels, and none is multiplied.

    With o + padding = stride * q + r the output is y[o] = sum over t of x[q - t] * w[r + stride * t].
    """
    rank = len(stride)
    weight = _spread(weight, dilation)
    extents, kernel = x.shape[2:], weight.shape[2:]
    sizes = [
        (n - 1) * s - 2 * p + k + more
        for n, s, p, k, more in zip(extents, stride, padding, kernel, output_padding, strict=True)
    ]
    taps = [-(-k // s) for k, s in zip(kernel, stride, strict=True)]
    first = [p // s for p, s in zip(padding, stride, strict=True)]
    last = [(p + o - 1) // s for p, o, s in zip(padding, sizes, stride, strict=True)]
    filters = _phases(weight, stride, taps, groups)
    border: list[int] = []
    for axis in reversed(range(rank)):
        border += [taps[axis] - 1 - first[axis], last[axis] - (extents[axis] - 1)]
    phases = math.prod(stride)
    shared = None if bias is None else bias.view(groups, 1, -1).expand(-1, phases, -1).reshape(-1)
    ones, zeros = [1] * rank, [0] * rank
    y = aten.convolution(torch.constant_pad_nd(x, border), filters, shared, ones, zeros, ones, False, zeros, groups)
    counts = [b - a + 1 for a, b in zip(first, last, strict=True)]
    y = y.reshape([x.size(0), groups, *stride, -1, *counts])
    y = y.permute([0, 1, 2 + rank, *(axis for a in range(rank) for axis in (3 + rank + a, 2 + a))])
    y = y.reshape([x.size(0), -1, *(n * s for n, s in zip(counts, stride, strict=True))])
    for axis in range(rank):
        y = y.narrow(2 + axis, padding[axis] - stride[axis] * first[axis], sizes[axis])
    return y


def _spread(weight: torch.Tensor, dilation: Sequence[int]) -> torch.Tensor:
    """The filter with the zeros that its dilation stands for."""
    for axis, d in enumerate(dilation, 2):
        if d > 1:
            length = weight.size(axis)
            apart = torch.constant_pad_nd(weight.unsqueeze(axis + 1), [0, 0] * (weight.dim() - axis - 1) + [0, d - 1])
            weight = apart.flatten(axis, axis + 1).narrow(axis, 0, (length - 1) * d + 1)
    return weight


def _phases(weight: torch.Tensor, stride: Sequence[int], taps: Sequence[int], groups: int) -> torch.Tensor:
    """Filters [inputs, outputs / groups, ..] of a transposed convolution as those of the convolution of its phases,
    [groups * phases * outputs / groups, inputs / groups, ..]."""
    rank = len(stride)
    inputs, outputs = weight.shape[:2]
    missing = [n for axis in reversed(range(rank)) for n in (0, stride[axis] * taps[axis] - weight.size(2 + axis))]
    cut = torch.constant_pad_nd(weight, missing).reshape(
        [groups, inputs // groups, outputs, *(n for t, s in zip(taps, stride, strict=True) for n in (t, s))]
    )
    tap_axes, phase_axes = [3 + 2 * a for a in range(rank)], [4 + 2 * a for a in range(rank)]
    cut = cut.flip(tap_axes).permute([0, *phase_axes, 2, 1, *tap_axes])
    return cut.reshape([groups * outputs * math.prod(stride), inputs // groups, *taps])


def _depthwise_3d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """The sum of a depth-wise convolution in two dimensions for each step along the first, frames being the batch."""
    x = torch.constant_pad_nd(x, [0, 0, 0, 0, padding[0], padding[0]])
    taps = weight.size(2)
    frames = (x.size(2) - dilation[0] * (taps - 1) - 1) // stride[0] + 1
    total = None
    for tap in range(taps):
        start = tap * dilation[0]
        part = (
            x[:, :, start : start + (frames - 1) * stride[0] + 1 : stride[0]]
            .transpose(1, 2)
            .reshape(-1, x.size(1), *x.shape[3:])
        )
        y = aten.convolution(
            part, weight[:, :, tap], None, stride[1:], padding[1:], dilation[1:], False, [0, 0], groups
        )
        total = y if total is None else total + y
    assert total is not None
    total = total.reshape(x.size(0), frames, *total.shape[1:]).transpose(1, 2)
    return total if bias is None else total + bias.view(1, -1, 1, 1, 1)


@cache
def table() -> dict[Any, Callable[..., Any]]:
    """Operator overload -> decomposition, for `ExportedProgram.run_decompositions`."""
    from torch_mlir.extras.fx_decomp_util import get_decomposition_table

    kept = set(KEPT_WHOLE)
    every: dict[Any, Callable[..., Any]] = get_decomposition_table()
    chosen = {op: rule for op, rule in every.items() if op._overloadpacket not in kept}
    chosen.update(
        {
            aten._native_batch_norm_legit_no_training.default: batch_norm,
            aten.native_group_norm.default: group_norm,
            aten.convolution.default: convolution,
            aten.roll.default: roll,
            aten.isfinite.default: is_finite,
            aten.copysign.Tensor: copysign,
            aten.gelu.default: gelu,
            aten.fake_quantize_per_tensor_affine.default: fake_quantize,
            aten.scaled_dot_product_attention.default: attention,
            aten._scaled_dot_product_flash_attention_for_cpu.default: flash_attention_for_cpu,
        }
    )
    pools = (
        aten.adaptive_avg_pool1d, aten.adaptive_avg_pool2d, aten._adaptive_avg_pool2d, aten.adaptive_avg_pool3d,
        aten._adaptive_avg_pool3d,
    )  # fmt: skip
    chosen.update({pool.default: adaptive_average for pool in pools})
    windows = {
        2: (aten.max_pool2d, aten.max_pool2d_with_indices, aten.avg_pool2d, aten.adaptive_max_pool2d),
        3: (aten.max_pool3d, aten.max_pool3d_with_indices, aten.avg_pool3d, aten.adaptive_max_pool3d),
    }
    chosen.update({pool.default: batched(pool.default, rank) for rank, pools in windows.items() for pool in pools})
    return chosen
