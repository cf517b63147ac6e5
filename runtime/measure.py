"""Latency and memory of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

WARM_UP_RUNS = 3
WARM_UP_SECONDS = 0.2
"""Caches, page tables and the clock of the processor settle within this time."""


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._start


def benchmark(run: Callable[[], object], runs: int) -> dict[str, float]:
    """Seconds that `run` takes: min, median and p90 of `runs` calls, after calls that are not counted."""
    watch, warm_up = Stopwatch(), 0
    while warm_up < WARM_UP_RUNS or watch.seconds() < WARM_UP_SECONDS:
        run()
        warm_up += 1
    times: list[float] = []
    for _ in range(runs):
        watch = Stopwatch()
        run()
        times.append(watch.seconds())
    times.sort()
    return {
        "runs": runs,
        "warm_up": warm_up,
        "min": times[0],
        "median": (times[(runs - 1) // 2] + times[runs // 2]) / 2,
        "p90": times[min(runs - 1, runs * 9 // 10)],
    }


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
