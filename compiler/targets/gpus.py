"""The GPUs that models are compiled for, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cocomp.support.diagnostics import UsageError
from cocomp.support.machine import GpuTarget, Target

from . import cpus


@dataclass(frozen=True)
class Family:
    """GPUs that compute and remember alike; what is not said of them is what Vulkan requires."""

    takes_images: bool
    """Whether `--memory=auto` makes images of what contractions read."""
    reason: str
    busy_invocations: int
    """That keep all cores of a common device busy."""
    image_extent: int = 4096
    """Texels that an image of two dimensions may have each way, on all devices of the family."""
    volume_extent: int = 256
    """The same of three."""
    texel_elements: int = 1 << 16
    """Texels that a buffer may be seen as, on all devices of the family."""
    buffer_bytes: int = 1 << 27
    """Bytes that a kernel sees of a buffer through one binding, on all devices of the family."""


TILES = "the cache of the texture units keeps tiles of images: neighbours both ways"
SHARED = "buffers and images share a cache, and addresses in images take more arithmetic"
LARGE = "buffers and images share a large cache, and addresses in images take more arithmetic"
FAMILIES = {
    "adreno": Family(True, TILES, 1 << 13, image_extent=16384, volume_extent=2048),
    "powervr": Family(True, TILES, 1 << 12, volume_extent=2048),
    "mali": Family(False, SHARED, 1 << 13, image_extent=8192, volume_extent=2048),
    "desktop": Family(
        False, LARGE, 1 << 15, image_extent=16384, volume_extent=2048, texel_elements=1 << 27, buffer_bytes=1 << 30
    ),
}
"""GPUs whose rules are known."""
GPU_TARGETS = {
    "vulkan": ("host", Family(False, LARGE, 1 << 7, texel_elements=1 << 27)),
    "android-gpu": ("android-cpu", Family(True, TILES, 1 << 12)),
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
    beside, likely = GPU_TARGETS[name]
    driver = replace(cpus.cpu_target(beside), filters=False)
    family = FAMILIES[cpu] if cpu else likely
    return GpuTarget(
        name,
        driver.triple,
        precision=precision,
        page_bytes=driver.page_bytes,
        gpu=cpu,
        takes_images=family.takes_images,
        memory_reason=family.reason,
        image_extent=family.image_extent,
        volume_extent=family.volume_extent,
        texel_elements=family.texel_elements,
        buffer_bytes=family.buffer_bytes,
        busy_invocations=family.busy_invocations,
        driver=driver,
    )


def is_here(target: GpuTarget) -> bool:
    """Whether the GPU is that of this machine."""
    return GPU_TARGETS[target.name][0] == "host"
