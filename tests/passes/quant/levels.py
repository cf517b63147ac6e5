"""Check the weights that the pass wrote, and put the quantised one in the place of the first."""

from __future__ import annotations

import sys

import numpy as np
from safetensors.numpy import load_file, save_file

from cocomp.passes.math.quantisers.rows import find_rows, parse_mixture

weights = load_file(sys.argv[1])
mixture = parse_mixture("rmsmp:50:25:25")
if sys.argv[2:] == ["--check"]:
    assert find_rows(weights["w"], mixture) is None
    found = find_rows(weights["w:quantised"], mixture)
    assert found is not None and np.bincount(found[0], minlength=3).tolist() == [8, 4, 4], found
    error = np.abs(weights["w:quantised"] - weights["w"]).mean() / np.abs(weights["w"]).mean()
    assert 0 < error < 0.2, error
else:
    save_file({"w": weights["w:quantised"], "b": weights["b"]}, sys.argv[2])
