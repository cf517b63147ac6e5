"""PyTorch: a GRU's products by sparse CSR tensors, which MKL multiplies."""

# pyright: basic
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers.adapter import Array
from benchmarks.peers.csr_gru import CsrGru


class TorchCsr(CsrGru):
    """An Adapter over sparse CSR tensors."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        super().load(path, threads, inputs)

    def matrix(self, dense: Array) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that such tensors are in beta state
            return torch.from_numpy(dense).to_sparse_csr()

    def operand(self, array: Array) -> Any:
        return torch.from_numpy(array)

    def product(self, matrix: Any, operand: Any) -> Any:
        return matrix @ operand
