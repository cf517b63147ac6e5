"""Buffers in an arena: nobody alive is overwritten, and memory is reused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cocomp.passes.math.arena import Lifetime, pack, share

lifetimes = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(0, 2000),
    st.integers(0, 30),
    st.integers(0, 12),
)
buffer_lists = st.lists(lifetimes, max_size=30)
alignments = st.sampled_from([1, 16, 64])


@given(buffer_lists, alignments)
def test_buffers_alive_together_do_not_touch(buffers: list[Lifetime], alignment: int) -> None:
    offsets, total = pack(buffers, alignment)
    for time in range(45):
        alive = sorted((offsets[i], b.size) for i, b in enumerate(buffers) if b.first <= time <= b.last)
        end = 0
        for offset, size in alive:
            assert offset >= end or size == 0
            end = max(end, offset + size)
        assert end <= total


@given(buffer_lists, alignments)
def test_offsets_are_aligned_and_memory_is_bounded(buffers: list[Lifetime], alignment: int) -> None:
    offsets, total = pack(buffers, alignment)
    assert all(o % alignment == 0 and o >= 0 for o in offsets)
    rounded = [-(-b.size // alignment) * alignment for b in buffers]
    assert total <= sum(rounded)
    peak = max(
        (sum(s for s, b in zip(rounded, buffers, strict=True) if b.first <= t <= b.last) for t in range(45)), default=0
    )
    assert total >= peak


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_buffers_never_alive_together_share_one_place(sizes: list[int]) -> None:
    buffers = [Lifetime(size, 2 * i, 2 * i + 1) for i, size in enumerate(sizes)]
    assert pack(buffers, 1) == ([0] * len(sizes), max(sizes))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_buffers_always_alive_together_lie_side_by_side(sizes: list[int]) -> None:
    _, total = pack([Lifetime(size, 0, 1) for size in sizes], 1)
    assert total == sum(sizes)


def test_a_gap_is_filled() -> None:
    # A big buffer dies; two small ones that come later fit where it was, beside one that is still alive.
    buffers = [Lifetime(100, 0, 1), Lifetime(60, 0, 5), Lifetime(50, 2, 5), Lifetime(40, 2, 5)]
    assert pack(buffers, 1)[1] == 160


@given(buffer_lists)
def test_buffers_of_a_slot_never_live_together(buffers: list[Lifetime]) -> None:
    slots, sizes = share(buffers)
    assert sorted(set(slots)) == list(range(len(sizes)))
    for number, size in enumerate(sizes):
        members = [b for b, slot in zip(buffers, slots, strict=True) if slot == number]
        assert size == max(b.size for b in members)
        assert not any(one.overlaps(other) for i, one in enumerate(members) for other in members[:i])
