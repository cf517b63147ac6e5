"""What the system's loader sees of a library: segments, libraries that it needs, symbols."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cocomp.runtime import elf

LOAD, NEEDED, SONAME, RUNPATH, TEXTREL = 1, 1, 14, 29, 22
EXECUTABLE, WRITABLE = 1, 2
GNU_STACK = 0x6474E551


@dataclass(frozen=True)
class Segment:
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    alignment: int


@dataclass(frozen=True)
class Symbol:
    """A symbol of the dynamic table."""

    name: str
    defined: bool


@dataclass(frozen=True)
class Dynamic:
    """A shared library as the loader sees it."""

    segments: tuple[Segment, ...]
    tags: tuple[tuple[int, int], ...]
    needed: tuple[str, ...]
    symbols: tuple[Symbol, ...]

    @property
    def exported(self) -> set[str]:
        return {s.name for s in self.symbols if s.defined}

    @property
    def undefined(self) -> set[str]:
        return {s.name for s in self.symbols if not s.defined}


def read(data: bytes) -> Dynamic:
    """Program headers, dynamic section and dynamic symbols of a library."""
    file = elf.parse(memoryview(data))
    tags = tuple(struct.iter_unpack("<qQ", _section(file, ".dynamic")))
    strings = bytes(_section(file, ".dynstr"))
    needed = tuple(_string(strings, value) for tag, value in tags if tag == NEEDED)
    return Dynamic(tuple(_segments(data)), tags, needed, tuple(_symbols(_section(file, ".dynsym"), strings)))


def _section(file: elf.ElfFile, name: str) -> memoryview:
    found = file.section(name)
    assert found is not None, f"the library has no section {name}"
    return found


def _segments(data: bytes) -> Iterator[Segment]:
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, flags, offset, address, _, _, _, alignment = struct.unpack_from("<IIQQQQQQ", data, table + number * size)
        yield Segment(kind, flags, offset, address, alignment)


def _symbols(table: memoryview, strings: bytes) -> Iterator[Symbol]:
    for name, _, _, section, _, _ in list(struct.iter_unpack("<IBBHQQ", table))[1:]:
        yield Symbol(_string(strings, name), section != 0)


def _string(strings: bytes, start: int) -> str:
    return strings[start : strings.index(b"\0", start)].decode()
