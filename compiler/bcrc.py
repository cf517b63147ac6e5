"""Weights in GRIM's storage BCRC, for other tools, and files of them.

    from cocomp import bcrc

    packed = bcrc.encode(layer.weight)                    # a torch tensor or an array, [rows, ..]
    bcrc.save("weights.safetensors", {"layer.weight": packed})
    weight = bcrc.decode(bcrc.load("weights.safetensors")["layer.weight"])

The compiler itself needs no such file: it finds the zeros of a model's weights. `docs/encodings.md` describes the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cocomp.passes.math.bcrc import INDICES, Bcrc, decode, multiply
from cocomp.passes.math.bcrc import encode as encode_array
from cocomp.support.diagnostics import CompileError
from cocomp.support.weights import WeightStore

from .artifact import write_whole

ARRAYS = (*INDICES, "weights")


def encode(weight: Any) -> Bcrc:
    """The storage of a torch tensor or an array [rows, ..] from its zeros. Raises ValueError for less than two axes."""
    return encode_array(np.asarray(weight.detach().cpu() if hasattr(weight, "detach") else weight))


def save(path: str | Path, packed: Mapping[str, Bcrc]) -> None:
    """Write weights by name to a safetensors file: each with its six arrays and its shape, `NAME.reorder` and so on."""
    arrays = {f"{name}.{part}": getattr(one, part) for name, one in packed.items() for part in ARRAYS}
    shapes = {f"{name}.shape": np.array(one.shape, np.int64) for name, one in packed.items()}
    write_whole({Path(path): WeightStore({**arrays, **shapes}).to_safetensors()})


def load(path: str | Path) -> dict[str, Bcrc]:
    """What `save` has written, checked. Raises CompileError for a file that is none or whose arrays do not fit together."""
    store = WeightStore.from_safetensors(Path(path))
    found: dict[str, Bcrc] = {}
    for name in dict.fromkeys(key.rpartition(".")[0] for key in store):
        parts = {part: store.get(f"{name}.{part}") for part in (*ARRAYS, "shape")}
        missing = [part for part, array in parts.items() if array is None]
        if missing:
            raise CompileError(f"expected an array '{name}.{missing[0]}'", where=str(path))
        try:
            shape = tuple(map(int, store[f"{name}.shape"].ravel()))
            found[name] = Bcrc(shape, **{part: store[f"{name}.{part}"] for part in ARRAYS})
        except ValueError as error:
            raise CompileError(f"weight '{name}': {error}", where=str(path)) from None
    return found


__all__ = ["Bcrc", "decode", "encode", "load", "multiply", "save"]
