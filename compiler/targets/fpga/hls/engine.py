"""A matrix product as an HLS C++ function: the cores of all quantisers work on the same activations.

Tiles of rows are the outermost loop, then pixels, then tiles of columns: in a cycle every core reads the same `lanes` activations, each
for as many rows as it has. Three stages are connected by streams: one reads, one multiplies and adds, one scales, saturates and writes.
"""

from __future__ import annotations

import numpy as np

from cocomp.passes.math.accelerator import Gemm, IntegerType, Tiles
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers.dyadic import MOST_SHIFT

from .cores import core

PLACES = ("coarse", "fine", "wide")


def types(gemm: Gemm, tiles: Tiles) -> str:
    """`types.h`: what flows between the stages."""
    used = [p for p in range(3) if gemm.counts[p]]
    sums = "".join(f"  sum_t {PLACES[p]}[{tiles.rows[p]}];\n" for p in used)
    return f"""#pragma once
#include "ap_int.h"

typedef {_integer(gemm.activation)} activation_t;
typedef {_integer(gemm.output)} output_t;
typedef ap_int<{ACCUMULATOR_BITS}> sum_t;

// {tiles.lanes} neighbouring columns of a pixel.
struct word_t {{
  activation_t lanes[{tiles.lanes}];
}};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {{
{sums}}};
"""


def header(name: str) -> str:
    """`NAME.h`: the function."""
    return f"""#pragma once
#include "types.h"

// x: [pixels][tiles of columns], columns beyond the last are zero; y: [pixels][rows], rows in the model's order.
void {name}(const word_t *x, output_t *y, int pixels);
"""


def source(gemm: Gemm, tiles: Tiles, name: str) -> str:
    """`NAME.cpp`."""
    row_tiles, column_tiles = tiles.steps(gemm)
    used = [p for p in range(3) if gemm.counts[p]]
    cores = "\n".join(core(q, gemm.activation) for q in dict.fromkeys(gemm.quantisers[p] for p in used))
    return f"""// {gemm.rows} rows ({_mixture(gemm)}) of {gemm.columns} columns, {tiles.lanes} at a time.
#include "{name}.h"
#include "hls_stream.h"
#include "weights/{name}.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE(pixel, row, sum)
#endif

{cores}
static void load(const word_t *x, hls::stream<word_t> &words, int pixels) {{
  for (int r = 0; r < {row_tiles}; r++) {{
    for (int p = 0; p < pixels; p++) {{
      for (int k = 0; k < {column_tiles}; k++) {{
#pragma HLS PIPELINE II=1
        words.write(x[p * {column_tiles} + k]);
      }}
    }}
  }}
}}

static void multiply(hls::stream<word_t> &words, hls::stream<sums_t> &results, int pixels) {{
{_partitions(used)}  for (int r = 0; r < {row_tiles}; r++) {{
    for (int p = 0; p < pixels; p++) {{
      sums_t sums;
#pragma HLS ARRAY_PARTITION variable=sums complete
      for (int k = 0; k < {column_tiles}; k++) {{
#pragma HLS PIPELINE II=1
        word_t word = words.read();
{"".join(_multiplied(gemm, tiles, p) for p in used)}        if (k == {column_tiles} - 1)
          results.write(sums);
      }}
    }}
  }}
}}

// round(sum * multiplier / 2^shift), halves up, as far as the type has it.
static output_t scaled(sum_t sum, int multiplier, int shift) {{
#pragma HLS INLINE
  ap_int<64> product = (ap_int<64>)sum * (ap_int<64>)multiplier;
  ap_int<64> half = 0;
  if (shift)
    half = (ap_int<64>)1 << (shift - 1);
  ap_int<64> rounded = (product + half) >> shift;
  if (rounded < {gemm.output.low})
    return {gemm.output.low};
  return rounded > {gemm.output.high} ? (output_t){gemm.output.high} : (output_t)(int)rounded;
}}

static void store(hls::stream<sums_t> &results, output_t *y, int pixels) {{
  for (int r = 0; r < {row_tiles}; r++) {{
    for (int p = 0; p < pixels; p++) {{
#pragma HLS PIPELINE II={max(tiles.rows[p] for p in used)}
      sums_t sums = results.read();
{"".join(_written(gemm, tiles, p) for p in used)}    }}
  }}
}}

void {name}(const word_t *x, output_t *y, int pixels) {{
#pragma HLS INTERFACE m_axi port=x offset=slave bundle=input
#pragma HLS INTERFACE m_axi port=y offset=slave bundle=output
#pragma HLS INTERFACE s_axilite port=pixels
#pragma HLS INTERFACE s_axilite port=return
#pragma HLS DATAFLOW
  hls::stream<word_t> words("words");
  hls::stream<sums_t> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=results depth=4
  load(x, words, pixels);
  multiply(words, results, pixels);
  store(results, y, pixels);
}}
"""


def weights(gemm: Gemm, tiles: Tiles, name: str) -> str:
    """`weights/NAME.h`: codes by tile of rows, tile of columns, row and lane; for each row its place among the model's, its bias, its
    factor. Rows that fill a tile have the place -1 and codes that stand for zero."""
    row_tiles, column_tiles = tiles.steps(gemm)
    parts = [f'// Weights of {name}.\n#pragma once\n#include "ap_int.h"\n']
    for place in range(3):
        if not gemm.counts[place]:
            continue
        quantiser, count = gemm.quantisers[place], tiles.rows[place]
        rows = np.full(row_tiles * count, -1, np.int64)
        rows[: gemm.counts[place]] = gemm.group(place)
        zero = int(quantiser.encode(np.zeros(1, np.int64))[0])
        codes = np.full((len(rows), column_tiles * tiles.lanes), zero, np.int64)
        codes[: gemm.counts[place], : gemm.columns] = gemm.codes[gemm.group(place)]
        shaped = codes.reshape(row_tiles, count, column_tiles, tiles.lanes).transpose(0, 2, 1, 3)
        prefix, per_row = PLACES[place], [row_tiles, count]
        factors = [gemm.factors[r] if r >= 0 else None for r in rows]
        parts += [
            _array(f"ap_uint<{quantiser.bits}>", f"{prefix}_codes", shaped),
            _array("int", f"{prefix}_rows", rows.reshape(per_row)),
            _array("int", f"{prefix}_bias", np.where(rows >= 0, gemm.bias[rows], 0).reshape(per_row)),
            _array(
                "int", f"{prefix}_multipliers", np.array([f.multiplier if f else 0 for f in factors]).reshape(per_row)
            ),
            _array("int", f"{prefix}_shifts", np.array([f.shift if f else 0 for f in factors]).reshape(per_row)),
        ]
    assert max(f.shift for f in gemm.factors) <= MOST_SHIFT
    return "\n".join(parts)


def _integer(kind: IntegerType) -> str:
    return f"ap_{'' if kind.signed else 'u'}int<{kind.bits}>"


def _mixture(gemm: Gemm) -> str:
    return ", ".join(f"{n} of {q}" for n, q in zip(gemm.counts, gemm.quantisers, strict=True) if n)


def _partitions(used: list[int]) -> str:
    lines = [
        f"#pragma HLS ARRAY_PARTITION variable={PLACES[p]}_{what} complete dim={dim}\n"
        for p in used
        for what, dim in (("codes", 3), ("codes", 4), ("bias", 2))
    ]
    return "".join(lines)


def _multiplied(gemm: Gemm, tiles: Tiles, place: int) -> str:
    """The core of one quantiser."""
    prefix = PLACES[place]
    return f"""        for (int i = 0; i < {tiles.rows[place]}; i++) {{
#pragma HLS UNROLL
          sum_t sum = k ? sums.{prefix}[i] : (sum_t){prefix}_bias[r][i];
          for (int l = 0; l < {tiles.lanes}; l++) {{
#pragma HLS UNROLL
            sum = sum + multiply_{gemm.quantisers[place].identifier}({prefix}_codes[r][k][i][l], word.lanes[l]);
          }}
          sums.{prefix}[i] = sum;
        }}
"""


def _written(gemm: Gemm, tiles: Tiles, place: int) -> str:
    """Rows of one quantiser."""
    prefix = PLACES[place]
    return f"""      for (int i = 0; i < {tiles.rows[place]}; i++) {{
        int row = {prefix}_rows[r][i];
        if (row >= 0) {{
          PROBE(p, row, sums.{prefix}[i]);
          y[p * {gemm.rows} + row] = scaled(sums.{prefix}[i], {prefix}_multipliers[r][i], {prefix}_shifts[r][i]);
        }}
      }}
"""


def _array(kind: str, name: str, values: np.ndarray) -> str:
    extents = "".join(f"[{n}]" for n in values.shape)
    return f"static const {kind} {name}{extents} = {_nested(values)};"


def _nested(values: np.ndarray) -> str:
    if values.ndim == 1:
        return "{" + ", ".join(map(str, values.tolist())) + "}"
    return "{\n" + ",\n".join(_nested(part) for part in values) + "}"
