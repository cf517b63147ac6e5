"""Tensors as images: their memory in lines of texels.

A tensor of a linear layout becomes an image by a pitch, the elements of a line: the element at position p lies in line p floordiv
pitch, at p mod pitch of it. Where the pitch is a stride of the layout neither is computed by a division: with channels last and
lines of W * C elements, (n, h, w, c) lies in line n * H + h, at w * C + c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import affine
from .affine import Bounds, Expr

TEXEL = 4
"""Elements."""


@dataclass(frozen=True)
class Image:
    """Extents in texels."""

    width: int
    height: int

    @staticmethod
    def of(size: int, pitch: int) -> Image:
        """The image of `size` elements in lines of `pitch`."""
        return Image(pitch // TEXEL, -(-size // pitch))


def split(position: Expr, pitch: int, bounds: Bounds) -> tuple[Expr, Expr] | None:
    """(line, element in it) of a position; None where they need divisions that the position does not have."""
    found = affine.floordiv(position, pitch, bounds), affine.mod(position, pitch, bounds)
    known = {atom for atom, _ in position.terms}
    made = {atom for part in found for atom, _ in part.terms if not isinstance(atom, affine.Dim)}
    return found if made <= known else None


def pitch_of(positions: Sequence[tuple[Expr, Bounds]], size: int, extent: int) -> int | str:
    """The pitch that makes the most square image of the tensors at `positions` in one memory of `size` elements, or why no image
    of at most `extent` texels each way is one."""
    strides = {size} | {abs(c) for position, _ in positions for _, c in position.terms}
    whole = [pitch for pitch in sorted(strides) if pitch and pitch % TEXEL == 0]
    straight = [pitch for pitch in whole if all(split(p, pitch, bounds) is not None for p, bounds in positions)]
    if not straight:
        return "its lines are no whole texels"
    images = {pitch: Image.of(size, pitch) for pitch in straight}
    best = min(straight, key=lambda pitch: max(images[pitch].width, images[pitch].height))
    made = images[best]
    if max(made.width, made.height) > extent:
        return f"an image of {made.width} x {made.height} texels is more than the {extent} each way that are certain"
    return best
