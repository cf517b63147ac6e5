"""The arithmetic of a fair comparison, without processes: who runs when, how often, and what the numbers say.

On a shared machine the clock and the neighbours change from minute to minute. So contenders take short turns in
rounds, in rotating order: a slow minute then hits all of them, and nobody always runs after the same neighbour.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Turn = Callable[[int], list[float]]
"""Runs a contender so many times and returns the milliseconds of each."""


@dataclass(frozen=True)
class Statistics:
    """Milliseconds over all runs of a contender."""

    median: float
    minimum: float
    p90: float
    runs: int


def summarise(samples: Sequence[float]) -> Statistics:
    """Median, least and 90th percentile (nearest rank). Raises ValueError without samples."""
    if not samples:
        raise ValueError("expected at least one sample, got none")
    ordered = sorted(samples)
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return Statistics(statistics.median(ordered), ordered[0], p90, len(ordered))


def rotate(names: Sequence[str], turn: int) -> list[str]:
    """The order of round `turn`: each contender begins once in as many rounds as there are contenders."""
    shift = turn % len(names) if names else 0
    return [*names[shift:], *names[:shift]]


def runs_per_turn(milliseconds: float, budget: float, most: int = 100) -> int:
    """How many runs of about `milliseconds` fit a turn of `budget` milliseconds, at least one."""
    return max(1, min(most, round(budget / max(milliseconds, 1e-6))))


def turns_within(milliseconds: float, budget: float, rounds: int) -> int:
    """How many turns of about `milliseconds` fit `budget` milliseconds, at least one and at most `rounds`."""
    return max(1, int(min(rounds, budget / max(milliseconds, 1e-6))))


def interleave(
    contenders: Mapping[str, Turn], runs: Mapping[str, int], rounds: int, turns: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """All samples of each contender after `rounds` rounds, `runs[name]` runs a turn. With `turns` a contender takes part in so
    many of the rounds, evenly spread, the last one among them."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in rotate(list(contenders), turn):
            taken = turns[name] if turns else rounds
            if (turn + 1) * taken // rounds > turn * taken // rounds:
                samples[name] += contenders[name](runs[name])
    return samples


def best(medians: Mapping[str, float]) -> str | None:
    """The contender with the least median, the first one in a tie; None if there is none."""
    return min(medians, key=lambda name: medians[name], default=None)


def geometric_mean(ratios: Sequence[float]) -> float | None:
    """The mean for ratios: independent of which model is slow. None without ratios."""
    if not ratios:
        return None
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def relative_error(maximum_difference: float, maximum_reference: float) -> float:
    """max|error| / max|reference|, infinite where an output is not finite or should have been all zero but is not."""
    if not math.isfinite(maximum_difference):
        return math.inf
    if maximum_reference == 0:
        return 0.0 if maximum_difference == 0 else math.inf
    return maximum_difference / maximum_reference
