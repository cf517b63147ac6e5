"""What an accelerator computes, one stage after the other: sizes alone, which estimates are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cocomp.passes.math.quantisers.rows import Mixture


@dataclass(frozen=True)
class Product:
    """A matrix product in the engine that all products share.

    `counts` are rows by the place of their quantiser. A row has `channels * taps` columns; a tile of columns holds channels of one tap.
    `input_bytes` are read in one pass over all pixels, of which each tile of rows takes one; `output_bytes` are all that is written.
    `kept` is the share of blocks (tile of rows x tile of columns) that are not zero; the others are skipped. `window` counts the
    activations that are kept on chip meanwhile, so that taps do not read them again. Raises ValueError for what is none.
    """

    name: str
    counts: tuple[int, int, int]
    channels: int
    taps: int
    pixels: int
    input_bytes: int
    output_bytes: int
    kept: float = 1.0
    window: int = 0

    def __post_init__(self) -> None:
        if min(self.counts) < 0 or min(self.rows, self.channels, self.taps, self.pixels) < 1:
            raise ValueError(
                f"{self.name}: expected at least one row, channel, tap and pixel, got {self.counts}, {self.channels}, {self.taps} and {self.pixels}"
            )
        if min(self.input_bytes, self.output_bytes, self.window) < 0:
            raise ValueError(f"{self.name}: expected no negative sizes, got {self}")
        if not 0 < self.kept <= 1:
            raise ValueError(f"{self.name}: expected a share of blocks above 0 and up to 1, got {self.kept:g}")

    @property
    def rows(self) -> int:
        return sum(self.counts)

    @property
    def columns(self) -> int:
        return self.channels * self.taps

    @property
    def operations(self) -> int:
        """Multiplications and additions, of zeros too."""
        return 2 * self.rows * self.columns * self.pixels

    def column_tiles(self, lanes: int) -> int:
        """Steps of a sum."""
        return self.taps * -(-self.channels // lanes)


@dataclass(frozen=True)
class Sweep:
    """One pass of a pipelined loop: so many points a cycle as loops are unrolled. A point takes `multiplies` and `adds`, and looks up
    tables of `tables` bits in all; `reads` and `writes` are bytes. Sweeps of one `unit` share their hardware; without one a sweep has
    its own. Raises ValueError for what is none."""

    name: str
    points: int
    reads: int
    writes: int
    multiplies: int = 0
    adds: int = 0
    tables: int = 0
    unit: str = ""

    def __post_init__(self) -> None:
        if self.points < 1:
            raise ValueError(f"{self.name}: expected at least one point, got {self.points}")
        if min(self.reads, self.writes, self.multiplies, self.adds, self.tables) < 0:
            raise ValueError(f"{self.name}: expected no negative sizes, got {self}")

    @property
    def operations(self) -> int:
        return self.points * (self.multiplies + self.adds)


Stage = Product | Sweep


def products_of(stages: Sequence[Stage]) -> list[Product]:
    """The matrix products among stages."""
    return [stage for stage in stages if isinstance(stage, Product)]


def sweeps_of(stages: Sequence[Stage]) -> list[Sweep]:
    """The others."""
    return [stage for stage in stages if isinstance(stage, Sweep)]


def mixed(stages: Sequence[Stage], mixture: Mixture) -> list[Stage]:
    """The same stages with rows in the shares of a mixture."""
    return [
        replace(stage, counts=mixture.counts(stage.rows)) if isinstance(stage, Product) else stage for stage in stages
    ]
