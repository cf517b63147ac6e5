"""What the targets' tests compile: every kind of kernel once, in one small model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cocomp import prune

Array = np.ndarray
Example = tuple[nn.Module, tuple[Tensor, ...]]


class Kinds(nn.Module):
    """Dense and pruned convolutions in two and three dimensions, Winograd, depth-wise and transposed ones, linear layers,
    attention, a GRU step, softmax, norms, pooling, a resize, an embedding: results side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU6())
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, 2 * width, 1)
        self.filtered = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.transposed = nn.ConvTranspose2d(2 * width, 3, 2, stride=2)
        self.columns = nn.Conv2d(width, 2 * width, 1)
        self.positions = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.volume = nn.Conv3d(3, 8, 3, padding=1)
        self.query = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.cell = nn.GRUCell(width, 12)
        self.table = nn.Embedding(9, width)
        self.head = nn.Linear(2 * width, 7)
        with torch.no_grad():
            self.head.weight.mul_(torch.rand_like(self.head.weight) < 0.3)
        prune.project(self, "bcr<8, all>", {"columns": 4})
        prune.project(self, "kgs<4, 4>", {"positions": 3.3})
        prune.finish(self)

    def forward(self, image: Tensor, tokens: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(image)
        x = x + F.hardswish(self.depthwise(x))
        dense = F.silu(self.filtered(F.gelu(self.pointwise(x))))
        pruned = F.relu(self.positions(F.relu(self.columns(x)))) + dense
        volume = F.max_pool3d(self.volume(image.unsqueeze(2).expand(-1, -1, 2, -1, -1)), 2)
        resized = F.interpolate(self.transposed(pruned), scale_factor=0.5, mode="bilinear")
        words = self.norm(self.table(tokens))
        q, k, v = self.query(words).chunk(3, -1)
        attended = F.scaled_dot_product_attention(q, k, v)
        new = self.cell(attended[:, 0], state)
        return dense, pruned, volume, resized, attended, new, self.head(pruned.mean((2, 3))).softmax(-1)


def kinds(width: int = 16, size: int = 28) -> Example:
    """`Kinds` with random weights, and inputs: `size` is the side of the image."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        module = Kinds(width).eval()
        return module, (torch.randn(1, 3, size, size), torch.randint(0, 9, (1, 5)), torch.randn(1, 12))


def references(example: Example) -> list[Array]:
    """What PyTorch computes."""
    module, inputs = example
    with torch.no_grad():
        return [r.numpy() for r in module(*inputs)]


def errors(found: Sequence[Array], expected: Sequence[Array]) -> list[float]:
    """Largest difference of each result relative to its largest value."""
    assert [f.shape for f in found] == [e.shape for e in expected]
    assert all(np.isfinite(f).all() for f in found)
    return [float(np.abs(f - e).max() / np.abs(e).max()) for f, e in zip(found, expected, strict=True)]


def arrays(example: Example) -> list[Array]:
    """The inputs as NumPy has them."""
    return [x.numpy() for x in example[1]]


def few() -> Example:
    """A convolution, a depth-wise one, a pruned one, a linear layer and a softmax, one after the other."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(4)
        pruned = nn.Conv2d(8, 16, 3)
        prune.project(pruned, "kgs<8, 4>", 3.3)
        prune.finish(pruned)
        layers = [
            *(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.SiLU()),
            *(pruned, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10), nn.Softmax(-1)),
        ]
        return Single(nn.Sequential(*layers)).eval(), (torch.randn(1, 3, 21, 17),)


class Split(nn.Module):
    """What GPUs cannot compute between convolutions: a scan, a sort, and sums in double precision beside something in single."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3)
        self.third, self.last = nn.Conv2d(12, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        scanned = F.relu(self.first(x)).cumsum(2) * 0.1
        values, places = self.second(torch.cat([scanned[:, :4], F.silu(scanned[:, 4:])], 1)).sort(3)
        third = F.relu(self.third(values))
        sums = (third.mean((2, 3)).double() * weights).cumsum(1)
        return third, places.to(torch.float32), sums, self.last(third.amax((2, 3))).softmax(-1)


def split() -> Example:
    """`Split` with random weights, and inputs."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(6)
        return Split().eval(), (torch.randn(1, 3, 11, 9), torch.randn(1, 8, dtype=torch.float64))


class Single(nn.Module):
    """A module whose result is a tuple of one."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.inner(x),)
