"""`cocomp.bcrc`: weights of PyTorch in GRIM's storage, and files of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cocomp import CompileError, bcrc
from cocomp.support.weights import WeightStore

Array = np.ndarray
GOOD = bcrc.encode(np.array([[0, 1, 0, 2], [3, 0, 0, 0], [0, 4, 0, 5], [0, 0, 0, 0]], np.float32))


def test_files(tmp_path: Path) -> None:
    conv, linear = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(16, 4)
    with torch.no_grad():
        conv.weight[:, 1] = 0
    packed = {
        "0.weight": bcrc.encode(conv.weight),
        "1.weight": bcrc.encode(linear.weight.detach().numpy()),
    }
    bcrc.save(tmp_path / "weights.safetensors", packed)
    loaded = bcrc.load(tmp_path / "weights.safetensors")
    assert set(loaded) == set(packed) and isinstance(loaded["0.weight"], bcrc.Bcrc)
    np.testing.assert_array_equal(bcrc.decode(loaded["0.weight"]), conv.weight.detach().numpy())
    np.testing.assert_array_equal(bcrc.decode(loaded["1.weight"]), linear.weight.detach().numpy())


BROKEN = [
    ({"w.reorder": None}, "expected an array 'w.reorder'"),
    ({"w.reorder": np.array([0, 0, 1, 2])}, "weight 'w': expected each of 4 rows once in reorder"),
    ({"w.shape": np.array(4)}, "weight 'w': expected a shape of at least two extents, got (4,)"),
    ({"stray": np.zeros(1)}, "expected an array '.reorder'"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_broken_files_are_refused(tmp_path: Path, change: dict[str, Array | None], message: str) -> None:
    path = tmp_path / "weights.safetensors"
    bcrc.save(path, {"w": GOOD})
    arrays = {**WeightStore.from_safetensors(path), **change}
    path.write_bytes(WeightStore({k: v for k, v in arrays.items() if v is not None}).to_safetensors())
    with pytest.raises(CompileError, match=re.escape(message)):
        bcrc.load(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(CompileError, match="cannot read the weights"):
        bcrc.load(tmp_path / "text")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot write: No such file or directory"):
        bcrc.save(tmp_path / "nowhere" / "weights.safetensors", {"w": GOOD})
