"""Accuracy of quantised models after training, on real data that packages bring.

    python -m benchmarks.quantised --seeds 3

A small network is trained in single precision, then on with quantised weights and activations of four bits, with every quantiser,
from the same weights and for as many epochs. Data: scikit-learn's digits (1797 images of 8 x 8, a convolutional network) and
breast cancer (569 samples of 30 numbers, three linear layers); 30 % are held out.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cocomp import quantize

BATCH = 64
QUANTISERS = ("fixed<4>", "pot<4>", "sp2<4>", "apot<4>", "esb<4, 1>", "rmsmp", "rmsmp by ADMM")


@dataclass(frozen=True)
class Task:
    """Data and a network for it."""

    name: str
    data: Callable[[], tuple[Tensor, Tensor]]
    """Samples and their classes."""
    network: Callable[[], nn.Module]

    def split(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What to train on and what to test with, the same in every run."""
        samples, classes = self.data()
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
        held, used = order[: len(order) * 3 // 10], order[len(order) * 3 // 10 :]
        return (samples[used], classes[used]), (samples[held], classes[held])


def digits() -> tuple[Tensor, Tensor]:
    """[1797, 1, 8, 8] in 0..1."""
    from sklearn.datasets import load_digits

    samples, classes = load_digits(return_X_y=True)
    return torch.tensor(samples / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(classes)


def cancer() -> tuple[Tensor, Tensor]:
    """[569, 30], of mean 0 and deviation 1."""
    from sklearn.datasets import load_breast_cancer

    samples, classes = load_breast_cancer(return_X_y=True)
    return torch.tensor((samples - samples.mean(0)) / samples.std(0), dtype=torch.float32), torch.tensor(classes)


def convolutional() -> nn.Module:
    """For images of 8 x 8."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )


def perceptron() -> nn.Module:
    """For 30 numbers."""
    return nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))


TASKS = (Task("digits", digits, convolutional), Task("breast cancer", cancer, perceptron))


def train(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    epochs: int,
    seed: int,
    quantisation: quantize.Quantisation | None = None,
) -> None:
    """Adam with a rate that falls to zero; deterministic for a seed."""
    samples, classes = data
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        model.train()
        if quantisation is not None:
            quantisation.begin_epoch(epoch, lambda: F.cross_entropy(model(samples[:BATCH]), classes[:BATCH]))
        for batch in torch.randperm(len(samples), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(samples[batch]), classes[batch])
            if quantisation is not None:
                loss = loss + quantisation.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if quantisation is not None:
            quantisation.end_epoch()
        schedule.step()


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """Share of the samples whose class is found."""
    model.eval()
    with torch.no_grad():
        return float((model(data[0]).argmax(1) == data[1]).double().mean())


def run(task: Task, seed: int, epochs: int, quantisers: Sequence[str] = QUANTISERS) -> dict[str, float]:
    """Accuracy in single precision and with each quantiser."""
    used, held = task.split()
    torch.manual_seed(seed)
    model = task.network()
    train(model, used, epochs, seed)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, used, epochs, seed + 1)
    found = {"float": accuracy(model, held)}
    for quantiser in quantisers:
        model = task.network()
        model.load_state_dict(start)
        weights, _, by = quantiser.partition(" by ")
        quantisation = quantize.prepare(model, weights, method=by.lower() or "ste")
        quantisation.calibrate([used[0][:256]])
        train(model, used, epochs, seed + 1, quantisation)
        quantisation.finish()
        found[quantiser] = accuracy(model, held)
    return found


def table(tasks: Sequence[Task], seeds: int, epochs: int) -> dict[str, dict[str, list[float]]]:
    """Task -> quantiser -> accuracies by seed, printed as they come."""
    found: dict[str, dict[str, list[float]]] = {}
    for task in tasks:
        rows = found.setdefault(task.name, {})
        for seed in range(seeds):
            for name, share in run(task, 10 * seed, epochs).items():
                rows.setdefault(name, []).append(share)
        for name, shares in rows.items():
            every = ", ".join(f"{100 * s:.2f}" for s in shares)
            print(f"{task.name:14} {name:14} {100 * statistics.mean(shares):6.2f} %   ({every})", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20, help="before quantisation, and again with it")
    parser.add_argument("--json", type=Path, help="write the accuracies, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = table(TASKS, options.seeds, options.epochs)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
