"""MobileNetV2 as a LiteRT file, written from weights: no converter of PyTorch's models is small, and none keeps zeros apart.

    python litert_mobilenet.py WEIGHTS.npz OUTPUT.tflite sparse|dense

Runs under the peer's interpreter, whose package has the schema. In a sparse file every pointwise weight is in compressed
rows behind a DENSIFY: that is how a file asks XNNPACK for sparse inference.
"""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Array = np.ndarray
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
"""Of the depth-wise convolutions of the 17 blocks (arXiv 1801.04381, table 2)."""
EPSILON = 1e-5
SIDE = 224
SPARSE_ENOUGH = 0.3
VERSION = 3
IDENTIFIER = b"TFL3"
NONE, RELU6 = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU6
Code = schema.BuiltinOperator


class Graph:
    """A LiteRT graph that grows. Tensors are numbers; images are (1, height, width, channels)."""

    def __init__(self, keeps_zeros_apart: bool) -> None:
        self.keeps_zeros_apart = keeps_zeros_apart
        self.tensors: list[schema.TensorT] = []
        self.operators: list[schema.OperatorT] = []
        self.codes: list[int] = []
        self.buffers = [schema.BufferT()]  # number 0 is for tensors without content

    def tensor(
        self, shape: tuple[int, ...], content: Array | None = None, kind: int = schema.TensorType.FLOAT32
    ) -> int:
        made = schema.TensorT(shape=list(shape), type=kind, name=f"t{len(self.tensors)}".encode(), buffer=0)
        if content is not None:
            made.buffer = len(self.buffers)
            self.buffers.append(schema.BufferT(data=np.frombuffer(content.tobytes(), np.uint8)))
        self.tensors.append(made)
        return len(self.tensors) - 1

    def integers(self, values: Array) -> int:
        return self.tensor(values.shape, values.astype(np.int32), schema.TensorType.INT32)

    def weight(self, values: Array) -> int:
        """A constant; where it has zeros enough and they are to be kept apart, compressed and then expanded."""
        if not self.keeps_zeros_apart or np.mean(values == 0) < SPARSE_ENOUGH:
            return self.tensor(values.shape, values)
        rows = values.reshape(-1, values.shape[-1])
        dimensions = [schema.DimensionMetadataT(schema.DimensionType.DENSE, size) for size in values.shape[:-1]]
        segments = np.concatenate([[0], np.cumsum(np.count_nonzero(rows, axis=1))])
        vectors = (_indices(segments), _indices(np.nonzero(rows)[1]))
        kind = schema.SparseIndexVector.Int32Vector
        compressed = schema.DimensionMetadataT(schema.DimensionType.SPARSE_CSR, 0, kind, vectors[0], kind, vectors[1])
        number = self.tensor(values.shape, rows[rows != 0])
        order = list(range(values.ndim))
        self.tensors[number].sparsity = schema.SparsityParametersT(order, None, [*dimensions, compressed])
        return self.add(Code.DENSIFY, [number], values.shape)

    def add(self, code: int, inputs: list[int], shape: tuple[int, ...], options: object = None, kind: int = 0) -> int:
        """An operation; its result has `shape`."""
        if code not in self.codes:
            self.codes.append(code)
        output = self.tensor(shape)
        made = schema.OperatorT(opcodeIndex=self.codes.index(code), inputs=inputs, outputs=[output])
        made.builtinOptions, made.builtinOptionsType = options, kind
        self.operators.append(made)
        return output

    def convolution(self, x: int, filters: Array, bias: Array, stride: int, activation: int) -> int:
        """Filters as PyTorch has them: (out, in, down, across), or (channels, 1, down, across) for a depth-wise one."""
        size, depthwise = filters.shape[2], filters.shape[1] == 1
        _, height, width, channels = self.tensors[x].shape
        if size > 1:  # SAME would pad on one side only where the stride is 2
            around = self.integers(np.array([[0, 0], [size // 2] * 2, [size // 2] * 2, [0, 0]]))
            shape = (1, height + size // 2 * 2, width + size // 2 * 2, channels)
            x = self.add(Code.PAD, [x, around], shape, schema.PadOptionsT(), schema.BuiltinOptions.PadOptions)
        arranged = np.ascontiguousarray(filters.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)))
        common = {
            "padding": schema.Padding.VALID,
            "strideW": stride,
            "strideH": stride,
            "fusedActivationFunction": activation,
        }
        code, options, kind = Code.CONV_2D, schema.Conv2DOptionsT(**common), schema.BuiltinOptions.Conv2DOptions
        if depthwise:
            code, kind = Code.DEPTHWISE_CONV_2D, schema.BuiltinOptions.DepthwiseConv2DOptions
            options = schema.DepthwiseConv2DOptionsT(**common, depthMultiplier=1)
        inputs = [x, self.weight(arranged), self.tensor(bias.shape, bias)]
        return self.add(code, inputs, (1, height // stride, width // stride, len(filters)), options, kind)

    def packed(self, x: int, y: int) -> bytes:
        """The file, from input `x` to output `y`."""
        graph = schema.SubGraphT(tensors=self.tensors, inputs=[x], outputs=[y], operators=self.operators, name=b"main")
        codes = [
            schema.OperatorCodeT(
                deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=2 if code == Code.CONV_2D else 1
            )
            for code in self.codes
        ]
        model = schema.ModelT(version=VERSION, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())


def mobilenet(weights: dict[str, Array], keeps_zeros_apart: bool) -> bytes:
    """The file of torchvision's network, batch norms in the weights, from a state dict in its order."""
    graph = Graph(keeps_zeros_apart)
    layers = iter(_folded(weights))
    x = image = graph.tensor((1, SIDE, SIDE, 3))
    x = graph.convolution(x, *next(layers), 2, RELU6)
    for number, stride in enumerate(STRIDES):
        block = x
        if number:
            x = graph.convolution(x, *next(layers), 1, RELU6)
        x = graph.convolution(x, *next(layers), stride, RELU6)
        x = graph.convolution(x, *next(layers), 1, NONE)
        if graph.tensors[x].shape == graph.tensors[block].shape:
            x = graph.add(
                Code.ADD,
                [block, x],
                tuple(graph.tensors[x].shape),
                schema.AddOptionsT(),
                schema.BuiltinOptions.AddOptions,
            )
    x = graph.convolution(x, *next(layers), 1, RELU6)
    channels = graph.tensors[x].shape[-1]
    axes = graph.integers(np.array([1, 2]))
    x = graph.add(Code.MEAN, [x, axes], (1, channels), schema.ReducerOptionsT(), schema.BuiltinOptions.ReducerOptions)
    last, bias = weights["classifier.1.weight"], weights["classifier.1.bias"]
    inputs = [x, graph.tensor(last.shape, last), graph.tensor(bias.shape, bias)]
    options, kind = schema.FullyConnectedOptionsT(), schema.BuiltinOptions.FullyConnectedOptions
    return graph.packed(image, graph.add(Code.FULLY_CONNECTED, inputs, (1, len(bias)), options, kind))


def _folded(weights: dict[str, Array]) -> list[tuple[Array, Array]]:
    """(filters, bias) of each convolution, its batch norm multiplied in: the norm is the next module."""
    found: list[tuple[Array, Array]] = []
    norms = [name.removesuffix(".running_var") for name in weights if name.endswith(".running_var")]
    filters = [values for values in weights.values() if values.ndim == 4]
    for values, norm in zip(filters, norms, strict=True):
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        found.append(((values * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32)))
    return found


def _indices(values: Array) -> schema.Int32VectorT:
    return schema.Int32VectorT(values=values.astype(np.int32))


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        arrays = {name: file[name] for name in file.files}
    Path(sys.argv[2]).write_bytes(mobilenet(arrays, sys.argv[3] == "sparse"))
