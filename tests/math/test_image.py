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
    found = image.split(position, pitch, shape)
    if found is not None:
        line, element = found
        assert line.is_linear and element.is_linear
        for point in itertools.product(*(range(n) for n in shape)):
            at = affine.evaluate(element, point)
            assert 0 <= at < pitch
            assert affine.evaluate(line, point) * pitch + at == affine.evaluate(position, point)


def test_a_stride_is_a_pitch_and_others_are_not() -> None:
    position = position_of([2, 5, 6, 8], [0, 1, 2, 3])
    found = image.split(position, 48, [2, 5, 6, 8])
    assert found == (affine.dim(0) * 5 + affine.dim(1), affine.dim(2) * 8 + affine.dim(3))
    assert image.split(position, 32, [2, 5, 6, 8]) is None


def test_divisions_that_the_position_has_stay() -> None:
    half = affine.floordiv(affine.dim(0), 2, [6])
    assert image.split(half * 8, 8, [6]) == (half, Expr())
    assert image.split(affine.dim(0) * 4, 8, [6]) is None


@given(shapes, st.integers(1, 64))
def test_images_hold_what_they_are_for(shape: list[int], extent: int) -> None:
    position, size = position_of(shape, list(range(len(shape)))), 1
    for n in shape:
        size *= n
    pitch = image.pitch_of([(position, shape)], size, extent)
    if isinstance(pitch, int):
        made = Image.of(size, pitch)
        assert pitch % 4 == 0 and made.width * 4 * made.height >= size
        assert max(made.width, made.height) <= extent
        assert image.split(position, pitch, shape) is not None


def test_the_most_square_image_is_taken() -> None:
    shape = [1, 7, 7, 512]
    assert image.pitch_of([(position_of(shape, [0, 1, 2, 3]), shape)], 7 * 7 * 512, 4096) == 512
    shape = [1, 56, 56, 64]
    assert image.pitch_of([(position_of(shape, [0, 1, 2, 3]), shape)], 56 * 56 * 64, 4096) == 56 * 64


def test_why_there_is_no_image() -> None:
    shape = [6, 6]
    position = position_of(shape, [0, 1])
    assert image.pitch_of([(position, [3, 3])], 9, 64) == "its lines are no whole texels"
    assert (
        image.pitch_of([(position_of([1, 400], [0, 1]), [1, 400])], 400, 64)
        == "an image of 100 x 1 texels is more than the 64 each way that are certain"
    )


def test_parts_of_a_tensor_have_lines_of_the_whole() -> None:
    whole, shape = position_of([5, 6, 16], [0, 1, 2]), [5, 6, 16]
    part = affine.substitute(whole, [affine.dim(0), affine.dim(1), affine.dim(2) + 8], [5, 6, 8])
    pitch = image.pitch_of([(whole, shape), (part, [5, 6, 8])], 480, 4096)
    assert isinstance(pitch, int)
    found = image.split(part, pitch, [5, 6, 8])
    assert found is not None and affine.evaluate(found[1], [0, 0, 0]) == 8
