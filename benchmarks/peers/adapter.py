"""What a worker asks of an engine. Runs under the peer's interpreter: standard library and numpy only."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


def read_arrays(path: Path, prefix: str = "input") -> list[Array]:
    """The arrays `prefix`0, `prefix`1, ... of an npz file."""
    with np.load(path) as file:
        return [np.ascontiguousarray(file[f"{prefix}{i}"]) for i in range(len(file.files))]


def save_arrays(path: Path, arrays: list[Array], prefix: str = "input") -> None:
    """Writes an npz file that `read_arrays` reads."""
    named: dict[str, Any] = {f"{prefix}{i}": array for i, array in enumerate(arrays)}
    np.savez(path, **named)


class Adapter(Protocol):
    """One engine. The measured call is `run`: it takes numpy arrays and leaves a numpy array, as a user would."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        """Loads the model at `path` for `threads` threads and for inputs of the shapes of `inputs`."""
        ...

    def run(self, inputs: list[Array]) -> Array:
        """One inference; the first output, valid until the next call."""
        ...
