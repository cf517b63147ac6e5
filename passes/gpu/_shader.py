"""The function that a group becomes on a GPU: flat buffers, and a grid of workgroups whose invocations compute a few points each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, structured
from cocomp.dialects.graph import Group
from cocomp.passes.kernel import _builder as b
from cocomp.passes.kernel._builder import Index, Once
from cocomp.passes.kernel._function import i64, memories_of, memory_of, memory_type
from cocomp.passes.kernel._values import Memory
from cocomp.passes.math.image import Pitches
from cocomp.support.mlir import arith, func, gpu, ir, ops_in

from ._border import fill_border
from ._texels import ShaderEvaluator, Texels

WORKGROUP = 64
"""Invocations of a workgroup, at most: every device takes 128."""
MOST_WORKGROUPS = 65535
"""Workgroups along one dimension of a grid: what every device takes."""
STORAGE = "#spirv.storage_class<StorageBuffer>"


@dataclass
class Shader:
    """A kernel under construction."""

    function: func.FuncOp
    evaluator: ShaderEvaluator
    outputs: list[Memory]
    extra: list[ir.Value]
    """Arguments beyond the group's operands and results, such as tables."""

    @property
    def arguments(self) -> list[ir.Value]:
        return list(self.function.regions[0].blocks[0].arguments)


def begin(
    group: Group, replaced: dict[int, ir.MemRefType] | None = None, extra: Sequence[ir.MemRefType] = ()
) -> Shader:
    """A new function beside the group's: arguments, results, `extra` buffers. `replaced` gives the types of operands that are not
    laid out as their tensor says. Until `bind-texels` every one of these is an argument."""
    old, replaced = group.function, replaced or {}
    inputs = []
    for number, argument in enumerate(group.arguments):
        size = layout.size_of(layout.of_argument(old, number))
        inputs.append(replaced.get(number) or memory_type(structured.element_of(argument), size))
    results = list(ops_in(old.regions[0].blocks[0])[-1].operands)
    outs = [
        memory_type(structured.element_of(r), layout.size_of(layout.of_result(old, i))) for i, r in enumerate(results)
    ]
    types = [stored(kind) for kind in (*inputs, *outs, *extra)]
    with ir.InsertionPoint(old), old.location:
        function = func.FuncOp(old.attributes["sym_name"].value, ir.FunctionType.get(types, []), visibility="private")
    block = function.add_entry_block([old.location] * len(types))
    arguments = list(block.arguments)
    with ir.InsertionPoint(block), old.location:
        end = func.ReturnOp([])
        memories = memories_of(group, arguments[: len(inputs)], replaced)
        once = Once(ir.InsertionPoint(end))
        evaluator = ShaderEvaluator(group.graph, memories, once, texels=Texels(_pitches(old, len(inputs), len(outs))))
        made = arguments[len(inputs) : len(inputs) + len(outs)]
        outputs = [memory_of(a, layout.of_result(old, i), results[i]) for i, a in enumerate(made)]
    return Shader(function, evaluator, outputs, arguments[len(inputs) + len(outs) :])


def _pitches(group: ir.Operation, inputs: int, outputs: int) -> dict[int, Pitches]:
    """Of the buffers that may be images, by their number among the arguments of the kernel."""
    layouts = [layout.of_argument(group, n) for n in range(inputs)] + [
        layout.of_result(group, n) for n in range(outputs)
    ]
    found = {number: layout.pitches_of(attribute) for number, attribute in enumerate(layouts)}
    return {number: pitches for number, pitches in found.items() if pitches}


def stored(kind: ir.MemRefType) -> ir.MemRefType:
    """A buffer type in storage buffers."""
    return ir.MemRefType.get(kind.shape, kind.element_type, memory_space=ir.Attribute.parse(STORAGE))


def finish(
    shader: Shader,
    group: Group,
    blocks: int,
    lanes: int,
    body: Callable[[Index, Index], None],
    facts: dict[str, str],
    workgroup: Sequence[int] = (),
) -> None:
    """Emit `body(block, lane)` for every block and every lane of it; fill the border of a pad; replace the group's function by
    the kernel.

    `workgroup` says how many lanes and blocks a workgroup has; without it one block, which is the same for all of its invocations.
    The grid is lanes x blocks: workgroup (x, y, z) has the lanes of number z * width + x, of the blocks of number y. Every
    invocation fills some cells of the border: workgroups of their own would, where a driver does not skip what no lane of theirs
    takes, do the work of the others too.
    """
    across, down = workgroup or (min(WORKGROUP, 1 << (lanes - 1).bit_length()), 1)
    wide, high = -(-lanes // across), -(-blocks // down)
    depth = -(-wide // MOST_WORKGROUPS)
    width = -(-wide // depth)
    end = ops_in(shader.function.regions[0].blocks[0])[-1]
    with ir.InsertionPoint(end):
        x = gpu.BlockIdOp(gpu.Dimension.x).result if width > 1 else 0
        y = gpu.BlockIdOp(gpu.Dimension.y).result if high > 1 else 0
        z = gpu.BlockIdOp(gpu.Dimension.z).result if depth > 1 else 0
        invocation = gpu.ThreadIdOp(gpu.Dimension.x).result
        beside, under = (invocation, 0) if down == 1 else (b.mod(invocation, across), b.floordiv(invocation, across))
        block = b.add(b.mul(y, down), under)
        lane = b.add(b.mul(b.add(b.mul(z, width), x), across), beside)
        each, all_blocks = width * depth * across, high * down
        shader.evaluator.once.point = ir.InsertionPoint(b.value(lane).owner)
        _below(lane, lanes, each, lambda: _below(block, blocks, all_blocks, lambda: body(block, lane)))
        if group.root.name == "tensor.pad":
            number = b.add(b.mul(block, each), lane)
            fill_border(group.root, shader.outputs[0], shader.evaluator.texels, number, all_blocks * each)
    grid = [width, high, depth]
    attributes = shader.function.attributes
    attributes["kernel.grid"] = ir.DenseI64ArrayAttr.get(grid)
    attributes["kernel.workgroup"] = i64(across * down)
    pitches = shader.evaluator.texels.pitches
    attributes["kernel.pitches"] = ir.ArrayAttr.get(
        [ir.DenseI64ArrayAttr.get(pitches.get(n, ())) for n in range(len(shader.arguments))]
    )
    attributes["kernel.tasks"] = i64(prod(grid))
    attributes["kernel.flops"] = i64(graphs.flops(group))
    attributes["kernel.facts"] = ir.DictAttr.get({k: ir.StringAttr.get(v) for k, v in facts.items()})
    group.function.erase()


def _below(index: Index, count: int, most: int, body: Callable[[], None]) -> None:
    """`body` where `index`, which is below `most`, is below `count`."""
    if count == most or isinstance(index, int):
        body()
    else:
        b.when(arith.cmpi(arith.CmpIPredicate.ult, b.value(index), b.value(count)), body)


def decode_dims(position: Index, dims: Sequence[int], extents: Sequence[int], into: list[Index | None]) -> None:
    """Set the dimensions that a row-major position over `extents` stands for."""
    for dim, index in zip(dims, b.decode(position, extents), strict=True):
        into[dim] = index
