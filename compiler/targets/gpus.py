"""The GPUs that models are compiled for, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cocomp.support.diagnostics import UsageError
from cocomp.support.machine import GpuTarget, Target

from . import cpus


@dataclass(frozen=True)
class Family:
    """GPUs that compute and remember alike."""

    takes_images: bool
    """Whether `--memory=auto` makes images of what contractions read."""
    reason: str
    image_extent: int
    """Texels that an image of two dimensions may have each way, on all devices of the family."""
    volume_extent: int
    """The same of three."""
    busy_invocations: int
    """That keep all cores of a common device busy."""


CERTAIN = {"image_extent": 4096, "volume_extent": 256}
"""Texels that images of two and of three dimensions may have each way with every device."""
FAMILIES = {
    "adreno": Family(
        True, "the cache of the texture units keeps tiles of images: neighbours both ways", 16384, 2048, 1 << 13
    ),
    "powervr": Family(
        True, "the cache of the texture units keeps tiles of images: neighbours both ways", 4096, 2048, 1 << 12
    ),
    "mali": Family(
        False, "buffers and images share a cache, and addresses in images take more arithmetic", 8192, 2048, 1 << 13
    ),
    "desktop": Family(
        False,
        "buffers and images share a large cache, and addresses in images take more arithmetic",
        16384,
        2048,
        1 << 15,
    ),
}
"""GPUs whose rules are known; any other is certain to have what Vulkan requires."""
GPU_TARGETS = {
    "vulkan": ("host", replace(FAMILIES["desktop"], **CERTAIN, busy_invocations=1 << 7)),
    "android-gpu": ("android-cpu", replace(FAMILIES["adreno"], **CERTAIN, busy_invocations=1 << 12)),
}
"""Target -> the CPU target whose library drives the GPU, and what any GPU is taken to be. Among those of a machine there are software
devices, for which a few invocations do and barriers are slow."""
TARGETS = (*cpus.TARGETS, *GPU_TARGETS)


def target_called(name: str, cpu: str = "", precision: str = "f32") -> Target:
    """The target called `name`, for the processor or family of GPUs `cpu` (empty: the target's default), computing in `precision`."""
    if name not in GPU_TARGETS:
        return cpus.cpu_target(name, cpu, precision)
    if cpu and cpu not in FAMILIES:
        raise UsageError(f"unknown GPU '{cpu}' for -target={name}: expected one of {', '.join(FAMILIES)}")
    driver, likely = GPU_TARGETS[name]
    host = cpus.cpu_target(driver)
    family = FAMILIES[cpu] if cpu else likely
    return GpuTarget(
        name,
        host.triple,
        precision=precision,
        page_bytes=host.page_bytes,
        gpu=cpu,
        takes_images=family.takes_images,
        memory_reason=family.reason,
        image_extent=family.image_extent,
        volume_extent=family.volume_extent,
        busy_invocations=family.busy_invocations,
    )


def is_here(target: GpuTarget) -> bool:
    """Whether the GPU is that of this machine."""
    return GPU_TARGETS[target.name][0] == "host"
