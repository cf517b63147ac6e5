"""The `sparse` dialect: contractions with a weight, and how that weight is sparse.

One operation covers convolution of any rank, stride, dilation and grouping, linear layers and matrix products:

    %y = "sparse.contract"(%x, %w) {maps = [X, W, Y], bounds = array<i64: ...>} : (tensor<..>, tensor<.., #sparse.dense>) -> tensor<..>

    Y[map_y(d)] = sum over the dimensions d that map_y does not use of  X[map_x(d)] * W[map_w(d)]

`bounds` is the extent of each loop dimension. A second operand without an encoding is an activation (attention).
The encoding of a weight is the encoding attribute of its tensor type:

    #sparse.dense                       every column is kept
    #sparse.bcr<block_rows, block_cols> block-based column-row: each block keeps whole rows and columns (GRIM)
    #sparse.kgs<group_rows, group_channels> kernel groups share kept kernel positions (RT3D); block-punched in 2-D
"""
# The bindings read the annotations below raw, so this file must not postpone their evaluation; they mean operands and
# results of an operation, which pyright cannot know.
# pyright: reportInvalidTypeForm=false

from typing import Any

from cocomp.support.mlir import ext, ir


class Sparse(ext.Dialect, name="sparse"):
    pass


class DenseAttr(Sparse.Attribute, name="dense"):
    """Every column of every row is kept."""


class BcrAttr(Sparse.Attribute, name="bcr"):
    """Blocks of `block_rows` x `block_cols` of the weight's matrix keep whole rows and whole columns."""

    block_rows: ir.IntegerAttr
    block_cols: ir.IntegerAttr


class KgsAttr(Sparse.Attribute, name="kgs"):
    """Groups of `group_rows` filters x `group_channels` channels keep the same kernel positions."""

    group_rows: ir.IntegerAttr
    group_channels: ir.IntegerAttr


class ContractOp(Sparse.Operation, name="contract", traits=[ext.Pure]):
    """A weighted contraction; see the module's docstring."""

    input: ext.Operand[Any]
    weight: ext.Operand[Any]
    maps: ir.ArrayAttr
    bounds: Any  # DenseI64ArrayAttr, which IRDL cannot name
    out: ext.Result[Any]

    @classmethod
    def verify_invariants(cls, op: ir.Operation) -> bool:
        error = _contract_error(op)
        if error:
            op.location.emit_error(f"'sparse.contract' op {error}")
        return not error


def _contract_error(op: ir.Operation) -> str:
    types = [op.operands[0].type, op.operands[1].type, op.results[0].type]
    if not all(isinstance(t, ir.RankedTensorType) and t.has_static_shape for t in types):
        return "expected ranked tensors of static shape"
    maps = [ir.AffineMap(a.value) if not isinstance(a, ir.AffineMapAttr) else a.value for a in op.attributes["maps"]]
    bounds = list(op.attributes["bounds"])
    if len(maps) != 3:
        return f"expected 3 indexing maps, got {len(maps)}"
    for what, type_, affine_map in zip(("input", "weight", "result"), types, maps, strict=True):
        if affine_map.n_dims != len(bounds):
            return f"expected a map of {len(bounds)} dimensions for the {what}, got {affine_map.n_dims}"
        if len(affine_map.results) != type_.rank:
            return f"expected a map with {type_.rank} results for the {what}, got {len(affine_map.results)}"
    if any(b < 1 for b in bounds):
        return f"expected positive bounds, got {bounds}"
    return ""


def dense() -> DenseAttr:
    """The encoding of a weight that keeps everything."""
    return DenseAttr.get()


def bcr(block_rows: int, block_cols: int) -> BcrAttr:
    """Block-based column-row encoding."""
    return BcrAttr.get(_i64(block_rows), _i64(block_cols))


def kgs(group_rows: int, group_channels: int) -> KgsAttr:
    """Kernel-group encoding."""
    return KgsAttr.get(_i64(group_rows), _i64(group_channels))


def contract(
    x: ir.Value, weight: ir.Value, maps: list[ir.AffineMap], bounds: list[int], result: ir.Type, loc: ir.Location
) -> ir.Value:
    """Build a contraction."""
    attributes = ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps])
    return ContractOp(
        input=x, weight=weight, maps=attributes, bounds=ir.DenseI64ArrayAttr.get(bounds), out=result, loc=loc
    ).results[0]


def _i64(value: int) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
