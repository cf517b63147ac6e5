"""Small models of every kind that accelerators are made of. Seeded; norms are calibrated."""

from __future__ import annotations

import torch
from torch import nn

Example = tuple[nn.Module, tuple[torch.Tensor, ...]]


def cnn() -> Example:
    """Convolutions, a pool, a norm, a linear layer."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip
    return calibrated(model, torch.randn(4, 3, 12, 12)), (torch.randn(1, 3, 12, 12),)


class Residual(nn.Module):
    """A block of a ResNet."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.second, self.last = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.down = down if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.last(self.second(torch.relu(self.norm(self.first(x)))))
        return torch.relu(y + self.down(x))


def chain() -> Example:
    """The beginning of a ResNet, two of its blocks, its end."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(16, 16), Residual(16, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    return calibrated(model, torch.randn(8, 3, 24, 24)), (torch.randn(1, 3, 24, 24),)


def gru() -> Example:
    """A cell of a recurrent network."""
    torch.manual_seed(0)
    return nn.GRUCell(24, 32).eval(), (torch.randn(1, 24), torch.tanh(torch.randn(1, 32)))


def former() -> Example:
    """A transformer's block: attention with softmax, layer norms, GELU."""
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(32, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True)
    return model.eval(), (torch.randn(1, 12, 32),)


class Mobile(nn.Module):
    """Depth-wise, with gates and clamps; two pools that are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 24, 1), nn.Hardswish(),
            nn.Conv2d(24, 24, 3, 1, 1, groups=24), nn.SiLU(), nn.Conv2d(24, 16, 1),
        )  # fmt: skip
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 16, 1), nn.Hardsigmoid()
        )
        self.last = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        y = y * self.gate(y)
        return self.last(torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1))


def mobile() -> Example:
    """As above."""
    torch.manual_seed(0)
    return calibrated(Mobile(), torch.randn(4, 3, 16, 16)), (torch.randn(1, 3, 16, 16),)


def pruned() -> Example:
    """A convolution of which only every other block of sixteen channels is kept."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 16, 1)).eval()
    with torch.no_grad():
        first = model[0]
        assert isinstance(first, nn.Conv2d)
        first.weight[:, 16:32] = 0
        first.weight[:, 48:] = 0
    return model, (torch.randn(1, 64, 6, 6),)


class Joined(nn.Module):
    """A depth-wise convolution, whose rows have scales of their own, joined with another one as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.other, self.last = nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.depthwise(x), self.other(x)], 1))


def joined() -> Example:
    """As above."""
    torch.manual_seed(0)
    return Joined().eval(), (torch.randn(1, 8, 6, 6),)


class Long(nn.Module):
    """Sums that are longer than accumulators are wide."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x @ y


def long() -> Example:
    """As above."""
    torch.manual_seed(0)
    return Long().eval(), (torch.randn(1, 1 << 18), torch.randn(1 << 18, 2))


class Sorted(nn.Module):
    """What no accelerator computes."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sort(self.last(x))[0]


def sorted_rows() -> Example:
    """As above."""
    return Sorted().eval(), (torch.randn(2, 8),)


def embedded() -> Example:
    """A table that is read at positions."""
    return nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 4)).eval(), (torch.tensor([[1, 2]]),)


def sums() -> Example:
    """No weights."""
    return nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)).eval(), (torch.randn(1, 2, 4, 4),)


def huge() -> Example:
    """So many functions that a small device has no room for their tables."""
    layers = [nn.Linear(8, 8)]
    for _ in range(40):
        layers += [nn.GELU(), nn.Linear(8, 8)]  # pyright: ignore[reportArgumentType]
    return nn.Sequential(*layers).eval(), (torch.randn(2, 8),)


class Loaded(nn.Module):
    """Numbers and tables that are too large to be on chip all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(128, 96))
        self.layers = nn.Sequential(nn.Linear(96, 112), nn.GELU(), nn.Linear(112, 112), nn.GELU(), nn.Linear(112, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x + self.positions)


def loaded() -> Example:
    """As above."""
    torch.manual_seed(0)
    return Loaded().eval(), (torch.randn(1, 128, 96),)


def calibrated(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Norms as the inputs have them."""
    with torch.no_grad():
        model.train()(x)
    return model.eval()
