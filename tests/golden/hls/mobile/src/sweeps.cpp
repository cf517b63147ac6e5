#include "sweeps.h"
#include "tables.h"

// The entry of a table for a magnitude: small ones have one each, of larger ones the bits that lead count.
static inline int magnitude(unsigned long long number, int mantissa) {
#pragma HLS INLINE
  int shift = 0;
  for (int i = 0; i < 48; i++) {
#pragma HLS UNROLL
    if (number >> (mantissa + 1 + i))
      shift = i + 1;
  }
  return (int)(number >> shift) + (shift << mantissa);
}

static inline long long rest(long long number, long long divisor) { return (number % divisor + divisor) % divisor; }
static inline long long quotient(long long number, long long divisor) { return (number - rest(number, divisor)) / divisor; }

// body.2: 1 x 8 x 8 x 3 x 3 x 3 points.
void sweep_body_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d1 = 0; d1 < 8; d1++) {
      for (int d2 = 0; d2 < 8; d2++) {
        for (int d3 = 0; d3 < 3; d3++) {
          for (int d4 = 0; d4 < 3; d4++) {
            for (int first = 0; first < 3; first += 3) {
#pragma HLS PIPELINE II=1
              for (int u = 0; u < 3; u++) {
#pragma HLS UNROLL
                const int d5 = first + u;
                ap_int<8> a0 = d1 * 2 + d3 - 1 >= 0 && d2 * 2 + d5 - 1 >= 0 ? (signed char)in8[d1 * 32 + d2 * 2 + d3 * 16 + d4 * 256 + d5 + 3055] : 0;
                out8[d1 * 256 + d2 * 32 + d3 * 9 + d4 * 3 + d5] = (byte_t)(a0 & 255);
              }
            }
          }
        }
      }
    }
  }
}

// body.4: 1 x 24 x 8 x 8 points.
// body.6: 1 x 24 x 8 x 8 points.
void sweep_body_4(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32, int p0, int p1) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d2 = 0; d2 < 8; d2++) {
      for (int d3 = 0; d3 < 8; d3++) {
        for (int first = 0; first < 24; first += 2) {
#pragma HLS PIPELINE II=1
          for (int u = 0; u < 2; u++) {
#pragma HLS UNROLL
            const int d1 = first + u;
            ap_int<16> a0 = (short)in16[d1 + d2 * 256 + d3 * 32 + p0];
            ap_int<4> v0(sweep_body_4_0[p1][a0 < 0 ? 6145 + magnitude(-(long long)a0, 10) : magnitude((long long)a0, 10)]);
            out8[d1 + d2 * 256 + d3 * 32] = (byte_t)(v0 & 255);
          }
        }
      }
    }
  }
}

// body.5: 1 x 8 x 8 x 24 x 3 x 3 points.
void sweep_body_5(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
#pragma HLS ARRAY_RESHAPE variable=n_body_5_weight_quantised_numerators_0_body_3_order_32 cyclic factor=16 dim=1
  long long total[16];
#pragma HLS ARRAY_PARTITION variable=total complete
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d1 = 0; d1 < 8; d1++) {
      for (int d2 = 0; d2 < 8; d2++) {
        for (int first = 0; first < 24; first += 16) {
          for (int d4 = 0; d4 < 3; d4++) {
            for (int d5 = 0; d5 < 3; d5++) {
#pragma HLS PIPELINE II=1
              const bool begins = d4 == 0 && d5 == 0, ends = d4 == 2 && d5 == 2;
              for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
                if (begins) total[u] = 0;
                const int d3 = first + u;
                if (d3 < 24) {
                  ap_int<4> a0 = d1 + d4 - 1 >= 0 && d1 + d4 - 1 < 8 && d2 + d5 - 1 >= 0 && d2 + d5 - 1 < 8 ? (signed char)in8[d1 * 256 + d2 * 32 + d3 + d4 * 256 + d5 * 32 - 288] : 0;
                  ap_int<8> a1 = n_body_5_weight_quantised_numerators_0_body_3_order_32[d3 + d4 * 96 + d5 * 32];
                  ap_int<12> v0((ap_int<12>)a0 * (ap_int<12>)a1);
                  total[u] = total[u] + v0;
                  if (ends) {
                    out16[d1 * 256 + d2 * 32 + d3] = (short)(long long)total[u];
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

// body.5: 1 x 24 x 8 x 8 points.
void sweep_body_5_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
#pragma HLS ARRAY_RESHAPE variable=n_body_5_numbers_0_body_3_order_24 cyclic factor=16 dim=1
#pragma HLS ARRAY_RESHAPE variable=n_body_5_numbers_2_0_body_3_order_24 cyclic factor=16 dim=1
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d2 = 0; d2 < 8; d2++) {
      for (int d3 = 0; d3 < 8; d3++) {
        for (int first = 0; first < 24; first += 16) {
#pragma HLS PIPELINE II=1
          for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
            const int d1 = first + u;
            if (d1 < 24) {
              ap_int<15> a0 = (short)in16[d1 + d2 * 256 + d3 * 32];
              ap_int<24> a1 = n_body_5_numbers_0_body_3_order_24[d1];
              ap_int<31> a2 = n_body_5_numbers_2_0_body_3_order_24[d1];
              ap_int<38> v0((ap_int<38>)a0 * (ap_int<38>)a1);
              ap_int<39> v1(v0 + a2);
              ap_int<22> v3(v1 >> 17);
              ap_int<22> v5(v3 > (-32768) ? (ap_int<22>)v3 : (ap_int<22>)(-32768));
              ap_int<16> v7(v5 < 32767 ? (ap_int<22>)v5 : (ap_int<22>)32767);
              out16[d1 + d2 * 256 + d3 * 32 + 2048] = (short)(long long)v7;
            }
          }
        }
      }
    }
  }
}

// gate.0: 1 x 16 x 8 x 8 points.
// mean_1: 1 x 16 x 8 x 8 points.
void sweep_gate_0(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32, int p0) {
#pragma HLS INLINE off
  long long total[16];
#pragma HLS ARRAY_PARTITION variable=total complete
  for (int d0 = 0; d0 < 1; d0++) {
    for (int first = 0; first < 16; first += 16) {
      for (int d2 = 0; d2 < 8; d2++) {
        for (int d3 = 0; d3 < 8; d3++) {
#pragma HLS PIPELINE II=1
          const bool begins = d2 == 0 && d3 == 0, ends = d2 == 7 && d3 == 7;
          for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
            if (begins) total[u] = 0;
            const int d1 = first + u;
            ap_int<16> a0 = (short)in16[d1 + d2 * 128 + d3 * 16 + p0];
            total[u] = total[u] + a0;
            if (ends) {
              out32[d1] = (int)(long long)total[u];
            }
          }
        }
      }
    }
  }
}

// gate.0: 1 x 16 x 1 x 1 points.
void sweep_gate_0_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d2 = 0; d2 < 1; d2++) {
      for (int d3 = 0; d3 < 1; d3++) {
        for (int first = 0; first < 16; first += 16) {
#pragma HLS PIPELINE II=1
          for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
            const int d1 = first + u;
            ap_int<22> a0 = (int)in32[d1];
            ap_int<37> v1((ap_int<37>)a0 * (ap_int<37>)17931);
            ap_int<37> v3(v1 + 536870912);
            ap_int<7> v5(v3 >> 30);
            ap_int<7> v7(v5 > (-8) ? (ap_int<7>)v5 : (ap_int<7>)(-8));
            ap_int<4> v9(v7 < 7 ? (ap_int<7>)v7 : (ap_int<7>)7);
            out8[d1] = (byte_t)(v9 & 255);
          }
        }
      }
    }
  }
}

// mul_3: 1 x 16 x 8 x 8 points.
void sweep_mul_3(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d2 = 0; d2 < 8; d2++) {
      for (int d3 = 0; d3 < 8; d3++) {
        for (int first = 0; first < 16; first += 1) {
#pragma HLS PIPELINE II=1
          for (int u = 0; u < 1; u++) {
#pragma HLS UNROLL
            const int d1 = first + u;
            const int channel = n_body_7_order_channels[d1];
            ap_int<16> a0 = (short)in16[d1 + d2 * 128 + d3 * 16];
            ap_int<16> a1 = (short)in16[2048 + n_gate_3_order[channel]];
            ap_int<31> a2 = n_mul_3_numbers_0_body_7_order_16[d1];
            ap_int<28> v1((ap_int<28>)a1 * (ap_int<28>)4070);
            ap_int<32> v2(v1 + a2);
            ap_int<16> v4(v2 >> 16);
            ap_int<31> v5((ap_int<31>)a0 * (ap_int<31>)v4);
            ap_int<50> v7((ap_int<50>)v5 * (ap_int<50>)713045);
            ap_int<50> v9(v7 + 4294967296LL);
            ap_int<17> v11(v9 >> 33);
            ap_int<17> v13(v11 > (-32768) ? (ap_int<17>)v11 : (ap_int<17>)(-32768));
            ap_int<16> v15(v13 < 32767 ? (ap_int<17>)v13 : (ap_int<17>)32767);
            out16[d1 + d2 * 128 + d3 * 16 + 1024] = (short)(long long)v15;
          }
        }
      }
    }
  }
}

// mean_1: 1 x 16 points.
void sweep_mean_1_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int first = 0; first < 16; first += 16) {
#pragma HLS PIPELINE II=1
      for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
        const int d1 = first + u;
        ap_int<22> a0 = (int)in32[d1];
        ap_int<42> v1((ap_int<42>)a0 * (ap_int<42>)623731);
        ap_int<42> v3(v1 + 16777216);
        ap_int<17> v5(v3 >> 25);
        ap_int<17> v7(v5 > (-32768) ? (ap_int<17>)v5 : (ap_int<17>)(-32768));
        ap_int<16> v9(v7 < 32767 ? (ap_int<17>)v7 : (ap_int<17>)32767);
        out16[d1 + 128] = (short)(long long)v9;
      }
    }
  }
}

// amax: 1 x 16 x 8 x 8 points.
void sweep_amax(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  long long total[16];
#pragma HLS ARRAY_PARTITION variable=total complete
  for (int d0 = 0; d0 < 1; d0++) {
    for (int d2 = 0; d2 < 8; d2++) {
      for (int first = 0; first < 16; first += 16) {
        for (int d3 = 0; d3 < 8; d3++) {
#pragma HLS PIPELINE II=1
          const bool begins = d3 == 0, ends = d3 == 7;
          for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
            if (begins) total[u] = -(1LL << 62);
            const int d1 = first + u;
            ap_int<16> a0 = (short)in16[d1 + d2 * 128 + d3 * 16 + 1024];
            if (a0 > total[u]) total[u] = a0;
            if (ends) {
              out16[d1 + d2 * 16] = (short)(long long)total[u];
            }
          }
        }
      }
    }
  }
}

// amax: 1 x 16 x 8 points.
void sweep_amax_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  long long total[16];
#pragma HLS ARRAY_PARTITION variable=total complete
  for (int d0 = 0; d0 < 1; d0++) {
    for (int first = 0; first < 16; first += 16) {
      for (int d2 = 0; d2 < 8; d2++) {
#pragma HLS PIPELINE II=1
        const bool begins = d2 == 0, ends = d2 == 7;
        for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
          if (begins) total[u] = -(1LL << 62);
          const int d1 = first + u;
          ap_int<16> a0 = (short)in16[d1 + d2 * 16];
          if (a0 > total[u]) total[u] = a0;
          if (ends) {
            out16[d1 + 192] = (short)(long long)total[u];
          }
        }
      }
    }
  }
}

// cat: 1 x 32 points.
void sweep_cat(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int first = 0; first < 32; first += 1) {
#pragma HLS PIPELINE II=1
      for (int u = 0; u < 1; u++) {
#pragma HLS UNROLL
        const int d1 = first + u;
        ap_int<16> a0 = d1 < 16 ? (short)in16[128 + n_body_7_order[(d1) < 0 || (d1) >= 16 ? 0 : d1]] : 0;
        ap_int<16> a1 = d1 - 16 >= 0 ? (short)in16[192 + n_body_7_order[(d1 - 16) < 0 || (d1 - 16) >= 16 ? 0 : d1 - 16]] : 0;
        ap_int<35> v1((ap_int<35>)a0 * (ap_int<35>)440699);
        ap_int<35> v3((ap_int<36>)a1 * (ap_int<36>)524288);
        ap_int<36> v4(v1 + v3);
        ap_int<36> v6(v4 + 262144);
        ap_int<17> v8(v6 >> 19);
        out16[d1] = (short)(long long)v8;
      }
    }
  }
}

// cat: 1 x 32 points.
void sweep_cat_2(const byte_t *in8, const short *in16, const int *in32, byte_t *out8, short *out16, int *out32) {
#pragma HLS INLINE off
  for (int d0 = 0; d0 < 1; d0++) {
    for (int first = 0; first < 32; first += 16) {
#pragma HLS PIPELINE II=1
      for (int u = 0; u < 16; u++) {
#pragma HLS UNROLL
        const int d1 = first + u;
        ap_int<16> a0 = (short)in16[d1];
        ap_int<30> v1((ap_int<30>)a0 * (ap_int<30>)8367);
        ap_int<30> v3(v1 + 4194304);
        ap_int<7> v5(v3 >> 23);
        ap_int<7> v7(v5 > (-8) ? (ap_int<7>)v5 : (ap_int<7>)(-8));
        ap_int<4> v9(v7 < 7 ? (ap_int<7>)v7 : (ap_int<7>)7);
        out8[d1] = (byte_t)(v9 & 255);
      }
    }
  }
}
