"""What MNN's converter must be told before it keeps zeros apart, and whether it did.

`--detectSparseSpeedUp` alone does nothing: the pattern comes in a file of parameters. Nor does a file that also asks for
quantised weights, which its manual recommends: such a model is smaller and as slow as before.
"""

from pathlib import Path

PRUNE = 1  # of CompressionAlgo.type
RANDOM, SIMD_OC = 0, 1  # of PruneParams.type
VERSION = "0.0.0"
SPARSE_LAYER = b"NNZElement"  # an attribute that each convolution with sparse parameters has


def pruning_parameters(block: int) -> bytes:
    """A file for `--compressionParamsFile`: zeros anywhere (`block` 1), or in blocks of so many output channels.

    In the converter's protocol-buffer schema: Pipeline{version, algo{type, prune_params{type, simd_oc{oc_blocks}}}}.
    """
    if block == 1:
        parameters = _number(1, RANDOM)
    else:
        parameters = _number(1, SIMD_OC) + _text(3, _number(4, block))
    algorithm = _number(1, PRUNE) + _text(3, parameters)
    return _text(1, VERSION.encode()) + _text(2, algorithm)


def sparse_layers(model: Path) -> int:
    """Convolutions of a converted file that have sparse parameters: for those the engine takes its sparse kernels."""
    return model.read_bytes().count(SPARSE_LAYER)


def _number(field: int, value: int) -> bytes:
    """A field of one varint; both below 128 need one byte."""
    return bytes([field << 3, value])


def _text(field: int, content: bytes) -> bytes:
    """A field of bytes: a string or a message."""
    return bytes([field << 3 | 2, len(content)]) + content
