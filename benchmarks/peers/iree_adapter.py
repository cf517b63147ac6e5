"""IREE: a compiled module on the best Vulkan device."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from pathlib import Path
from typing import Any

import iree.runtime
from iree.runtime import BufferUsage, MemoryType

from benchmarks.peers.adapter import Array

FUNCTION = "main_graph"  # as iree-import-onnx calls the model


class IreeVulkan:
    """An Adapter over a function of a module.

    Outputs are copied into memory that is mapped: `DeviceArray.to_host` imports memory of numpy's, which drivers refuse
    where it is not aligned (lavapipe asks for pages).
    """

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        configuration = iree.runtime.Config("vulkan")
        self._device = configuration.device
        module = iree.runtime.VmModule.mmap(configuration.vm_instance, str(path))
        context = iree.runtime.SystemContext(config=configuration)
        context.add_vm_module(module)
        self._function = context.modules[module.name][FUNCTION]
        self._copied: Any = None

    def run(self, inputs: list[Array]) -> Array:
        result = self._function(*inputs)
        output = result[0] if isinstance(result, tuple | list) else result
        source = output._buffer_view.get_buffer()  # there is no public way to it
        if self._copied is None:
            self._copied = self._device.allocator.allocate_buffer(
                int(MemoryType.HOST_LOCAL | MemoryType.DEVICE_VISIBLE),
                int(BufferUsage.TRANSFER | BufferUsage.MAPPING),
                source.byte_length(),
            )
        semaphore = self._device.create_semaphore(0)
        self._device.queue_copy(source, self._copied, [], [(semaphore, 1)])
        semaphore.wait(1)
        return self._copied.map().asarray(output.shape, output.dtype)
