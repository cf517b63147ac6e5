"""A quantised matrix product whose rows have different quantisers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cocomp.passes.math.quantisers import Quantiser
from cocomp.passes.math.quantisers.dyadic import MOST_SHIFT, MULTIPLIER_BITS, Dyadic, apply_each, saturate

Array = np.ndarray
ACCUMULATOR_BITS = 32
MOST_ACTIVATION_BITS = 16
MOST_COLUMNS = 1 << 16
"""With numerators below 2 ** 20 and activations of 16 bits every sum stays below 2 ** 53: exact in double precision, too."""


@dataclass(frozen=True)
class IntegerType:
    """Integers of some bits, in two's complement where they are signed."""

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= ACCUMULATOR_BITS:
            raise ValueError(f"expected 1 to {ACCUMULATOR_BITS} bits, got {self}")

    def __str__(self) -> str:
        return f"{'si' if self.signed else 'ui'}{self.bits}"

    @property
    def low(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << self.bits - self.signed) - 1

    def check(self, values: Array, name: str) -> None:
        """Raises ValueError, calling the values by `name`, for what is no array of such integers."""
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name}: expected integers, got {values.dtype}")
        if values.size and (values.min() < self.low or values.max() > self.high):
            strange = values.max() if values.max() > self.high else values.min()
            raise ValueError(f"{name}: expected {self.low} to {self.high} ({self}), got {strange}")


@dataclass(frozen=True, eq=False)
class Gemm:
    """`saturate(round(factor * (weights @ x + bias)))`, row by row.

    `places` int8[rows] says which of the three quantisers a row has, as `Mixture.assign` does; none has to be used. `codes`
    uint8[rows, K] are the weights, `bias` int32[rows] is in units of the accumulator, `factors` has one for each row. What is read are
    integers of the type `activation`, what is written is saturated to `output`. Rows are those of the model; the accelerator has them
    in another `order`. Raises ValueError for what does not fit together.
    """

    quantisers: tuple[Quantiser, Quantiser, Quantiser]
    places: Array
    codes: Array
    bias: Array
    factors: tuple[Dyadic, ...]
    activation: IntegerType
    output: IntegerType

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or 0 in self.codes.shape:
            raise ValueError(f"expected codes of at least one row and column, got {list(self.codes.shape)}")
        if self.columns > MOST_COLUMNS:
            raise ValueError(f"expected at most {MOST_COLUMNS} columns, got {self.columns}")
        for name, found in (
            ("places", self.places.shape),
            ("bias", self.bias.shape),
            ("factors", (len(self.factors),)),
        ):
            if found != (self.rows,):
                raise ValueError(f"expected {name} for {self.rows} rows, got {list(found)}")
        IntegerType(8, signed=False).check(self.codes, "codes")
        IntegerType(ACCUMULATOR_BITS, signed=True).check(self.bias, "bias")
        if self.activation.bits > MOST_ACTIVATION_BITS:
            raise ValueError(f"expected activations of at most {MOST_ACTIVATION_BITS} bits, got {self.activation}")
        for row, place in enumerate(self.places.tolist()):
            if place not in range(len(self.quantisers)):
                raise ValueError(f"row {row}: expected place 0, 1 or 2, got {place}")
            code, quantiser = int(self.codes[row].max()), self.quantisers[place]
            if code >> quantiser.bits:
                raise ValueError(f"row {row}: expected codes of {quantiser}, got {code}")
        for row, factor in enumerate(self.factors):
            if abs(factor.multiplier) >> MULTIPLIER_BITS or not 0 <= factor.shift <= MOST_SHIFT:
                raise ValueError(
                    f"row {row}: expected a multiplier below 2 ** {MULTIPLIER_BITS} and a shift up to {MOST_SHIFT}, got {factor}"
                )

    @property
    def rows(self) -> int:
        return self.codes.shape[0]

    @property
    def columns(self) -> int:
        """K, the length of the sums."""
        return self.codes.shape[1]

    @cached_property
    def order(self) -> Array:
        """Rows of the model as the accelerator has them, those of one quantiser side by side: int64[rows]."""
        return np.argsort(self.places, kind="stable")

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Rows of each quantiser."""
        coarse, fine, wide = np.bincount(self.places, minlength=3).tolist()
        return coarse, fine, wide

    def group(self, place: int) -> Array:
        """Rows of the model that have the quantiser at a place, in the accelerator's order: int64[..]."""
        first = sum(self.counts[:place])
        return self.order[first : first + self.counts[place]]

    @cached_property
    def numerators(self) -> Array:
        """The weights, int64[rows, K]."""
        found = np.empty(self.codes.shape, np.int64)
        for place, quantiser in enumerate(self.quantisers):
            rows = self.group(place)
            found[rows] = quantiser.decode(self.codes[rows])
        return found

    def accumulate(self, x: Array) -> Array:
        """Exact sums, bias added: int[K, pixels] -> int64[rows, pixels]. Raises ValueError for what is no activation, and where a
        sum is beyond the accumulator."""
        if x.ndim != 2 or x.shape[0] != self.columns:
            raise ValueError(f"expected activations [{self.columns}, pixels], got {list(x.shape)}")
        self.activation.check(x, "activations")
        sums = (self.numerators.astype(np.float64) @ x.astype(np.float64)).astype(np.int64) + self.bias[:, None]
        beyond = (sums < -(1 << ACCUMULATOR_BITS - 1)) | (sums >= 1 << ACCUMULATOR_BITS - 1)
        if beyond.any():
            row = int(np.argmax(beyond.any(axis=1)))
            value = int(sums[row][beyond[row]][0])
            raise ValueError(f"row {row}: expected sums of {ACCUMULATOR_BITS} bits, got {value}")
        return sums

    def run(self, x: Array) -> Array:
        """Outputs: int[K, pixels] -> int64[rows, pixels]."""
        return saturate(apply_each(list(self.factors), self.accumulate(x)), self.output.low, self.output.high)
