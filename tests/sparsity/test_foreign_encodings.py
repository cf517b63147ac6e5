"""Encodings of other packages: asked first, named in the report, blamed for their own mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp.support import registry
from cocomp.support.diagnostics import UsageError

PLUGIN = Path(__file__).parents[1] / "plugin"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install(stripes="acme.stripes:find")` makes the encodings known as an installer does."""

    def write(**entries: str) -> None:
        described = tmp_path / "acme-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (described / "entry_points.txt").write_text("\n".join([f"[{registry.ENCODINGS}]", *lines]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.syspath_prepend(PLUGIN)

    return write


def compiled() -> tuple[cocomp.Artifact, nn.Module, torch.Tensor]:
    """A convolution that keeps every fourth channel, and a linear layer with blocks."""
    torch.manual_seed(0)
    striped, blocked = nn.Conv2d(16, 32, 1), nn.Linear(32, 32)
    with torch.no_grad():
        striped.weight.mul_((torch.arange(16) % 4 == 1).view(1, -1, 1, 1))
        blocked.weight[:16, 8:] = 0
        blocked.weight[16:, :24] = 0
    module = nn.Sequential(striped, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), blocked).eval()
    x = torch.randn(1, 16, 6, 6)
    return cocomp.compile(module, (x,)), module, x


def test_an_encoding_of_another_package(install: Install) -> None:
    install(stripes="acme.stripes:find")
    artifact, module, x = compiled()
    first, last = (d for d in artifact.manifest["dispatches"] if "encoding" in d["facts"])
    assert first["facts"]["encoding"] == '"acme.stripes<4>"'
    assert first["flops"] - first["executed_flops"] == 2 * 36 * 32 * 12  # 12 of 16 columns
    assert "block<16, 8>" in f"{last['facts']}"  # it has nothing to say of other masks
    expected = module(x).detach().numpy()
    assert np.abs(artifact.load()(x) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_without_it_the_zeros_are_found_all_the_same() -> None:
    first = next(d for d in compiled()[0].manifest["dispatches"] if "encoding" in d["facts"])
    assert first["facts"]["encoding"] == "channel"
    assert first["flops"] - first["executed_flops"] == 2 * 36 * 32 * 12


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "no_such_package:find",
            "plug-in 'stripes' of acme cannot be loaded (no_such_package:find): ModuleNotFoundError",
        ),
        ("builtins:len", "plug-in 'stripes' of group 'cocomp.encodings': expected an attribute or None, got int"),
        ("builtins:int", "plug-in 'stripes' of group 'cocomp.encodings' failed: TypeError: "),
    ],
)
def test_its_mistakes_are_its_own(install: Install, where: str, message: str) -> None:
    install(stripes=where)
    with pytest.raises(UsageError) as refused:
        compiled()
    assert str(refused.value).startswith(message)
