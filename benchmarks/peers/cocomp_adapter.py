"""cocomp as a contender: the adapter for its workers, and the compilation of a zoo model.

python -m benchmarks.peers.cocomp_adapter NAME OUTPUT.so [WITHOUT...]       prints {"compile_seconds": S, "weight_bytes": N} last
"""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cocomp
from benchmarks.peers.adapter import Array


class Cocomp:
    """An Adapter over a compiled artefact."""

    def load(self, path: Path, threads: int, inputs: list[Array]) -> None:
        self._model = cocomp.load(path, threads=threads)

    def run(self, inputs: list[Array]) -> Array:
        output = self._model(*inputs)
        return output[0] if isinstance(output, tuple | list) else output


def main(name: str, output: Path, without: Sequence[str]) -> None:
    from benchmarks.pruned import find

    module, inputs = find(name).factory()
    start = time.perf_counter()
    artifact = cocomp.compile(module, inputs, options=cocomp.Options(without=tuple(without)))
    artifact.save(output)
    seconds = time.perf_counter() - start
    print(json.dumps({"compile_seconds": seconds, "weight_bytes": artifact.facts["weights"]["total"]}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
