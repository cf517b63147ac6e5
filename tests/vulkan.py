"""What of Vulkan is here: devices, layers. Asked of the loader, as the runtime does."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cocomp.targets.gpus import GPU_TARGETS

TEXT = 256
"""Bytes of a name in Vulkan's structures."""


class _Layer(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * TEXT),
        ("versions", ctypes.c_uint32 * 2),
        ("description", ctypes.c_char * TEXT),
    )


class _InstanceInfo(ctypes.Structure):
    _fields_ = (
        *(("kind", ctypes.c_int), ("next", ctypes.c_void_p), ("flags", ctypes.c_uint32), ("application", ctypes.c_void_p)),
        *(("layers", ctypes.c_uint32), ("layer_names", ctypes.c_void_p)),
        *(("extensions", ctypes.c_uint32), ("extension_names", ctypes.c_void_p)),
    )  # fmt: skip


@functools.cache
def loader() -> ctypes.CDLL | None:
    """The Vulkan loader, None where there is none."""
    try:
        return ctypes.CDLL(os.environ.get("COCOMP_VULKAN_LOADER") or "libvulkan.so.1")
    except OSError:
        return None


@functools.cache
def devices() -> int:
    """Number of devices."""
    library, instance, count = loader(), ctypes.c_void_p(), ctypes.c_uint32()
    if library is None:
        return 0
    if library.vkCreateInstance(ctypes.byref(_InstanceInfo(kind=1)), None, ctypes.byref(instance)):
        return 0
    found = library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    library.vkDestroyInstance(instance, None)
    return 0 if found else count.value


@functools.cache
def layers() -> frozenset[str]:
    """Names of the layers that can be put between a program and its driver."""
    library, count = loader(), ctypes.c_uint32(TEXT)
    if library is None:
        return frozenset()
    found = (_Layer * TEXT)()
    library.vkEnumerateInstanceLayerProperties(ctypes.byref(count), found)
    return frozenset(layer.name.decode() for layer in found[: count.value])


def complete() -> bool:
    """Whether everything is here that tests use."""
    return bool(devices()) and VALIDATION in layers() and shutil.which("spirv-val") is not None


@contextmanager
def limited(**limits: int) -> Iterator[None]:
    """Compile as if devices were certain of no more than these, fields of a family."""
    driver, likely = GPU_TARGETS["vulkan"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GPU_TARGETS, "vulkan", (driver, replace(likely, **limits)))  # pyright: ignore[reportArgumentType]
        yield


VALIDATION = "VK_LAYER_KHRONOS_validation"
needs_device = pytest.mark.skipif(
    not devices(), reason="no Vulkan device (Debian: apt-get install mesa-vulkan-drivers)"
)
needs_validation = pytest.mark.skipif(
    not devices() or VALIDATION not in layers(),
    reason="no validation layer (Debian: apt-get install vulkan-validationlayers)",
)
needs_spirv_val = pytest.mark.skipif(
    shutil.which("spirv-val") is None, reason="no spirv-val (Debian: apt-get install spirv-tools)"
)
