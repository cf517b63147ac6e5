"""The plan of a model on a GPU as a C source."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cocomp.dialects import structured
from cocomp.support.diagnostics import CompileError, InternalError
from cocomp.support.mlir import ir, ops_in, where
from cocomp.support.weights import WeightStore

from .blob import Blob
from .library import CHECKSUM

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


def write(
    module: ir.Module, blob: Blob, shaders: Mapping[str, bytes], weights: WeightStore, manifest: dict[str, object]
) -> PlanSource:
    """Plan of a planned module. `manifest` must be complete: it is embedded as it is."""
    functions = {f.attributes["sym_name"].value: f for f in ops_in(module.body)}
    main = functions["main"]
    tensors = {kind: [_bytes(t) for t in main.attributes[f"plan.{kind}s"]] for kind in ("input", "output")}
    numbers = {name: number for number, name in enumerate(shaders)}
    images = _images(main)
    bindings: list[str] = []
    dispatches: list[str] = []
    kinds: dict[str, list[str]] = {}
    for op in ops_in(main.regions[0].blocks[0]):
        if op.name != "plan.dispatch":
            continue
        kernel = op.attributes["kernel"].value
        described = functions[kernel].attributes
        bound = list(zip(described["kernel.operands"], described["kernel.bindings"], strict=True))
        kinds[kernel] = [_kind(how.value) for _, how in bound]
        if len(bound) > MAX_BINDINGS:
            raise InternalError(f"kernel '{kernel}' has {len(bound)} bindings, more than {MAX_BINDINGS}")
        grid = ", ".join(str(n) for n in described["kernel.grid"])
        dispatches.append(f"{{{numbers[kernel]}, {len(bindings)}, {{{grid}}}}}")
        for number, _ in bound:
            offset, size, space = _place(op.operands[number], blob, weights, tensors, images)
            if size > MAX_RANGE:
                raise CompileError(f"a tensor of {size} bytes is more than a GPU addresses", where=where(op))
            bindings.append(f"{{{offset}, {size}, COCOMP_GPU_{space}}}")
    rows: list[str] = []
    code = b""
    listed: list[str] = []
    for name, binary in shaders.items():
        rows.append(f'{{{len(code)}, {len(binary)}, "{name}", {len(listed)}, {len(kinds[name])}}}')
        listed += kinds[name]
        code += binary
    return PlanSource(_source(main, rows, listed, dispatches, bindings, images, tensors, shaders, blob, manifest), code)


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

static const cocomp_gpu_shader shaders[] = {{
  {_rows(shaders)}
}};

static const uint8_t kinds[] = {{{", ".join(kinds) or "0"}}};

static const cocomp_gpu_dispatch dispatches[] = {{
  {_rows(dispatches)}
}};

static const cocomp_gpu_binding bindings[] = {{
  {_rows(bindings)}
}};

static const cocomp_gpu_image images[] = {{
  {_rows([row for _, row in images.values()])}
}};

static const int64_t input_bytes[] = {{{sizes["input"]}}};
static const int64_t output_bytes[] = {{{sizes["output"]}}};

__attribute__((section(".cocomp.manifest"), used)) static const char manifest[] = {json.dumps(json.dumps(manifest))};
__attribute__((section(".cocomp.checksum"), used)) static const char checksum[] = "{CHECKSUM}";

const cocomp_gpu_plan cocomp_the_gpu_plan = {{
  .shaders = shaders,
  .kinds = kinds,
  .dispatches = dispatches,
  .bindings = bindings,
  .images = images,
  .input_bytes = input_bytes,
  .output_bytes = output_bytes,
  .shader_count = {len(shaders)},
  .dispatch_count = {len(dispatches)},
  .binding_count = {len(bindings)},
  .image_count = {len(images)},
  .slot_count = {1 + max((v.owner.attributes["slot"].value for v in images), default=-1)},
  .input_count = {len(tensors["input"])},
  .output_count = {len(tensors["output"])},
  .arena_bytes = {main.attributes["plan.arena_bytes"].value},
  .image_bytes = {main.attributes["plan.image_bytes"].value},
  .weights_bytes = {blob.size},
  .manifest = manifest,
  .checksum = checksum,
  .features = {features},
}};
"""


def _rows(items: list[str]) -> str:
    return ",\n  ".join(items) if items else "{0}"
