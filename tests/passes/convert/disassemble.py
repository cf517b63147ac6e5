"""Writes the disassembly of the SPIR-V of the kernels for GPUs in a file of modules, which lie between lines of `// -----`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cocomp import dialects
from cocomp.support.machine import GpuTarget
from cocomp.support.mlir import context, parse
from cocomp.targets.gpu import shaders_of
from cocomp.targets.gpus import target_called

target = target_called("vulkan")
assert isinstance(target, GpuTarget)
made = context()
dialects.register(made)
for text in Path(sys.argv[1]).read_text().split("// -----\n"):
    for binary in shaders_of(parse(text, made), target).values():
        shown = subprocess.run(
            ["spirv-dis", "--no-header", "--no-color", "-"], input=binary, capture_output=True, check=True
        )
        print(shown.stdout.decode())
