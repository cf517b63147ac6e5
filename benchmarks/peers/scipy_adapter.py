"""SciPy: a GRU's products by csr_array, on one thread."""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
from typing import Any

from scipy.sparse import csr_array

from benchmarks.peers.adapter import Array
from benchmarks.peers.csr_gru import CsrGru


class Scipy(CsrGru):
    """An Adapter over csr_array."""

    def matrix(self, dense: Array) -> Any:
        return csr_array(dense)

    def operand(self, array: Array) -> Any:
        return array

    def product(self, matrix: Any, operand: Any) -> Any:
        return matrix @ operand
