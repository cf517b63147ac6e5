"""Models are quantised row by row, trained so, and end with weights that are on their levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.quantised import TASKS, accuracy, train
from cocomp import quantize
from cocomp.fake_quant import QuantisedActivation, QuantisedRows, rounded, row_curvature
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.passes.math.quantisers.rows import parse_mixture, rmsmp
from cocomp.support.diagnostics import UsageError


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These models are too small for more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network() -> nn.Sequential:
    """Two convolutions and a linear layer, seeded."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 20, 3, padding=1), nn.ReLU(), nn.Conv2d(20, 24, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 36, 10)
    ).eval()


def images(count: int = 8) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("text", ["fixed<4>", "pot<4>", "sp2<4>", "apot<4>", "esb<4, 1>", "fixed<8>"])
def test_training_rounds_as_the_compiler_does(text: str) -> None:
    quantiser = parse_quantiser(text)
    values = torch.linspace(-1.5 * quantiser.most, 1.5 * quantiser.most, 4001, dtype=torch.float64, requires_grad=True)
    found = rounded(values, quantiser)
    assert np.array_equal(found.detach().numpy(), quantiser.round(values.detach().numpy()))
    found.sum().backward()
    assert values.grad is not None
    inside = values.detach().abs() <= quantiser.most
    assert torch.equal(values.grad, inside.double())


def test_learned_scales_follow_their_gradient() -> None:
    """LSQ: inside numerator - w / s, outside the largest numerator, by 1 / sqrt(n most)."""
    weight = torch.tensor([[0.6, -2.3, 9.0]], dtype=torch.float64)
    rows = QuantisedRows(weight, parse_mixture("fixed<4>"), "learned")
    with torch.no_grad():
        rows.scales.fill_(1.0)
    rows(weight).sum().backward()
    expected = (1 - 0.6) + (-2 + 2.3) + 7
    assert rows.scales.grad is not None
    assert float(rows.scales.grad) == pytest.approx(expected / (3 * 7) ** 0.5)


@pytest.mark.parametrize("weights", ["rmsmp", "fixed<4>", "esb<4, 1>"])
@pytest.mark.parametrize("scale", quantize.SCALES)
def test_weights_end_on_their_levels(weights: str, scale: str) -> None:
    model, x = network(), images()
    q = quantize.prepare(model, weights, scale=scale)
    q.calibrate([x])
    during = model(x)
    rows = q.finish()
    assert torch.equal(model(x), during)
    assert sorted(rows) == ["0.weight", "2.weight", "5.weight"]
    state = dict(model.named_parameters())
    for name, row in rows.items():
        weight = state[name].detach().reshape(len(row.codes), -1).numpy()
        for r, place in enumerate(row.places):
            numerators = row.mixture.quantisers[place].decode(row.codes[r])
            np.testing.assert_allclose(weight[r], numerators * row.scales[r], rtol=1e-6)
    if weights == "rmsmp":
        assert tuple(np.bincount(rows["0.weight"].places, minlength=3)) == rmsmp().counts(20)


def test_a_finished_model_is_exported_as_it_runs() -> None:
    model, x = network(), images()
    q = quantize.prepare(model, "rmsmp:65:30:5")
    q.calibrate([x[:4], (x[4:],)])
    q.finish()
    exported = torch.export.export(model, (x,))
    assert sum("fake_quantize_per_tensor" in str(node.target) for node in exported.graph.nodes) == 3
    assert torch.equal(exported.module()(x), model(x))


def test_what_an_activation_keeps() -> None:
    positive, signed = QuantisedActivation(4), QuantisedActivation(4)
    positive(torch.tensor([0.0, 3.0, 15.0]))
    signed(torch.tensor([-7.0, 3.0]))
    for activation in (positive, signed):
        activation.settle()
    assert (positive.low, positive.high, signed.low, signed.high) == (0, 15, -8, 7)
    assert positive(torch.tensor([2.4, 99.0])).tolist() == pytest.approx([2.0, 15.0])
    assert signed(torch.tensor([-99.0, 2.6])).tolist() == pytest.approx([-8.0, 3.0])
    positive.freeze()
    assert positive(torch.tensor([2.4, -1.0])).tolist() == pytest.approx([2.0, 0.0])


def test_recurrent_cells_are_quantised() -> None:
    torch.manual_seed(0)
    cell = nn.GRUCell(6, 5)
    q = quantize.prepare(cell, "fixed<4>")
    x = torch.randn(2, 6)
    q.calibrate([(x,)])
    assert sorted(q.finish()) == ["weight_hh", "weight_ih"]
    assert cell(x).shape == (2, 5)


def quadratic(blocks: Tensor, coupling: float) -> Callable[[Tensor], Tensor]:
    """sum_r w_r A_r w_r / 2 + coupling * (sum w)^2 / 2 over what couples rows."""

    def loss(weight: Tensor) -> Tensor:
        own = torch.einsum("ri,rij,rj->", weight, blocks, weight) / 2
        return own + coupling * (weight[:-1] * weight[1:]).sum()

    return loss


def test_curvature_is_that_within_rows() -> None:
    generator = torch.Generator().manual_seed(3)
    half = torch.randn(7, 4, 4, generator=generator, dtype=torch.float64)
    blocks = half @ half.transpose(1, 2)
    weight = nn.Parameter(torch.randn(7, 4, generator=generator, dtype=torch.float64))
    expected = torch.linalg.eigvalsh(blocks)[:, -1].numpy()
    for coupling in (0.0, 5.0):
        loss = quadratic(blocks, coupling)
        found = row_curvature(lambda loss=loss: loss(weight), weight, steps=200, at_once=3)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_assignment_is_deterministic_and_follows_the_loss() -> None:
    x, y = images(16), torch.arange(16) % 10
    places: list[list[np.ndarray]] = []
    for _ in range(2):
        model = network()
        q = quantize.prepare(model, "rmsmp")
        q.calibrate([x])
        q.begin_epoch(0, lambda model=model: F.cross_entropy(model(x), y))
        places.append([w.rows.places.numpy() for w in q])
    assert all(np.array_equal(a, b) for a, b in zip(*places, strict=True))
    q = quantize.prepare(network(), "rmsmp")
    assert any(not np.array_equal(a, w.rows.places.numpy()) for a, w in zip(places[0], q, strict=True))


def test_admm_draws_weights_to_their_levels() -> None:
    used, _ = TASKS[1].split()
    torch.manual_seed(0)
    distances = {}
    for method, weights in (("ste", "pot<3>"), ("admm", "pot<3>")):
        torch.manual_seed(0)
        model = TASKS[1].network()
        q = quantize.prepare(model, weights, method=method)
        q.calibrate([used[0]])
        train(model, used, 12, 0, q)
        w = next(iter(q))
        distances[method] = float(
            (w.original - w.rows.project(w.original)).detach().norm() / w.original.detach().norm()
        )
    assert distances["admm"] < 0.75 * distances["ste"]


def test_a_trained_model_is_as_good_as_in_single_precision() -> None:
    """Digits, with training short: `python -m benchmarks.quantised` has the table."""
    task = TASKS[0]
    used, held = task.split()
    torch.manual_seed(0)
    model = task.network()
    train(model, used, 8, 0)
    single = accuracy(model, held)
    q = quantize.prepare(model, "rmsmp")
    q.calibrate([used[0][:256]])
    train(model, used, 6, 1, q)
    q.finish()
    assert single > 0.95 and accuracy(model, held) > single - 0.015


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weights": "int8"}, "unknown quantiser 'int8': expected one of fixed<bits>"),
        ({"weights": "rmsmp:50:30:5"}, "expected three shares that add up to 100, got 50:30:5: 85"),
        ({"weights": "fixed<4>:60:35:5"}, "unknown quantiser 'fixed<4>:60:35:5'"),
        ({"method": "sgd"}, "expected method ste or admm, got sgd"),
        ({"scale": "best"}, "expected scale mse, max, dda or learned, got best"),
        ({"activation_bits": 9}, "expected activation_bits from 2 to 8, got 9"),
        ({"input_bits": 1}, "expected input_bits from 2 to 8, got 1"),
        ({"layers": ["7"]}, "there is no layer '7' to quantise: expected some of 0, 2, 5"),
        ({"layers": []}, "there is nothing to quantise"),
    ],
)
def test_what_cannot_be_prepared(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quantize.prepare(network(), **arguments)  # pyright: ignore[reportArgumentType]


def test_a_layer_that_was_never_run_is_named() -> None:
    q = quantize.prepare(network())
    with pytest.raises(UsageError, match="layer '0': no batch came by in calibration"):
        q.calibrate([])
