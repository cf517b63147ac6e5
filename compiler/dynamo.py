"""`torch.compile(model, backend="cocomp")`, for inference on the CPU.

    fast = torch.compile(model.eval(), backend="cocomp")
    with torch.inference_mode():
        y = fast(x)

TorchDynamo hands over graphs whose parameters are inputs. They become constants here, so that they can be folded and
packed; a graph is compiled when it first runs, again for inputs of other shapes, and again after its weights were
changed in place. `options` of torch.compile are `threads` and the fields of `cocomp.Options`. Artefacts are kept as
long as the process lives, and found again by what they were made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Interpreter, Node

from cocomp.runtime.loader import Model
from cocomp.support.diagnostics import CompileError

from .api import compile as compile_model
from .artifact import Artifact
from .options import Options

_artifacts: dict[str, Artifact] = {}
"""By everything that the result depends on: graph, shapes, weights and options."""


def backend(graph: GraphModule, example_inputs: Sequence[Any], *, options: Mapping[str, Any] | None = None) -> Any:
    """What TorchDynamo calls for every graph; returns the function that takes its place."""
    chosen = dict(options or {})
    threads = int(chosen.pop("threads", 0))
    return torch._dynamo.disable(CompiledGraph(graph, Options(**chosen), threads), recursive=True)


@dataclass(frozen=True)
class _Compiled:
    model: Model
    plain: Sequence[Any]
    """The graph's results that are no tensors (sizes, None), at their places; tensors where the model gives them."""


@dataclass
class CompiledGraph:
    """A graph, and what it was compiled to for the arguments seen so far."""

    graph: GraphModule
    options: Options
    threads: int
    compiled: dict[tuple[object, ...], _Compiled] = field(default_factory=dict[tuple[object, ...], _Compiled])

    def __post_init__(self) -> None:
        self.placeholders = [n for n in self.graph.graph.nodes if n.op == "placeholder"]
        marks = [n.meta.get("tensor_dict") or {} for n in self.placeholders]
        self.is_weight = [
            "_dynamo_static_input_type" in mark for mark in marks
        ]  # parameters, buffers, other attributes

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        _reject_training(arguments)
        pairs = list(zip(arguments, self.is_weight, strict=True))
        key = tuple(_signature(argument, is_weight) for argument, is_weight in pairs)
        if key not in self.compiled:
            self.compiled[key] = self._compile(arguments)
        found = self.compiled[key]
        inputs = [a for a, is_weight in pairs if isinstance(a, torch.Tensor) and not is_weight]
        results = iter(found.model.run(inputs))
        return tuple(torch.from_numpy(next(results)) if isinstance(p, torch.Tensor) else p for p in found.plain)

    def _compile(self, arguments: Sequence[Any]) -> _Compiled:
        module, inputs = self._bind(arguments)
        digest = _digest(module, inputs, self.options)
        with torch.no_grad():
            plain = Interpreter(self.graph).run(*arguments)
            if digest not in _artifacts:
                _artifacts[digest] = compile_model(module, inputs, options=self.options)
        kept = [torch.empty(0) if isinstance(p, torch.Tensor) else p for p in plain]
        return _Compiled(_artifacts[digest].load(self.threads), kept)

    def _bind(self, arguments: Sequence[Any]) -> tuple[GraphModule, tuple[torch.Tensor, ...]]:
        """The graph with weights as attributes and sizes as numbers; and the inputs that are left."""
        copied, values = Graph(), dict[Node, Node]()
        returned: Any = copied.graph_copy(self.graph.graph, values)
        module = GraphModule(self.graph, copied)
        inputs: list[torch.Tensor] = []
        for node, argument, is_weight in zip(self.placeholders, arguments, self.is_weight, strict=True):
            place = values[node]
            if isinstance(argument, torch.Tensor) and not is_weight:
                inputs.append(argument)
                continue
            with copied.inserting_before(place):
                if isinstance(argument, torch.Tensor):
                    module.register_buffer(node.name, argument.detach())
                    place.replace_all_uses_with(copied.get_attr(node.name))
                else:
                    place.replace_all_uses_with(argument)
            copied.erase_node(place)
        copied.output(tuple(v for v in returned if isinstance(v, Node) and _gives_tensor(v)))
        module.recompile()
        return module, tuple(inputs)


def _gives_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("example_value"), torch.Tensor)


def _reject_training(arguments: Sequence[Any]) -> None:
    tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        raise CompileError(
            "the backend 'cocomp' compiles for inference, and gradients are asked for",
            notes=["call the model under torch.inference_mode() or torch.no_grad(), after model.eval()"],
        )
    elsewhere = [t.device for t in tensors if t.device.type != "cpu"]
    if elsewhere:
        raise CompileError(
            f"the backend 'cocomp' runs on the CPU, got a tensor on {elsewhere[0]}",
            notes=["move the model: model.cpu()"],
        )


def _signature(argument: Any, is_weight: bool) -> object:
    """What a compilation is for: a weight in its present state, a shape and type, or a number."""
    if not isinstance(argument, torch.Tensor):
        return argument
    if is_weight:
        return argument.data_ptr(), None if argument.is_inference() else argument._version
    return tuple(argument.shape), argument.dtype


def _digest(module: GraphModule, inputs: Sequence[torch.Tensor], options: Options) -> str:
    hashed = hashlib.sha256(f"{options}\n{module.code}\n{[(tuple(i.shape), i.dtype) for i in inputs]}".encode())
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()
