"""A block read as the graph that `passes.math.nest` works on: leaves, views and loop operations."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from cocomp.passes.math import affine, nest
from cocomp.passes.math.nest import Definition, Leaf, Loop, View
from cocomp.support.mlir import ir, ops_in, walk

from . import structured


@dataclass
class Graph:
    """Values of a block, numbered; `definitions` says how each is made. Handles are valid until the block changes."""

    values: list[ir.Value] = field(default_factory=list[ir.Value])
    numbers: dict[ir.Value, int] = field(default_factory=dict[ir.Value, int])
    definitions: dict[int, Definition] = field(default_factory=dict[int, Definition])
    operations: dict[int, ir.Operation] = field(default_factory=dict[int, ir.Operation])
    """Value number -> the loop operation or view that makes it."""
    constants: dict[int, ir.Attribute] = field(default_factory=dict[int, ir.Attribute])
    """Value number -> the scalar that fills it, for constants and tensors filled with one."""
    pads: dict[int, ir.Operation] = field(default_factory=dict[int, ir.Operation])
    """Value number -> the `tensor.pad` that makes it."""
    gathered: set[int] = field(default_factory=set[int])
    """Values that some body reads at computed positions (`tensor.extract`)."""

    def number(self, value: ir.Value) -> int:
        """Number of a value; a value seen for the first time is a leaf."""
        if value not in self.numbers:
            self.numbers[value] = len(self.values)
            self.values.append(value)
            self.definitions[self.numbers[value]] = Leaf(structured.shape_of(value))
        return self.numbers[value]

    def root_of(self, number: int) -> int:
        """The value behind a chain of views."""
        while isinstance(definition := self.definitions[number], View):
            number = definition.source
        return number


def read(block: ir.Block) -> Graph:
    """Graph of a block's operations."""
    graph = Graph()
    for argument in block.arguments:
        graph.number(argument)
    for op in ops_in(block):
        for result in op.results:
            graph.number(result)
        _define(op, graph)
    return graph


def _define(op: ir.Operation, graph: Graph) -> None:
    if op.name == "arith.constant":
        splat = _splat(op.attributes["value"])
        if splat is not None:
            graph.constants[graph.numbers[op.results[0]]] = splat
        return
    if op.name == "tensor.pad":
        graph.pads[graph.numbers[op.results[0]]] = op
        graph.number(op.operands[0])
        return
    view = structured.view_of(op)
    if view is not None:
        number, source = graph.numbers[op.results[0]], graph.number(op.operands[0])
        graph.definitions[number] = View(structured.shape_of(op.results[0]), source, view)
        graph.operations[number] = op
        if source in graph.constants:
            graph.constants[number] = graph.constants[source]
    elif structured.is_generic(op) or structured.is_contract(op):
        loop = _loop(op, graph)
        for result in op.results:
            graph.definitions[graph.numbers[result]] = loop
            graph.operations[graph.numbers[result]] = op
        for value in extracted(op):
            graph.gathered.add(graph.root_of(graph.number(value)))


def _loop(op: ir.Operation, graph: Graph) -> Loop:
    loops = structured.loops_of(op)
    used = used_operands(op)
    return Loop(
        bounds=loops.bounds,
        parallel=loops.parallel,
        operands=tuple(graph.number(op.operands[i]) for i in used),
        operand_maps=tuple(loops.maps[i] for i in used),
        results=tuple(graph.numbers[r] for r in op.results),
        result_maps=loops.output_maps,
        contraction=structured.is_contract(op),
    )


def used_operands(op: ir.Operation) -> list[int]:
    """Operand numbers whose values the body reads: `outs` of element-wise operations give a shape only."""
    if structured.is_contract(op):
        return [0, 1]
    block = op.regions[0].blocks[0]
    return [i for i, argument in enumerate(block.arguments) if list(argument.uses)]


def extracted(op: ir.Operation) -> list[ir.Value]:
    """Tensors that the body reads at computed positions."""
    found: list[ir.Value] = []

    def visit(inner: ir.Operation) -> None:
        if inner.name == "tensor.extract":
            found.append(inner.operands[0])

    walk(op, visit)
    return found


def _splat(attribute: ir.Attribute) -> ir.Attribute | None:
    if isinstance(attribute, ir.DenseElementsAttr | ir.DenseIntElementsAttr | ir.DenseFPElementsAttr):
        return attribute.get_splat_value() if attribute.is_splat else None
    return attribute if isinstance(attribute, ir.FloatAttr | ir.IntegerAttr | ir.BoolAttr) else None


def captured(op: ir.Operation) -> list[ir.Value]:
    """Values from outside that the regions of an operation use, without its operands."""
    inside: set[ir.Value] = set()
    found: dict[ir.Value, None] = {}

    def visit(inner: ir.Operation) -> None:
        for region in inner.regions:
            for block in region.blocks:
                inside.update(block.arguments)
        inside.update(inner.results)
        if inner != op:
            for value in inner.operands:
                if value not in inside:
                    found[value] = None

    for region in op.regions:
        for block in region.blocks:
            inside.update(block.arguments)
            for nested in ops_in(block):
                walk(nested, visit)
    return list(found)


def users(value: ir.Value) -> Iterable[ir.Operation]:
    """Operations of the value's own block that use it, directly or inside a region; each once."""
    block = value.owner if isinstance(value, ir.BlockArgument) else value.owner.operation.block
    found: dict[ir.Operation, None] = {}
    for use in value.uses:
        user = use.owner.operation
        while user.block != block:
            user = user.parent.operation
        found[user] = None
    return found


def nest_of(
    graph: Graph, root: ir.Operation, members: Container[ir.Operation] | None
) -> tuple[nest.Nest, affine.Split]:
    """Nest of a group whose result is made by `root`, everything outside `members` (None: nothing) being in memory.

    A group that ends in `tensor.pad` computes what is padded: the nest is that of the pad's operand.
    """
    value = computed(root)
    shape = structured.shape_of(value)
    return _nest_of(graph, graph.numbers[value], shape, members)


def windows_of(graph: Graph, made: nest.Nest) -> nest.Windows | None:
    """The windows of a group's nest (`nest.windows_of`). Where they are of a padded value they are of what it pads."""
    windows = nest.windows_of(made)
    if windows is None or windows.operand not in graph.pads:
        return windows
    source = graph.pads[windows.operand].operands[0]
    low = list(graph.pads[windows.operand].attributes["static_low"])
    return windows.padded(graph.numbers[source], structured.shape_of(source), low, made.bounds)


def nest_of_windows(
    graph: Graph, windows: nest.Windows, members: Container[ir.Operation] | None
) -> tuple[nest.Nest, nest.Index]:
    """Nest of what the windows of such a group are windows of, as far as they reach, and the index of that."""
    made, cut = _nest_of(graph, windows.value, windows.extents, members)
    return made, cut.values[: len(windows.extents)]


def _nest_of(
    graph: Graph, value: int, shape: Sequence[int], members: Container[ir.Operation] | None
) -> tuple[nest.Nest, affine.Split]:
    values = graph.definitions if members is None else _Inside(graph, members)
    made = nest.demand(value, structured.identity(len(shape)), shape, values)
    made.accesses = [(leaf, index) for leaf, index in made.accesses if leaf not in graph.constants]
    return nest.split(made)


class _Inside(dict[int, Definition]):
    """Definitions of a graph's values where only `members` are computed; made as they are asked for."""

    def __init__(self, graph: Graph, members: Container[ir.Operation]) -> None:
        super().__init__()
        self.graph, self.members = graph, members

    def __missing__(self, number: int) -> Definition:
        found = self.graph.definitions[number]
        if isinstance(found, Loop) and self.graph.operations[number] not in self.members:
            found = Leaf(structured.shape_of(self.graph.values[number]))
        elif number in self.graph.pads and self.graph.pads[number] in self.members:
            found = _padding(self.graph, self.graph.pads[number])
        self[number] = found
        return found


def _padding(graph: Graph, pad: ir.Operation) -> View:
    """A padded value as one that is read where it is not border."""
    shape = structured.shape_of(pad.results[0])
    index = (affine.dim(a) - before for a, before in enumerate(pad.attributes["static_low"]))
    return View(shape, graph.numbers[pad.operands[0]], tuple(index))


def computed(root: ir.Operation) -> ir.Value:
    """The value that a group's loops compute: what `root` makes, or what it pads."""
    return root.operands[0] if root.name == "tensor.pad" else root.results[0]


@dataclass
class Group:
    """A group's function, read: valid until the function changes."""

    function: ir.Operation
    graph: Graph
    root: ir.Operation
    """Makes the (first) result."""
    nest: nest.Nest
    axes: tuple[affine.Expr, ...]
    """Index of the computed value, over the nest's dimensions."""

    @property
    def results(self) -> list[int]:
        """Numbers of the values that the loops compute, one for each result of the function."""
        if self.root.name == "tensor.pad":
            return [self.graph.numbers[computed(self.root)]]
        returned = ops_in(self.function.regions[0].blocks[0])[-1].operands
        return [self.graph.numbers[v] for v in returned]

    @property
    def contraction(self) -> nest.Need | None:
        return next((n for n in self.nest.reductions if n.loop.contraction), None)

    @property
    def arguments(self) -> Sequence[ir.Value]:
        return list(self.function.regions[0].blocks[0].arguments)


def read_group(function: ir.Operation) -> Group:
    """Read a function that `form-groups` made."""
    block = function.regions[0].blocks[0]
    graph = read(block)
    returned = ops_in(block)[-1].operands[0]
    root = returned.owner.operation
    for number, pad in graph.pads.items():
        if pad != root:
            graph.definitions[number] = _padding(graph, pad)
    made, cut = nest_of(graph, root, None)
    rank = len(structured.shape_of(computed(root)))
    return Group(function, graph, root, made, cut.values[:rank])


def stored_index(group: Group) -> nest.Index:
    """Where the computed value goes in the group's result."""
    return shifted(group, group.axes)


def shifted(group: Group, axes: nest.Index) -> nest.Index:
    """Index in the group's result of what is computed at `axes`: a pad shifts it."""
    if group.root.name != "tensor.pad":
        return axes
    low = list(group.root.attributes["static_low"])
    return tuple(e + shift for e, shift in zip(axes, low, strict=True))


def uses_indices(group: Group) -> bool:
    """Whether some body asks for its loop index, so that loops have to keep their meaning."""
    found = False

    def visit(op: ir.Operation) -> None:
        nonlocal found
        found = found or op.name in ("linalg.index", "tensor.extract")

    walk(group.function, visit)
    return found


def is_group(function: ir.Operation) -> bool:
    """Whether a function of the module is a group that has not become a kernel yet."""
    return (
        function.name == "func.func"
        and function.attributes["sym_name"].value != "main"
        and "kernel.tasks" not in function.attributes
    )


def weights_of_calls(functions: Sequence[ir.Operation]) -> dict[tuple[str, int], list[str]]:
    """Names of the weights that arguments of groups stand for, by function and number of the argument."""
    found: dict[tuple[str, int], list[str]] = {}
    for function in functions:
        for op in ops_in(function.regions[0].blocks[0]):
            for number, value in enumerate(op.operands if op.name == "func.call" else ()):
                name = structured.weight_name(value)
                if name is not None:
                    found.setdefault((op.attributes["callee"].value, number), []).append(name)
    return found


def flops(group: Group) -> int:
    """Arithmetic operations that the group asks for: a multiply-add counts as two, any other body operation as one."""
    total = 0
    for need in (*group.nest.reductions, *group.nest.maps):
        points = 1
        for extent in need.loop.bounds:
            points *= extent
        total += points * arithmetic_of(group.graph.operations[need.loop.results[0]])
    return total


def arithmetic_of(op: ir.Operation) -> int:
    """Arithmetic operations at one point of a loop operation."""
    if structured.is_contract(op):
        return 2
    return sum(o.name.startswith(("arith.", "math.")) and o.name != "arith.constant" for o in structured.body_ops(op))
