"""cocomp as a contender: the adapter for its workers, and the compilation of a zoo model.

python -m benchmarks.peers.cocomp_adapter NAME OUTPUT.so        prints {"compile_seconds": S} last
"""

# pyright: basic, reportMissingImports=false
# The engine is installed in its own environment only.
import json
import sys
import time
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


def main(name: str, output: Path) -> None:
    from benchmarks.models import MODELS

    module, inputs = MODELS[name].factory()
    start = time.perf_counter()
    cocomp.compile(module, inputs, target="host").save(output)
    print(json.dumps({"compile_seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
