"""The model zoo: what the benchmarks, the tests and the README compile.

Every function here takes nothing and returns `(module.eval(), example_inputs)`, so that `cocompc
benchmarks.models:resnet50` works. Weights are random but the same in every run; batch norms are calibrated and no
parameter is constant, which makes a comparison of outputs mean something. torchvision and transformers are imported
by the factories that need them, not by this module.
"""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn

from benchmarks import networks
from benchmarks.inputs import Inputs, calibrate, structured_inputs, vary_constants
from cocomp import prune

__all__ = ["MODELS", "Example", "Factory", "Model", "calibrate", "structured_inputs"]

Example = tuple[nn.Module, Inputs]
Factory = Callable[[], Example]

SEED = 2024
TOKENS = 128
C3D_KGS = {"features.3": 0.85, "features.6": 0.80, "features.8": 0.85, "features.13": 0.80}
"""Share of kernel positions that RT3D's released C3D removes from conv2, conv3a, conv3b and conv4b: 3.57x fewer operations."""


@dataclass(frozen=True)
class Model:
    """An entry of the zoo. `factory()` builds the network and its example inputs; `summary` is one line."""

    name: str
    summary: str
    factory: Factory


MODELS: dict[str, Model] = {}


def _model(build: Factory) -> Factory:
    """Registers a builder of an untrained network; calling it seeds, varies and calibrates too."""

    @functools.wraps(build)
    def factory() -> Example:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(SEED)
            module, inputs = build()
            vary_constants(module)
            return calibrate(module, inputs), inputs

    name = build.__name__
    MODELS[name] = Model(name, (build.__doc__ or name).splitlines()[0], factory)
    return factory


def _image(side: int = 224, channels: int = 3) -> Inputs:
    return (torch.randn(1, channels, side, side),)


def _clip(side: int) -> Inputs:
    return (torch.randn(1, 3, 16, side, side),)


def _torchvision(name: str, inputs: Inputs) -> Example:
    from benchmarks._torchvision import models

    return models.get_model(name, weights=None), inputs


# ---- image classification ----


@_model
def resnet18() -> Example:
    """ResNet-18: 3x3 convolutions and residual additions."""
    return _torchvision("resnet18", _image())


@_model
def resnet50() -> Example:
    """ResNet-50: 1x1 and 3x3 convolutions, residual additions."""
    return _torchvision("resnet50", _image())


@_model
def vgg16() -> Example:
    """VGG-16: large 3x3 convolutions, and 490 MB of linear weights."""
    return _torchvision("vgg16", _image())


@_model
def mobilenet_v2() -> Example:
    """MobileNetV2: depth-wise and 1x1 convolutions."""
    return _torchvision("mobilenet_v2", _image())


@_model
def mobilenet_v3_large() -> Example:
    """MobileNetV3-Large: depth-wise convolutions, squeeze-and-excitation, hard swish."""
    return _torchvision("mobilenet_v3_large", _image())


@_model
def efficientnet_b0() -> Example:
    """EfficientNet-B0: 5x5 depth-wise convolutions, squeeze-and-excitation, SiLU."""
    return _torchvision("efficientnet_b0", _image())


@_model
def vit_b_16() -> Example:
    """ViT-B/16: attention over 197 patches."""
    return _torchvision("vit_b_16", _image())


@_model
def swin_t() -> Example:
    """Swin-T: attention in shifted windows, with rolls, pads and relative positions."""
    return _torchvision("swin_t", _image())


@_model
def convnext_t() -> Example:
    """ConvNeXt-T: 7x7 depth-wise convolutions, layer norm over channels, GELU."""
    return _torchvision("convnext_tiny", _image())


@_model
def regnet_y_3_2gf() -> Example:
    """RegNetY-3.2GF: 21 blocks of grouped convolutions and squeeze-and-excitation, 282 operators as SmartMem counts them."""
    return _torchvision("regnet_y_3_2gf", _image())


@_model
def resnext50() -> Example:
    """ResNeXt-50 32x4d: 3x3 convolutions in 32 groups."""
    return _torchvision("resnext50_32x4d", _image())


# ---- video, segmentation ----


@_model
def r2plus1d_18() -> Example:
    """R(2+1)D-18: spatial then temporal convolutions, 16 frames of 112x112."""
    return _torchvision("r2plus1d_18", _clip(112))


@_model
def s3d() -> Example:
    """S3D: separable 3-D inception blocks, 16 frames of 224x224."""
    return _torchvision("s3d", _clip(224))


@_model
def c3d() -> Example:
    """C3D: 3x3x3 convolutions, 16 frames of 112x112."""
    return networks.C3D(), _clip(112)


@_model
def deeplabv3_mobilenet_v3_large() -> Example:
    """DeepLabV3 on MobileNetV3-Large: dilated convolutions, pyramid pooling, bilinear resize."""
    from benchmarks._torchvision import models

    network = models.get_model("deeplabv3_mobilenet_v3_large", weights=None, weights_backbone=None)
    return networks.Segmentation(network), _image()


@_model
def unet() -> Example:
    """U-Net: transposed convolutions and skip concatenations, 256x256."""
    return networks.UNet(), _image(256, channels=1)


# ---- pruned ----


def _pruned(network: nn.Module, encoding: str, rate: float | dict[str, float]) -> nn.Module:
    """Convolutions pruned by magnitude; the first one stays whole."""
    first = next(name for name, module in network.named_modules() if isinstance(module, prune.CONVOLUTIONS))
    layers = [name for name, m in network.named_modules() if isinstance(m, prune.CONVOLUTIONS) and m.groups == 1]
    prune.project(network, encoding, rate, [name for name in layers if name != first])
    return prune.finish(network)


@_model
def resnet50_bcr8() -> Example:
    """ResNet-50 pruned 8x: blocks of 16 filters keep 1/8 of their columns, in all convolutions but the first."""
    network, inputs = _torchvision("resnet50", _image())
    return _pruned(network, "bcr<16, all>", 8), inputs


@_model
def c3d_kgs() -> Example:
    """C3D at RT3D's 3.57x: groups of 8 filters x 4 channels keep the same kernel positions."""
    return _pruned(networks.C3D(), "kgs<8, 4>", {name: 1 / (1 - share) for name, share in C3D_KGS.items()}), _clip(112)


# ---- sequences ----


@_model
def gru() -> Example:
    """GRU: 2 layers, 1024 hidden units, 16 steps."""
    return networks.Sequence(nn.GRU(1024, 1024, num_layers=2, batch_first=True)), (torch.randn(1, 16, 1024),)


@_model
def lstm() -> Example:
    """LSTM: 2 layers, 1024 hidden units, 16 steps."""
    return networks.Sequence(nn.LSTM(1024, 1024, num_layers=2, batch_first=True)), (torch.randn(1, 16, 1024),)


@_model
def bert_base() -> Example:
    """BERT-base: 12 layers, 128 tokens, last hidden state."""
    hub = _transformers()
    config = hub.BertConfig()
    return networks.FirstTensor(hub.BertModel(config, add_pooling_layer=False)), _tokens(config.vocab_size)


@_model
def bert_base_embedded() -> Example:
    """BERT-base from the embeddings of its words on, which accelerators leave to their hosts."""
    config = _transformers().BertConfig()
    network = _transformers().BertModel(config, add_pooling_layer=False)
    return networks.Embedded(network), (torch.randn(1, TOKENS, config.hidden_size),)


@_model
def distilbert() -> Example:
    """DistilBERT: 6 layers, 128 tokens, last hidden state."""
    hub = _transformers()
    config = hub.DistilBertConfig()
    return networks.FirstTensor(hub.DistilBertModel(config)), _tokens(config.vocab_size)


@_model
def mobilebert() -> Example:
    """MobileBERT: 24 thin layers without layer norm, 128 tokens, last hidden state."""
    return networks.MobileBert(), _tokens(networks.MobileBert.VOCABULARY)


@_model
def gpt2() -> Example:
    """GPT-2 small with its language-model head: causal attention, 128 tokens, no cache."""
    hub = _transformers()
    config = hub.GPT2Config(use_cache=False)
    return networks.CausalTransformer(hub.GPT2LMHeadModel(config)), _tokens(config.vocab_size)


def _tokens(vocabulary: int) -> Inputs:
    return (torch.randint(1, vocabulary, (1, TOKENS)),)


def _transformers() -> ModuleType:
    importlib.import_module("benchmarks._torchvision")  # transformers imports torchvision, which may need the shim
    return importlib.import_module("transformers")
