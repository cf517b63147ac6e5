"""What AArch64 artefacts execute, counted: instructions of whole models under emulation, cycles of inner loops by model.

    python -m benchmarks.aarch64 --models resnet18,mobilenet_v2 --rows 'resnet50-bcr-*,c3d-kgs' --precision f32,f16

Rows are those of `benchmarks/pruned.py`: beside the same network before pruning, instructions are to fall with the
operations. Both are counted as they are compiled, and with direct convolutions alone: Winograd's algorithm takes fewer
instructions than operations, which speeds a dense network up and has no zeros to leave out.

Nothing here depends on the load of this machine. Needs qemu-aarch64, llvm-mca, llvm-nm and llvm-objdump (Debian: qemu-user,
llvm-19).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import falls
from benchmarks.counts import Count, build_plugin, count
from benchmarks.inner_loops import PIPES, cycles, find_tool, hot_loops
from benchmarks.models import MODELS
from benchmarks.pruned import find
from benchmarks.report import Table, show
from benchmarks.sparse import choose
from cocomp.runtime import emulator

SMALL = "resnet18,mobilenet_v2,mobilenet_v3_large,efficientnet_b0"
PRUNED = "resnet50-bcr-*"
AS_EVER, DIRECT = "as compiled", "direct"
TOOLS = ("llvm-mca", "llvm-nm", "llvm-objdump")


@dataclass(frozen=True)
class LoopCycles:
    """An inner loop on a CPU: modelled cycles of an iteration, and those of its multiply-adds alone."""

    model: str
    precision: str
    kernel: str
    cpu: str
    multiply_adds: int
    cycles: float

    @property
    def share(self) -> float:
        """Part of the multiply-add bound that the loop reaches."""
        return self.multiply_adds / PIPES[self.cpu] / self.cycles


@dataclass
class Counts:
    """Models that were counted, each once."""

    plugin: Path
    found: dict[tuple[str, str, bool], Count]
    loops: list[LoopCycles]

    def __call__(self, name: str, precision: str, direct: bool = False) -> Count:
        """A model of the zoo, or a pruned one by the name of its row."""
        key = (name, precision, direct)
        if key not in self.found:
            print(f"benchmarks.aarch64: {name}, {precision}{', direct' * direct}", file=sys.stderr)
            self.found[key], data = count(find(name), precision, self.plugin, direct)
            if not direct:
                self.loops += self._loops(name, precision, data)
        return self.found[key]

    def _loops(self, name: str, precision: str, data: bytes) -> list[LoopCycles]:
        library = self.plugin.with_name("model.so")
        library.write_bytes(data)
        return [
            LoopCycles(name, precision, loop.kernel, cpu, loop.multiply_adds, cycles(loop, cpu))
            for loop in hot_loops(library)
            for cpu in PIPES
        ]


def compare(name: str, dense: str, precision: str, counts: Counts) -> list[falls.Fall]:
    """A pruned model beside the network that it was made of: as they are compiled, and both with direct convolutions alone."""
    direct = counts(dense, precision, direct=True), counts(name, precision, direct=True)
    return [
        falls.fall(name, AS_EVER, counts(dense, precision), counts(name, precision)),
        falls.fall(name, DIRECT, *direct),
        *falls.parts(name, DIRECT, *direct),
    ]


def tables(counts: Sequence[tuple[str, Count]], loops: Sequence[LoopCycles]) -> list[Table]:
    """Instructions by model; for each CPU the share of the bound that the loops reach."""
    rows = [
        (
            title,
            c.precision,
            f"{c.instructions / 1e6:.1f}",
            f"{c.flops / c.instructions:.2f}",
            f"{c.error:.1e}",
            f"{c.bytes / 1e6:.1f}",
        )
        for title, c in counts
    ]
    headers = ("model", "precision", "million instructions", "operations / instruction", "error", "artefact MB")
    first = Table("Executed instructions, one run, one thread (qemu-aarch64)", headers, tuple(rows))
    keys = dict.fromkeys((loop.model, loop.precision) for loop in loops)
    summary: list[tuple[str, ...]] = []
    for key in keys:
        for cpu in PIPES:
            shares = sorted(loop.share for loop in loops if (loop.model, loop.precision, loop.cpu) == (*key, cpu))
            middle = shares[len(shares) // 2]
            summary.append((*key, cpu, str(len(shares)), f"{shares[0]:.0%}", f"{middle:.0%}", f"{shares[-1]:.0%}"))
    second = Table(
        "Inner loops: share of the multiply-add bound by llvm-mca",
        ("model", "precision", "cpu", "loops", "lowest", "median", "highest"),
        tuple(summary),
    )
    return [first, second]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aarch64", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=_names, default=_names(SMALL), metavar="A,B", help="of the zoo")
    parser.add_argument("--rows", default=PRUNED, metavar="A,B*", help="pruned models, by names or patterns")
    parser.add_argument("--precision", type=_names, default=["f32"], metavar="f32,f16")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.models if name not in MODELS]
    if unknown:
        parser.error(f"expected some of {', '.join(MODELS)}, got {', '.join(unknown)}")
    try:
        rows = choose(options.rows, None) if options.rows else []
    except ValueError as error:
        parser.error(str(error))
    missing = [tool for tool in TOOLS if find_tool(tool) is None]
    missing += [] if emulator.find_emulator("aarch64") else ["qemu-aarch64"]
    if missing:
        print(
            f"benchmarks.aarch64: {', '.join(missing)} not found; install Debian's qemu-user and llvm-19",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as directory:
        counts = Counts(build_plugin(Path(directory)), {}, [])
        for name in options.models:
            for precision in options.precision:
                counts(name, precision)
        compared = [
            each for row in rows for precision in options.precision
            for each in compare(row.name, row.model, precision, counts)
        ]  # fmt: skip
    found = [(f"{name}, direct" if direct else name, c) for (name, _, direct), c in counts.found.items()]
    show([*tables(found, counts.loops), *([falls.table(compared)] if compared else [])])
    if options.json:
        options.json.write_text(json.dumps(_to_json(counts, compared), indent=1) + "\n")
    return 0


def _to_json(counts: Counts, compared: Sequence[falls.Fall]) -> dict[str, object]:
    return {
        "counts": [{**asdict(c), "direct": direct} for (_, _, direct), c in counts.found.items()],
        "loops": [{**asdict(loop), "share": loop.share} for loop in counts.loops],
        "pruned": [{**asdict(x), "ratio": x.ratio, "reached": x.reached, "met": x.met} for x in compared],
    }


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    sys.exit(main())
