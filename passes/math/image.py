"""Tensors as images: their memory in lines of texels, and those in slices.

A tensor of a linear layout becomes an image by a pitch, the elements of a line: the element at position p lies in line p floordiv
pitch, at p mod pitch of it. Where the pitch is a stride of the layout neither is computed by a division: with channels last and
lines of W * C elements, (n, h, w, c) lies in line n * H + h, at w * C + c. A second, larger pitch makes slices of lines, and an image
of three dimensions: with H * W * C elements in a slice (n, h, w, c) lies in slice n, line h, at w * C + c.

Slices save no division: who knows slice and line without one knows the lines of an image that has the slices as lines. What they do
is make room: an image of three dimensions holds what is too wide or too high for one of two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import affine
from .affine import Bounds, Expr

TEXEL = 4
"""Elements."""
Pitches = tuple[int, ...]
"""Elements of a line, in an image of three dimensions behind those of a slice."""


@dataclass(frozen=True)
class Image:
    """Extents in texels; the depth is 1 where there are two dimensions, and more where there are three."""

    width: int
    height: int
    depth: int = 1

    @staticmethod
    def of(size: int, pitches: Pitches) -> Image:
        """The image of `size` elements."""
        outer = [-(-whole // part) for whole, part in pairwise((size, *pitches))]
        return Image(pitches[-1] // TEXEL, *reversed(outer))

    @property
    def texels(self) -> int:
        """Number of all texels."""
        return self.width * self.height * self.depth

    @property
    def extents(self) -> tuple[int, ...]:
        """The width and the others that there are."""
        return (self.width, self.height) if self.depth == 1 else (self.width, self.height, self.depth)

    def __str__(self) -> str:
        return " x ".join(map(str, self.extents))


def split(position: Expr, pitches: Pitches, bounds: Bounds) -> tuple[Expr, ...] | None:
    """(line, element in it) of a position, or (slice, line, element); None where they need divisions that the position does not
    have."""
    found: list[Expr] = []
    rest = position
    for pitch in pitches:
        found.append(affine.floordiv(rest, pitch, bounds))
        rest = affine.mod(rest, pitch, bounds)
    found.append(rest)
    known = {atom for atom, _ in position.terms}
    made = {atom for part in found for atom, _ in part.terms if not isinstance(atom, affine.Dim)}
    return tuple(found) if made <= known else None


def pitches_of(positions: Sequence[tuple[Expr, Bounds]], size: int, extent: int, deep: int) -> Pitches | str:
    """The pitches that make the most even image of the tensors at `positions` in one memory of `size` elements: of two dimensions
    where at most `extent` texels each way are enough, else of three with at most `deep`; or why there is none."""
    strides = {size} | {abs(c) for position, _ in positions for _, c in position.terms}
    whole = [pitch for pitch in sorted(strides) if pitch and pitch % TEXEL == 0]
    flat = _most_even(((pitch,) for pitch in whole), positions, size)
    if flat is None:
        return "its lines are no whole texels"
    if max(Image.of(size, flat).extents) <= extent:
        return flat
    slices = ((each, pitch) for each in whole for pitch in whole if size > each > pitch and each % pitch == 0)
    sliced = _most_even(slices, positions, size)
    if sliced is not None and max(Image.of(size, sliced).extents) <= deep:
        return sliced
    reason = f"an image of {Image.of(size, flat)} texels is more than the {extent} each way that are certain"
    return reason if sliced is None else f"{reason}, and one of {Image.of(size, sliced)} than the {deep}"


def _most_even(found: Iterable[Pitches], positions: Sequence[tuple[Expr, Bounds]], size: int) -> Pitches | None:
    """Of the pitches that cost no position a division."""
    straight = [p for p in found if all(split(position, p, bounds) is not None for position, bounds in positions)]
    return min(straight, key=lambda pitches: max(Image.of(size, pitches).extents), default=None)
