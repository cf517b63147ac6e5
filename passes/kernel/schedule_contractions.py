"""How each contraction is tiled, and whether its zeros are left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cocomp.dialects import graph as graphs
from cocomp.dialects import structured
from cocomp.passes.math.structure import kept_columns
from cocomp.passes.math.tiles import VectorUnit, choose_tiles, estimate, group_sizes
from cocomp.support.machine import CpuTarget
from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State

from ._contraction import Contraction, encoding_of, matrix_of, read_contraction, schedule_attribute
from ._winograd import choose_winograd, winograd_attribute


@dataclass(frozen=True)
class ScheduleContractionsPass(Pass):
    """Put the register tile and the cache block of every contraction on its function.

        func @group_3(..)
      -->
        func @group_3(..) attributes {kernel.schedule = {lanes = 16, vectors = [2], groups = [8], pixels = 14, ..}}

    Counts instructions (`passes.math.tiles`) three ways and takes the cheapest: all columns; for a weight with zeros, only
    the columns that a row group keeps; and minimal filtering, which a 3x3 convolution gets as `kernel.winograd` instead.
    Depth-wise contractions get neither: they run as loops over channels. Needs `select-layout` and weights that have an
    encoding. A tuner may overwrite the attributes.
    """

    name: ClassVar[str] = "schedule-contractions"

    def run(self, module: ir.Module, state: State) -> None:
        unit = vector_unit(state.target)
        functions = ops_in(module.body)
        weights = _weights_of_calls(functions)
        for function in functions:
            if not graphs.is_group(function):
                continue
            group = graphs.read_group(function)
            if group.contraction is None:
                continue
            contraction = read_contraction(group)
            if contraction.depthwise:
                continue
            work = contraction.work()
            tiles = choose_tiles(work, unit)
            cycles = estimate(work, tiles, unit)
            names = weights.get((function.attributes["sym_name"].value, contraction.w_argument), [])
            if names and encoding_of(contraction) != "dense":
                sparse_work = dataclasses.replace(work, kept=_kept(contraction, names, state, unit))
                sparse_tiles = choose_tiles(sparse_work, unit)
                if (sparse_cycles := estimate(sparse_work, sparse_tiles, unit)) < cycles:
                    tiles, cycles = sparse_tiles, sparse_cycles
            winograd = choose_winograd(contraction, unit, state.target.l1_bytes, cycles)
            if winograd is not None:
                function.attributes["kernel.winograd"] = winograd_attribute(winograd)
            else:
                function.attributes["kernel.schedule"] = schedule_attribute(tiles)


def vector_unit(target: CpuTarget) -> VectorUnit:
    """What the count of instructions wants to know of a target."""
    return VectorUnit(target.lanes(4), target.registers, target.l2_bytes, target.broadcast_operand, target.fma_lanes)


def _weights_of_calls(functions: Sequence[ir.Operation]) -> dict[tuple[str, int], list[str]]:
    """Names of the weights that a function's argument stands for, by function and number of the argument."""
    found: dict[tuple[str, int], list[str]] = {}
    for function in functions:
        for op in ops_in(function.regions[0].blocks[0]):
            if op.name != "func.call":
                continue
            for number, value in enumerate(op.operands):
                name = structured.weight_name(value)
                if name is not None:
                    found.setdefault((op.attributes["callee"].value, number), []).append(name)
    return found


def _kept(contraction: Contraction, names: Sequence[str], state: State, unit: VectorUnit) -> dict[int, float]:
    """Mean number of columns that row groups keep, by the size of the groups; the mean over layers that share a kernel."""
    sizes = group_sizes(contraction.extent(contraction.row), unit)
    masks = [matrix_of(name, state.weights[name], contraction) != 0 for name in dict.fromkeys(names)]
    return {size: float(np.mean([kept_columns(mask, size) for mask in masks])) for size in sizes}
