"""Which of several kernels is the fastest, from noisy times that were taken in turns.

A choice among many noisy numbers flatters the winner, so that one half of the rounds chooses and the other half judges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WORTH_IT = 1.03
"""Speed-up below which the predicted schedule stays: neither its place in memory nor the clock holds still to that degree."""
CERTAINTY = 3
"""Standard errors that the speed-up has to be away from that."""
TO_DEVIATION, TO_MEDIAN = 1.4826, 1.2533
"""Of a normal distribution: deviation by median absolute deviation, and error of the median by error of the mean."""


def speed_up(base: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(speed-up of `other` over `base`, its standard error) from times[rounds] taken in the same rounds: what slows a whole
    round down does not count, and neither does a single disturbed round."""
    ratios = base / other
    middle = float(np.median(ratios))
    deviation = TO_DEVIATION * float(np.median(np.abs(ratios - middle)))
    return middle, TO_MEDIAN * deviation / len(ratios) ** 0.5


def fastest(times: np.ndarray) -> tuple[int, float]:
    """(number, speed-up over the first) of the fastest kernel, from times[rounds, kernels] with at least two rounds; (0, 1)
    unless that is more than noise."""
    choosing, judging = times[::2], times[1::2]
    best = int(np.argmin(np.median(choosing, axis=0)))
    gain, error = speed_up(judging[:, 0], judging[:, best])
    return (best, gain) if gain - CERTAINTY * error > WORTH_IT else (0, 1.0)


def saved(base: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(how much less time `other` takes than `base`, its standard error) from times[rounds] taken in the same rounds."""
    differences = base - other
    middle = float(np.median(differences))
    deviation = TO_DEVIATION * float(np.median(np.abs(differences - middle)))
    return middle, TO_MEDIAN * deviation / len(differences) ** 0.5


def pays(time: float, differences: Sequence[tuple[float, float]]) -> bool:
    """Whether what several kernels that take `time` together save, (time, standard error) each, is more than noise."""
    total, error = sum(less for less, _ in differences), sum(error**2 for _, error in differences) ** 0.5
    return total - CERTAINTY * error > (1 - 1 / WORTH_IT) * time
