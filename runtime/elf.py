"""Just enough of ELF to look into an artefact before the system's loader does: every offset is checked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64", 40: "arm", 3: "i386"}


class ElfError(Exception):
    """The file is not an ELF shared library, or a damaged one."""


@dataclass(frozen=True)
class Section:
    """A section of the file: name, position, size."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class ElfFile:
    """A 64-bit little-endian ELF file in memory."""

    data: memoryview
    machine: str
    sections: tuple[Section, ...]

    def section(self, name: str) -> memoryview | None:
        """Contents of a section, None when there is none of that name."""
        for found in self.sections:
            if found.name == name:
                return self.data[found.offset : found.offset + found.size]
        return None


def parse(data: memoryview) -> ElfFile:
    """Read the section table. Raises ElfError on anything that does not fit."""
    if len(data) < 64 or bytes(data[:4]) != b"\x7fELF":
        raise ElfError("it is not an ELF file")
    if data[4] != 2 or data[5] != 1:
        raise ElfError("it is not a 64-bit little-endian ELF file")
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind != 3:
        raise ElfError("it is not a shared library")
    (table,) = struct.unpack_from("<Q", data, 40)
    entry, count, names = struct.unpack_from("<HHH", data, 58)
    if entry != 64 or not count or names >= count or table + entry * count > len(data):
        raise ElfError("its section table is damaged")
    headers = [struct.unpack_from("<IIQQQQ", data, table + entry * i) for i in range(count)]
    strings = _slice(data, headers[names][4], headers[names][5])
    return ElfFile(data, MACHINES.get(machine, f"machine {machine}"), tuple(_sections(data, headers, strings)))


def _sections(data: memoryview, headers: list[tuple[int, ...]], strings: memoryview) -> Iterator[Section]:
    for name, kind, _, _, offset, size in headers:
        if kind == 8:  # occupies no space in the file
            continue
        _slice(data, offset, size)
        yield Section(_string(strings, name), offset, size)


def _slice(data: memoryview, offset: int, size: int) -> memoryview:
    if offset + size > len(data):
        raise ElfError("it is truncated")
    return data[offset : offset + size]


def _string(strings: memoryview, start: int) -> str:
    if start >= len(strings):
        raise ElfError("a section's name is damaged")
    return bytes(strings[start : start + 256]).split(b"\0", 1)[0].decode("ascii", "replace")
