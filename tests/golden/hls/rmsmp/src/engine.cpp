// 4 lanes by 3 rows of pot<4>, 2 rows of fixed<4>, 1 rows of fixed<8>.
#include "engine.h"
#include "hls_stream.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE(layer, pixel, row, sum)
#endif

// pot<4>: shifts and adders.
static inline ap_int<11> multiply_pot4(ap_uint<4> code, activation_t x) {
#pragma HLS INLINE
  ap_int<11> product = 0;
#pragma HLS BIND_OP variable=product op=add impl=fabric
  switch ((int)code & 7) {
  case 1: product = (int)x; break;
  case 2: product = (int)x * 2; break;
  case 3: product = (int)x * 4; break;
  case 4: product = (int)x * 8; break;
  case 5: product = (int)x * 16; break;
  case 6: product = (int)x * 32; break;
  case 7: product = (int)x * 64; break;
  default: break;
  }
  return (int)code >> 3 ? ap_int<11>(-product) : product;
}

// fixed<4>: a multiplier. The lowest code stands for the next, as the set is symmetric.
static inline ap_int<8> multiply_fixed4(ap_uint<4> code, activation_t x) {
#pragma HLS INLINE
  ap_int<4> number = code == 8 ? -7 : (int)code;
  ap_int<8> product = number * x;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
  return product;
}

// fixed<8>: a multiplier. The lowest code stands for the next, as the set is symmetric.
static inline ap_int<12> multiply_fixed8(ap_uint<8> code, activation_t x) {
#pragma HLS INLINE
  ap_int<8> number = code == 128 ? -127 : (int)code;
  ap_int<12> product = number * x;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
  return product;
}

// What a tile of rows needs.
struct tile_t {
  ap_uint<4> coarse[MOST_ENTRIES][3][LANES];
  ap_uint<4> fine[MOST_ENTRIES][2][LANES];
  ap_uint<8> wide[MOST_ENTRIES][1][LANES];
  row_t coarse_rows[3];
  row_t fine_rows[2];
  row_t wide_rows[1];
  entry_t entries[MOST_ENTRIES];
  int count, first;
};

// Fetches a tile; `at` and `where` move on to the next one.
static void fetch(const byte_t *weights, const int *parameters, int &at, int &where, tile_t &tile) {
  tile.count = parameters[where];
  tile.first = parameters[where + 1];
  where += 2;
  for (int j = 0; j < tile.count; j++) {
#pragma HLS PIPELINE
    for (int a = 0; a < 4; a++)
      tile.entries[j].taps[a] = parameters[where + j * 5 + a];
    tile.entries[j].channel = parameters[where + j * 5 + 4];
  }
  where += tile.count * 5;
  for (int i = 0; i < 3; i++) {
    tile.coarse_rows[i].row = parameters[where + i * 5];
    tile.coarse_rows[i].offset = parameters[where + i * 5 + 1];
    tile.coarse_rows[i].bias = parameters[where + i * 5 + 2];
    tile.coarse_rows[i].multiplier = parameters[where + i * 5 + 3];
    tile.coarse_rows[i].shift = parameters[where + i * 5 + 4];
  }
  where += 15;
  for (int i = 0; i < 2; i++) {
    tile.fine_rows[i].row = parameters[where + i * 5];
    tile.fine_rows[i].offset = parameters[where + i * 5 + 1];
    tile.fine_rows[i].bias = parameters[where + i * 5 + 2];
    tile.fine_rows[i].multiplier = parameters[where + i * 5 + 3];
    tile.fine_rows[i].shift = parameters[where + i * 5 + 4];
  }
  where += 10;
  for (int i = 0; i < 1; i++) {
    tile.wide_rows[i].row = parameters[where + i * 5];
    tile.wide_rows[i].offset = parameters[where + i * 5 + 1];
    tile.wide_rows[i].bias = parameters[where + i * 5 + 2];
    tile.wide_rows[i].multiplier = parameters[where + i * 5 + 3];
    tile.wide_rows[i].shift = parameters[where + i * 5 + 4];
  }
  where += 5;
  for (int j = 0; j < tile.count; j++) {
    for (int n = 0; n < 12; n++) {
#pragma HLS PIPELINE
      tile.coarse[j][n / LANES][n % LANES] = (weights[at + n / 2] >> (n % 2 * 4)) & 15;
    }
    at += 6;
    for (int n = 0; n < 8; n++) {
#pragma HLS PIPELINE
      tile.fine[j][n / LANES][n % LANES] = (weights[at + n / 2] >> (n % 2 * 4)) & 15;
    }
    at += 4;
    for (int n = 0; n < 4; n++) {
#pragma HLS PIPELINE
      tile.wide[j][n / LANES][n % LANES] = weights[at + n];
    }
    at += 4;
  }
}

static void load(const layer_t &layer, const tile_t &tile, const byte_t *in8, hls::stream<word_t> &words) {
  for (int p0 = 0; p0 < layer.pixels[0]; p0++) {
    for (int p1 = 0; p1 < layer.pixels[1]; p1++) {
      for (int p2 = 0; p2 < layer.pixels[2]; p2++) {
        for (int p3 = 0; p3 < layer.pixels[3]; p3++) {
          for (int plane = layer.planes - 1; plane >= 0; plane--) {
            for (int j = 0; j < tile.count; j++) {
#pragma HLS PIPELINE II=1
              const int pixel[4] = {p0, p1, p2, p3};
              bool inside = true;
              int at = layer.input + tile.entries[j].channel;
              for (int a = 0; a < 4; a++) {
#pragma HLS UNROLL
                int position = layer.steps[a] * pixel[a] + tile.entries[j].taps[a];
                inside = inside && position >= 0 && position < layer.extents[a];
                at += position * layer.strides[a];
              }
              word_t word;
              for (int l = 0; l < LANES; l++) {
#pragma HLS UNROLL
                int number = inside ? (in8[at + l] - layer.low) & 255 : layer.fill;
                word.lanes[l] = number >> (plane * PLANE_BITS);
              }
              words.write(word);
            }
          }
        }
      }
    }
  }
}

static void multiply(int pixels, int planes, const tile_t &tile, hls::stream<word_t> &words, hls::stream<sums_t> &results) {
  for (int p = 0; p < pixels; p++) {
    sums_t sums;
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int plane = 0; plane < planes; plane++) {
      for (int j = 0; j < tile.count; j++) {
#pragma HLS PIPELINE II=1
        word_t word = words.read();
        for (int i = 0; i < 3; i++) {
#pragma HLS UNROLL
          sum_t sum = 0;
          if (j)
            sum = sums.coarse[i];
          else if (plane)
            sum = (long long)sums.coarse[i] * (1 << PLANE_BITS);
          for (int l = 0; l < LANES; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_pot4(tile.coarse[j][i][l], word.lanes[l]);
          }
          sums.coarse[i] = sum;
        }
        for (int i = 0; i < 2; i++) {
#pragma HLS UNROLL
          sum_t sum = 0;
          if (j)
            sum = sums.fine[i];
          else if (plane)
            sum = (long long)sums.fine[i] * (1 << PLANE_BITS);
          for (int l = 0; l < LANES; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_fixed4(tile.fine[j][i][l], word.lanes[l]);
          }
          sums.fine[i] = sum;
        }
        for (int i = 0; i < 1; i++) {
#pragma HLS UNROLL
          sum_t sum = 0;
          if (j)
            sum = sums.wide[i];
          else if (plane)
            sum = (long long)sums.wide[i] * (1 << PLANE_BITS);
          for (int l = 0; l < LANES; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_fixed8(tile.wide[j][i][l], word.lanes[l]);
          }
          sums.wide[i] = sum;
        }
        if (plane == planes - 1 && j == tile.count - 1)
          results.write(sums);
      }
    }
  }
}

// round(sum * multiplier / 2^shift), halves up, between least and most.
static int scaled(sum_t sum, int multiplier, int shift, int least, int most) {
#pragma HLS INLINE
  ap_int<64> product = (ap_int<64>)sum * (ap_int<64>)multiplier;
  ap_int<64> half = 0;
  if (shift)
    half = (ap_int<64>)1 << (shift - 1);
  ap_int<64> rounded = (product + half) >> shift;
  if (rounded < least)
    return least;
  return rounded > most ? most : (int)rounded;
}

// A result: what the type of the layer has for it.
static int result_of(const layer_t &layer, int pixel, sum_t sum, const row_t &row) {
#pragma HLS INLINE
  if (row.row < 0)
    return 0;
  sum_t total = sum + (sum_t)row.bias;
  PROBE(layer.number, pixel, row.row, total);
  return scaled(total, row.multiplier, row.shift, layer.least, layer.most);
}

static void put(const layer_t &layer, int at, int result, byte_t *out8, short *out16) {
#pragma HLS INLINE
  if (layer.bytes == 1)
    out8[at] = (byte_t)(result & 255);
  else
    out16[at] = (short)(result < 32768 ? result : result - 65536);
}

static void store(const layer_t &layer, const tile_t &tile, hls::stream<sums_t> &results, byte_t *out8, short *out16) {
  int pixel = 0;
  for (int p0 = 0; p0 < layer.pixels[0]; p0++) {
    for (int p1 = 0; p1 < layer.pixels[1]; p1++) {
      for (int p2 = 0; p2 < layer.pixels[2]; p2++) {
        for (int p3 = 0; p3 < layer.pixels[3]; p3++) {
#pragma HLS PIPELINE II=6
          int at = layer.output + p0 * layer.out[0] + p1 * layer.out[1] + p2 * layer.out[2] + p3 * layer.out[3];
          sums_t sums = results.read();
          int found[6];
#pragma HLS ARRAY_PARTITION variable=found complete
          for (int i = 0; i < 3; i++)
            found[i] = result_of(layer, pixel, sums.coarse[i], tile.coarse_rows[i]);
          for (int i = 0; i < 2; i++)
            found[3 + i] = result_of(layer, pixel, sums.fine[i], tile.fine_rows[i]);
          for (int i = 0; i < 1; i++)
            found[5 + i] = result_of(layer, pixel, sums.wide[i], tile.wide_rows[i]);
          if (layer.in_order) {
            for (int i = 0; i < 6; i++)
              put(layer, at + tile.first + i, found[i], out8, out16);
          } else {
            for (int i = 0; i < 3; i++)
              if (tile.coarse_rows[i].row >= 0)
                put(layer, at + tile.coarse_rows[i].offset, found[i], out8, out16);
            for (int i = 0; i < 2; i++)
              if (tile.fine_rows[i].row >= 0)
                put(layer, at + tile.fine_rows[i].offset, found[3 + i], out8, out16);
            for (int i = 0; i < 1; i++)
              if (tile.wide_rows[i].row >= 0)
                put(layer, at + tile.wide_rows[i].offset, found[5 + i], out8, out16);
          }
          pixel++;
        }
      }
    }
  }
}

static void run(const layer_t &layer, const tile_t &tile, const byte_t *in8, byte_t *out8, short *out16) {
#pragma HLS DATAFLOW
  hls::stream<word_t> words("words");
  hls::stream<sums_t> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=results depth=4
  int pixels = layer.pixels[0] * layer.pixels[1] * layer.pixels[2] * layer.pixels[3];
  load(layer, tile, in8, words);
  multiply(pixels, layer.planes, tile, words, results);
  store(layer, tile, results, out8, out16);
}

void product(const layer_t &layer, const byte_t *in8, const byte_t *weights, const int *parameters, byte_t *out8, short *out16) {
#pragma HLS INLINE off
  static tile_t tile;
#pragma HLS ARRAY_PARTITION variable=tile.coarse complete dim=2
#pragma HLS ARRAY_PARTITION variable=tile.coarse complete dim=3
#pragma HLS ARRAY_PARTITION variable=tile.coarse_rows complete dim=1
#pragma HLS ARRAY_PARTITION variable=tile.fine complete dim=2
#pragma HLS ARRAY_PARTITION variable=tile.fine complete dim=3
#pragma HLS ARRAY_PARTITION variable=tile.fine_rows complete dim=1
#pragma HLS ARRAY_PARTITION variable=tile.wide complete dim=2
#pragma HLS ARRAY_PARTITION variable=tile.wide complete dim=3
#pragma HLS ARRAY_PARTITION variable=tile.wide_rows complete dim=1
  int at = layer.weights, where = layer.parameters;
  for (int r = 0; r < layer.row_tiles; r++) {
    fetch(weights, parameters, at, where, tile);
    run(layer, tile, in8, out8, out16);
  }
}
