"""Whole models of the zoo against PyTorch, on one thread and on two, on noise and on inputs that look like data."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

import cocomp
from benchmarks import networks
from benchmarks._torchvision import models  # before transformers, which imports torchvision as it is
from benchmarks.models import MODELS, Example, calibrate, structured_inputs

TOLERANCE = 1e-4


def small_unet() -> Example:
    """The zoo's U-Net at a quarter of its width, on an image that is not square."""
    inputs = (torch.randn(1, 1, 64, 96),)
    return calibrate(networks.UNet(width=16), inputs), inputs


def small_bert() -> Example:
    """BERT with two narrow layers, on 17 tokens."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=200, vocab_size=500
    )
    return networks.FirstTensor(BertModel(config, add_pooling_layer=False)).eval(), (torch.randint(1, 500, (2, 17)),)


def small_c3d() -> Example:
    """The first stages of the zoo's C3D."""
    return nn.Sequential(*list(networks.C3D().features)[:6]).eval(), (torch.randn(1, 3, 4, 24, 24),)


def small_mobilebert() -> Example:
    """Two layers of the zoo's MobileBERT, narrower, on 17 tokens."""
    return networks.MobileBert(layers=2, narrow=32, wide=96).eval(), (torch.randint(1, 500, (2, 17)),)


def small_convnext() -> Example:
    """ConvNeXt with two short stages, on an image that is not square."""
    block = models.convnext.CNBlockConfig
    network = models.ConvNeXt([block(24, 40, 2), block(40, None, 1)], num_classes=10)
    inputs = (torch.randn(1, 3, 64, 96),)
    return calibrate(network, inputs), inputs


SMALL = {
    "unet": small_unet,
    "bert": small_bert,
    "c3d": small_c3d,
    "mobilebert": small_mobilebert,
    "convnext": small_convnext,
}
QUICK = ("mobilenet_v2", "gru")
"""Models of the zoo that the default run compiles: depth-wise convolutions, shortcuts, and recurrent layers."""
SLOW = tuple(name for name in MODELS if name not in QUICK)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference relative to the largest expected value."""
    assert found.shape == expected.shape and np.isfinite(found).all()
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def results_of(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    """What PyTorch computes."""
    with torch.no_grad():
        result = module(*inputs)
    return [r.numpy() for r in (result if isinstance(result, tuple | list) else [result])]


def verify(example: Example) -> None:
    """Compile a model and compare it with the original."""
    module, inputs = example
    artifact = cocomp.compile(module, inputs)
    cases = [(x, results_of(module, x)) for x in (inputs, structured_inputs(inputs))]
    for threads in (1, 2):
        with artifact.load(threads=threads) as model:
            for x, expected in cases:
                for found, wanted in zip(model.run(x), expected, strict=True):
                    assert error(found, wanted) <= TOLERANCE
    del artifact, module
    gc.collect()


@pytest.mark.parametrize("name", QUICK)
def test_model(name: str) -> None:
    verify(MODELS[name].factory())


@pytest.mark.parametrize("name", list(SMALL))
def test_reduced_model(name: str) -> None:
    torch.manual_seed(0)
    verify(SMALL[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_large_model(name: str) -> None:
    verify(MODELS[name].factory())
