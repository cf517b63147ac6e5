"""What an accelerator computes, one stage after the other: sizes alone, which estimates are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cocomp.passes.math.quantisers.rows import Mixture

from .memories import Memory

Array = np.ndarray
MOST_UNROLL = 64
NARROW = 2
"""Points of a cycle, at most, and of one with tables in block RAM."""
PORT_BYTES = 64
"""That a port of numbers takes or gives at once, at most."""


Counts = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Sizes:
    """Of engines: `rows` int64[.., 3] of each quantiser; `lanes`, and results that are scaled and written `together`, are those of all."""

    lanes: int
    rows: Array
    together: int
    known: dict[Counts, Array] = field(default_factory=dict[Counts, Array])
    """What `words` has found."""

    def fill(self, counts: Counts) -> Array:
        """How many rows of each quantiser every tile of rows has, int64[tiles, .., 3], for as many tiles as the engine has that takes most.

        A tile takes the rows that are left, as many as it has cores for. Those that would begin a word of results and not fill it wait,
        where all tiles that follow have room for them.
        """
        rows, tiles = self.rows, row_tiles_of(counts, self.rows)
        left = np.broadcast_to(np.array(counts), rows.shape).copy()
        found: list[Array] = []
        for tile in range(int(tiles.max(initial=0))):
            room = np.maximum(tiles - tile - 1, 0)[..., None] * rows
            taken = np.minimum(rows, left)
            may_wait = np.minimum(taken, np.maximum(room - left + taken, 0))
            total = taken.sum(axis=-1)
            rest = total % self.together
            rest = np.where((may_wait.sum(axis=-1) >= rest) & (total > rest), rest, 0)
            for place in range(3):
                less = np.minimum(may_wait[..., place], rest)
                taken[..., place] -= less
                rest = rest - less
            left -= taken
            found.append(taken)
        return np.stack(found) if found else np.zeros((0, *rows.shape), np.int64)

    def words(self, counts: Counts) -> Array:
        """Words of results of every tile of rows, int64[tiles, ..]."""
        if counts not in self.known:
            self.known[counts] = -(-self.fill(counts).sum(axis=-1) // self.together)
        return self.known[counts]


def row_tiles_of(counts: Counts, rows: Array) -> Array:
    """Tiles of rows, as the quantiser that has most of them: int[.., 3] -> int64[..]. Every quantiser that has rows needs a core."""
    used = [place for place in range(3) if counts[place]]
    return np.maximum.reduce([-(-counts[place] // rows[..., place]) for place in used])


def slots_of(counts: Counts, sizes: Sizes) -> Array:
    """Channels that so many rows of each quantiser are in memory, whole words of every tile of rows: int64[..]."""
    return sizes.words(counts).sum(axis=0) * sizes.together


@dataclass(frozen=True)
class Product:
    """A matrix product in the engine that all products share.

    `counts` are rows by the place of their quantiser. A row has `channels * taps` columns; a tile of columns holds channels of one tap. They are
    read at `positions` of the input, which has its channels where the engine writes rows of the counts `source`, if any. Activations are
    multiplied in `planes`. Results take `width` bytes, and are `scattered` where the next one does not lie beside a result. `kept` is the
    share of blocks (tile of rows x tile of columns) that are not zero; the others are skipped. Raises ValueError for what is none.
    """

    name: str
    counts: Counts
    channels: int
    taps: int
    pixels: int
    positions: int
    width: int = 1
    kept: float = 1.0
    planes: int = 1
    source: Counts | None = None
    scattered: bool = False

    def __post_init__(self) -> None:
        if min(self.counts) < 0 or min(self.rows, self.channels, self.taps, self.pixels) < 1:
            raise ValueError(
                f"{self.name}: expected at least one row, channel, tap and pixel, got {self.counts}, {self.channels}, {self.taps} and {self.pixels}"
            )
        if min(self.positions, self.width, self.planes) < 1:
            raise ValueError(
                f"{self.name}: expected at least one position of the input, byte of a result and plane, got {self.positions}, {self.width} "
                f"and {self.planes}"
            )
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

    def words(self, sizes: Sizes) -> Array:
        """Of a position of the input, in engines of some sizes: int64[..]."""
        channels = (
            np.full(sizes.rows.shape[:-1], self.channels) if self.source is None else slots_of(self.source, sizes)
        )
        return -(-channels // sizes.lanes)

    def column_tiles(self, sizes: Sizes) -> Array:
        """Steps of a sum."""
        return self.taps * self.words(sizes)


@dataclass(frozen=True)
class Sweep:
    """One pass of a pipelined loop: so many points a cycle as loops are unrolled, of the `length` that lie side by side (0: all do). Where these
    are rows of the counts `source`, the loop passes the engine's slots. A point takes `multiplies` and `adds`, reads `memories` on chip, and
    of DDR what `accesses` say: bytes of a number, and whether neighbouring points read the same one (they take a cycle of the port of such
    numbers each) or those beside it. `reads` and `writes` are bytes. Sweeps of one `unit` share their hardware; without one a sweep has its
    own. Raises ValueError for what is none."""

    name: str
    points: int
    reads: int
    writes: int
    multiplies: int = 0
    adds: int = 0
    memories: tuple[Memory, ...] = ()
    unit: str = ""
    length: int = 0
    source: Counts | None = None
    accesses: tuple[tuple[int, bool], ...] = ()
    is_apart: bool = False
    """Neighbours read numbers that do not lie side by side: there is one point in a cycle."""
    loads: int = 0
    """Entries of arrays that are loaded before."""
    entries: int = 1
    """How often the nest is entered that runs without a pause; `each_step` says that it is once more for all points of a line that are
    computed at once."""
    each_step: bool = False

    def __post_init__(self) -> None:
        if self.points < 1:
            raise ValueError(f"{self.name}: expected at least one point, got {self.points}")
        if min(self.reads, self.writes, self.multiplies, self.adds, self.length, self.loads, self.entries) < 0:
            raise ValueError(f"{self.name}: expected no negative sizes, got {self}")
        if self.points % (self.length or 1):
            raise ValueError(f"{self.name}: expected whole lines of {self.length}, got {self.points} points")

    @property
    def operations(self) -> int:
        return self.points * (self.multiplies + self.adds)

    @property
    def lines(self) -> int:
        """Of points that lie side by side."""
        return self.points // (self.length or self.points)

    @property
    def most_at_once(self) -> int:
        """Points that a cycle may compute."""
        if self.is_apart:
            return 1
        side = MOST_UNROLL if self.source else self.length or self.points
        return min(side, NARROW) if any(m.anywhere and m.is_large for m in self.memories) else side

    def lengths(self, sizes: Sizes) -> Array:
        """Of lines beside engines of some sizes: int64[..]."""
        if self.source is None:
            return np.full(sizes.rows.shape[:-1], self.length or self.points)
        return slots_of(self.source, sizes)

    def interval(self, unroll: int) -> int:
        """Cycles from one step to the next: each port gives a word at once."""
        taken = Counter[int]()
        for width, is_same in self.accesses:
            taken[width] += 1 if is_same else -(-unroll * width // PORT_BYTES)
        return max(taken.values(), default=1)


Stage = Product | Sweep


def products_of(stages: Sequence[Stage]) -> list[Product]:
    """The matrix products among stages."""
    return [stage for stage in stages if isinstance(stage, Product)]


def sweeps_of(stages: Sequence[Stage]) -> list[Sweep]:
    """The others."""
    return [stage for stage in stages if isinstance(stage, Sweep)]


def mixed(stages: Sequence[Stage], mixture: Mixture) -> list[Stage]:
    """The same stages with rows in the shares of a mixture."""

    def shared(stage: Stage) -> Stage:
        source = mixture.counts(sum(stage.source)) if stage.source else None
        if isinstance(stage, Product):
            return replace(stage, counts=mixture.counts(stage.rows), source=source)
        return replace(stage, source=source) if source else stage

    return [shared(stage) for stage in stages]
