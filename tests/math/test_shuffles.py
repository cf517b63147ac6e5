"""The shuffle network transposes, whatever the width of registers and segments."""

from __future__ import annotations

import numpy as np
import pytest

from cocomp.passes.math.shuffles import transpose_stages, transposed_columns


@pytest.mark.parametrize(("lanes", "segment"), [(2, 4), (4, 4), (8, 4), (16, 4), (8, 8), (16, 8), (32, 8), (64, 4)])
def test_rows_become_columns(lanes: int, segment: int) -> None:
    segment = min(lanes, segment)
    matrix = np.arange(lanes * lanes).reshape(lanes, lanes)
    registers = list(matrix)
    for stage in transpose_stages(lanes, segment):
        assert len(stage) == lanes
        registers = [np.concatenate([registers[s.first], registers[s.second]])[list(s.picks)] for s in stage]
    columns = transposed_columns(lanes, segment)
    assert sorted(columns) == list(range(lanes))
    for register, column in zip(registers, columns, strict=True):
        np.testing.assert_array_equal(register, matrix[:, column])


def test_every_shuffle_stays_inside_segments_or_moves_whole_ones() -> None:
    for stage in transpose_stages(16, 4):
        for shuffle in stage:
            lanes = np.array(shuffle.picks).reshape(-1, 4) % 16
            inside = all((row // 4 == position).all() for position, row in enumerate(lanes))
            whole = (np.diff(lanes, axis=1) == 1).all()
            assert inside or whole
