#pragma once
#include "ap_int.h"

static const int LANES = 4, PLANE_BITS = 4, TOGETHER = 1, WORDS = 6;
static const int MOST_ENTRIES = 6, CAPACITY = 1, HEAD = 5, HEAD_QUADS = 3;

typedef ap_uint<PLANE_BITS> activation_t;
typedef ap_int<32> sum_t;
typedef unsigned char byte_t;

// What the memory takes or gives at once: channels of a pixel, codes, parameters, results.
struct lanes_t {
  byte_t at[LANES];
};
struct codes_t {
  byte_t at[16];
};
struct four_t {
  int at[4];
};
struct bytes_t {
  byte_t at[TOGETHER];
};
struct shorts_t {
  short at[TOGETHER];
};

// Neighbouring channels of a pixel at one tap of its window, a plane of them.
struct word_t {
  activation_t lanes[LANES];
};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {
  sum_t coarse[3];
  sum_t fine[2];
  sum_t wide[1];
};

// A tile of columns: where the window's tap is along each axis, and how many words after the pixel's its first channels are.
struct entry_t {
  short taps[4];
  int offset;
};

// A row of a tile: its number in the model or -1, where its results go, and how sums become results.
struct row_t {
  int row, offset;
  sum_t bias;
  ap_int<17> multiplier;
  ap_uint<6> shift;
};

// What a product reads: words from `input` on, all `words` of them first where they are `held` on chip. Bits are counted from `low`,
// outside of the tensor they are `fill`. Pixels have up to four axes: position `step * pixel + tap` is inside below `extent`, and `pace`
// words lie between pixels.
struct walk_t {
  int input, words, held, planes, low, fill;
  int pixels[4], steps[4], paces[4], extents[4];
};

// What it writes: `out` numbers lie between pixels, the results of a pixel side by side, a
// word at once, where they are `in_order`.
struct sink_t {
  int number, output, bytes, in_order, least, most;
  int pixels[4], out[4];
};

// A product, in `steps`, of which a tile of rows takes one; `parameters` says where those are.
struct layer_t {
  walk_t walk;
  sink_t sink;
  int pixels, steps, parameters;
};
