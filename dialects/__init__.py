"""What the IR can say. No transformations live here."""

from __future__ import annotations


def register(context: object) -> None:
    """Load every dialect of ours into a context (an `ir.Context`); again does nothing."""
    from cocomp.support.mlir import ir

    from .layout import Layout
    from .plan import Plan
    from .sparse import Sparse

    assert isinstance(context, ir.Context)
    with context, ir.Location.unknown():
        for dialect in (Sparse, Layout, Plan):
            if not context.is_dialect_loaded(dialect.DIALECT_NAMESPACE):
                dialect.load()
