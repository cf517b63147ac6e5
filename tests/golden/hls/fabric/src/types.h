#pragma once
#include "ap_int.h"

typedef ap_int<4> activation_t;
typedef ap_int<8> output_t;
typedef ap_int<32> sum_t;

// 4 neighbouring columns of a pixel.
struct word_t {
  activation_t lanes[4];
};

// Sums of a tile of rows for a pixel, by the quantiser of the rows.
struct sums_t {
  sum_t coarse[3];
  sum_t fine[2];
  sum_t wide[1];
};
