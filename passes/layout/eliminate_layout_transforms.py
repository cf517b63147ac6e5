"""Which operations that only move values stay, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cocomp.dialects import graph as graphs
from cocomp.dialects import layout, sparse, structured
from cocomp.dialects.graph import Graph
from cocomp.dialects.layout import PLACING
from cocomp.passes.math import affine, layout_groups
from cocomp.passes.math.encodings import Dense
from cocomp.passes.math.layout_groups import LayoutGroup
from cocomp.passes.math.nest import Loop, View
from cocomp.support.mlir import arith, ir, operators, ops_in
from cocomp.support.passes import Pass, State

UNFUSED = "without fusion what moves values is a kernel"
SCATTERED = "a contraction reads at addresses that are linear in its loops"
PIXELS = "registers along pixels, which zeros want, need neighbours to stay neighbours"
ROWS = "rows of an activation in the place of a weight are contiguous, and to copy a part is cheaper than the whole"
OPAQUE = "a scan or a sort reads memory as it is"
RESULT = "a result of the model has memory of its own, row-major"
PART = "a part of a concatenation lies in its memory"
FOREIGN = "an input of the model is not where this has to be"
TWICE = "it has to lie in two places"
OVERWRITTEN = "what is overwritten has other readers"
FILLED = "a constant is read from memory"
BORDER = "what surrounds an image has to be in memory"
GATHERED = "where values come from is known at run time only"


@dataclass(frozen=True)
class EliminateLayoutTransformsPass(Pass):
    """Write on each operation that only moves values why it stays; one that says nothing is index arithmetic in its readers.

        %t = linalg.generic ins(%x) { copy (i, j) -> (j, i) }           %t = linalg.generic {layout.copy = "a result ..."} ..
        return %t                                                -->    return %t
        %s = tensor.extract_slice %x ..                                 %s = tensor.extract_slice %x ..
        %y = linalg.generic ins(%s) { exp }                             %y = linalg.generic ins(%s) { exp }

    What the action table of layout groups (`passes.math.layout_groups`) drops is read through by whatever reads its result:
    reshapes, transposes, slices, broadcasts. They stay where something
    needs their values in memory as they are: a result of the model, a part of a concatenation, a scan, or a contraction whose
    addresses the index would make non-linear. A value that would have to lie in two places (a result or a part of a
    concatenation owns its memory) is copied, and memory that nobody writes gets zeros. Borders and gathers stay, too: no index
    says where to read. Whether what stays shares a kernel with what computes its operand is up to `plan-fusion`. Needs operations
    in their final form.

    With `fuse=false` nothing is read through that moves values, unless the same operator of the model (`operators`) reads them:
    transposes, slices and the parts of concatenations stay. What does not move anything - reshapes, broadcasts, slices that are
    contiguous - is read through all the same. That is what fusion is compared with.
    """

    name: ClassVar[str] = "eliminate-layout-transforms"
    fuse: bool = True

    def run(self, module: ir.Module, state: State) -> None:
        block = module.body.operations[0].operation.regions[0].blocks[0]
        if not self.fuse:
            _copy_parts(block)
        _separate_destinations(block)
        graph = graphs.read(block)
        kinds = {op.results[0]: _group_of(op, graph) for op in ops_in(block) if op.results}
        for op in reversed(ops_in(block)):  # so that what readers are is known
            if layout.copy_reason(op) is None and _is_dropped(op, kinds):
                layout.set_copy_reason(op, self._obstacle(op, graph))

    def _obstacle(self, op: ir.Operation, graph: Graph) -> str | None:
        """Why an operation stays that the table drops, None where it does not."""
        if op.name in PLACING:
            return None  # their parts are written in place, or have been copied
        if graph.numbers[op.results[0]] in graph.constants and not _is_read_from_memory(op):
            return None
        if not structured.is_view(op):
            return {"arith.constant": FILLED, "tensor.pad": BORDER}.get(op.name, GATHERED)
        if not self.fuse and _moves(op) and not all(_share_operator(op, u) for u in layout.readers(op.results)):
            return UNFUSED
        found = (_need_of(user, op.results[0]) for user in graphs.users(op.results[0]))
        return next((reason for reason in found if reason is not None), None)


def _group_of(op: ir.Operation, graph: Graph) -> LayoutGroup:
    """Layout group of an operation; one without structure (scans, sorts) minds, and its result may lie anyhow."""
    made = graph.definitions[graph.numbers[op.results[0]]]
    computes = not structured.moves_values(op)
    if isinstance(made, View):
        parallel, results = [True] * len(made.shape), [structured.identity(len(made.shape))]
        return layout_groups.of_loops(parallel, [made.index], results, computes)
    if isinstance(made, Loop):
        return layout_groups.of_loops(made.parallel, made.operand_maps, made.result_maps, computes)
    is_placed = not computes or op.name in PLACING
    return LayoutGroup.ILI_FIXED if is_placed else LayoutGroup.ILD_VARIABLE


def _is_dropped(op: ir.Operation, kinds: Mapping[ir.Value, LayoutGroup]) -> bool:
    """Whether the table drops an operation beside what reads it. A result of the model is a reader whose layout is fixed."""
    if not op.results or op.name == "tensor.empty":
        return False
    users = graphs.users(op.results[0])
    groups = [kinds[u.results[0]] if u.results else LayoutGroup.ILD_FIXED for u in users]
    return any(layout_groups.act(kinds[op.results[0]], group).drops_first for group in groups)


def _is_read_from_memory(constant: ir.Operation) -> bool:
    """Whether something reads a constant from memory: everything but element-wise loops does."""
    return any(
        not structured.is_generic(user) and user.name != "tensor.pad" for user in layout.readers(constant.results)
    )


def _need_of(user: ir.Operation, value: ir.Value) -> str | None:
    """Why `user` needs a value in memory as it is, None where it reads through the view that makes it."""
    if structured.is_contract(user):
        return _obstacle_of_contraction(user, value)
    if user.name == "func.return":
        return RESULT
    if user.name in PLACING:
        return PART
    is_read_through = structured.is_generic(user) or structured.is_view(user) or user.name == "tensor.pad"
    return None if is_read_through else OPAQUE


def _obstacle_of_contraction(contract: ir.Operation, value: ir.Value) -> str | None:
    """Why a contraction cannot read `value` through its views: addresses have to be linear, and where the weight has zeros,
    pixels that were neighbours have to stay so. Of an activation in the place of the weight, whose rows have to be contiguous, a
    part is copied rather than the whole."""
    loops = structured.loops_of(contract)
    for operand in (0, 1):
        if contract.operands[operand] != value:
            continue
        source, index = structured.through_views(value, loops.maps[operand], loops.bounds)
        cut = affine.split_dims(index, loops.bounds)
        if not all(cut.apply(e).is_linear for e in index):
            return SCATTERED
        if operand == 0 and _has_zeros(contract.operands[1]) and _parts(loops.maps[0][-1], index[-1]):
            return PIXELS
        is_part = prod(structured.shape_of(source)) > prod(structured.shape_of(value))
        rows = structured.row_dims(loops.maps[:2], loops.parallel)
        is_turned = is_part and not any(index[-1].coefficient(d) == 1 for d in rows)
        if operand == 1 and is_turned and structured.weight_name(source) is None:
            return ROWS
    return None


def _has_zeros(weight: ir.Value) -> bool:
    return not isinstance(sparse.encoding_of(weight.type.encoding), Dense)


def _parts(before: affine.Expr, after: affine.Expr) -> bool:
    """Whether neighbours along a dimension are no longer neighbours."""
    return any(before.coefficient(d) == 1 and after.coefficient(d) > 1 for d in before.dims())


def _moves(view: ir.Operation) -> bool:
    """Whether the values of a view, row-major, are not where they are in its operand, other than by being repeated there."""
    index = structured.view_of(view)
    if view.name in ("tensor.expand_shape", "tensor.collapse_shape", "tensor.cast") or index is None:
        return False
    position, stride = affine.linearize(index, structured.shape_of(view.operands[0])), 1
    for dim, extent in reversed(list(enumerate(structured.shape_of(view.results[0])))):
        if extent > 1 and position.coefficient(dim):
            if position.coefficient(dim) != stride:
                return True
            stride *= extent
    return not position.is_linear


def _share_operator(op: ir.Operation, other: ir.Operation) -> bool:
    return bool(operators(op.location) & operators(other.location))


def _copy_parts(block: ir.Block) -> None:
    """Copy what is concatenated, unless the same operator made it: its kernel does not know where its result goes."""
    for op in ops_in(block):
        for position, value in enumerate(op.operands if op.name == "tensor.concat" else []):
            if isinstance(value, ir.BlockArgument) or not _share_operator(op, value.owner.operation):
                _copy_operand(op, position, UNFUSED)


def _separate_destinations(block: ir.Block) -> None:
    """Copy values that would have to lie in two places: a result or a part of a concatenation owns its memory."""
    placed: set[ir.Value] = set()
    destinations = [op for op in ops_in(block) if op.name in PLACING or op.name == "func.return"]
    for op in sorted(destinations, key=lambda o: o.name != "func.return"):
        # Backwards: an insertion's destination is written before its source.
        for position, value in reversed(list(enumerate(op.operands))):
            if _is_undefined(value):
                with ir.InsertionPoint(op), op.location:
                    op.operands[position] = _zeros(value.type)
            elif isinstance(value, ir.BlockArgument):
                _copy_operand(op, position, FOREIGN)
            elif value in placed:
                _copy_operand(op, position, TWICE)
            elif _is_overwritten(op, position, value):
                _copy_operand(op, position, OVERWRITTEN)
            placed.add(op.operands[position])


def _copy_operand(op: ir.Operation, position: int, reason: str) -> None:
    with ir.InsertionPoint(op), op.location:
        op.operands[position] = structured.copy_of(op.operands[position])
    layout.set_copy_reason(op.operands[position].owner.operation, reason)


def _is_undefined(value: ir.Value) -> bool:
    """Memory that nobody has written, as `torch.empty` gives, or a part of it."""
    while not isinstance(value, ir.BlockArgument) and structured.is_view(value.owner.operation):
        value = value.owner.operation.operands[0]
    return not isinstance(value, ir.BlockArgument) and value.owner.operation.name == "tensor.empty"


def _zeros(kind: ir.Type) -> ir.Value:
    """What stands for undefined memory: some kernel has to make every buffer."""
    element = kind.element_type
    zero = ir.FloatAttr.get(element, 0.0) if isinstance(element, ir.FloatType) else ir.IntegerAttr.get(element, 0)
    return arith.constant(kind, ir.DenseElementsAttr.get_splat(kind, zero))


def _is_overwritten(op: ir.Operation, position: int, value: ir.Value) -> bool:
    """An insertion writes its source after its destination, into the same memory: the source is written where the
    insertion stands, and the destination must have no other reader."""
    if op.name != "tensor.insert_slice":
        return False
    return position == 0 or len(list(value.uses)) > 1
