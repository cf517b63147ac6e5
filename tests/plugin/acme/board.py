"""A board: a known processor with caches of its own."""

from __future__ import annotations

from dataclasses import replace

from cocomp.support.machine import CpuTarget
from cocomp.targets.cpus import cpu_target


def target(cpu: str) -> CpuTarget:
    """The board's description; `cpu` is what -mcpu names, empty for the default."""
    return replace(cpu_target("linux-x86-64", cpu or "x86-64-v3"), name="acme-board", l2_bytes=2 << 20)
