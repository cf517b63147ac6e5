"""What the IR can say. No transformations live here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cocomp.support.mlir import ir


def register(context: ir.Context) -> None:
    """Load every dialect of ours into a context; again does nothing."""
    from cocomp.support.mlir import ir

    from .hls import Hls
    from .layout import Layout
    from .plan import Plan
    from .sparse import Sparse
    from .texel import Texel

    with context, ir.Location.unknown():
        for dialect in (Sparse, Layout, Plan, Texel, Hls):
            if not context.is_dialect_loaded(dialect.DIALECT_NAMESPACE):
                dialect.load()
