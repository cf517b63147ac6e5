"""Packed weights hold the matrix: unpacking gives it back, whatever the schedule."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.work import Segment, TileSchedule, split_rows
from cocomp.passes.sparsity._pack import Packed, pack

Array = np.ndarray


def unpacked(packed: Packed, schedule: TileSchedule, shape: tuple[int, int, int], offsets: Array) -> Array:
    """The matrix, as the kernels read its packed form; padding included."""
    outer, _, columns = shape
    rows = sum(s.vectors * s.groups for s in schedule.segments) * schedule.row_unit
    column_at = {int(offset): column for column, offset in enumerate(offsets)}
    matrix = np.zeros((outer, rows, columns), packed.values.dtype)
    spans = iter(packed.spans)
    first_row = 0
    for segment in schedule.segments:
        size = segment.vectors * schedule.row_unit
        for o in range(outer):
            for g in range(segment.groups):
                first, last, start = next(spans)
                entries = [column_at[int(offset)] for offset in packed.offsets[first:last]]
                listed = [column + c for column in entries for c in range(schedule.unit)]
                block = packed.values[start : start + len(listed) * size].reshape(len(listed), size)
                row = first_row + g * size
                matrix[o, row : row + size, listed] = block
        first_row += segment.groups * size
    assert next(spans, None) is None
    return matrix


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Array, TileSchedule]:
    """(matrix with zeros, offsets of its columns, schedule)."""
    outer, rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 40)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    block = draw(st.sampled_from([1, 4, 8]))
    kept = (rng.random((outer, -(-rows // block), columns)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).repeat(
        block, 1
    )
    matrix = np.where(kept[:, :rows], rng.standard_normal((outer, rows, columns)), 0).astype(np.float32)
    offsets = rng.permutation(np.arange(-columns, 3 * columns))[:columns]
    along_pixels, lanes = draw(st.booleans()), draw(st.sampled_from([4, 8, 16]))
    segments = split_rows(rows, draw(st.integers(1, 4)), 1 if along_pixels else lanes)
    keep_zeros = draw(st.booleans())
    units = [1] if keep_zeros else [n for n in (1, 2, 4) if columns % n == 0]
    unit = draw(st.sampled_from(units))
    return matrix, offsets, TileSchedule(lanes, segments, 4, 1, 1, keep_zeros, along_pixels, unit=unit)


def in_bands(schedule: TileSchedule, rows: int, band: int) -> TileSchedule:
    """The schedule with pieces of its first segment's height."""
    segments = (Segment(schedule.segments[0].vectors, -(-rows // band)),)
    return dataclasses.replace(schedule, segments=segments, band=band, along_pixels=True, keep_zeros=False)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(cases(), st.sampled_from([8, 16, 64]))
def test_pieces_give_the_matrix_back(case: tuple[Array, Array, TileSchedule], band: int) -> None:
    """Every element that is not zero once, in its row and column; padding is zero, and goes to the row behind the band."""
    matrix, offsets, schedule = case
    outer, rows, columns = matrix.shape
    schedule = in_bands(schedule, rows, band)
    height = schedule.segments[0].vectors
    packed = pack(matrix, offsets, schedule)
    assert packed.pieces is not None and packed.pieces.shape[1] == 2 + height
    assert packed.spans.shape == (outer * schedule.groups, 2) and packed.spans.dtype == packed.pieces.dtype == np.int32
    column_at = {int(offset): column for column, offset in enumerate(offsets)}
    found = np.zeros((outer, schedule.groups, band + 1, columns), matrix.dtype)
    stored = 0
    for number, (first_piece, last_piece) in enumerate(packed.spans):
        for first, last, *places in packed.pieces[first_piece:last_piece]:
            listed = [column_at[int(offset)] for offset in packed.offsets[first:last]]
            values = packed.values[first * height : last * height].reshape(len(listed), height)
            for place, row in zip(places, values.T, strict=True):
                found[*divmod(number, schedule.groups), place, listed] += row
                stored += np.count_nonzero(row)
    assert not found[:, :, band].any()
    together = found[:, :, :band].reshape(outer, -1, columns)
    np.testing.assert_array_equal(together[:, :rows], matrix)
    assert not together[:, rows:].any()
    assert stored == np.count_nonzero(matrix)
    assert packed.products == packed.values.size == len(packed.offsets) * height


@settings(deadline=None, max_examples=200, derandomize=True)
@given(cases())
def test_unpacking_gives_the_matrix_back(case: tuple[Array, Array, TileSchedule]) -> None:
    matrix, offsets, schedule = case
    packed = pack(matrix, offsets, schedule)
    found = unpacked(packed, schedule, matrix.shape, offsets)
    np.testing.assert_array_equal(found[:, : matrix.shape[1]], matrix)
    assert not found[:, matrix.shape[1] :].any()
    assert packed.offsets.dtype == packed.spans.dtype == np.int32


@settings(deadline=None, max_examples=100, derandomize=True)
@given(cases())
def test_what_is_stored_and_multiplied(case: tuple[Array, Array, TileSchedule]) -> None:
    """Every column once for all groups, or for each group those that it uses and no others."""
    matrix, offsets, schedule = case
    packed = pack(matrix, offsets, schedule)
    outer, rows, columns = matrix.shape
    assert packed.shared == schedule.keep_zeros
    if schedule.keep_zeros:
        np.testing.assert_array_equal(packed.offsets, offsets)
        assert packed.products == matrix.size
        return
    size, unit = schedule.segments[0].vectors * schedule.row_unit, schedule.unit
    used = [matrix[o, first : first + size] for o in range(outer) for first in range(0, rows, size)]
    entries = [int((block != 0).any(0).reshape(-1, unit).any(1).sum()) for block in used]
    assert packed.products == sum(len(block) * count * unit for block, count in zip(used, entries, strict=True))
    assert len(packed.offsets) == sum(entries)
    assert sum(last - first for first, last, _ in packed.spans) == len(packed.offsets) <= columns * len(used)
