"""Boxes of the report's picture: apart, below what they hang on, and connected."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.layered import Drawing, draw

GAP = (24.0, 40.0)
Graph = tuple[list[tuple[float, float]], list[list[int]]]


@st.composite
def graphs(draw_from: st.DrawFn) -> Graph:
    count = draw_from(st.integers(1, 30))
    sizes = [(float(draw_from(st.integers(1, 300))), float(draw_from(st.integers(1, 90)))) for _ in range(count)]
    reads = [
        sorted(draw_from(st.sets(st.integers(max(0, i - 12), i - 1), max_size=3))) if i else [] for i in range(count)
    ]
    return sizes, reads


@given(graphs())
@settings(deadline=None, max_examples=80, derandomize=True)
def test_boxes_are_apart_and_inside(graph: Graph):
    sizes, reads = graph
    drawing = draw(sizes, reads, GAP)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(drawing.corners, sizes, strict=True)]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6 and right <= drawing.width + 1e-6
        assert top >= 0 and bottom <= drawing.height + 1e-6
        for other in boxes[:i]:
            beside = right + GAP[0] <= other[0] + 1e-6 or other[2] + GAP[0] <= left + 1e-6
            above = bottom + GAP[1] <= other[1] + 1e-6 or other[3] + GAP[1] <= top + 1e-6
            assert beside or above


@given(graphs())
@settings(deadline=None, max_examples=80, derandomize=True)
def test_lines_lead_down_from_each_box_to_all_that_hang_on_it(graph: Graph):
    sizes, reads = graph
    drawing = draw(sizes, reads, GAP)
    for box in range(len(sizes)):
        reached = follow(drawing, box, sizes)
        assert reached == {i for i, sources in enumerate(reads) if box in sources}


def follow(drawing: Drawing, box: int, sizes: list[tuple[float, float]]) -> set[int]:
    """Boxes on whose upper edges the lines of a box end, each line starting at the box or where another one ended."""
    (x, y), (width, height) = drawing.corners[box], sizes[box]
    known = {(x + width / 2, y + height)}
    found: set[int] = set()
    for line in drawing.lines.get(box, []):
        assert line[0] in known
        assert all(later[1] >= earlier[1] for earlier, later in pairwise(line))
        known.add(line[-1])
        for other, ((left, top), (w, _)) in enumerate(zip(drawing.corners, sizes, strict=True)):
            if len(line) == 2 and line[-1][1] == top and left <= line[-1][0] <= left + w:
                found.add(other)
    return found


def test_a_chain_is_a_straight_line():
    drawing = draw([(100.0, 30.0)] * 5, [[], [0], [1], [2], [3]], GAP)
    assert len({x for x, _ in drawing.corners}) == 1
    assert [y for _, y in drawing.corners] == [0, 70, 140, 210, 280]


def test_a_shortcut_passes_beside_what_it_skips():
    drawing = draw([(100.0, 30.0)] * 4, [[], [0], [1], [0, 2]], GAP)
    (x, y), _ = drawing.corners[1], drawing.corners[2]
    passing = {point for line in drawing.lines[0] for point in line if y <= point[1] <= y + 30}
    assert any(not x <= px <= x + 100 for px, _ in passing)


def test_an_input_lies_just_above_what_reads_it():
    drawing = draw([(100.0, 30.0)] * 5, [[], [0], [1], [], [2, 3]], GAP)
    assert drawing.corners[3][1] == drawing.corners[2][1]


def test_nothing_is_drawn_of_nothing():
    assert draw([], []) == Drawing([], {}, 0.0, 0.0)


def test_a_thousand_operators_take_less_than_a_second():
    reads = [[i - 1, *([i - 7] if i % 5 == 0 and i > 7 else []), *([0] if i % 90 == 0 and i > 1 else [])] if i else [] for i in range(1000)]  # fmt: skip
    start = time.process_time()
    draw([(170.0, 40.0)] * 1000, reads)
    assert time.process_time() - start < 1
