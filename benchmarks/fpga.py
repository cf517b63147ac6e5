"""Accelerators on FPGAs, in tables: what cores cost, and which designs would be fastest.

    python -m benchmarks.fpga --cores
    python -m benchmarks.fpga --explore --pages designs

Without a choice every table is made. Nothing here depends on the load of this machine. Cores need yosys and Icarus (Debian: yosys,
iverilog).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import fpga_cores, fpga_designs
from benchmarks.report import Table, show
from cocomp.support.diagnostics import CompileError


@dataclass(frozen=True)
class Part:
    """Tables of one kind, the same for json.dump, and pages of HTML by name."""

    tables: list[Table]
    json: object
    pages: dict[str, str] = field(default_factory=dict[str, str])


def cores(folder: Path) -> Part:
    """LUTs and DSPs of a multiply-add, by quantiser"""
    found, packed = fpga_cores.measure(folder), fpga_cores.measure_packed(folder)
    return Part(fpga_cores.tables(found, packed), fpga_cores.to_json(found, packed))


def designs(_: Path) -> Part:
    """the fastest designs for models on devices, beside Fixed-4 alone and what was published, estimated"""
    return Part(*fpga_designs.run())


PARTS: dict[str, Callable[[Path], Part]] = {"cores": cores, "explore": designs}
"""Option -> what makes its tables, in a folder of its own. Its docstring is the option's help."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fpga", description=(__doc__ or "").splitlines()[0])
    for name, part in PARTS.items():
        parser.add_argument(f"--{name}", action="append_const", dest="parts", const=name, help=part.__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="of --explore: designs drawn, a page a device")
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
    if options.pages:
        options.pages.mkdir(parents=True, exist_ok=True)
        for name, text in ((name, text) for part in found.values() for name, text in part.pages.items()):
            (options.pages / f"{name}.html").write_text(text)
    if options.json:
        options.json.write_text(json.dumps({name: part.json for name, part in found.items()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
