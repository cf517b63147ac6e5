"""The Vulkan devices of this machine, as `vulkaninfo` (package vulkan-tools) tells them.

python -m benchmarks.device
"""

import re
import shutil
import subprocess
from dataclasses import asdict, dataclass

UNKNOWN = "unknown"
SECONDS = 60.0
KINDS = ("DISCRETE_GPU", "INTEGRATED_GPU")
"""Types of devices that engines prefer, the best first; among others the first one is taken."""


@dataclass(frozen=True)
class Device:
    """A device: its name, what kind it is (as Vulkan calls it), its driver, and how many invocations a subgroup has."""

    name: str
    kind: str
    driver: str
    subgroup: int | None = None

    @property
    def rank(self) -> int:
        return KINDS.index(self.kind) if self.kind in KINDS else len(KINDS)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


NONE_KNOWN = Device(UNKNOWN, UNKNOWN, UNKNOWN)


def query() -> tuple[Device, ...]:
    """All devices, the one that engines take first; NONE_KNOWN alone where there is no `vulkaninfo`, or it fails."""
    tool = shutil.which("vulkaninfo")
    if tool is None:
        return (NONE_KNOWN,)
    try:
        done = subprocess.run([tool], capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return (NONE_KNOWN,)
    return parse(done.stdout) or (NONE_KNOWN,)


def parse(text: str) -> tuple[Device, ...]:
    """The devices of what `vulkaninfo` prints."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        key, separator, value = (part.strip() for part in line.partition("="))
        if re.fullmatch(r"GPU\d+:", line):
            found.append({})
        elif separator and found and value:
            found[-1].setdefault(key, value)
    return tuple(sorted(map(_device, found), key=lambda device: device.rank))


def _device(values: dict[str, str]) -> Device:
    driver = " ".join(filter(None, (values.get("driverName"), values.get("driverInfo"))))
    kind = values.get("deviceType", UNKNOWN).removeprefix("PHYSICAL_DEVICE_TYPE_")
    size = values.get("subgroupSize", "")
    return Device(values.get("deviceName", UNKNOWN), kind, driver or UNKNOWN, int(size) if size.isdecimal() else None)


def describe(devices: tuple[Device, ...]) -> str:
    """A line for the device, and one for what engines might take instead."""
    first, *others = devices
    subgroup = f", subgroups of {first.subgroup}" if first.subgroup else ""
    lines = [f"Vulkan device: {first.name} ({first.kind}), driver {first.driver}{subgroup}"]
    if others:
        names = ", ".join(device.name for device in others)
        lines.append(
            f"there is {names} too: VK_DRIVER_FILES with one driver's file makes sure that all engines take the same"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(describe(query()))
