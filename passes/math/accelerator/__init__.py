"""Quantised layers as an accelerator computes them, in integers alone, and what accelerators would cost."""

from __future__ import annotations

from .design import Design, Part, Quantisers
from .devices import DEVICES, Demand, Device, find_device
from .estimate import Estimate, StageCost, estimate
from .explore import Exploration, Point, explore, explore_mixtures
from .gemm import Gemm, IntegerType
from .stages import Product, Stage, Sweep
from .tiles import PLANE_BITS, Tiles

__all__ = [
    "DEVICES",
    "PLANE_BITS",
    "Demand",
    "Design",
    "Device",
    "Estimate",
    "Exploration",
    "Gemm",
    "IntegerType",
    "Part",
    "Point",
    "Product",
    "Quantisers",
    "Stage",
    "StageCost",
    "Sweep",
    "Tiles",
    "estimate",
    "explore",
    "explore_mixtures",
    "find_device",
]
