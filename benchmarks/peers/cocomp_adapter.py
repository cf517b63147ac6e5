"""cocomp as a contender: the adapter for its workers, and the compilation of a zoo model.

python -m benchmarks.peers.cocomp_adapter NAME OUTPUT.so [OPTIONS]       prints {"compile_seconds": S, "weight_bytes": N, "spirv_bytes": N} last

OPTIONS is the text form of `cocomp.Options`.
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


def main(name: str, output: Path, options: str = "") -> None:
    from benchmarks.pruned import find

    module, inputs = find(name).factory()
    start = time.perf_counter()
    artifact = cocomp.compile(module, inputs, options=cocomp.Options.parse(options))
    artifact.save(output)
    seconds = time.perf_counter() - start
    told = {"weight_bytes": artifact.facts["weights"]["total"], "spirv_bytes": artifact.facts.get("spirv_bytes")}
    print(json.dumps({"compile_seconds": seconds, **told}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
