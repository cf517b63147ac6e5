"""Lines of images: every element is where it should be, and no division is made for it."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math import affine, image
from cocomp.passes.math.affine import Expr
from cocomp.passes.math.image import Image

shapes = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def position_of(shape: list[int], order: list[int]) -> Expr:
    """The position of an element of a tensor whose axes lie in memory in that order, the last one contiguous."""
    position, stride = Expr(), 1
    for axis in reversed(order):
        position = position + affine.dim(axis) * stride
        stride *= shape[axis]
    return position


@given(shapes, st.randoms(use_true_random=False), st.integers(1, 40))
def test_line_and_element_make_the_position(shape: list[int], random: object, pitch: int) -> None:
    order = list(range(len(shape)))
    random.shuffle(order)  # pyright: ignore
    position = position_of(shape, order)
    found = image.split(position, (pitch,), shape)
    if found is not None:
        line, element = found
        assert line.is_linear and element.is_linear
        for point in itertools.product(*(range(n) for n in shape)):
            at = affine.evaluate(element, point)
            assert 0 <= at < pitch
            assert affine.evaluate(line, point) * pitch + at == affine.evaluate(position, point)


@given(shapes, st.randoms(use_true_random=False), st.integers(1, 40), st.integers(2, 6))
def test_slices_save_no_division(shape: list[int], random: object, pitch: int, lines: int) -> None:
    order = list(range(len(shape)))
    random.shuffle(order)  # pyright: ignore
    position = position_of(shape, order)
    found = image.split(position, (pitch * lines, pitch), shape)
    if found is not None:
        assert image.split(position, (pitch * lines,), shape) is not None
        for point in itertools.product(*(range(n) for n in shape)):
            z, y, x = (affine.evaluate(part, point) for part in found)
            assert y < lines and x < pitch
            assert (z * lines + y) * pitch + x == affine.evaluate(position, point)


def test_a_stride_is_a_pitch_and_others_are_not() -> None:
    position = position_of([2, 5, 6, 8], [0, 1, 2, 3])
    found = image.split(position, (48,), [2, 5, 6, 8])
    assert found == (affine.dim(0) * 5 + affine.dim(1), affine.dim(2) * 8 + affine.dim(3))
    assert image.split(position, (32,), [2, 5, 6, 8]) is None


def test_divisions_that_the_position_has_stay() -> None:
    half = affine.floordiv(affine.dim(0), 2, [6])
    assert image.split(half * 8, (8,), [6]) == (half, Expr())
    assert image.split(affine.dim(0) * 4, (8,), [6]) is None


@given(shapes, st.integers(1, 64), st.integers(1, 64))
def test_images_hold_what_they_are_for(shape: list[int], extent: int, deep: int) -> None:
    position, size = position_of(shape, list(range(len(shape)))), 1
    for n in shape:
        size *= n
    pitches = image.pitches_of([(position, shape)], size, extent, deep)
    if not isinstance(pitches, str):
        made = Image.of(size, pitches)
        assert all(pitch % 4 == 0 for pitch in pitches) and made.texels * 4 >= size
        assert len(pitches) == len(made.extents) - 1
        assert max(made.extents) <= (extent if len(pitches) == 1 else deep)
        assert image.split(position, pitches, shape) is not None


def test_the_most_square_image_is_taken() -> None:
    shape = [1, 7, 7, 512]
    assert image.pitches_of([(position_of(shape, [0, 1, 2, 3]), shape)], 7 * 7 * 512, 4096, 256) == (512,)
    shape = [1, 56, 56, 64]
    assert image.pitches_of([(position_of(shape, [0, 1, 2, 3]), shape)], 56 * 56 * 64, 4096, 256) == (56 * 64,)


def test_what_is_too_large_for_two_dimensions_has_three() -> None:
    shape = [40, 50, 60, 8]
    whole, size = [(position_of(shape, [0, 1, 2, 3]), shape)], 40 * 50 * 60 * 8
    assert image.pitches_of(whole, size, 2000, 256) == (60 * 8,)
    assert image.pitches_of(whole, size, 1999, 256) == (50 * 60 * 8, 60 * 8)
    assert Image.of(size, (50 * 60 * 8, 60 * 8)).extents == (120, 50, 40)
    assert (
        image.pitches_of(whole, size, 1999, 119)
        == "an image of 120 x 2000 texels is more than the 1999 each way that are certain, and one of 120 x 50 x 40 than the 119"
    )


def test_why_there_is_no_image() -> None:
    shape = [6, 6]
    position = position_of(shape, [0, 1])
    assert image.pitches_of([(position, [3, 3])], 9, 64, 64) == "its lines are no whole texels"
    assert (
        image.pitches_of([(position_of([1, 400], [0, 1]), [1, 400])], 400, 64, 64)
        == "an image of 100 x 1 texels is more than the 64 each way that are certain"
    )


def test_parts_of_a_tensor_have_lines_of_the_whole() -> None:
    whole, shape = position_of([5, 6, 16], [0, 1, 2]), [5, 6, 16]
    part = affine.substitute(whole, [affine.dim(0), affine.dim(1), affine.dim(2) + 8], [5, 6, 8])
    pitches = image.pitches_of([(whole, shape), (part, [5, 6, 8])], 480, 4096, 256)
    assert not isinstance(pitches, str)
    found = image.split(part, pitches, [5, 6, 8])
    assert found is not None and affine.evaluate(found[1], [0, 0, 0]) == 8
