"""Every encoding: packing loses nothing, what is found describes the mask, pruning leaves what was asked for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cocomp.passes.math.encodings import ENCODINGS, WHOLE, Encoding, find_encoding, parse_encoding, parse_sparsity
from cocomp.passes.math.encodings.bcr import Bcr
from cocomp.passes.math.encodings.block import Block
from cocomp.passes.math.encodings.channel import Channel
from cocomp.passes.math.encodings.csr import Csr
from cocomp.passes.math.encodings.dense import NEARLY_DENSE, Dense
from cocomp.passes.math.encodings.filter import Filter
from cocomp.passes.math.encodings.kgs import Kgs
from cocomp.passes.math.encodings.nm import Nm
from cocomp.passes.math.encodings.pattern import Pattern

Array = np.ndarray
quick = settings(deadline=None, max_examples=60, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 20), st.integers(1, 12), st.sampled_from([1, 4, 9, 27]))
sides = st.sampled_from([1, 2, 3, 4, 8, WHOLE])
encodings = st.one_of(
    st.sampled_from([Dense(), Filter(), Channel(), Csr(), Nm(2, 4), Nm(1, 2), Nm(3, 8), Pattern(2, 3), Pattern(4, 8)]),
    st.builds(Bcr, sides, sides),
    st.builds(Block, sides, sides),
    st.builds(Kgs, sides, sides),
)


def fits(encoding: Encoding, shape: tuple[int, int, int]) -> bool:
    """Whether a weight of this shape can have the encoding at all."""
    if isinstance(encoding, Nm):
        return shape[1] % encoding.of == 0
    return not isinstance(encoding, Pattern) or shape[2] > encoding.entries


def rate_of(encoding: Encoding, shape: tuple[int, int, int], wish: float) -> float:
    """A rate that the encoding can have, near a wish."""
    if isinstance(encoding, Nm):
        return encoding.of / encoding.kept
    return max(wish, shape[2] / encoding.entries) if isinstance(encoding, Pattern) else wish


@quick
@given(encodings, shapes, st.floats(1, 20), seeds)
def test_pruned_weights_have_the_encoding_and_survive_packing(
    encoding: Encoding, shape: tuple[int, int, int], rate: float, seed: int
) -> None:
    assume(fits(encoding, shape))
    weight = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    kept = encoding.project(weight, rate_of(encoding, shape, rate))
    assert kept.shape == shape and kept.dtype == bool and kept.any()
    assert encoding.describes(kept)
    pruned = np.where(kept, weight, 0)
    packed = encoding.pack(pruned)
    np.testing.assert_array_equal(encoding.unpack(packed, shape), pruned)
    assert packed["values"].size >= kept.sum()


@quick
@given(shapes, st.floats(0, 1), seeds)
def test_what_is_found_describes_any_mask(shape: tuple[int, int, int], share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(shape) < share
    found = find_encoding(kept)
    assert found.describes(kept) or kept.mean() > NEARLY_DENSE
    weight = np.where(kept, rng.standard_normal(shape), 0)
    np.testing.assert_array_equal(found.unpack(found.pack(weight), shape), weight)
    assert all(
        found.indices(kept) <= e.indices(kept) for cls in ENCODINGS.values() if (e := cls.find(kept)) is not None
    )


@pytest.mark.parametrize(
    ("encoding", "shape", "rate", "named"),
    [
        ("filter", (32, 16, 9), 4, "filter"),
        ("channel", (32, 16, 9), 4, "channel"),
        ("bcr<16, all>", (64, 64, 9), 8, "bcr<16, 576>"),
        ("bcr<4, 64>", (64, 64, 1), 4, "bcr<4, 64>"),
        ("kgs<8, 4>", (32, 16, 27), 3.5, "kgs<8, 4>"),
        ("pattern<4, 8>", (32, 32, 9), 4.5, "pattern<4, 8>"),
        ("nm<2, 4>", (32, 64, 1), 2, "nm<2, 4>"),
        ("nm<2, 4>", (32, 64, 9), 2, "nm<2, 4>"),
        ("block<4, 4>", (32, 64, 1), 4, "block<4, 4>"),
        ("csr", (32, 64, 9), 10, "csr"),
    ],
)
def test_the_encoding_is_found_again(encoding: str, shape: tuple[int, int, int], rate: float, named: str) -> None:
    weight = np.random.default_rng(7).standard_normal(shape)
    made = parse_encoding(encoding)
    assert isinstance(made, Encoding)
    kept = made.project(weight, rate)
    assert str(find_encoding(kept)) == named
    assert kept.mean() == pytest.approx(1 / rate, rel=0.08)


@quick
@given(st.builds(Bcr, sides, sides) | st.builds(Kgs, sides, sides) | st.builds(Block, sides, sides), shapes, seeds)
def test_units_go_by_their_norm(encoding: Encoding, shape: tuple[int, int, int], seed: int) -> None:
    """Elements of a unit have one score, and the scores account for the whole weight."""
    weight = np.random.default_rng(seed).standard_normal(shape)
    scores = encoding.scores(weight)
    assert scores.shape == shape
    assert np.square(scores).sum() == pytest.approx(np.square(weight).sum())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brc", "unknown encoding 'brc': expected one of dense, filter, channel, bcr<rows, columns>"),
        ("bcr<4>", "expected bcr<rows, columns>, got 'bcr<4>'"),
        ("bcr<4, x>", "expected bcr<rows, columns>, got 'bcr<4, x>'"),
        ("bcr<0, 4>", "expected a positive rows in bcr<0, 4>, got 0"),
        ("block<4, -1>", "expected a positive columns in block<4, -1>, got -1"),
        ("nm<4, 4>", "expected fewer kept than there are in a group, got nm<4, 4>"),
        ("csr<1>", "expected csr, got 'csr<1>'"),
    ],
)
def test_impossible_encodings(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        parse_encoding(text)


def test_sparsity_is_a_policy() -> None:
    assert parse_sparsity("auto") is parse_sparsity("off") is None
    assert parse_sparsity("force:csr") == Csr()
    assert parse_sparsity("force:bcr") is Bcr
    assert parse_sparsity("force:bcr<16,all>") == Bcr(16, WHOLE)
    assert str(Bcr(16, WHOLE)) == "bcr<16, all>"
    with pytest.raises(ValueError, match="expected auto, off or force:ENCODING for the sparsity, got 'on'"):
        parse_sparsity("on")


def test_what_does_not_fit_says_so() -> None:
    weight = np.ones((4, 6, 9))
    with pytest.raises(ValueError, match="expected a multiple of 4 channels for nm<2, 4>, got 6"):
        Nm(2, 4).describes(weight != 0)
    with pytest.raises(ValueError, match="expected a rate of 2 for nm<1, 2>, got 3"):
        Nm(1, 2).project(weight, 3)
    with pytest.raises(ValueError, match=r"expected a rate of at least 2.25 for pattern<4, 8>, got 2"):
        Pattern(4, 8).project(weight, 2)
    with pytest.raises(ValueError, match=r"expected more than 9 kernel positions for pattern<9, 8>, got 9"):
        Pattern(9, 8).project(weight, 2)
    with pytest.raises(ValueError, match=r"nm<1, 2> ranks nothing across layers: prune layer by layer"):
        Nm(1, 2).scores(weight)
