"""Accelerators on FPGAs, in tables: what cores cost.

    python -m benchmarks.fpga --cores

Without a choice every table is made. Nothing here depends on the load of this machine. Needs yosys and Icarus (Debian: yosys,
iverilog).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import fpga_cores
from benchmarks.report import Table, show
from cocomp.support.diagnostics import CompileError


@dataclass(frozen=True)
class Part:
    """Tables of one kind, and the same for json.dump."""

    tables: list[Table]
    json: object


def cores(folder: Path) -> Part:
    """LUTs and DSPs of a multiply-add, by quantiser"""
    found, packed = fpga_cores.measure(folder), fpga_cores.measure_packed(folder)
    return Part(fpga_cores.tables(found, packed), fpga_cores.to_json(found, packed))


PARTS: dict[str, Callable[[Path], Part]] = {"cores": cores}
"""Option -> what makes its tables, in a folder of its own. Its docstring is the option's help."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fpga", description=(__doc__ or "").splitlines()[0])
    for name, part in PARTS.items():
        parser.add_argument(f"--{name}", action="append_const", dest="parts", const=name, help=part.__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    found: dict[str, Part] = {}
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="cocomp-") as folder:
            try:
                found[name] = PARTS[name](Path(folder))
            except CompileError as error:
                print(f"benchmarks.fpga: {error}", file=sys.stderr)
                return 1
    show(table for part in found.values() for table in part.tables)
    if options.json:
        options.json.write_text(json.dumps({name: part.json for name, part in found.items()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
