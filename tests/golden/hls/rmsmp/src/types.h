#pragma once
#include "ap_int.h"

static const int LANES = 4, PLANE_BITS = 4, MOST_ENTRIES = 6;

typedef ap_uint<PLANE_BITS> activation_t;
typedef ap_int<32> sum_t;
typedef unsigned char byte_t;

// Neighbouring channels of a pixel at one tap of its window.
struct word_t {
  activation_t lanes[LANES];
};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {
  sum_t coarse[3];
  sum_t fine[2];
  sum_t wide[1];
};

// A tile of columns: where the window's tap is along each axis, and the channel that it begins with.
struct entry_t {
  int taps[4];
  int channel;
};

// A row of a tile: its number in the model or -1, where its results go, and how sums become results.
struct row_t {
  int row, offset, bias, multiplier, shift;
};

// A product: bits of activations come in `planes`, counted from `low`; outside of the tensor they are `fill`. Pixels have up to four
// axes: position `step * pixel + tap` is read at `stride` numbers a position, and written at `out` numbers a pixel,
// the results of a tile side by side where they are `in_order`.
struct layer_t {
  int number, planes, low, fill, input, output, bytes, least, most;
  int pixels[4], steps[4], extents[4], strides[4], out[4];
  int in_order, row_tiles, weights, parameters;
};
