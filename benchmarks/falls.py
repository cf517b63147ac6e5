"""How far instructions fall with operations when a model is pruned, whole and in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.counts import Count
from benchmarks.report import ABSENT, Table

LEAST = 0.85
"""Share of the FLOPs rate that is to be reached."""
CHANGED = 0.999
WHOLE = "whole"


@dataclass(frozen=True)
class Fall:
    """Part of a network before and after pruning. The rate of a whole network is by operations that pruning leaves, whether
    or not the others are left out; that of a part by operations executed."""

    row: str
    precision: str
    convolutions: str
    part: str
    before: float
    after: float
    rate: float

    @property
    def ratio(self) -> float:
        """How many times fewer instructions."""
        return self.before / self.after

    @property
    def reached(self) -> float:
        """Share of the rate that instructions reach."""
        return self.ratio / self.rate

    @property
    def met(self) -> bool | None:
        """None for parts, of which nothing is asked."""
        return self.reached >= LEAST if self.part == WHOLE else None


def fall(row: str, convolutions: str, dense: Count, pruned: Count) -> Fall:
    """The whole network."""
    rate = dense.kept_flops / pruned.kept_flops
    return Fall(row, dense.precision, convolutions, WHOLE, dense.instructions, pruned.instructions, rate)


def parts(row: str, convolutions: str, dense: Count, pruned: Count) -> list[Fall]:
    """The layers that execute fewer operations, and everything else. Layers that are in one of both only are fused with
    others there, and belong to everything else."""
    after = {layer.layer: layer for layer in pruned.layers}
    pairs = [(layer, after[layer.layer]) for layer in dense.layers if layer.layer in after]
    thinned = [pair for pair in pairs if pair[1].flops < CHANGED * pair[0].flops]
    before, left = (sum(pair[side].instructions for pair in thinned) for side in (0, 1))
    flops, kept = (sum(pair[side].flops for pair in thinned) for side in (0, 1))
    if not thinned:
        return []
    return [
        Fall(row, dense.precision, convolutions, "layers with fewer operations", before, left, flops / kept),
        Fall(
            row,
            dense.precision,
            convolutions,
            "everything else",
            dense.instructions - before,
            pruned.instructions - left,
            1,
        ),
    ]


def table(found: Sequence[Fall]) -> Table:
    """A line for each part of each row."""
    headers = ("row", "precision", "convolutions", "part", "million instructions", "pruned", "fewer by", "FLOPs rate",
               "fewer / rate", "goal", "met")  # fmt: skip
    return Table("Instructions of pruned models", headers, tuple(_lines(found)))


def _lines(found: Sequence[Fall]) -> Iterator[tuple[str, ...]]:
    for each in found:
        counts = (f"{each.before / 1e6:.1f}", f"{each.after / 1e6:.1f}")
        rates = (f"{each.ratio:.2f}", f"{each.rate:.2f}", f"{each.reached:.2f}")
        goal = (ABSENT, ABSENT) if each.met is None else (f"{LEAST:g}", "yes" if each.met else "no")
        yield (each.row, each.precision, each.convolutions, each.part, *counts, *rates, *goal)
