"""Models are quantised while they are compiled; those that were trained so compile to what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp import quantize
from cocomp.passes.math.quantisers import Fixed
from cocomp.passes.math.quantisers.rows import find_rows, parse_mixture
from cocomp.passes.math.quantisers.scales import fit, fit_activation, quantise


class Block(nn.Module):
    """Convolutions, one of them depth-wise, a pool, a residual and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.second = nn.Conv2d(16, 16, 1)
        self.last = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        x = torch.relu(self.second(torch.relu(self.depthwise(x))) + x)
        return self.last(x.mean((2, 3)))


def block() -> tuple[Block, torch.Tensor]:
    """Seeded, its norm calibrated."""
    torch.manual_seed(0)
    model, x = Block(), torch.randn(4, 3, 12, 12)
    with torch.no_grad():
        for _ in range(20):
            model(x)
    return model.eval(), x


def relative(found: np.ndarray, expected: torch.Tensor) -> float:
    reference = expected.detach().numpy()
    return float(np.abs(found - reference).max() / np.abs(reference).max())


@pytest.mark.parametrize("text", ["rmsmp", "esb<4, 1>"])
def test_what_was_trained_so_stays(text: str) -> None:
    model, x = block()
    q = quantize.prepare(model, text)
    q.calibrate([x])
    q.finish()
    artifact = cocomp.compile(model, (x,), options=cocomp.Options(quantize=text))
    assert relative(artifact.load()(x), model(x)) < 1e-5
    counts = artifact.facts["quantise-weights"]
    assert len(counts) == 4
    for rows in counts.values():
        assert tuple(rows) == parse_mixture(text).counts(sum(rows))


@pytest.mark.parametrize(("text", "bits", "error"), [("fixed<8>", 16, 0.015), ("rmsmp", 4, 0.5)])
def test_what_was_not_is_rounded(text: str, bits: int, error: float) -> None:
    model, x = block()
    artifact = cocomp.compile(model, (x,), options=cocomp.Options(quantize=text, activation_bits=bits))
    found = relative(artifact.load()(x), model(x))
    assert 1e-5 < found < error


def linear() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(1)
    return nn.Linear(24, 16, bias=False).eval(), torch.randn(5, 24)


def test_the_rounding_is_what_it_is_said_to_be() -> None:
    """A linear layer against the same in numpy: the weight by least squares, the input with eight bits."""
    model, x = linear()
    artifact = cocomp.compile(model, (x,), options=cocomp.Options(quantize="fixed<4>"))
    weight = next(model.parameters()).detach().numpy()
    scales = fit(weight, Fixed(4))
    rounded = scales[:, None] * quantise(weight, scales, Fixed(4))
    step, low, high = fit_activation(x.numpy(), 8)
    inputs = np.clip(np.rint(x.numpy() * np.float32(1 / step)), low, high) * step
    np.testing.assert_allclose(artifact.load()(x), inputs @ rounded.T, rtol=1e-4, atol=1e-5)


def test_rows_on_levels_are_found() -> None:
    rng = np.random.default_rng(0)
    mixture = parse_mixture("rmsmp")
    places = rng.integers(0, 3, 60)
    scales = np.exp(rng.normal(size=60))
    rows = np.zeros((60, 40), np.float32)
    for place, quantiser in enumerate(mixture.quantisers):
        codes = rng.integers(0, 2**quantiser.bits, (60, 40)).astype(np.uint8)
        chosen = places == place
        rows[chosen] = (scales[:, None] * quantiser.decode(codes))[chosen]
    found = find_rows(rows, mixture)
    assert found is not None
    assert np.array_equal(found[0], places)
    for row, place in enumerate(places):
        numerators = quantise(rows[row : row + 1], found[1][row : row + 1], mixture.quantisers[place])
        np.testing.assert_allclose(found[1][row] * numerators[0], rows[row], rtol=1e-6, atol=1e-6)
    rows[7, 3] *= 1.01
    assert find_rows(rows, mixture) is None


def test_the_command_quantises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cocomp.cli.cocompc import main

    model, x = linear()
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "model.pt2")
    monkeypatch.chdir(tmp_path)
    assert main(["model.pt2", "--quantize=fixed<8>", "--activation-bits=8", "-o", "model.so", "--verify=0.05"]) == 0
    assert main(["model.pt2", "--quantize=fixed<8", "-o", "model.so"]) == 2
    assert "unknown quantiser 'fixed<8'" in capsys.readouterr().err


def test_an_activation_that_is_not_finite_is_an_error() -> None:
    class Reciprocal(nn.Module):
        def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
            return (1 / x) @ w

    with pytest.raises(cocomp.CompileError, match="an activation is not finite on the example inputs"):
        cocomp.compile(Reciprocal(), (torch.zeros(4, 8), torch.ones(8, 8)), options=cocomp.Options(quantize="fixed<4>"))
