"""How the columns of a contraction lie in memory."""

from __future__ import annotations

from cocomp.dialects import structured
from cocomp.passes.kernel._contraction import Contraction
from cocomp.passes.math.affine import Expr

from ._texels import FORMATS, TEXEL, is_aligned


def texel_columns(contraction: Contraction, argument: int, position: Expr) -> int:
    """How many neighbouring columns of an operand are read as a texel of it: four, or all where there are fewer; 1 where they are read
    one by one."""
    if not contraction.columns:
        return 1
    inner = contraction.columns[-1]
    extent = contraction.nest.bounds[inner]
    element = structured.element_of(contraction.group.arguments[argument])
    whole = position.coefficient(inner) == 1 and (extent % TEXEL == 0 or extent < TEXEL)
    return min(extent, TEXEL) if whole and str(element) in FORMATS and is_aligned(position, inner) else 1
