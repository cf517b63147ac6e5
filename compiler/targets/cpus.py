"""The CPUs that models are compiled for, as data, and the one that this process runs on."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

from cocomp.support import registry
from cocomp.support.diagnostics import UsageError
from cocomp.support.machine import CpuTarget

X86_LEVELS = {
    "x86-64-v2": CpuTarget("linux-x86-64", "x86_64-linux-gnu", "x86-64-v2", vector_bytes=16, registers=16),
    "x86-64-v3": CpuTarget("linux-x86-64", "x86_64-linux-gnu", "x86-64-v3", vector_bytes=32, registers=16),
    "x86-64-v4": CpuTarget(
        "linux-x86-64",
        "x86_64-linux-gnu",
        "x86-64-v4",
        vector_bytes=64,
        registers=32,
        features="-prefer-256-bit",
        l2_bytes=1 << 20,
        broadcast_operand=True,
    ),
}
ARM = CpuTarget(
    "linux-arm64", "aarch64-linux-gnu", "generic", vector_bytes=16, registers=32, l1_bytes=64 << 10, l2_bytes=256 << 10
)
ARM_CPUS = (
    "generic",
    "cortex-a76",
    "cortex-a77",
    "cortex-a78",
    "cortex-x1",
    "cortex-x2",
    "cortex-a710",
    "neoverse-n1",
    "apple-m1",
)
X86_CPUS = {
    "haswell": "x86-64-v3", "broadwell": "x86-64-v3", "skylake": "x86-64-v3", "alderlake": "x86-64-v3", "znver1": "x86-64-v3",
    "znver2": "x86-64-v3", "znver3": "x86-64-v3", "skylake-avx512": "x86-64-v4", "cascadelake": "x86-64-v4",
    "icelake-server": "x86-64-v4", "sapphirerapids": "x86-64-v4", "znver4": "x86-64-v4", "znver5": "x86-64-v4",
}  # fmt: skip
"""A named CPU is compiled for as its level, so that the artefact runs on every CPU of that level, and tuned by name."""

FMA_BYTES = {"znver4": 64, "cortex-x1": 64, "cortex-x2": 64, "apple-m1": 64}
"""Where multiply-add pipes are not two of the width of a register: Zen 4 runs 512 bits in two steps, big Arm cores have four."""

TARGETS = ("host", "linux-x86-64", "linux-arm64", "android-cpu")


def cpu_target(name: str, cpu: str = "", precision: str = "f32") -> CpuTarget:
    """The target called `name`, for the processor `cpu` (empty: the target's default), computing in `precision`."""
    target = _cpu_target(name, cpu)
    if precision != "f16":
        return target
    if not target.fp16:
        raise UsageError(
            f"'{target.tune or target.cpu}' does not compute in half precision: --precision=f16 needs -target=android-cpu or "
            "-target=linux-arm64 with -mcpu=cortex-a76 or later"
        )
    return replace(target, features="+fullfp16")


def runs_here(target: CpuTarget) -> bool:
    """Whether this machine can run code for a target."""
    try:
        here = cpu_target("host")
    except UsageError:
        return False
    return target.triple == here.triple and target.vector_bytes <= here.vector_bytes and target.fp16 <= here.fp16


def _cpu_target(name: str, cpu: str) -> CpuTarget:
    if name == "host":
        return _with_caches(_cpu_target(_host_name(), cpu or _host_cpu()), "host")
    if name == "linux-x86-64":
        return _x86(cpu or "x86-64-v3")
    if name == "linux-arm64":
        return _arm(ARM, cpu or "generic")
    if name == "android-cpu":
        android = replace(ARM, name="android-cpu", triple="aarch64-linux-android", page_bytes=16384)
        return _arm(android, cpu or "cortex-a76")
    foreign = registry.foreign_target(name, cpu)
    if foreign is not None:
        return foreign
    known = [*TARGETS, *registry.plugin_names(registry.TARGETS)]
    raise UsageError(f"unknown target '{name}': expected one of {', '.join(known)}")


def _x86(cpu: str) -> CpuTarget:
    level = X86_CPUS.get(cpu, cpu)
    if level not in X86_LEVELS:
        known = ", ".join([*X86_LEVELS, *X86_CPUS])
        raise UsageError(f"unknown x86-64 processor '{cpu}': expected one of {known}")
    return replace(X86_LEVELS[level], tune=cpu, fma_bytes=FMA_BYTES.get(cpu, 0))


def _arm(base: CpuTarget, cpu: str) -> CpuTarget:
    if cpu not in ARM_CPUS:
        raise UsageError(f"unknown AArch64 processor '{cpu}': expected one of {', '.join(ARM_CPUS)}")
    return replace(base, tune=cpu, fp16=cpu != "generic", fma_bytes=FMA_BYTES.get(cpu, 0))


def _host_name() -> str:
    machine = platform.machine()
    names = {"x86_64": "linux-x86-64", "aarch64": "linux-arm64"}
    if machine not in names or platform.system() != "Linux":
        raise UsageError(
            f"this host ({platform.system()} {machine}) is not supported: expected Linux on x86-64 or AArch64"
        )
    return names[machine]


def _host_cpu() -> str:
    import llvmlite.binding as llvm

    name, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
    if platform.machine() == "aarch64":
        return name if name in ARM_CPUS else "generic"
    if name in X86_CPUS:
        return name
    for level, needed in (
        ("x86-64-v4", ("avx512f", "avx512bw", "avx512dq", "avx512vl")),
        ("x86-64-v3", ("avx2", "fma", "bmi2")),
    ):
        if all(features.get(f) for f in needed):
            return level
    return "x86-64-v2"


def _with_caches(target: CpuTarget, name: str) -> CpuTarget:
    sizes = {level: size for level in (1, 2) if (size := _cache_bytes(level))}
    return replace(target, name=name, l1_bytes=sizes.get(1, target.l1_bytes), l2_bytes=sizes.get(2, target.l2_bytes))


def _cache_bytes(level: int) -> int:
    """Size of this machine's data cache of a level, 0 where the system does not say."""
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            if int((cache / "level").read_text()) == level and (cache / "type").read_text().strip() != "Instruction":
                return int((cache / "size").read_text().strip().removesuffix("K")) << 10
        except (OSError, ValueError):
            return 0
    return 0
