"""The engine of an accelerator in HLS C++: every matrix product of a network runs on it, one after the other.

The cores of all quantisers work on the same activations. Tiles of rows are the outermost loop; their weights are fetched once and stay on chip while all
pixels stream by. For a pixel the engine walks a list of column tiles, `lanes` channels at one tap of the window each; tiles of zeros are not in
the list, so that sparse weights take the cycles that they have to. Activations of more bits than the cores multiply come in planes, the
highest first. Three stages are connected by streams: one reads, one multiplies and adds, one scales, saturates and writes.
"""

from __future__ import annotations

from cocomp.passes.math.accelerator import PLANE_BITS, Design, IntegerType, Tiles
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.quantisers import Quantiser

from .cores import core
from .packing import Packed, code_bits

PLACES = ("coarse", "fine", "wide")


def used_places(tiles: Tiles) -> list[int]:
    """Places in the mixture that have a core."""
    return [p for p in range(3) if tiles.rows[p]]


def types(packed: Packed, tiles: Tiles) -> str:
    """`types.h`: what flows between the stages, and what a layer is."""
    sums = "".join(f"  sum_t {PLACES[p]}[{tiles.rows[p]}];\n" for p in used_places(tiles))
    return f"""#pragma once
#include "ap_int.h"

static const int LANES = {tiles.lanes}, PLANE_BITS = {PLANE_BITS}, MOST_ENTRIES = {packed.most_entries};

typedef ap_uint<PLANE_BITS> activation_t;
typedef ap_int<{ACCUMULATOR_BITS}> sum_t;
typedef unsigned char byte_t;

// Neighbouring channels of a pixel at one tap of its window.
struct word_t {{
  activation_t lanes[LANES];
}};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {{
{sums}}};

// A tile of columns: where the window's tap is along each axis, and the channel that it begins with.
struct entry_t {{
  int taps[4];
  int channel;
}};

// A row of a tile: its number in the model or -1, where its results go, and how sums become results.
struct row_t {{
  int row, offset, bias, multiplier, shift;
}};

// A product: bits of activations come in `planes`, counted from `low`; outside of the tensor they are `fill`. Pixels have up to four
// axes: position `step * pixel + tap` is read at `stride` numbers a position, and written at `out` numbers a pixel,
// the results of a tile side by side where they are `in_order`.
struct layer_t {{
  int number, planes, low, fill, input, output, bytes, least, most;
  int pixels[4], steps[4], extents[4], strides[4], out[4];
  int in_order, row_tiles, weights, parameters;
}};
"""


def header() -> str:
    """`engine.h`."""
    return """#pragma once
#include "types.h"

// Computes a product: activations of in8 with packed codes and parameters of its rows; results go to out8 or out16.
void product(const layer_t &layer, const byte_t *in8, const byte_t *weights, const int *parameters, byte_t *out8, short *out16);
"""


def source(design: Design, quantisers: tuple[Quantiser, Quantiser, Quantiser]) -> str:
    """`engine.cpp`."""
    tiles, requantisers = design.tiles, design.requantisers
    used = used_places(tiles)
    activation = IntegerType(PLANE_BITS, signed=False)
    cores = "\n".join(core(q, activation) for q in dict.fromkeys(quantisers[p] for p in used))
    codes = "".join(
        f"  ap_uint<{quantisers[p].bits}> {PLACES[p]}[MOST_ENTRIES][{tiles.rows[p]}][LANES];\n" for p in used
    )
    rows = "".join(f"  row_t {PLACES[p]}_rows[{tiles.rows[p]}];\n" for p in used)
    total = sum(tiles.rows[p] for p in used)
    return f"""// {tiles.lanes} lanes by {", ".join(f"{tiles.rows[p]} rows of {quantisers[p]}" for p in used)}.
#include "engine.h"
#include "hls_stream.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE(layer, pixel, row, sum)
#endif

{cores}
// What a tile of rows needs.
struct tile_t {{
{codes}{rows}  entry_t entries[MOST_ENTRIES];
  int count, first;
}};

// Fetches a tile; `at` and `where` move on to the next one.
static void fetch(const byte_t *weights, const int *parameters, int &at, int &where, tile_t &tile) {{
  tile.count = parameters[where];
  tile.first = parameters[where + 1];
  where += 2;
  for (int j = 0; j < tile.count; j++) {{
#pragma HLS PIPELINE
    for (int a = 0; a < 4; a++)
      tile.entries[j].taps[a] = parameters[where + j * 5 + a];
    tile.entries[j].channel = parameters[where + j * 5 + 4];
  }}
  where += tile.count * 5;
{"".join(_fetched_rows(p, tiles) for p in used)}  for (int j = 0; j < tile.count; j++) {{
{"".join(_fetched_codes(p, tiles, quantisers[p]) for p in used)}  }}
}}

static void load(const layer_t &layer, const tile_t &tile, const byte_t *in8, hls::stream<word_t> &words) {{
  for (int p0 = 0; p0 < layer.pixels[0]; p0++) {{
    for (int p1 = 0; p1 < layer.pixels[1]; p1++) {{
      for (int p2 = 0; p2 < layer.pixels[2]; p2++) {{
        for (int p3 = 0; p3 < layer.pixels[3]; p3++) {{
          for (int plane = layer.planes - 1; plane >= 0; plane--) {{
            for (int j = 0; j < tile.count; j++) {{
#pragma HLS PIPELINE II=1
              const int pixel[4] = {{p0, p1, p2, p3}};
              bool inside = true;
              int at = layer.input + tile.entries[j].channel;
              for (int a = 0; a < 4; a++) {{
#pragma HLS UNROLL
                int position = layer.steps[a] * pixel[a] + tile.entries[j].taps[a];
                inside = inside && position >= 0 && position < layer.extents[a];
                at += position * layer.strides[a];
              }}
              word_t word;
              for (int l = 0; l < LANES; l++) {{
#pragma HLS UNROLL
                int number = inside ? (in8[at + l] - layer.low) & 255 : layer.fill;
                word.lanes[l] = number >> (plane * PLANE_BITS);
              }}
              words.write(word);
            }}
          }}
        }}
      }}
    }}
  }}
}}

static void multiply(int pixels, int planes, const tile_t &tile, hls::stream<word_t> &words, hls::stream<sums_t> &results) {{
  for (int p = 0; p < pixels; p++) {{
    sums_t sums;
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int plane = 0; plane < planes; plane++) {{
      for (int j = 0; j < tile.count; j++) {{
#pragma HLS PIPELINE II=1
        word_t word = words.read();
{"".join(_multiplied(p, tiles, quantisers[p]) for p in used)}        if (plane == planes - 1 && j == tile.count - 1)
          results.write(sums);
      }}
    }}
  }}
}}

// round(sum * multiplier / 2^shift), halves up, between least and most.
static int scaled(sum_t sum, int multiplier, int shift, int least, int most) {{
#pragma HLS INLINE
  ap_int<64> product = (ap_int<64>)sum * (ap_int<64>)multiplier;
  ap_int<64> half = 0;
  if (shift)
    half = (ap_int<64>)1 << (shift - 1);
  ap_int<64> rounded = (product + half) >> shift;
  if (rounded < least)
    return least;
  return rounded > most ? most : (int)rounded;
}}

// A result: what the type of the layer has for it.
static int result_of(const layer_t &layer, int pixel, sum_t sum, const row_t &row) {{
#pragma HLS INLINE
  if (row.row < 0)
    return 0;
  sum_t total = sum + (sum_t)row.bias;
  PROBE(layer.number, pixel, row.row, total);
  return scaled(total, row.multiplier, row.shift, layer.least, layer.most);
}}

static void put(const layer_t &layer, int at, int result, byte_t *out8, short *out16) {{
#pragma HLS INLINE
  if (layer.bytes == 1)
    out8[at] = (byte_t)(result & 255);
  else
    out16[at] = (short)(result < 32768 ? result : result - 65536);
}}

static void store(const layer_t &layer, const tile_t &tile, hls::stream<sums_t> &results, byte_t *out8, short *out16) {{
  int pixel = 0;
  for (int p0 = 0; p0 < layer.pixels[0]; p0++) {{
    for (int p1 = 0; p1 < layer.pixels[1]; p1++) {{
      for (int p2 = 0; p2 < layer.pixels[2]; p2++) {{
        for (int p3 = 0; p3 < layer.pixels[3]; p3++) {{
#pragma HLS PIPELINE II={-(-total // requantisers)}
          int at = layer.output + p0 * layer.out[0] + p1 * layer.out[1] + p2 * layer.out[2] + p3 * layer.out[3];
          sums_t sums = results.read();
          int found[{total}];
#pragma HLS ARRAY_PARTITION variable=found complete
{"".join(_stored(p, tiles) for p in used)}          if (layer.in_order) {{
            for (int i = 0; i < {total}; i++)
              put(layer, at + tile.first + i, found[i], out8, out16);
          }} else {{
{"".join(_scattered(p, tiles) for p in used)}          }}
          pixel++;
        }}
      }}
    }}
  }}
}}

static void run(const layer_t &layer, const tile_t &tile, const byte_t *in8, byte_t *out8, short *out16) {{
#pragma HLS DATAFLOW
  hls::stream<word_t> words("words");
  hls::stream<sums_t> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=results depth=4
  int pixels = layer.pixels[0] * layer.pixels[1] * layer.pixels[2] * layer.pixels[3];
  load(layer, tile, in8, words);
  multiply(pixels, layer.planes, tile, words, results);
  store(layer, tile, results, out8, out16);
}}

void product(const layer_t &layer, const byte_t *in8, const byte_t *weights, const int *parameters, byte_t *out8, short *out16) {{
#pragma HLS INLINE off
  static tile_t tile;
{_partitions(used)}  int at = layer.weights, where = layer.parameters;
  for (int r = 0; r < layer.row_tiles; r++) {{
    fetch(weights, parameters, at, where, tile);
    run(layer, tile, in8, out8, out16);
  }}
}}
"""


def _partitions(used: list[int]) -> str:
    lines = [
        f"#pragma HLS ARRAY_PARTITION variable=tile.{PLACES[p]}{what} complete dim={dim}\n"
        for p in used
        for what, dim in (("", 2), ("", 3), ("_rows", 1))
    ]
    return "".join(lines)


def _fetched_rows(place: int, tiles: Tiles) -> str:
    name, count = PLACES[place], tiles.rows[place]
    return f"""  for (int i = 0; i < {count}; i++) {{
    tile.{name}_rows[i].row = parameters[where + i * 5];
    tile.{name}_rows[i].offset = parameters[where + i * 5 + 1];
    tile.{name}_rows[i].bias = parameters[where + i * 5 + 2];
    tile.{name}_rows[i].multiplier = parameters[where + i * 5 + 3];
    tile.{name}_rows[i].shift = parameters[where + i * 5 + 4];
  }}
  where += {count * 5};
"""


def _fetched_codes(place: int, tiles: Tiles, quantiser: Quantiser) -> str:
    name, count = PLACES[place], tiles.rows[place] * tiles.lanes
    indices = f"tile.{name}[j][n / LANES][n % LANES]"
    if code_bits(quantiser) == 8:
        return f"""    for (int n = 0; n < {count}; n++) {{
#pragma HLS PIPELINE
      {indices} = weights[at + n];
    }}
    at += {count};
"""
    return f"""    for (int n = 0; n < {count}; n++) {{
#pragma HLS PIPELINE
      {indices} = (weights[at + n / 2] >> (n % 2 * 4)) & 15;
    }}
    at += {(count + 1) // 2};
"""


def _multiplied(place: int, tiles: Tiles, quantiser: Quantiser) -> str:
    """The core of one quantiser."""
    name = PLACES[place]
    return f"""        for (int i = 0; i < {tiles.rows[place]}; i++) {{
#pragma HLS UNROLL
          sum_t sum = 0;
          if (j)
            sum = sums.{name}[i];
          else if (plane)
            sum = (long long)sums.{name}[i] * (1 << PLANE_BITS);
          for (int l = 0; l < LANES; l++) {{
#pragma HLS UNROLL
            sum = sum + multiply_{quantiser.identifier}(tile.{name}[j][i][l], word.lanes[l]);
          }}
          sums.{name}[i] = sum;
        }}
"""


def _stored(place: int, tiles: Tiles) -> str:
    name = PLACES[place]
    return f"""          for (int i = 0; i < {tiles.rows[place]}; i++)
            found[{_first(place, tiles)}i] = result_of(layer, pixel, sums.{name}[i], tile.{name}_rows[i]);
"""


def _scattered(place: int, tiles: Tiles) -> str:
    name = PLACES[place]
    return f"""            for (int i = 0; i < {tiles.rows[place]}; i++)
              if (tile.{name}_rows[i].row >= 0)
                put(layer, at + tile.{name}_rows[i].offset, found[{_first(place, tiles)}i], out8, out16);
"""


def _first(place: int, tiles: Tiles) -> str:
    before = sum(tiles.rows[:place])
    return f"{before} + " if before else ""
