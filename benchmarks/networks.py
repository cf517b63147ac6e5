"""Networks of the zoo that no package provides, written from their papers, and wrappers that pick one output."""

import torch
from torch import Tensor, nn


class C3D(nn.Module):
    """C3D (Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, figure 3).

    Takes (N, 3, 16, 112, 112), gives (N, classes). Eight 3x3x3 convolutions, five poolings of which the first keeps
    time, three linear layers. Pruning papers use it on UCF101, hence 101 classes; the paper's Sports-1M has 487.
    """

    def __init__(self, classes: int = 101) -> None:
        super().__init__()
        stages = ((64,), (128,), (256, 256), (512, 512), (512, 512))
        layers: list[nn.Module] = []
        channels = 3
        for index, widths in enumerate(stages):
            for width in widths:
                layers += [nn.Conv3d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            window = (1, 2, 2) if index == 0 else (2, 2, 2)
            # 7x7 pixels remain before the last pooling: padding makes it 4x4, the 8192 inputs of fc6.
            padding = (0, 1, 1) if index == len(stages) - 1 else (0, 0, 0)
            layers.append(nn.MaxPool3d(window, stride=window, padding=padding))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 4 * 4, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )  # fmt: skip
        scale_for_relu(self)

    def forward(self, clip: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(clip), 1))


class UNet(nn.Module):
    """U-Net (Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015, fig. 1).

    Takes (N, channels, H, W) with H and W multiples of 16, gives (N, classes, H, W). Two departures that are usual
    today: the 3x3 convolutions are padded, so that nothing is cropped, and batch norm follows each of them.
    """

    def __init__(self, channels: int = 1, classes: int = 2, width: int = 64) -> None:
        super().__init__()
        widths = [width << level for level in range(5)]
        self.down = nn.ModuleList(_double_convolution(a, b) for a, b in zip([channels, *widths], widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        upwards = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, stride=2) for deep, shallow in upwards)
        self.merge = nn.ModuleList(_double_convolution(deep, shallow) for deep, shallow in upwards)
        self.head = nn.Conv2d(width, classes, 1)
        scale_for_relu(self)

    def forward(self, image: Tensor) -> Tensor:
        skips: list[Tensor] = []
        value = image
        for level, block in enumerate(self.down):
            value = block(self.pool(value) if level else value)
            skips.append(value)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            value = merge(torch.cat((skips.pop(), up(value)), 1))
        return self.head(value)


class Sequence(nn.Module):
    """A recurrent network reduced to its output sequence: (N, T, features) to (N, T, hidden)."""

    def __init__(self, network: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.network = network

    def forward(self, sequence: Tensor) -> Tensor:
        return self.network(sequence)[0]


class FirstTensor(nn.Module):
    """A transformer of the `transformers` package, from token ids to the first tensor of its output."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens: Tensor) -> Tensor:
        return self.transformer(tokens, return_dict=False)[0]


class Embedded(nn.Module):
    """The same from embedded tokens on, those of words: [batch, tokens, width] -> the first tensor of its output."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, words: Tensor) -> Tensor:
        return self.transformer(inputs_embeds=words, return_dict=False)[0]


class CausalTransformer(nn.Module):
    """A language model of `transformers`, from token ids to logits, with the mask that a tokenizer gives: all ones.

    Without it, `transformers` searches the positions for packed sequences, in operators that ONNX does not have.
    """

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens: Tensor) -> Tensor:
        return self.transformer(tokens, attention_mask=torch.ones_like(tokens), return_dict=False)[0]


class NoNorm(nn.Module):
    """What MobileBERT has in the place of layer norm: a scale and a shift of each feature, no statistics."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, value: Tensor) -> Tensor:
        return value * self.weight + self.bias


class MobileBertLayer(nn.Module):
    """A layer of MobileBERT: (N, T, wide) to (N, T, wide), computed in `thin` features between two linear bottlenecks.

    Queries and keys share a bottleneck of their own, values are of the layer's input as it comes; four feed-forward networks
    follow the attention.
    """

    def __init__(self, wide: int = 512, thin: int = 128, heads: int = 4, stacked: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Sequential(nn.Linear(wide, thin), NoNorm(thin))
        self.shared = nn.Sequential(nn.Linear(wide, thin), NoNorm(thin))
        self.query, self.key, self.value = nn.Linear(thin, thin), nn.Linear(thin, thin), nn.Linear(wide, thin)
        self.attended = nn.Linear(thin, thin)
        self.attended_norm = NoNorm(thin)
        self.stack = nn.ModuleList(
            nn.Sequential(nn.Linear(thin, wide), nn.ReLU(), nn.Linear(wide, thin)) for _ in range(stacked)
        )
        self.stack_norms = nn.ModuleList(NoNorm(thin) for _ in range(stacked))
        self.leave = nn.Linear(thin, wide)
        self.leave_norm = NoNorm(wide)

    def forward(self, value: Tensor) -> Tensor:
        shared, thin = self.shared(value), self.enter(value)
        q, k, v = (self._split(x) for x in (self.query(shared), self.key(shared), self.value(value)))
        scores = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        thin = self.attended_norm(thin + self.attended((scores @ v).transpose(1, 2).flatten(2)))
        for network, norm in zip(self.stack, self.stack_norms, strict=True):
            thin = norm(thin + network(thin))
        return self.leave_norm(value + self.leave(thin))

    def _split(self, value: Tensor) -> Tensor:
        """(N, T, features) to (N, heads, T, features of a head)."""
        return value.unflatten(2, (self.heads, -1)).transpose(1, 2)


class MobileBert(nn.Module):
    """MobileBERT (Sun et al., MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices, ACL 2020, table 1).

    Takes token ids (N, T), gives the last hidden state (N, T, 512). A token is embedded in 128 features, which with those of
    its two neighbours (zeros beyond the ends) become 512.
    """

    VOCABULARY = 30522

    def __init__(self, layers: int = 24, positions: int = 512, narrow: int = 128, wide: int = 512) -> None:
        super().__init__()
        self.tokens = nn.Embedding(self.VOCABULARY, narrow)
        self.trigram = nn.Linear(3 * narrow, wide)
        self.positions = nn.Embedding(positions, wide)
        self.sentences = nn.Embedding(2, wide)
        self.norm = NoNorm(wide)
        self.layers = nn.Sequential(*(MobileBertLayer(wide) for _ in range(layers)))

    def forward(self, tokens: Tensor) -> Tensor:
        middle = self.tokens(tokens)
        after, before = nn.functional.pad(middle[:, 1:], (0, 0, 0, 1)), nn.functional.pad(middle[:, :-1], (0, 0, 1, 0))
        value = self.trigram(torch.cat((after, middle, before), 2))
        value = value + self.positions(torch.arange(tokens.shape[1])) + self.sentences(torch.zeros_like(tokens))
        return self.layers(self.norm(value))


class Segmentation(nn.Module):
    """A torchvision segmentation network without its dictionary: the scores at 'out'."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)["out"]


def scale_for_relu(module: nn.Module) -> None:
    """Initialises weights after He et al. 2015, so that random weights neither blow up nor extinguish a signal."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def _double_convolution(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
    )  # fmt: skip
