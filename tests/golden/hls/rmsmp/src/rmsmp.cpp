// 13 rows (6 of pot<4>, 4 of fixed<4>, 3 of fixed<8>) of 21 columns, 4 at a time.
#include "rmsmp.h"
#include "hls_stream.h"
#include "weights/rmsmp.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE(pixel, row, sum)
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

static void load(const word_t *x, hls::stream<word_t> &words, int pixels) {
  for (int r = 0; r < 3; r++) {
    for (int p = 0; p < pixels; p++) {
      for (int k = 0; k < 6; k++) {
#pragma HLS PIPELINE II=1
        words.write(x[p * 6 + k]);
      }
    }
  }
}

static void multiply(hls::stream<word_t> &words, hls::stream<sums_t> &results, int pixels) {
#pragma HLS ARRAY_PARTITION variable=coarse_codes complete dim=3
#pragma HLS ARRAY_PARTITION variable=coarse_codes complete dim=4
#pragma HLS ARRAY_PARTITION variable=coarse_bias complete dim=2
#pragma HLS ARRAY_PARTITION variable=fine_codes complete dim=3
#pragma HLS ARRAY_PARTITION variable=fine_codes complete dim=4
#pragma HLS ARRAY_PARTITION variable=fine_bias complete dim=2
#pragma HLS ARRAY_PARTITION variable=wide_codes complete dim=3
#pragma HLS ARRAY_PARTITION variable=wide_codes complete dim=4
#pragma HLS ARRAY_PARTITION variable=wide_bias complete dim=2
  for (int r = 0; r < 3; r++) {
    for (int p = 0; p < pixels; p++) {
      sums_t sums;
#pragma HLS ARRAY_PARTITION variable=sums complete
      for (int k = 0; k < 6; k++) {
#pragma HLS PIPELINE II=1
        word_t word = words.read();
        for (int i = 0; i < 3; i++) {
#pragma HLS UNROLL
          sum_t sum = k ? sums.coarse[i] : (sum_t)coarse_bias[r][i];
          for (int l = 0; l < 4; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_pot4(coarse_codes[r][k][i][l], word.lanes[l]);
          }
          sums.coarse[i] = sum;
        }
        for (int i = 0; i < 2; i++) {
#pragma HLS UNROLL
          sum_t sum = k ? sums.fine[i] : (sum_t)fine_bias[r][i];
          for (int l = 0; l < 4; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_fixed4(fine_codes[r][k][i][l], word.lanes[l]);
          }
          sums.fine[i] = sum;
        }
        for (int i = 0; i < 1; i++) {
#pragma HLS UNROLL
          sum_t sum = k ? sums.wide[i] : (sum_t)wide_bias[r][i];
          for (int l = 0; l < 4; l++) {
#pragma HLS UNROLL
            sum = sum + multiply_fixed8(wide_codes[r][k][i][l], word.lanes[l]);
          }
          sums.wide[i] = sum;
        }
        if (k == 6 - 1)
          results.write(sums);
      }
    }
  }
}

// round(sum * multiplier / 2^shift), halves up, as far as the type has it.
static output_t scaled(sum_t sum, int multiplier, int shift) {
#pragma HLS INLINE
  ap_int<64> product = (ap_int<64>)sum * (ap_int<64>)multiplier;
  ap_int<64> half = 0;
  if (shift)
    half = (ap_int<64>)1 << (shift - 1);
  ap_int<64> rounded = (product + half) >> shift;
  if (rounded < 0)
    return 0;
  return rounded > 15 ? (output_t)15 : (output_t)(int)rounded;
}

static void store(hls::stream<sums_t> &results, output_t *y, int pixels) {
  for (int r = 0; r < 3; r++) {
    for (int p = 0; p < pixels; p++) {
#pragma HLS PIPELINE II=3
      sums_t sums = results.read();
      for (int i = 0; i < 3; i++) {
        int row = coarse_rows[r][i];
        if (row >= 0) {
          PROBE(p, row, sums.coarse[i]);
          y[p * 13 + row] = scaled(sums.coarse[i], coarse_multipliers[r][i], coarse_shifts[r][i]);
        }
      }
      for (int i = 0; i < 2; i++) {
        int row = fine_rows[r][i];
        if (row >= 0) {
          PROBE(p, row, sums.fine[i]);
          y[p * 13 + row] = scaled(sums.fine[i], fine_multipliers[r][i], fine_shifts[r][i]);
        }
      }
      for (int i = 0; i < 1; i++) {
        int row = wide_rows[r][i];
        if (row >= 0) {
          PROBE(p, row, sums.wide[i]);
          y[p * 13 + row] = scaled(sums.wide[i], wide_multipliers[r][i], wide_shifts[r][i]);
        }
      }
    }
  }
}

void rmsmp(const word_t *x, output_t *y, int pixels) {
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
}
