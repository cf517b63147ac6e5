"""Writes the weight `w` [64, 128] whose blocks of 32 x 64 keep 16 rows and 16 columns, each block others."""

from __future__ import annotations

import sys

import numpy as np
from safetensors.numpy import save_file

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    weight = np.zeros((2, 32, 2, 64), np.float32)
    for row, column in np.ndindex(2, 2):
        kept = np.ix_(rng.permutation(32)[:16], rng.permutation(64)[:16])
        weight[row, :, column][kept] = rng.uniform(1, 2, (16, 16))
    save_file({"w": weight.reshape(64, 128)}, sys.argv[1])
