"""`--sparsity`: zeros left out where that is faster, never, or everywhere; and what cannot be forced."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from cocomp.passes.sparsity.encode_weights import EncodeWeightsPass
from cocomp.support.passes import parse_pipeline
from cocomp.support.registry import PASS_TABLE

Example = tuple[nn.Module, torch.Tensor]


@pytest.fixture(scope="module")
def example() -> Example:
    """A layer that gains from its zeros, and one that does not."""
    torch.manual_seed(5)
    blocks, anywhere = nn.Linear(128, 128), nn.Linear(128, 64)
    cocomp.prune.project(blocks, "bcr<16, all>", {"": 8})
    cocomp.prune.project(anywhere, "csr", {"": 2})
    return cocomp.prune.finish(nn.Sequential(blocks, nn.ReLU(), anywhere)).eval(), torch.randn(1, 128)


def encodings(example: Example, sparsity: str) -> list[tuple[str, bool]]:
    """(encoding, whether products are left out) of each layer; results are checked on the way."""
    module, x = example
    artifact = cocomp.compile(module, (x,), options=cocomp.Options(sparsity=sparsity))
    expected = module(x).detach().numpy()
    assert np.abs(artifact.load()(x) - expected).max() <= 1e-5 * np.abs(expected).max()
    layers = [d for d in artifact.manifest["dispatches"] if "encoding" in d["facts"]]
    return [(d["facts"]["encoding"], d["executed_flops"] < d["flops"]) for d in layers]


def test_policies(example: Example) -> None:
    assert encodings(example, "auto") == [("bcr<16, 128>", True), ("dense", False)]
    assert encodings(example, "off") == [("dense", False)] * 2
    assert [name for name, _ in encodings(example, "force:csr")] == ["csr", "csr"]


def test_a_weight_of_another_encoding_is_refused(example: Example) -> None:
    module, x = example
    with pytest.raises(cocomp.CompileError) as refused:
        cocomp.compile(module, (x,), options=cocomp.Options(sparsity="force:bcr<16,all>"))
    assert "2" in refused.value.where
    assert refused.value.message.startswith("the zeros of weight '2.weight")
    assert refused.value.message.endswith("are not arranged as bcr<16, all>")
    assert refused.value.notes == ["they are arranged as csr; --sparsity=auto takes every weight as it is"]


def test_a_shape_that_does_not_divide_is_refused() -> None:
    torch.manual_seed(6)
    layer = nn.Linear(30, 16)
    cocomp.prune.project(layer, "csr", {"": 4})
    with pytest.raises(cocomp.CompileError, match="expected a multiple of 4 channels for nm<2, 4>, got 30"):
        cocomp.compile(
            cocomp.prune.finish(layer).eval(), (torch.randn(1, 30),), options=cocomp.Options(sparsity="force:nm<2,4>")
        )


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        ("on", "expected auto, off or force:ENCODING for the sparsity, got 'on'"),
        ("force:bcr<0,4>", "expected a positive rows in bcr<0, 4>, got 0"),
        ("force:brc", "unknown encoding 'brc': expected one of dense, filter, "),
    ],
)
def test_impossible_policies(sparsity: str, message: str) -> None:
    with pytest.raises(cocomp.UsageError) as refused:
        cocomp.Options(sparsity=sparsity)
    assert str(refused.value).startswith(message)


def test_the_pass_is_its_text() -> None:
    step = EncodeWeightsPass("force:bcr<16,64>")
    assert parse_pipeline(f"{step},canonicalize", PASS_TABLE)[0] == step
