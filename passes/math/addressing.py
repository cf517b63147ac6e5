"""Which dimensions of a tensor are made easy to walk, and how many copies of it that takes (SmartMem, section 3.2.2).

A reader wants the dimension that it reduces over, or that fills its registers, one step apart. Memory has `k` dimensions along
which a step is an addition to an address, without any division: 1 of a buffer, 2 of a texture. What the weightiest readers want is
served by the tensor itself, as its producer writes it; everything beyond by copies, each of which serves `k` dimensions as well.

Pure arithmetic: nothing here knows MLIR.
"""

from __future__ import annotations

from collections.abc import Sequence


def serve(wanted: Sequence[int], k: int) -> list[tuple[int, ...]]:
    """Dimensions to walk easily in the tensor itself, then in each copy, the weightiest first; `wanted` by the readers, the
    weightiest first. A dimension that several readers want is served once.

    Raises ValueError for a memory without dimensions.
    """
    if k < 1:
        raise ValueError(f"expected a memory of at least one dimension, got {k}")
    distinct = list(dict.fromkeys(wanted))
    return [tuple(distinct[i : i + k]) for i in range(0, len(distinct), k)]
