"""The plan of a model on a GPU as a C source."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cocomp.dialects import places, plan, structured
from cocomp.support.diagnostics import CompileError, InternalError
from cocomp.support.machine import CpuTarget
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.weights import WeightStore

from .blob import Blob
from .describe import layer_of
from .library import CHECKSUM
from .plan_c import literal, needs, prototype, runner

DATA_ASSEMBLY = """\
.section .rodata.cocomp_weights,"a"
.balign 256
.globl cocomp_weights
.hidden cocomp_weights
cocomp_weights:
.incbin "weights.bin"
.balign 4
.globl cocomp_spirv
.hidden cocomp_spirv
cocomp_spirv:
.incbin "kernels.spv"
.section .note.GNU-stack,"",%progbits
"""
FEATURES = {39: "INT8", 22: "INT16", 11: "INT64", 9: "FLOAT16", 4448: "STORAGE8", 4433: "STORAGE16"}
"""Number of a SPIR-V capability -> the runtime's name of what a device has to have."""
OP_CAPABILITY, HEADER_WORDS = 17, 5
UNTYPED = {"buffer": "BUFFER", "vectors": "BUFFER", "image": "IMAGE", "stored": "STORED"}
"""Ways to bind memory that say nothing of its elements -> the runtime's name of them."""
EXTENTS = ("width", "height", "depth")
MAX_BINDINGS = 64
"""Of a kernel: what the runtime has room for."""
MAX_RANGE = (1 << 32) - 1
"""Bytes: no device addresses more through one binding."""


@dataclass(frozen=True)
class PlanSource:
    """What is compiled into an artefact, and the SPIR-V modules one after the other."""

    source: str
    spirv: bytes


@dataclass
class _Tasks:
    """What the processor runs, as C: kernels, functions around them, rows of the plan."""

    kernels: dict[str, str] = field(default_factory=dict[str, str])
    runners: dict[str, str] = field(default_factory=dict[str, str])
    rows: list[str] = field(default_factory=list[str])
    scratch: int = 0
    """Bytes that a thread needs."""

    def add(self, op: ir.Operation, described: ir.OpAttributeMap) -> None:
        """A row for a dispatch whose arguments are its operands."""
        kernel, count = op.attributes["kernel"].value, len(op.operands)
        if count > plan.MAX_ARGUMENTS:
            raise InternalError(f"kernel '{kernel}' has {count} arguments, more than {plan.MAX_ARGUMENTS}")
        scratch = described["kernel.scratch"].value if "kernel.scratch" in described else 0
        self.scratch = max(self.scratch, scratch)
        self.kernels[kernel] = prototype(kernel, count, scratch > 0)
        values = [*(f"a[{n}]" for n in range(count)), *(["scratch"] if scratch else []), "first", "last"]
        self.runners[kernel] = runner(f"run_{kernel}", f"{kernel}({', '.join(values)});")
        written = sum({1 << w["argument"].value for w in op.attributes["writes"]})
        self.rows.append(f"{{run_{kernel}, {described['kernel.tasks'].value}, {count}, {written}u}}")


def write(
    module: ir.Module,
    blob: Blob,
    shaders: Mapping[str, bytes],
    weights: WeightStore,
    manifest: dict[str, object],
    processor: CpuTarget,
) -> PlanSource:
    """Plan of a planned module. `manifest` must be complete: it is embedded as it is. `processor` runs what is on the CPU."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    main = functions["main"]
    tensors = {kind: [_bytes(t) for t in main.attributes[f"plan.{kind}s"]] for kind in ("input", "output")}
    numbers = {name: number for number, name in enumerate(shaders)}
    images = _images(main)
    bindings: list[str] = []
    dispatches: list[str] = []
    kinds: dict[str, list[str]] = {}
    tasks = _Tasks()
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name != "plan.dispatch":
            continue
        kernel = op.attributes["kernel"].value
        described = functions[kernel].attributes
        if places.on_cpu(functions[kernel]):
            dispatches.append(f"{{-1, {len(tasks.rows)}, {len(bindings)}, {{0, 0, 0}}, {literal(layer_of(op))}}}")
            tasks.add(op, described)
            seen = [_Window(number) for number in range(len(op.operands))]
        else:
            seen = _windows(functions[kernel])
            kinds[kernel] = [_kind(how.value) for how in described["kernel.bindings"]]
            if len(seen) > MAX_BINDINGS:
                raise CompileError(
                    f"the tensors of a kernel make {len(seen)} bindings, expected at most {MAX_BINDINGS}",
                    where=where(op),
                    notes=["smaller tensors, or --without=fusion, make fewer"],
                )
            grid = ", ".join(str(n) for n in described["kernel.grid"])
            dispatches.append(f"{{{numbers[kernel]}, -1, {len(bindings)}, {{{grid}}}, {literal(layer_of(op))}}}")
        for window in seen:
            offset, size, space = _place(op.operands[window.operand], blob, weights, tensors, images)
            if size > MAX_RANGE:
                raise CompileError(f"a tensor of {size} bytes is more than a GPU addresses", where=where(op))
            bindings.append(f"{{{offset}, {window.start}, {window.bytes or size}, COCOMP_GPU_{space}}}")
    rows: list[str] = []
    code = b""
    listed: list[str] = []
    for name, binary in shaders.items():
        rows.append(f'{{{len(code)}, {len(binary)}, "{name}", {len(listed)}, {len(kinds[name])}}}')
        listed += kinds[name]
        code += binary
    needed = needs(processor) if tasks.rows else ".x86_level = 0, .arm_fp16 = 0"
    source = _source(main, rows, listed, dispatches, tasks, needed, bindings, images, tensors, shaders, blob, manifest)
    return PlanSource(source, code)


def _images(main: ir.Operation) -> dict[ir.Value, tuple[int, str]]:
    """Number and description of every image."""
    times: dict[ir.Value, list[int]] = {}
    dispatches = [op for op in ops_in(main.regions[0].blocks[0]) if op.name == "plan.dispatch"]
    for time, op in enumerate(dispatches):
        for value in op.operands:
            if value.owner.name == "plan.image":
                times.setdefault(value, []).append(time)
    found: dict[ir.Value, tuple[int, str]] = {}
    for number, (value, seen) in enumerate(times.items()):
        extents = ", ".join(str(value.owner.attributes[n].value) for n in EXTENTS)
        slot, offset = (value.owner.attributes[n].value for n in ("slot", "offset"))
        is_half = int(str(value.owner.attributes["element"]) == "f16")
        found[value] = number, f"{{{extents}, {is_half}, {slot}, {seen[0]}, {seen[-1]}, {offset}}}"
    return found


@dataclass(frozen=True)
class _Window:
    """What a binding shows of an operand of a dispatch."""

    operand: int
    start: int = 0
    """Bytes."""
    bytes: int = 0
    """0 for all of it."""


def _windows(kernel: ir.Operation) -> list[_Window]:
    """Of the bindings of a kernel; those of buffers are as long as its arguments are."""
    lengths: list[int] = []
    for argument in kernel.regions[0].blocks[0].arguments:
        kind = argument.type
        is_buffer = isinstance(kind, ir.MemRefType)
        lengths.append(max(4, kind.shape[0] * structured.bytes_of(kind.element_type)) if is_buffer else 0)
    operands, starts = (list(kernel.attributes[f"kernel.{name}"]) for name in ("operands", "windows"))
    return [_Window(*each) for each in zip(operands, starts, lengths, strict=True)]


def _kind(described: str) -> str:
    """The runtime's name of how memory is bound: that of what texels hold goes with it."""
    how, element = described.split()
    return f"COCOMP_GPU_{UNTYPED.get(how) or how.upper() + element.removeprefix('f').upper()}"


def _bytes(described: ir.DictAttr) -> int:
    kind = ir.RankedTensorType(described["type"].value)
    count = structured.bytes_of(kind.element_type)
    for extent in kind.shape:
        count *= extent
    return count


def _place(
    buffer: ir.Value,
    blob: Blob,
    weights: WeightStore,
    tensors: Mapping[str, list[int]],
    images: Mapping[ir.Value, tuple[int, str]],
) -> tuple[int, int, str]:
    """Offset (or number), bytes and space of a buffer."""
    op = buffer.owner.operation
    if buffer in images:
        return images[buffer][0], op.attributes["bytes"].value, "IN_IMAGE"
    kind = op.name.removeprefix("plan.")
    if kind in tensors:
        number = op.attributes["index"].value
        return number, tensors[kind][number], kind.upper()
    if kind == "constant":
        name = op.attributes["weight"].value
        return blob.offsets[name], max(4, weights[name].nbytes), "WEIGHTS"
    if kind == "arena":
        return op.attributes["offset"].value, max(4, op.attributes["bytes"].value), "ARENA"
    raise InternalError(f"'{op.name}' is not part of a plan for a GPU")


def capabilities(binary: bytes) -> Iterator[int]:
    """Numbers of the capabilities that a SPIR-V module declares."""
    words = struct.unpack(f"<{len(binary) // 4}I", binary)
    at = HEADER_WORDS
    while at < len(words) and words[at] & 0xFFFF == OP_CAPABILITY:
        yield words[at + 1]
        at += words[at] >> 16


def _source(
    main: ir.Operation,
    shaders: list[str],
    kinds: list[str],
    dispatches: list[str],
    tasks: _Tasks,
    needed: str,
    bindings: list[str],
    images: Mapping[ir.Value, tuple[int, str]],
    tensors: Mapping[str, list[int]],
    binaries: Mapping[str, bytes],
    blob: Blob,
    manifest: dict[str, object],
) -> str:
    used = {c for binary in binaries.values() for c in capabilities(binary)}
    features = " | ".join(f"COCOMP_GPU_{name}" for number, name in FEATURES.items() if number in used) or "0"
    sizes = {kind: ", ".join(map(str, found)) or "0" for kind, found in tensors.items()}
    return f"""\
#include "gpu_plan.h"

{_lines(tasks.kernels)}{_lines(tasks.runners)}static const cocomp_gpu_shader shaders[] = {{
  {_rows(shaders)}
}};

static const uint8_t kinds[] = {{{", ".join(kinds) or "0"}}};

static const cocomp_gpu_dispatch dispatches[] = {{
  {_rows(dispatches)}
}};

static const cocomp_gpu_task tasks[] = {{
  {_rows(tasks.rows)}
}};

static const cocomp_gpu_binding bindings[] = {{
  {_rows(bindings)}
}};

static const cocomp_gpu_image images[] = {{
  {_rows([row for _, row in images.values()])}
}};

static const int64_t input_bytes[] = {{{sizes["input"]}}};
static const int64_t output_bytes[] = {{{sizes["output"]}}};

__attribute__((section(".cocomp.manifest"), used)) static const char manifest[] = {literal(json.dumps(manifest))};
__attribute__((section(".cocomp.checksum"), used)) static const char checksum[] = "{CHECKSUM}";

const cocomp_gpu_plan cocomp_the_gpu_plan = {{
  .shaders = shaders,
  .kinds = kinds,
  .dispatches = dispatches,
  .tasks = tasks,
  .bindings = bindings,
  .images = images,
  .input_bytes = input_bytes,
  .output_bytes = output_bytes,
  .shader_count = {len(shaders)},
  .dispatch_count = {len(dispatches)},
  .task_count = {len(tasks.rows)},
  .binding_count = {len(bindings)},
  .image_count = {len(images)},
  .slot_count = {1 + max((v.owner.attributes["slot"].value for v in images), default=-1)},
  .input_count = {len(tensors["input"])},
  .output_count = {len(tensors["output"])},
  .arena_bytes = {main.attributes["plan.arena_bytes"].value},
  .image_bytes = {main.attributes["plan.image_bytes"].value},
  .weights_bytes = {blob.size},
  .scratch_bytes = {-(-tasks.scratch // 4096) * 4096},
  .manifest = manifest,
  .checksum = checksum,
  .features = {features},
  {needed},
}};
"""


def _lines(texts: Mapping[str, str]) -> str:
    return "".join(f"{text}\n" for text in texts.values()) + ("\n" if texts else "")


def _rows(items: list[str]) -> str:
    return ",\n  ".join(items) if items else "{0}"
