"""The plan as a C source, and the header that users of the artefact include."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files

from cocomp.dialects import plan
from cocomp.support.diagnostics import InternalError
from cocomp.support.machine import CpuTarget
from cocomp.support.mlir import ir, ops_in

from .blob import Blob
from .library import CHECKSUM

WEIGHTS_ASSEMBLY = """\
.section .rodata.cocomp_weights,"a"
.balign 64
.globl cocomp_weights
.hidden cocomp_weights
cocomp_weights:
.incbin "weights.bin"
.section .note.GNU-stack,"",%progbits
"""
CACHE_LINE = 64
X86_LEVELS = {"x86-64-v2": 2, "x86-64-v3": 3, "x86-64-v4": 4}


@dataclass(frozen=True)
class PlanSource:
    """What is compiled into an artefact beside its kernels."""

    source: str
    header: str


@dataclass
class _Table:
    """Arguments and dispatches as C initialisers."""

    arguments: list[str] = field(default_factory=list[str])
    dispatches: list[str] = field(default_factory=list[str])
    kernels: dict[str, tuple[int, bool]] = field(default_factory=dict[str, tuple[int, bool]])
    """Kernel -> (arguments, whether it takes scratch memory)."""
    runners: dict[str, str] = field(default_factory=dict[str, str])
    """Body of a function that runs the kernels of a launch -> its name."""
    prepared: int = 0
    """Dispatches that run once; they come first."""
    scratch: int = 0
    """Bytes of scratch memory that a thread needs."""


def write(module: ir.Module, blob: Blob, manifest: dict[str, object], target: CpuTarget) -> PlanSource:
    """Plan and header of a planned module. `manifest` must be complete: it is embedded as it is."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    main = functions.pop("main")
    table = _Table()
    places: dict[ir.Value, str] = {}
    operations = ops_in(main.regions[0].blocks[0])
    for op in operations:
        if op.results:
            places[op.results[0]] = _place(op, blob)
    for launch in plan.launches(operations):
        _launch(launch, functions, places, table)
    inputs, outputs = len(main.attributes["plan.inputs"]), len(main.attributes["plan.outputs"])
    return PlanSource(_source(main, table, manifest, target, blob, inputs, outputs), header(manifest))


def _place(op: ir.Operation, blob: Blob) -> str:
    if op.name == "plan.input":
        return f"{{{op.attributes['index'].value}, COCOMP_INPUT}}"
    if op.name == "plan.output":
        return f"{{{op.attributes['index'].value}, COCOMP_OUTPUT}}"
    if op.name == "plan.constant":
        return f"{{{blob.offsets[op.attributes['weight'].value]}, COCOMP_WEIGHTS}}"
    if op.name == "plan.local":
        return f"cocomp_slice(scratch, {op.attributes['offset'].value}, u, {op.attributes['bytes'].value})"
    if op.name in ("plan.arena", "plan.persistent"):
        return f"{{{op.attributes['offset'].value}, COCOMP_{op.name.removeprefix('plan.').upper()}}}"
    raise InternalError(f"'{op.name}' is not part of a plan")


def _launch(
    launch: list[ir.Operation], functions: dict[str, ir.Operation], places: dict[ir.Value, str], table: _Table
) -> None:
    """One or more kernels that a thread runs, unit by unit: a single kernel's units are its tasks."""
    attributes = launch[0].attributes
    tasks = {op: functions[op.attributes["kernel"].value].attributes["kernel.tasks"].value for op in launch}
    units = attributes["units"].value if "units" in attributes else tasks[launch[0]]
    buffers = dict.fromkeys(v for op in launch for v in op.operands)
    local = {v: v.owner.operation.attributes for v in buffers if v.owner.operation.name == "plan.local"}
    used = list(dict.fromkeys(places[v] for v in buffers if v not in local))
    if len(used) > plan.MAX_ARGUMENTS:
        raise InternalError(
            f"a launch of '{_name(launch[0])}' has {len(used)} arguments, more than {plan.MAX_ARGUMENTS}"
        )
    taken = max((a["offset"].value + a["bytes"].value for a in local.values()), default=0)
    taken = -(-taken // CACHE_LINE) * CACHE_LINE + (CACHE_LINE if local else 0)
    calls: list[str] = []
    for op in launch:
        described = functions[_name(op)].attributes
        scratch = described["kernel.scratch"].value if "kernel.scratch" in described else 0
        table.scratch = max(table.scratch, taken + scratch)
        table.kernels[_name(op)] = (len(op.operands), scratch > 0)
        values = [places[v] if v in local else f"a[{used.index(places[v])}]" for v in op.operands]
        values += [f"scratch + {taken}" if taken else "scratch"] if scratch else []
        calls.append(f"{_name(op)}({', '.join([*values, _range(tasks[op], units, len(launch))])});")
    body = calls[0] if len(launch) == 1 else f"for (int64_t u = first; u < last; u++) {{ {' '.join(calls)} }}"
    called = table.runners.setdefault(body, f"run_{len(table.runners)}")
    table.prepared += "once" in attributes
    table.dispatches.append(f"{{{called}, {units}, {len(table.arguments)}, {len(used)}}}")
    table.arguments += used


def _range(tasks: int, units: int, kernels: int) -> str:
    """Tasks of one of several kernels that unit `u` runs; the last unit takes what is over."""
    if kernels == 1:
        return "first, last"
    each = tasks // units
    last = f"(u + 1) * {each}" if each * units == tasks else f"u + 1 < {units} ? (u + 1) * {each} : {tasks}"
    return f"u * {each}, {last}"


def _name(op: ir.Operation) -> str:
    return op.attributes["kernel"].value


def _source(
    main: ir.Operation,
    table: _Table,
    manifest: dict[str, object],
    target: CpuTarget,
    blob: Blob,
    inputs: int,
    outputs: int,
) -> str:
    kernels = "\n".join(prototype(name, *shape) for name, shape in table.kernels.items())
    runners = "\n".join(runner(name, body) for body, name in table.runners.items())
    text = literal(json.dumps(manifest))
    return f"""\
#include "plan.h"

{kernels}

{runners}

static const cocomp_argument arguments[] = {{
  {_rows(table.arguments)}
}};

static const cocomp_dispatch dispatches[] = {{
  {_rows(table.dispatches)}
}};

__attribute__((section(".cocomp.manifest"), used)) static const char manifest[] = {text};
__attribute__((section(".cocomp.checksum"), used)) static const char checksum[] = "{CHECKSUM}";

const cocomp_plan cocomp_the_plan = {{
  .dispatches = dispatches,
  .arguments = arguments,
  .dispatch_count = {len(table.dispatches)},
  .prepare_count = {table.prepared},
  .input_count = {inputs},
  .output_count = {outputs},
  .arena_bytes = {main.attributes["plan.arena_bytes"].value},
  .persistent_bytes = {main.attributes["plan.persistent_bytes"].value},
  .scratch_bytes = {-(-table.scratch // 4096) * 4096},
  .released_from = {blob.released_from},
  .weights_bytes = {blob.size},
  .manifest = manifest,
  .checksum = checksum,
  {needs(target)},
}};
"""


def needs(target: CpuTarget) -> str:
    """Initialisers that say what a processor has to have."""
    return f".x86_level = {X86_LEVELS.get(target.cpu, 0)}, .arm_fp16 = {int('+fullfp16' in target.features)}"


def _rows(items: list[str]) -> str:
    return ",\n  ".join(items) if items else "{0}"


def prototype(name: str, count: int, scratch: bool) -> str:
    """The declaration of a kernel with so many buffers."""
    return f"void {name}({', '.join(['char *'] * (count + scratch) + ['int64_t', 'int64_t'])});"


def runner(name: str, body: str) -> str:
    """A function that the runtime calls, around calls of kernels."""
    unused = "" if "scratch" in body else "(void)scratch; "
    return f"static void {name}(char *const *a, int64_t first, int64_t last, char *scratch) {{ {unused}{body} }}"


C_TYPES = {
    "f32": "float",
    "f64": "double",
    "f16": "_Float16",
    "i64": "int64_t",
    "i32": "int32_t",
    "i16": "int16_t",
    "i8": "int8_t",
    "i1": "uint8_t",
}


def header(manifest: dict[str, object]) -> str:
    """The C header of one model: the interface, and the tensors that this model takes and gives."""
    public = (files("cocomp.runtime") / "native" / "cocomp.h").read_text()
    lines = ["/* Tensors of this model, in the order in which cocomp_run takes them:", " *"]
    for kind in ("inputs", "outputs"):
        for number, tensor in enumerate(manifest[kind]):  # pyright: ignore
            shape = "".join(f"[{n}]" for n in tensor["shape"])
            lines.append(f" *   {kind}[{number}]: const {C_TYPES[tensor['type']]} {tensor['name']}{shape}")
    lines += [" */", ""]
    return public.replace("#endif\n#endif\n", "#endif\n\n" + "\n".join(lines) + "\n#endif\n")


def literal(text: str) -> str:
    """A string of C, in UTF-8: `?` could begin a trigraph."""
    special = {ord(c): "\\" + c for c in '"\\?'}
    parts = (special.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}") for byte in text.encode())
    return f'"{"".join(parts)}"'
