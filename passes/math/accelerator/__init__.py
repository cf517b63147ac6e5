"""Quantised layers as an accelerator computes them, in integers alone."""

from __future__ import annotations

from .gemm import Gemm, IntegerType
from .tiles import Tiles

__all__ = ["Gemm", "IntegerType", "Tiles"]
