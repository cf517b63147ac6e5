"""The engine of an accelerator in HLS C++: every matrix product of a network runs on it, one after the other.

The cores of all quantisers work on the same activations. Tiles of rows are the outermost loop; the weights of one stay on chip while all
pixels stream by, and those of the next are fetched meanwhile. For a pixel the engine walks a list of column tiles, `lanes` channels at one
tap of the window each; tiles of zeros are not in the list, so that sparse weights take the cycles that they have to. Activations of more
bits than the cores multiply come in planes, the highest first. What is small enough and read at several taps is copied on chip before.
Of a single pixel the weights are used once: they come in segments, and sums go on from one to the next.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from cocomp.passes.math.accelerator import PLANE_BITS, Design, IntegerType, Tiles
from cocomp.passes.math.accelerator.gemm import ACCUMULATOR_BITS
from cocomp.passes.math.accelerator.tiles import CHUNK_BYTES, code_bits
from cocomp.passes.math.quantisers import Quantiser
from cocomp.passes.math.quantisers.dyadic import MOST_SHIFT, MULTIPLIER_BITS

from ._engine_parts import FETCH, LOAD, SCALED, STEPS, STORE
from .cores import core, product_bits
from .packing import HEAD_QUADS, Packed

PLACES = ("coarse", "fine", "wide")
Quantisers = tuple[Quantiser, Quantiser, Quantiser]


def used_places(tiles: Tiles) -> list[int]:
    """Places in the mixture that have a core."""
    return [p for p in range(3) if tiles.rows[p]]


def types(packed: Packed, design: Design) -> str:
    """`types.h`: what flows between the processes, and what a layer is."""
    tiles = design.tiles
    sums = "".join(f"  sum_t {PLACES[p]}[{tiles.rows[p]}];\n" for p in used_places(tiles))
    return f"""#pragma once
#include "ap_int.h"

static const int LANES = {tiles.lanes}, PLANE_BITS = {PLANE_BITS}, TOGETHER = {design.requantisers}, WORDS = {max(-(-sum(tiles.rows) // design.requantisers), 1)};
static const int MOST_ENTRIES = {packed.most_entries}, CAPACITY = {max(design.capacity, 1)}, HEAD = 5, HEAD_QUADS = {HEAD_QUADS};

typedef ap_uint<PLANE_BITS> activation_t;
typedef ap_int<{ACCUMULATOR_BITS}> sum_t;
typedef unsigned char byte_t;

// What the memory takes or gives at once: channels of a pixel, codes, parameters, results.
struct lanes_t {{
  byte_t at[LANES];
}};
struct codes_t {{
  byte_t at[{CHUNK_BYTES}];
}};
struct four_t {{
  int at[4];
}};
struct bytes_t {{
  byte_t at[TOGETHER];
}};
struct shorts_t {{
  short at[TOGETHER];
}};

// Neighbouring channels of a pixel at one tap of its window, a plane of them.
struct word_t {{
  activation_t lanes[LANES];
}};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {{
{sums}}};

// A tile of columns: where the window's tap is along each axis, and how many words after the pixel's its first channels are.
struct entry_t {{
  short taps[4];
  int offset;
}};

// A row of a tile: its number in the model or -1, where its results go, and how sums become results.
struct row_t {{
  int row, offset;
  sum_t bias;
  ap_int<{MULTIPLIER_BITS + 1}> multiplier;
  ap_uint<{MOST_SHIFT.bit_length()}> shift;
}};

// What a product reads: words from `input` on, all `words` of them first where they are `held` on chip. Bits are counted from `low`,
// outside of the tensor they are `fill`. Pixels have up to four axes: position `step * pixel + tap` is inside below `extent`, and `pace`
// words lie between pixels.
struct walk_t {{
  int input, words, held, planes, low, fill;
  int pixels[4], steps[4], paces[4], extents[4];
}};

// What it writes: `out` numbers lie between pixels, the results of a pixel side by side, a
// word at once, where they are `in_order`.
struct sink_t {{
  int number, output, bytes, in_order, least, most;
  int pixels[4], out[4];
}};

// A product, in `steps`, of which a tile of rows takes one; `parameters` says where those are.
struct layer_t {{
  walk_t walk;
  sink_t sink;
  int pixels, steps, parameters;
}};
"""


def header() -> str:
    """`engine.h`."""
    return f"""#pragma once
#include "types.h"

// Computes a product of activations in `words` with codes and parameters of its rows. Results go to one of the memories, `TOGETHER` at once
// where they are in order. in: `words`, out: the same memories as numbers and as `TOGETHER` of them.
void product(const layer_t &layer, {INPUTS}, {OUTPUTS});
"""


INPUTS = "const lanes_t *words, const codes_t *weights, const four_t *parameters"
OUTPUTS = "byte_t *out8, short *out16, bytes_t *all8, shorts_t *all16"


def source(design: Design, quantisers: Quantisers) -> str:
    """`engine.cpp`."""
    tiles = design.tiles
    used = used_places(tiles)
    activation = IntegerType(PLANE_BITS, signed=False)
    cores = "\n".join(core(quantisers[p], activation, design.multipliers[p], PLACES[p]) for p in used)
    codes = "".join(_codes(p, tiles, quantisers[p]) for p in used)
    sums = "".join(_sums(p) for p in used)
    return f"""// {tiles.lanes} lanes by {", ".join(f"{tiles.rows[p]} rows of {quantisers[p]} in {design.multipliers[p]}" for p in used)}.
#include "engine.h"
#include "hls_stream.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#define ON_CHIP static
#else
#define PROBE(layer, pixel, row, sum)
#define ON_CHIP
#endif

{cores}
// What a step needs: a tile of rows, of which codes are in words of so many as the memory gives at once, or lanes, `counts` of them by
// quantiser. `head` has how many entries there are, where the tile's results begin, the lowest plane and how many there are, what sums begin
// with (nothing, those of the step before, or sixteen times those) and whether they end.
struct tile_t {{
{codes}  row_t rows[WORDS][TOGETHER];
  int counts[3];
  entry_t entries[MOST_ENTRIES];
  int head[HEAD];
}};

{FETCH.replace("@CODES@", "".join(_fetched(p, tiles, quantisers[p]) for p in used))}
{LOAD}
static void multiply(int pixels, int count, int planes, int begin, int end, {_code_arguments(used, tiles, quantisers)}, hls::stream<word_t> &words, hls::stream<sums_t> &results) {{
  static sums_t sums;
#pragma HLS ARRAY_PARTITION variable=sums complete
  int j = 0, plane = 0;
  for (int n = 0; n < pixels * planes * count; n++) {{
#pragma HLS PIPELINE II=1
    word_t word = words.read();
    int before = j ? 1 : plane ? 2 : begin;
{"".join(_multiplied(p, tiles, quantisers[p], design.multipliers[p]) for p in used)}    if (++j == count) {{
      j = 0;
      if (++plane == planes) {{
        plane = 0;
        if (end)
          results.write(sums);
      }}
    }}
  }}
}}

{SCALED}
{STORE.replace("@SUMS@", sums)}
{STEPS.replace("@PARTITIONS@", _partitions(used)).replace("@TILE_CODES@", "".join(f"tile.{PLACES[p]}, " for p in used)).replace("@CODES@", "".join(f"{PLACES[p]}, " for p in used)).replace("@CODE_ARGUMENTS@", _code_arguments(used, tiles, quantisers)).replace("@INPUTS@", INPUTS).replace("@OUTPUTS@", OUTPUTS)}"""


def word_codes(tiles: Tiles, quantiser: Quantiser) -> int:
    """Codes in a word of the memories on chip."""
    return gcd(tiles.lanes, 8 * CHUNK_BYTES // code_bits(quantiser))


def _shape(place: int, tiles: Tiles, quantiser: Quantiser) -> str:
    per = word_codes(tiles, quantiser)
    return f"[MOST_ENTRIES][{tiles.rows[place] * tiles.lanes // per}][{per}]"


def _codes(place: int, tiles: Tiles, quantiser: Quantiser) -> str:
    return f"  ap_uint<{quantiser.bits}> {PLACES[place]}{_shape(place, tiles, quantiser)};\n"


def _code_arguments(used: list[int], tiles: Tiles, quantisers: Quantisers) -> str:
    return ", ".join(f"const ap_uint<{quantisers[p].bits}> {PLACES[p]}{_shape(p, tiles, quantisers[p])}" for p in used)


def _partitions(used: list[int]) -> str:
    """Memories as wide as a word, one for each word of an entry; one for each row whose results are made at once."""
    lines = [
        f"#pragma HLS ARRAY_PARTITION variable=tile.{PLACES[p]} complete dim=2\n"
        f"#pragma HLS ARRAY_RESHAPE variable=tile.{PLACES[p]} complete dim=3\n"
        for p in used
    ]
    return "".join(
        [
            *lines,
            "#pragma HLS ARRAY_PARTITION variable=tile.rows complete dim=2\n#pragma HLS ARRAY_PARTITION variable=tile.counts complete\n",
        ]
    )


def _fetched(place: int, tiles: Tiles, quantiser: Quantiser) -> str:
    name, per, bits = PLACES[place], word_codes(tiles, quantiser), code_bits(quantiser)
    words = tiles.rows[place] * tiles.lanes // per
    at_once = 8 * CHUNK_BYTES // bits // per
    chunks = -(-words // at_once)
    number = f"(s % {at_once}) * {per} + c" if at_once > 1 else "c"
    code = f"chunk.at[{number}]" if bits == 8 else f"chunk.at[({number}) / 2] >> (({number}) % 2 * 4) & 15"
    return f"""  for (int n = 0, j = 0, k = 0; n < head.at[0] * {chunks}; n++, at++) {{
#pragma HLS PIPELINE II=1
    codes_t chunk = weights[at];
    for (int s = 0; s < {words}; s++) {{
#pragma HLS UNROLL
      if (s / {at_once} == k) {{
        for (int c = 0; c < {per}; c++)
          tile.{name}[j][s][c] = {code};
      }}
    }}
    if (++k == {chunks}) {{
      k = 0;
      j++;
    }}
  }}
"""


def _multiplied(place: int, tiles: Tiles, quantiser: Quantiser, where: str) -> str:
    """The cores of one quantiser."""
    name, rows, per = PLACES[place], tiles.rows[place], word_codes(tiles, quantiser)
    zero = int(quantiser.encode(np.zeros(1, np.int64))[0])

    def code(row: str) -> str:
        return f"{name}[j][(({row}) * LANES + l) / {per}][(({row}) * LANES + l) % {per}]"

    opened = f"    for (int i = 0; i < {rows}; i{' += 2' if where == 'packed' else '++'}) {{\n#pragma HLS UNROLL\n"
    if where != "packed":
        return f"""{opened}      sum_t sum = begun(sums.{name}[i], before);
      for (int l = 0; l < LANES; l++) {{
#pragma HLS UNROLL
        sum = sum + multiply_{name}({code("i")}, word.lanes[l]);
      }}
      sums.{name}[i] = sum;
    }}
"""
    width = product_bits(quantiser, IntegerType(PLANE_BITS, signed=False))
    second = f"i + 1 < {rows} ? {code('i + 1')} : ap_uint<{quantiser.bits}>({zero})" if rows % 2 else code("i + 1")
    return f"""{opened}      sum_t low = begun(sums.{name}[i], before), high = {"i + 1 < " + str(rows) + f" ? begun(sums.{name}[i + 1], before) : sum_t(0)" if rows % 2 else f"begun(sums.{name}[i + 1], before)"};
      for (int l = 0; l < LANES; l++) {{
#pragma HLS UNROLL
        ap_int<{width}> first, second;
        multiply_{name}({code("i")}, {second}, word.lanes[l], first, second);
        low = low + first;
        high = high + second;
      }}
      sums.{name}[i] = low;
      {f"if (i + 1 < {rows})" + chr(10) + "        " if rows % 2 else ""}sums.{name}[i + 1] = high;
    }}
"""


def _sums(place: int) -> str:
    """Where the sums of one quantiser are."""
    return f"""  if (row < counts[{place}])
    return sums.{PLACES[place]}[row];
  row -= counts[{place}];
"""
