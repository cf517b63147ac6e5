"""Tile schedules as attributes of functions: `kernel.schedule`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cocomp.dialects import graph as graphs
from cocomp.passes.math.work import Segment, TileSchedule
from cocomp.support.mlir import ir, ops_in

from ._contraction import Contraction, read_contraction


def contractions(module: ir.Module) -> Iterator[tuple[Contraction, Sequence[str]]]:
    """Every group's contraction, with the names of the weights that it multiplies with. Not depth-wise ones, which are loops."""
    functions = ops_in(module.body)
    weights = graphs.weights_of_calls(functions)
    for function in functions:
        group = graphs.read_group(function) if graphs.is_group(function) else None
        if group is not None and group.contraction is not None:
            contraction = read_contraction(group)
            if not contraction.depthwise:
                yield contraction, weights.get((function.attributes["sym_name"].value, contraction.w_argument), [])


def scheduled(module: ir.Module) -> Iterator[tuple[Contraction, TileSchedule]]:
    """Every contraction that has a tile schedule and is no kernel yet, its function's location being current."""
    for function in ops_in(module.body):
        schedule = schedule_of(function)
        if schedule is not None and graphs.is_group(function):
            with function.location:
                yield read_contraction(graphs.read_group(function)), schedule


def schedule_attribute(schedule: TileSchedule) -> ir.DictAttr:
    """A tile schedule as it stands on a function."""
    i64 = ir.IntegerType.get_signless(64)
    numbers = {
        "band": schedule.band,
        "lines": schedule.lines,
        "lanes": schedule.lanes,
        "pixels": schedule.pixels,
        "pixel_block": schedule.pixel_block,
        "row_block": schedule.row_block,
        "unit": schedule.unit,
    }
    attributes: dict[str, ir.Attribute] = {k: ir.IntegerAttr.get(i64, v) for k, v in numbers.items()}
    attributes["vectors"] = ir.DenseI64ArrayAttr.get([s.vectors for s in schedule.segments])
    attributes["groups"] = ir.DenseI64ArrayAttr.get([s.groups for s in schedule.segments])
    attributes["keep_zeros"] = ir.BoolAttr.get(schedule.keep_zeros)
    attributes["along_pixels"] = ir.BoolAttr.get(schedule.along_pixels)
    attributes["prefetch"] = ir.BoolAttr.get(schedule.prefetch)
    if schedule.workgroup:
        attributes["workgroup"] = ir.DenseI64ArrayAttr.get(schedule.workgroup)
    return ir.DictAttr.get(attributes)


def schedule_of(function: ir.Operation) -> TileSchedule | None:
    """The tile schedule that stands on a function, if there is one."""
    attributes = function.attributes
    return read_schedule(attributes["kernel.schedule"]) if "kernel.schedule" in attributes else None


def read_schedule(found: ir.DictAttr) -> TileSchedule:
    """The tile schedule that an attribute is."""
    segments = zip(found["vectors"], found["groups"], strict=True)
    return TileSchedule(
        lanes=found["lanes"].value,
        segments=tuple(Segment(v, g) for v, g in segments),
        pixels=found["pixels"].value,
        pixel_block=found["pixel_block"].value,
        row_block=found["row_block"].value,
        keep_zeros=found["keep_zeros"].value,
        unit=found["unit"].value,
        along_pixels=found["along_pixels"].value,
        prefetch=found["prefetch"].value,
        lines=found["lines"].value,
        band=found["band"].value,
        workgroup=tuple(found["workgroup"]) if "workgroup" in found else (),
    )
