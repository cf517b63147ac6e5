"""A GRU whose products are those of a library for sparse matrices. Runs under the peer's interpreter."""

# pyright: basic
# The libraries' types are theirs.
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.adapter import Array


class CsrGru(ABC):
    """An Adapter over the weights of a torch.nn.GRU, in compressed rows.

    The first run on an array computes all of the network, so that it can be checked. Further runs on it repeat the products
    alone, on the states that the first one met: gates in Python would be the library's disgrace, not its doing.
    """

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        with np.load(path) as file:
            weights = {name.rpartition(".")[2]: file[name] for name in file.files}
        self._layers = [
            (
                self.matrix(weights[f"weight_ih_l{n}"]),
                self.matrix(weights[f"weight_hh_l{n}"]),
                weights[f"bias_ih_l{n}"],
                weights[f"bias_hh_l{n}"],
            )
            for n in range(sum(name.startswith("weight_ih_l") for name in weights))
        ]
        self._given: Array | None = None
        self._output = np.zeros(0, np.float32)
        self._products: list[tuple[Any, Any]] = []

    def run(self, inputs: list[Array]) -> Array:
        if inputs[0] is self._given:
            for matrix, operand in self._products:
                self.product(matrix, operand)
            return self._output
        self._given = inputs[0]
        self._products.clear()
        sequence = inputs[0][0]
        for layer in self._layers:
            sequence = self._layer(sequence, *layer)
        self._output = sequence[None]
        return self._output

    def _layer(self, sequence: Array, weight: Any, recurrent: Any, bias: Array, recurrent_bias: Array) -> Array:
        """Steps x features to steps x hidden units. The inputs of all steps are multiplied at once."""
        from_inputs = self._times(weight, np.ascontiguousarray(sequence.T)).T + bias
        state = np.zeros(recurrent.shape[1], np.float32)
        states: list[Array] = []
        for step in from_inputs:
            from_state = self._times(recurrent, state) + recurrent_bias
            (reset_x, update_x, new_x), (reset_h, update_h, new_h) = np.split(step, 3), np.split(from_state, 3)
            update = _sigmoid(update_x + update_h)
            new = np.tanh(new_x + _sigmoid(reset_x + reset_h) * new_h)
            state = (1 - update) * new + update * state
            states.append(state)
        return np.stack(states)

    def _times(self, matrix: Any, array: Array) -> Array:
        self._products.append((matrix, self.operand(array)))
        return np.asarray(self.product(*self._products[-1]))

    @abstractmethod
    def matrix(self, dense: Array) -> Any:
        """A weight in compressed rows."""

    @abstractmethod
    def operand(self, array: Array) -> Any:
        """What a matrix can be multiplied with."""

    @abstractmethod
    def product(self, matrix: Any, operand: Any) -> Any:
        """The call that is measured."""


def _sigmoid(value: Array) -> Array:
    return 1 / (1 + np.exp(-value))
