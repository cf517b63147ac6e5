"""Where every tensor lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, places, structured
from cocomp.dialects.graph import Group
from cocomp.dialects.layout import MapAttr
from cocomp.passes.kernel._contraction import source_of
from cocomp.passes.kernel._orientation import wants_planes
from cocomp.passes.math import addressing, affine, nest
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.work import VectorUnit
from cocomp.support.mlir import func, ir, ops_in
from cocomp.support.passes import Pass, State

CRITICAL_BYTES = 1024
"""Pixels a multiple of this apart share so few cache sets that a tile of them does not fit; such a pitch gets one more
vector."""

ROWS = "rows of an activation in the place of a weight have to be contiguous"
TEXEL = 4
"""Elements."""


@dataclass(frozen=True)
class SelectLayoutPass(Pass):
    """Give every argument and result of a group a `layout.map`.

        func @group_3(%x: tensor<1x64x58x58xf32>, ..) -> tensor<1x256x56x56xf32>
      -->
        func @group_3(%x: tensor<..> {layout.map = #layout.map<..>}, ..) -> (tensor<..> {layout.map = ..})

    A contraction wants its rows (output channels) contiguous, because they fill the registers; everything else keeps
    the order of its largest operand. So the channels-last layout that convolutions like spreads through the network and
    no reorder stands between them. A sparse contraction mostly wants planar activations, pixels contiguous, before and
    after it: of a cache line of channels it would use only those that are kept. The model's inputs and outputs are row-major.
    Operands of a `tensor.concat` are written where the concatenation has them. A pitch that would put neighbouring pixels on the
    same cache sets is padded. Needs `form-groups`.

    Some kernels need a dimension of an operand contiguous: the rows of an activation in the place of a weight. The tensor is
    written as they need it as far as its memory has dimensions for that (`passes.math.addressing`), readers that take it as it
    comes going first; the others read a copy that says why it is there.

    With `choose=false` every tensor is row-major; copies stand where a contraction needs rows contiguous. That is what layouts
    are compared with.
    """

    name: ClassVar[str] = "select-layout"
    choose: bool = True
    gather: bool = False
    """Whether contractions read texels, and elements where these do not serve: nothing has to be contiguous for them, but it is
    better if channels are."""

    def run(self, module: ir.Module, state: State) -> None:
        functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
        main = functions.pop("main")
        block = main.regions[0].blocks[0]
        selector = _Selector(
            functions, state.target.vector_bytes, state.target.addressable_dims, self.choose, self.gather
        )
        if self.choose and not self.gather:
            selector.prefer_planar(block, state.weights, VectorUnit.of(state.target))
        selector.prepare(block)
        for op in ops_in(block):
            if op.name == "func.call":
                selector.assign(op)


@dataclass
class _Selector:
    functions: dict[str, ir.Operation]
    vector_bytes: int
    addressable_dims: int
    choose: bool = True
    gather: bool = False
    layouts: dict[ir.Value, MapAttr] = field(default_factory=dict[ir.Value, MapAttr])
    parents: dict[ir.Value, tuple[ir.Value, nest.Index]] = field(
        default_factory=dict[ir.Value, tuple[ir.Value, nest.Index]]
    )
    """Part of a larger value -> (the larger value, index in it in terms of the part's index)."""
    undecided: set[ir.Value] = field(default_factory=set[ir.Value])
    """Values whose order is being chosen."""
    planar: set[ir.Value] = field(default_factory=set[ir.Value])
    """Values that sparse contractions had better read and write in planes."""

    needs: dict[ir.Value, list[tuple[int, int]]] = field(default_factory=dict[ir.Value, list[tuple[int, int]]])
    """Value -> (arithmetic, axis) of each kernel that needs an axis of it contiguous."""
    copies: dict[tuple[ir.Value, int], ir.Value] = field(default_factory=dict[tuple[ir.Value, int], ir.Value])
    """Copies of values by the axis that is contiguous in them."""

    def prefer_planar(self, block: ir.Block, weights: Mapping[str, np.ndarray], unit: VectorUnit) -> None:
        """Find the contractions that want planes."""
        for op in ops_in(block):
            if op.name != "func.call":
                continue
            group = graphs.read_group(self.functions[op.attributes["callee"].value])
            if group.contraction is None:
                continue
            x, w = (_argument(group, group.contraction.loop.operands[i]) for i in (0, 1))
            name = structured.weight_name(op.operands[w]) if w is not None else None
            if x is not None and name is not None and wants_planes(group, weights[name], unit):
                self.planar |= {op.operands[x], *op.results}
        for op in reversed(ops_in(block)):
            self._pass_on(op)

    def _pass_on(self, op: ir.Operation) -> None:
        """What a planar value is computed from, element by element, had better be planar too. A reduction (a pool) writes
        less than it reads, and can turn that."""
        if op.name != "func.call" or not self.planar & set(op.results):
            return
        group = graphs.read_group(self.functions[op.attributes["callee"].value])
        if group.contraction is None and not group.nest.reductions and op.operands:
            largest = max(op.operands, key=_elements)
            if structured.weight_name(largest) is None:
                self.planar.add(largest)

    def prepare(self, block: ir.Block) -> None:
        """Record what is decided from outside: inputs, outputs, the parts of concatenations."""
        for argument in block.arguments:
            self.layouts[argument] = layout.row_major(structured.shape_of(argument))
        for op in ops_in(block):
            if op.name == "tensor.concat":
                axis, offset = op.attributes["dim"].value, 0
                for value in op.operands:
                    shape = structured.shape_of(value)
                    index = [affine.dim(i) + (offset if i == axis else 0) for i in range(len(shape))]
                    self.parents[value] = (op.results[0], tuple(index))
                    offset += shape[axis]
            elif op.name == "tensor.insert_slice":
                source, whole = op.operands[0], op.operands[1]
                self.parents[whole] = (op.results[0], structured.identity(len(structured.shape_of(whole))))
                self.parents[source] = (op.results[0], structured.slice_map(op, structured.shape_of(source)))
            elif op.name == "func.call":
                group = graphs.read_group(self.functions[op.attributes["callee"].value])
                wanted = [found] if (found := _weight_rows(group)) is not None else []
                gather = self._gathers(group.function)
                for number, axis in [*wanted, *_texels_of(group)] if gather else wanted:
                    self.needs.setdefault(op.operands[number], []).append((graphs.flops(group), axis))
            elif op.name == "func.return":
                for value in op.operands:
                    self.layouts[value] = layout.row_major(structured.shape_of(value))

    def assign(self, call: ir.Operation) -> None:
        """Write the layouts of one call's operands and results on its function."""
        function = self.functions[call.attributes["callee"].value]
        if not self._gathers(function):
            self._copy_where_needed(call, function)
        arguments: list[dict[str, ir.Attribute]] = []
        channels = _depthwise_channels(function)
        for number, value in enumerate(call.operands):
            if structured.weight_name(value) is None:
                arguments.append({"layout.map": self.of(value)})
                continue
            shape, marked = structured.shape_of(value), {"sparse.weight": ir.UnitAttr.get()}
            axis = channels.get(number)
            order = [a for a in range(len(shape)) if a != axis] + ([axis] if axis is not None else [])
            arguments.append({"layout.map": self._pitched(shape, order, 1), **marked})
        function.attributes["arg_attrs"] = ir.ArrayAttr.get([ir.DictAttr.get(a) for a in arguments])
        results = [{"layout.map": self.of(v)} for v in call.results]
        function.attributes["res_attrs"] = ir.ArrayAttr.get([ir.DictAttr.get(a) for a in results])

    def _gathers(self, function: ir.Operation) -> bool:
        return self.gather and not places.on_cpu(function)

    def _copy_where_needed(self, call: ir.Operation, function: ir.Operation) -> None:
        """A contraction's second operand, where it is an activation, needs its rows contiguous: copy it if they are not."""
        wanted = _weight_rows(graphs.read_group(function))
        if wanted is None:
            return
        number, axis = wanted
        value = call.operands[number]
        shape = structured.shape_of(value)
        if (
            structured.weight_name(value) is not None
            or layout.position_of(self.of(value), shape).coefficient(axis) == 1
        ):
            return
        if (value, axis) not in self.copies:
            copied = _insert_copy(call, value, f"relayout_{len(self.functions)}", self.functions)
            layout.set_copy_reason(copied.owner.operation, ROWS)
            places.put_on_cpu(self.functions[copied.owner.attributes["callee"].value], places.on_cpu(function))
            self.layouts[copied] = self._pitched(shape, _with_inner(range(len(shape)), (axis,)), _element_bytes(value))
            self.copies[value, axis] = copied
            self.assign(copied.owner.operation)
        call.operands[number] = self.copies[value, axis]

    def of(self, value: ir.Value) -> MapAttr:
        """Layout of a value of the main function, decided on first sight."""
        if value not in self.layouts:
            self.layouts[value] = self._slice(value) if value in self.parents else self._own(value)
        return self.layouts[value]

    def _slice(self, value: ir.Value) -> MapAttr:
        whole, index = self.parents[value]
        parent = self.of(whole)
        shape = structured.shape_of(value)
        position = affine.substitute(layout.position_of(parent, structured.shape_of(whole)), index, shape)
        return layout.strided(position, len(shape), layout.size_of(parent))

    def _own(self, value: ir.Value) -> MapAttr:
        shape = structured.shape_of(value)
        if not self.choose:
            return layout.row_major(shape)
        self.undecided.add(value)
        order = self._order(value)
        self.undecided.remove(value)
        return self._pitched(shape, order, _element_bytes(value), self.gather and value in self.needs)

    def _is_part_of_undecided(self, value: ir.Value) -> bool:
        """Whether a value lies in a larger one whose order is being chosen: it cannot tell what that should be."""
        while value in self.parents:
            value, _ = self.parents[value]
        return value in self.undecided

    def _order(self, value: ir.Value) -> list[int]:
        """Axes of a value from the outermost to the contiguous one: what its readers need is served first."""
        needed = [axis for _, axis in sorted(self.needs.get(value, []), key=lambda need: -need[0])]
        is_needed_only = needed and len(needed) == len(list(value.uses))
        order = list(range(len(structured.shape_of(value)))) if is_needed_only else self._order_of_maker(value)
        if not needed:
            return order
        served, *_ = addressing.serve(needed if is_needed_only else [order[-1], *needed], self.addressable_dims)
        return _with_inner(order, served)

    def _order_of_maker(self, value: ir.Value) -> list[int]:
        """Axes in the order in which a value is made best."""
        op = value.owner.operation
        axes = list(range(len(structured.shape_of(value))))
        if value in self.planar:
            return axes
        if op.name == "tensor.concat":
            return self._order(max(op.operands, key=_elements))
        if op.name == "tensor.insert_slice":
            return self._order(op.operands[1])
        function = self.functions[op.attributes["callee"].value]
        group = graphs.read_group(function)
        contraction = group.contraction
        if contraction is not None:
            inner = _row_axis(group)
            if inner is not None:
                return _with_inner(axes, (inner,))
        if group.root.name.startswith("tm_tensor."):
            return axes
        return self._order_like_operand(group, op)

    def _order_like_operand(self, group: Group, call: ir.Operation) -> list[int]:
        """Axes in the order of their strides in the largest operand."""
        rank = len(group.axes)
        best: tuple[int, Expr] | None = None
        for leaf, index in group.nest.accesses:
            operand = call.operands[ir.BlockArgument(group.graph.values[leaf]).arg_number]
            if self._is_part_of_undecided(operand):
                continue
            shape = structured.shape_of(operand)
            position = affine.substitute(layout.position_of(self.of(operand), shape), index, group.nest.bounds)
            if best is None or _elements(operand) > best[0]:
                best = (_elements(operand), position)
        if best is None:
            return list(range(rank))
        strides = [_stride(axis, best[1], group.nest.bounds) for axis in group.axes]
        return sorted(range(rank), key=lambda a: (-strides[a] if strides[a] else float("-inf"), a))

    def _pitched(
        self, shape: tuple[int, ...], order: list[int], element_bytes: int, in_texels: bool = False
    ) -> MapAttr:
        """A layout with the axes in an order; fewer than four neighbours get a whole texel where those are read."""
        position, stride = Expr(), 1
        inner = next((a for a in reversed(order) if shape[a] > 1), order[-1] if order else 0)
        for axis in reversed(order):
            position = position + affine.dim(axis) * stride
            stride *= shape[axis]
            if axis == inner and in_texels and 1 < stride < TEXEL:
                stride = TEXEL
            if axis == inner and stride * element_bytes % CRITICAL_BYTES == 0 and _elements_of(shape) > stride:
                stride += self.vector_bytes // element_bytes
        return layout.strided(position, len(shape), stride)


def _with_inner(axes: Iterable[int], inner: Sequence[int]) -> list[int]:
    """Axes from the outermost to the contiguous one, `inner` being the innermost, the first of them contiguous."""
    return [*(a for a in axes if a not in inner), *reversed(inner)]


def _argument(group: Group, number: int) -> int | None:
    """The argument of a group that a value is a view of, None where it is computed in the group."""
    while isinstance(definition := group.graph.definitions.get(number), nest.View):
        number = definition.source
    value = group.graph.values[number]
    return value.arg_number if isinstance(value, ir.BlockArgument) else None


def _texels_of(group: Group) -> list[tuple[int, int]]:
    """(argument, axis) of the channels that a contraction adds up, which texels should hold."""
    need = group.contraction
    if need is None or not structured.row_dims(need.loop.operand_maps, need.loop.parallel):
        return []
    number, index = source_of(group.graph, group.nest.bounds, need, 0)
    own = group.nest.own_dims[group.nest.reductions.index(need)]
    channels = [a for a, e in enumerate(index) if any(e == affine.dim(d) for d in own)]
    value = group.graph.values[number]
    if len(channels) != 1 or not isinstance(value, ir.BlockArgument):
        return []
    return [(ir.BlockArgument(value).arg_number, channels[0])]


def _weight_rows(group: Group) -> tuple[int, int] | None:
    """(argument, axis) along which the rows of the contraction's second operand advance; None without rows."""
    need = group.contraction
    if need is None:
        return None
    number = need.loop.operands[1]
    index = tuple(affine.substitute(e, need.point, group.nest.bounds) for e in need.loop.operand_maps[1])
    while isinstance(definition := group.graph.definitions[number], nest.View):
        index = tuple(affine.substitute(e, index, group.nest.bounds) for e in definition.index)
        number = definition.source
    for row in structured.row_dims(need.loop.operand_maps, need.loop.parallel):
        for atom, coefficient in need.point[row].terms:
            if coefficient == 1 and isinstance(atom, affine.Dim):
                found = next((a for a, e in enumerate(index) if e.coefficient(atom.index) == 1), None)
                if found is not None:
                    return ir.BlockArgument(group.graph.values[number]).arg_number, found
    return None


def _insert_copy(call: ir.Operation, value: ir.Value, name: str, functions: dict[str, ir.Operation]) -> ir.Value:
    """A call before `call` of a new group that copies `value`."""
    with ir.InsertionPoint(functions[call.attributes["callee"].value]), call.location:
        function = func.FuncOp(name, ir.FunctionType.get([value.type], [value.type]), visibility="private")
    with ir.InsertionPoint(function.add_entry_block()), call.location:
        func.ReturnOp([structured.copy_of(function.arguments[0])])
    functions[name] = function.operation
    with ir.InsertionPoint(call), call.location:
        return func.CallOp([value.type], name, [value]).results[0]


def _depthwise_channels(function: ir.Operation) -> dict[int, int]:
    """Weight argument of a depth-wise contraction -> its channel axis, which has to be contiguous."""
    group = graphs.read_group(function)
    need = group.contraction
    if need is None or structured.row_dims(need.loop.operand_maps, need.loop.parallel):
        return {}
    number = need.loop.operands[1]
    value = group.graph.values[number]
    if not isinstance(value, ir.BlockArgument):
        return {}
    for axis, expr in enumerate(need.loop.operand_maps[1]):
        dim = structured.dim_of(expr)
        if dim is not None and need.loop.parallel[dim] and need.loop.bounds[dim] > 1:
            return {ir.BlockArgument(value).arg_number: axis}
    return {}


def _row_axis(group: Group) -> int | None:
    """Axis of the result along which the rows of the group's contraction advance one by one."""
    need = group.contraction
    assert need is not None
    for row in structured.row_dims(need.loop.operand_maps, need.loop.parallel):
        for atom, coefficient in need.point[row].terms:
            if coefficient == 1 and isinstance(atom, affine.Dim) and group.nest.bounds[atom.index] > 1:
                return next((a for a, e in enumerate(group.axes) if e.coefficient(atom.index) == 1), None)
    return None


def _stride(axis: Expr, position: Expr, bounds: list[int]) -> int:
    """Smallest step in memory that the dimensions of `axis` make; 0 when they make none."""
    steps = [abs(position.coefficient(d)) for d in axis.dims() if bounds[d] > 1]
    return min((s for s in steps if s), default=0)


def _elements(value: ir.Value) -> int:
    return _elements_of(structured.shape_of(value))


def _elements_of(shape: tuple[int, ...]) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total


def _element_bytes(value: ir.Value) -> int:
    return structured.bytes_of(structured.element_of(value))
