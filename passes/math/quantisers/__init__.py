"""Sets of small integers that weights are rounded to. A quantiser is a file of this folder: its levels and their codes.

Scales, assignment of rows and integer arithmetic are the same for all: `scales`, `rows` and `dyadic` beside them.
"""

from __future__ import annotations

from ._base import MOST_BITS, Quantiser
from ._names import QUANTISERS, parse_quantiser
from .apot import Apot
from .esb import Esb
from .fixed import Fixed
from .pot import Pot
from .sp2 import Sp2

__all__ = ["MOST_BITS", "QUANTISERS", "Apot", "Esb", "Fixed", "Pot", "Quantiser", "Sp2", "parse_quantiser"]
