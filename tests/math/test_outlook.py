"""What zeros are said to bring: reasons account for the gap, advice is better than what there is."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp.passes.math.density import HEIGHT, WIDTH, picture
from cocomp.passes.math.outlook import Costs, Layer, advice, expected_columns, predicted, reasons
from cocomp.passes.math.work import VectorUnit, Work

UNIT = VectorUnit(16, 32, 1 << 20, True, 32)
LAYER = Work(256, 1, 1, 28, 28, 2304, 1 << 20, 1 << 21, contiguous_rows=False, contiguous_pixels=True, pixel_step=1)
quick = settings(deadline=None, max_examples=50, derandomize=True)


def layer(kept: float, executed: float, chosen: float, dense: float, direct: float, keeps_zeros: bool = False) -> Layer:
    return Layer(kept, executed, 16, Costs(chosen, dense, direct, thinned=2 * chosen), keeps_zeros)


def test_reasons_account_for_the_gap() -> None:
    """8x fewer elements, 2x faster: 1.6x by the dense layer's filtering, 2x by what rows do not share, the rest by the tile."""
    found = reasons(layer(kept=1 / 8, executed=1 / 4, chosen=100, dense=200, direct=320))
    factors = [float(re.findall(r"([\d.]+)x", text)[0]) for text in found]
    assert np.isclose(np.prod(factors), 8 / 2, rtol=0.1)
    assert factors == sorted(factors, reverse=True)
    assert "16 rows of a register tile keep different columns: 2.0x" in found[0]
    assert any("minimal filtering, 1.6x" in text for text in found)


def test_pieces_are_filled_up() -> None:
    found = Layer(1 / 8, 1 / 4, 12, Costs(100, 400, 400, 100), keeps_zeros=False, in_pieces=True)
    assert reasons(found) == ["pieces are filled up to 12 rows: 2.0x the products"]


def test_no_reasons_without_a_gap() -> None:
    assert reasons(layer(kept=0.25, executed=0.25, chosen=100, dense=400, direct=400)) == []


def test_kept_zeros_are_the_only_reason() -> None:
    assert reasons(layer(0.5, 1.0, 100, 100, 100, keeps_zeros=True)) == [
        "zeros are kept: leaving them out would take 2.0x as long"
    ]


def test_wider_blocks_are_recommended_for_single_rows() -> None:
    dense = predicted(LAYER, UNIT, 16, 1.0)
    alone = predicted(LAYER, UNIT, 1, 8.0)
    text = advice(layer(1 / 8, 0.5, alone, dense, dense), LAYER, UNIT, 1)
    found = re.fullmatch(r"bcr<(\d+), all> at the same rate: ([\d.]+)x", text)
    assert found is not None
    assert float(found[2]) > 1.15 * dense / alone


def test_nothing_is_recommended_for_what_is_fast() -> None:
    dense, blocks = predicted(LAYER, UNIT, 16, 1.0), predicted(LAYER, UNIT, 16, 8.0)
    assert advice(layer(1 / 8, 1 / 8, blocks, dense, dense), LAYER, UNIT, 16) == ""


@quick
@given(st.sampled_from([1, 4, 8, 16, 32]), st.floats(1, 30), st.floats(1.05, 3))
def test_higher_rates_and_wider_blocks_are_predicted_faster(rows: int, rate: float, more: float) -> None:
    assert predicted(LAYER, UNIT, rows, rate * more) <= predicted(LAYER, UNIT, rows, rate) * 1.001
    assert predicted(LAYER, UNIT, 2 * rows, rate) <= predicted(LAYER, UNIT, rows, rate) * 1.001


@quick
@given(st.sampled_from([1, 2, 4]), st.floats(2, 10), st.integers(0, 2**32 - 1))
def test_expected_columns_are_the_mean_of_random_masks(rows: int, rate: float, seed: int) -> None:
    mask = (np.random.default_rng(seed).random((128 // rows, 4000)) < 1 / rate).repeat(rows, 0)
    for size, expected in expected_columns(4000, rows, rate, [4, 8]).items():
        found = mask.reshape(-1, size, 4000).any(axis=1).sum(axis=1).mean()
        assert np.isclose(found, expected, rtol=0.05)


@quick
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_a_picture_keeps_the_density(rows: int, columns: int, share: float, seed: int) -> None:
    kept = np.random.default_rng(seed).random((rows, columns)) < share
    cells = np.array(picture(kept))
    assert cells.shape == (min(rows, HEIGHT), min(columns, WIDTH))
    assert cells.min() >= 0 and cells.max() <= 100
    if rows <= HEIGHT and columns <= WIDTH:
        np.testing.assert_array_equal(cells, 100 * kept)
