"""Quantised layers as an accelerator computes them, in integers alone, and what accelerators would cost."""

from __future__ import annotations

from .design import Design, Part, Quantisers
from .devices import DEVICES, Demand, Device, find_device
from .estimate import Estimate, StageCost, estimate
from .gemm import Gemm, IntegerType
from .stages import Product, Stage, Sweep
from .tiles import Tiles

__all__ = [
    "DEVICES",
    "Demand",
    "Design",
    "Device",
    "Estimate",
    "Gemm",
    "IntegerType",
    "Part",
    "Product",
    "Quantisers",
    "Stage",
    "StageCost",
    "Sweep",
    "Tiles",
    "estimate",
    "find_device",
]
