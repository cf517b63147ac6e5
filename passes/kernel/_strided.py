"""Registers of elements that are not neighbours in memory, but near."""

from __future__ import annotations

from cocomp.support.mlir import ir, vector

from . import _builder as b
from ._builder import Index, Once


def load_strided(buffer: ir.Value, first: Index, lanes: int, count: int, step: int, once: Once) -> ir.Value:
    """A register of `lanes` elements of which `count` matter: every `step`-th one from `first` on.

    Whole registers are loaded side by side and shuffled. The last one ends with the last element that counts, so that nothing
    behind it is touched.
    """
    kind = ir.VectorType.get([lanes], buffer.type.element_type)
    span = (count - 1) * step + 1
    starts = [*range(0, span - lanes, lanes), max(0, span - lanes)]
    if span < lanes:
        mask = once.get(("mask", span, lanes), lambda: b.tail_mask(span, lanes))
        nothing = once.get(("zero", str(kind)), lambda: b.zero(kind))
        loaded = [vector.maskedload(kind, buffer, [b.value(first)], mask, nothing)]
    else:
        loaded = [vector.load(kind, buffer, [b.value(b.add(first, start))]) for start in starts]
    if step == 1:
        return loaded[0]
    picks = [lane * step if lane * step < lanes and lane < count else 0 for lane in range(lanes)]
    if len(loaded) == 1:
        return vector.shuffle(loaded[0], loaded[0], picks)
    found = loaded[0]
    for register, start in zip(loaded[1:], starts[1:], strict=True):
        for lane in range(count):
            if start <= lane * step < start + lanes and (lane * step >= lanes):
                picks[lane] = lanes + lane * step - start
        found = vector.shuffle(found, register, picks)
        picks = list(range(lanes))
    return found
