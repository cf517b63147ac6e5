"""Quantisers by their names."""

from __future__ import annotations

import re

from ._base import Quantiser
from .apot import Apot
from .esb import Esb
from .fixed import Fixed
from .pot import Pot
from .sp2 import Sp2

QUANTISERS: dict[str, type[Quantiser]] = {cls.name: cls for cls in (Fixed, Pot, Sp2, Apot, Esb)}


def parse_quantiser(text: str) -> Quantiser:
    """`fixed<4>`, `esb<4, 1>` -> the quantiser. Raises ValueError with what was expected."""
    match = re.fullmatch(r"\s*(\w+)\s*<([\d\s,]+)>\s*", text)
    cls = QUANTISERS.get(match[1]) if match else None
    if match is None or cls is None:
        known = ", ".join("esb<bits, k>" if name == "esb" else f"{name}<bits>" for name in QUANTISERS)
        raise ValueError(f"unknown quantiser '{text}': expected one of {known}")
    numbers = [int(word) for word in match[2].split(",") if word.strip()]
    if len(numbers) != (2 if cls is Esb else 1):
        raise ValueError(f"expected {'esb<bits, k>' if cls is Esb else f'{cls.name}<bits>'}, got '{text}'")
    return cls(*numbers)
