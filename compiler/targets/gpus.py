"""The GPUs that models are compiled for, as data."""

from __future__ import annotations

from dataclasses import replace

from cocomp.support.diagnostics import UsageError
from cocomp.support.machine import GpuTarget, Target

from . import cpus

GPU_TARGETS = {
    "vulkan": "host",
    "android-gpu": "android-cpu",
}
"""Target -> the CPU target whose library drives the GPU."""
TARGETS = (*cpus.TARGETS, *GPU_TARGETS)


def target_called(name: str, cpu: str = "", precision: str = "f32") -> Target:
    """The target called `name`, for the processor `cpu` (empty: the target's default), computing in `precision`."""
    if name not in GPU_TARGETS:
        return cpus.cpu_target(name, cpu, precision)
    if cpu:
        raise UsageError(f"expected no -mcpu={cpu} with -target={name}: kernels run on any device with Vulkan 1.1")
    host = cpus.cpu_target(GPU_TARGETS[name])
    made = GpuTarget(name, host.triple, page_bytes=host.page_bytes)
    return replace(made, precision=precision)


def is_here(target: GpuTarget) -> bool:
    """Whether the GPU is that of this machine."""
    return GPU_TARGETS[target.name] == "host"
