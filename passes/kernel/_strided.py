"""Registers of elements that are not neighbours in memory, but near."""

from __future__ import annotations

from collections.abc import Sequence

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
    return pick(loaded, starts, range(0, count * step, step), lanes)


def pick(registers: Sequence[ir.Value], starts: Sequence[int], wanted: Sequence[int], lanes: int) -> ir.Value:
    """A register of `lanes` elements of which the first are the `wanted` ones, where `registers` begin at elements `starts`, in
    this order."""
    places = [*wanted, *[starts[0]] * (lanes - len(wanted))]
    picks = [p - starts[0] if p < starts[0] + lanes else 0 for p in places]
    found, *others = registers
    if not others:
        return vector.shuffle(found, found, picks)
    for register, start in zip(others, starts[1:], strict=True):
        for lane, place in enumerate(places):
            if start <= place < start + lanes and place >= starts[0] + lanes:
                picks[lane] = lanes + place - start
        found = vector.shuffle(found, register, picks)
        picks = list(range(lanes))
    return found
