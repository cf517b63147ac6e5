"""Times of an artefact's kernels, run after run, taken in a process of its own: what is measured may crash, and is gone
afterwards with all its memory.

    python -m cocomp.runtime.rounds MODEL.so THREADS SECONDS > times.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from .loader import Model
from .manifest import ArtifactError

WARM_UP, FEWEST, MOST = 3, 8, 400


def kernel_times(path: Path, threads: int, seconds: float) -> np.ndarray:
    """Nanoseconds of each kernel of an artefact without inputs, int64[runs, kernels], from about so many seconds of runs: an
    even number of them, at least `FEWEST`. Raises ArtifactError when the process fails."""
    command = [sys.executable, "-m", "cocomp.runtime.rounds", str(path), str(threads), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ArtifactError(f"{path}: measuring ended with status {done.returncode}: {said}")
    return np.array(json.loads(done.stdout))


def main() -> None:
    path, threads, seconds = sys.argv[1:]
    with Model(path, int(threads), check=False) as model:
        once = model.launch_times([], WARM_UP).sum(axis=1).min() / 1e9
        runs = min(max(int(float(seconds) / max(once, 1e-9)), FEWEST), MOST)
        print(json.dumps(model.launch_times([], runs // 2 * 2).tolist()))


if __name__ == "__main__":
    main()
