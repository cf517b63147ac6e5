"""How the zeros of a weight are arranged. An encoding is a file of this folder: what it looks like, how it is found, packed,
and pruned to.

Which encoding a weight has changes no kernel, because kernels read the zeros themselves: it names the arrangement in the
IR and in the report, and says in which form the weight would take the least room.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from ._base import WHOLE, Encoding
from .bcr import Bcr
from .block import Block
from .channel import Channel
from .csr import Csr
from .dense import NEARLY_DENSE, Dense
from .filter import Filter
from .kgs import Kgs
from .nm import Nm
from .pattern import Pattern

ENCODINGS: dict[str, type[Encoding]] = {
    cls.name: cls for cls in (Dense, Filter, Channel, Bcr, Kgs, Pattern, Nm, Block, Csr)
}
"""By name; of two that describe a weight equally well the first is taken."""


def find_encoding(kept: np.ndarray) -> Encoding:
    """The encoding that describes a mask, bool[rows, channels, positions], exactly and with the fewest indices; hardly any
    zeros count as none."""
    found = [encoding for cls in ENCODINGS.values() if (encoding := cls.find(kept)) is not None]
    return min(found, key=lambda encoding: encoding.indices(kept))


def parse_encoding(text: str) -> type[Encoding] | Encoding:
    """`bcr` -> the class, `bcr<16, all>` -> the encoding. Raises ValueError with what was expected."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:<([\w\s,-]*)>)?\s*", text)
    cls = ENCODINGS.get(match[1]) if match else None
    if match is None or cls is None:
        raise ValueError(f"unknown encoding '{text}': expected one of {', '.join(map(usage, ENCODINGS.values()))}")
    fields = dataclasses.fields(cls)
    if match[2] is None and fields:
        return cls
    words = [word.strip() for word in match[2].split(",")] if match[2] else []
    if len(words) != len(fields) or not all(re.fullmatch(r"-?\d+|all", word) for word in words):
        raise ValueError(f"expected {usage(cls)}, got '{text}'")
    return cls(*(WHOLE if word == "all" else int(word) for word in words))


def parse_sparsity(text: str) -> type[Encoding] | Encoding | None:
    """The encoding of `force:ENCODING`, None for `auto` and `off`. Raises ValueError for anything else."""
    if text in ("auto", "off"):
        return None
    policy, _, encoding = text.partition(":")
    if policy != "force":
        raise ValueError(f"expected auto, off or force:ENCODING for the sparsity, got '{text}'")
    return parse_encoding(encoding)


def usage(cls: type[Encoding]) -> str:
    """How an encoding is written: `bcr<rows, columns>`."""
    names = ", ".join(field.name for field in dataclasses.fields(cls))
    return f"{cls.name}<{names}>" if names else cls.name


__all__ = [
    "ENCODINGS",
    "NEARLY_DENSE",
    "WHOLE",
    "Encoding",
    "find_encoding",
    "parse_encoding",
    "parse_sparsity",
    "usage",
]
