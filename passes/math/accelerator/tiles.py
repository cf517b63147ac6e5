"""How much of a matrix product is computed at once."""

from __future__ import annotations

from dataclasses import dataclass

from cocomp.passes.math.quantisers import Quantiser

from .gemm import Gemm

PLANE_BITS = 4
"""Bits of an activation that cores multiply at once, without a sign; more come one after the other."""
PIPELINE_STAGES = 6
"""Reading, products, the accumulator, and three of the requantiser. Every level of the adder tree is one more."""

CHUNK_BYTES = 16
"""Of codes, or of parameters, that the memory gives at once."""


def code_bits(quantiser: Quantiser) -> int:
    """Bits that a code takes in memory."""
    return 4 if quantiser.bits <= 4 else 8


@dataclass(frozen=True)
class Tiles:
    """In each cycle, `lanes` activations of a pixel meet the weights of `rows` rows of each quantiser."""

    lanes: int
    rows: tuple[int, int, int]

    def __post_init__(self) -> None:
        if self.lanes < 1 or min(self.rows) < 0:
            raise ValueError(f"expected at least one lane and no negative number of rows, got {self}")

    def steps(self, gemm: Gemm) -> tuple[int, int]:
        """Tiles of rows, those of all quantisers side by side, and of columns. Raises ValueError where a quantiser has rows and no
        core."""
        for count, rows, quantiser in zip(gemm.counts, self.rows, gemm.quantisers, strict=True):
            if count and not rows:
                raise ValueError(f"expected a core for the {count} rows of {quantiser}, got {self}")
        pairs = zip(gemm.counts, self.rows, strict=True)
        return max(-(-count // rows) for count, rows in pairs if count), -(-gemm.columns // self.lanes)

    def cycles(self, gemm: Gemm, pixels: int) -> int:
        """From the first tile that is read to the last output that is written."""
        row_tiles, column_tiles = self.steps(gemm)
        stages = PIPELINE_STAGES + (self.lanes - 1).bit_length()
        return row_tiles * pixels * column_tiles + stages - 1
