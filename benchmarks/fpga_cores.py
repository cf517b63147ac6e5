"""What a multiply-add costs on an FPGA, by quantiser: cells of yosys's netlists, each simulated before it is counted (that of packed
products in the tests)."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.report import ABSENT, Table
from cocomp.passes.math.accelerator import IntegerType
from cocomp.passes.math.quantisers import parse_quantiser
from cocomp.targets.fpga.rtl.core_bench import measure_core
from cocomp.targets.fpga.rtl.cores import packed_products
from cocomp.targets.fpga.rtl.rungs import Cells, synthesise

LANES = 16
MHZ = 100
ACTIVATION = IntegerType(4, signed=False)
CORES = (
    ("fixed<4>", "fabric"), ("fixed<4>", "dsp"), ("fixed<8>", "fabric"), ("fixed<8>", "dsp"), ("pot<4>", "fabric"),
    ("sp2<4>", "fabric"), ("apot<4>", "fabric"), ("esb<4, 1>", "fabric"),
)  # fmt: skip
"""Quantiser, and where its products are."""
PUBLISHED_ESB = 10.95
"""GOPS of 1000 LUTs: ESB's abstract, of a whole accelerator on a ZCU102, whose clock it does not give."""


@dataclass(frozen=True)
class Core:
    """A core of `macs` multiply-adds in a cycle."""

    name: str
    products: str
    macs: int
    cells: Cells

    @property
    def lut_per_mac(self) -> float:
        return self.cells.lut / self.macs

    @property
    def gops_per_1000_lut(self) -> float:
        """At MHZ, of the core alone."""
        return 2 * MHZ / self.lut_per_mac


def measure(folder: Path) -> list[Core]:
    """All cores. Raises CompileError where a tool is missing, or a netlist computes something else."""
    found: list[Core] = []
    for text, products in CORES:
        print(f"benchmarks.fpga: core of {text}, products in {products}", file=sys.stderr)
        cells = measure_core(parse_quantiser(text), ACTIVATION, LANES, folder, products)
        found.append(Core(text, products, LANES, cells))
    return found


def measure_packed(folder: Path) -> Core:
    """The products of two weights with one activation in one DSP, without sums."""
    (folder / "packed.v").write_text(packed_products(ACTIVATION))
    return Core("2 x fixed<4>, packed", "dsp", 2, synthesise(folder, "packed.v", "packed_products", "dsp"))


def tables(cores: list[Core], packed: Core) -> list[Table]:
    """LUTs of a multiply-add, its part of the adders and of the accumulator in them; and what two products in one DSP take."""
    headers = (
        "core",
        "products in",
        "LUT",
        "DSP",
        "FF",
        "CARRY4",
        "LUT / MAC",
        "DSP / MAC",
        f"GOPS / 1000 LUT, {MHZ} MHz",
    )
    rows = [
        (
            core.name, core.products, *map(str, (core.cells.lut, core.cells.dsp, core.cells.ff, core.cells.carry)),
            f"{core.lut_per_mac:.1f}", f"{core.cells.dsp / core.macs:g}",
            ABSENT if core.cells.dsp else f"{core.gops_per_1000_lut:.2f}",
        )
        for core in (*cores, packed)
    ]  # fmt: skip
    title = (
        f"Cores of {LANES} lanes, activations {ACTIVATION}, by yosys (not Vivado); ESB published: {PUBLISHED_ESB} GOPS / 1000 LUT "
        "of a whole accelerator, its clock unknown; packed: products alone"
    )
    return [Table(title, headers, tuple(rows))]


def to_json(cores: list[Core], packed: Core) -> list[dict[str, object]]:
    """For json.dump."""
    return [{**asdict(core), "lut_per_mac": core.lut_per_mac} for core in (*cores, packed)]
