"""A network's project: sources, weights, a shim, a test bench with what numpy computes, scripts, a manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from cocomp.passes.math.accelerator.tiles import CHUNK_BYTES

from . import bench, engine, scripts, sweeps
from .network import Array, Network, Product, Tensor
from .packing import Layer, Packed, pack
from .sharing import Shared

SHIM = ("ap_int.h", "hls_stream.h")
NUMBER_BYTES = 4
"""Numbers of the test bench's files are integers of 32 bits, the lowest byte first."""


def files(network: Network, inputs: Sequence[Array], part: str = "xc7z045ffg900-2") -> dict[str, bytes]:
    """The project by the paths of its files. Raises ValueError for inputs of other types."""
    packed = pack(network)
    found = sweeps.functions(network, packed)
    shim = resources.files("cocomp.targets.fpga.hls") / "shim"
    sums, made = network.run(inputs)
    quantisers = network.products[0].gemm.quantisers if network.products else None
    weights = {
        "src/weights/codes.bin": bytes(packed.weights),
        "src/weights/parameters.bin": _numbers([np.array(packed.parameters, np.int64)]),
    }
    if network.constants:
        weights["src/weights/constants.bin"] = _numbers([network.numbers[t.name] for t in network.constants])
    texts = {
        f"src/{network.name}.h": top_header(network),
        f"src/{network.name}.cpp": top(network, packed, found.shared),
        "src/sweeps.h": sweeps.header(found),
        "src/sweeps.cpp": sweeps.source(found, network),
        "src/tables.h": sweeps.tables(found),
        "src/types.h": engine.types(packed, network.design),
        "src/engine.h": engine.header(),
        "src/engine.cpp": engine.source(network.design, quantisers) if quantisers else NO_ENGINE,
        **{f"shim/{file}": (shim / file).read_text() for file in SHIM},
        "tb/probe.h": bench.PROBE,
        "tb/tensors.h": bench.tensors(network),
        "tb/tb.cpp": bench.bench(network, packed),
        "tcl/csim.tcl": scripts.script(network.name, "csim_design", part, list(weights)),
        "tcl/csynth.tcl": scripts.script(network.name, "csynth_design", part, list(weights)),
        "tcl/cosim.tcl": scripts.script(network.name, "cosim_design", part, list(weights)),
        "Makefile": scripts.makefile(network.name, [p.name for p in network.products]),
        "manifest.json": json.dumps(manifest(network, part), indent=2) + "\n",
    }
    binaries = weights | {
        "tb/in.bin": _numbers(inputs),
        "tb/golden_sums.bin": _numbers([s.T for s in sums]),
        "tb/golden_tensors.bin": _numbers(made),
    }
    return {path: text.encode() for path, text in texts.items()} | binaries


def _numbers(arrays: Sequence[Array]) -> bytes:
    return b"".join(np.ascontiguousarray(a).astype("<i8").astype("<i4").tobytes() for a in arrays)


def write(made: dict[str, bytes], folder: Path) -> None:
    """Write files into a folder."""
    for path, data in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def manifest(network: Network, part: str) -> dict[str, object]:
    """What a host has to know: where inputs and outputs lie, and what their integers stand for; where it puts constants.bin, one after the
    other, before the first run."""

    def placed(t: Tensor) -> dict[str, object]:
        return {
            "shape": list(t.shape),
            "type": str(t.kind),
            "memory": t.width,
            "offset": t.offset,
            "strides": list(t.strides),
        }

    def told(tensors: Sequence[Tensor], scales: Sequence[float]) -> list[dict[str, object]]:
        return [placed(t) | {"scale": s} for t, s in zip(tensors, scales, strict=True)]

    quantisers = [str(q) for q in network.products[0].gemm.quantisers] if network.products else []
    return {
        "format": 1,
        "name": network.name,
        "part": part,
        "alignment": scripts.ALIGNMENT_BYTES,
        "memory": dict(zip(("8", "16", "32"), network.memory, strict=True)),
        "inputs": told(network.inputs, network.scales[0]),
        "outputs": told(network.outputs, network.scales[1]),
        "constants": [placed(t) for t in network.constants],
        "quantisers": quantisers,
        "tiles": {"lanes": network.tiles.lanes, "rows": list(network.tiles.rows)},
        "stages": [
            {"name": s.name, "kind": "product" if isinstance(s, Product) else "sweep", "module": s.where}
            for s in network.stages
        ],
    }


def top_header(network: Network) -> str:
    """`NAME.h`."""
    return f"""#pragma once
#include "types.h"

// Memories of numbers of 8, 16 and 32 bits, each for reading and for writing; codes and parameters of all products. `words`, `all8` and
// `all16` are the memories of 8 and 16 bits once more, several numbers at once.
void {network.name}(const byte_t *in8, const short *in16, const int *in32, const lanes_t *words, const codes_t *weights,
{" " * (6 + len(network.name))}const four_t *parameters, byte_t *out8, short *out16, int *out32, bytes_t *all8, shorts_t *all16);
"""


def top(network: Network, packed: Packed, found: Sequence[Shared]) -> str:
    """`NAME.cpp`: the stages, one after the other."""
    layers = ",\n".join(_layer(layer) for layer in packed.layers)
    table = f"static const layer_t LAYERS[{len(packed.layers)}] = {{\n{layers}\n}};\n" if packed.layers else ""
    calls: list[str] = []
    told = {name: (f.name, arguments) for f in found for name, arguments in f.calls.items()}
    number = 0
    for index, stage in enumerate(network.stages):
        if isinstance(stage, Product):
            calls.append(
                f"  product(LAYERS[{number}], words, weights, parameters, out8, out16, all8, all16); // {stage.where or stage.name}\n"
            )
            number += 1
        else:
            calls.append(
                f"  {told[stage.name][0]}(in8, in16, in32, out8, out16, out32{told[stage.name][1]}); // {stage.where or stage.name}\n"
            )
        calls.append(f"  PROBE_TENSOR({index});\n")
    shared = "".join(f"#pragma HLS ALLOCATION function instances={f.name} limit=1\n" for f in found if len(f.calls) > 1)
    pragmas = "".join(
        f"#pragma HLS INTERFACE m_axi port={port} offset=slave bundle={bundle} depth={max(depth, 1)}\n"
        for port, (bundle, depth) in ports(network, packed).items()
    )
    return f"""#include "{network.name}.h"
#include "engine.h"
#include "sweeps.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE_TENSOR(stage)
#endif

{table}
void {network.name}(const byte_t *in8, const short *in16, const int *in32, const lanes_t *words, const codes_t *weights,
{" " * (6 + len(network.name))}const four_t *parameters, byte_t *out8, short *out16, int *out32, bytes_t *all8, shorts_t *all16) {{
{pragmas}#pragma HLS INTERFACE s_axilite port=return
#pragma HLS ALLOCATION function instances=product limit=1
{shared}{"".join(calls)}}}
"""


def ports(network: Network, packed: Packed) -> dict[str, tuple[str, int]]:
    """The memory ports: bundle, which has one width and whose ports are never read by two processes at once, and words behind it."""
    small, medium, large = network.memory
    lanes, together = network.tiles.lanes, network.design.requantisers
    return {
        "in8": ("numbers8", small), "in16": ("numbers16", medium), "in32": ("numbers32", large), "words": ("words", -(-small // lanes)),
        "weights": ("weights", len(packed.weights) // CHUNK_BYTES), "parameters": ("weights", packed.quads),
        "out8": ("numbers8", small), "out16": ("numbers16", medium), "out32": ("numbers32", large),
        "all8": ("all8", -(-small // together)), "all16": ("all16", -(-medium // together)),
    }  # fmt: skip


def _layer(layer: Layer) -> str:
    return "  " + _braced(layer)


def _braced(value: int | list[int] | Layer) -> str:
    if isinstance(value, int):
        return str(value)
    return "{" + ", ".join(map(_braced, value.values() if isinstance(value, dict) else value)) + "}"


NO_ENGINE = """#include "engine.h"

void product(const layer_t &, const lanes_t *, const codes_t *, const four_t *, byte_t *, short *, bytes_t *, shorts_t *) {}
"""
