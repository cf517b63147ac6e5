#include "accelerator.h"
#include "engine.h"
#include "sweeps.h"
#ifndef __SYNTHESIS__
#include "probe.h"
#else
#define PROBE_TENSOR(stage)
#endif

static const layer_t LAYERS[6] = {
  {{0, 128, 0, 2, -128, 128, {1, 8, 8, 1}, {1, 1, 1, 0}, {128, 16, 2, 0}, {1, 8, 8, 1}}, {0, 2048, 1, 1, 0, 15, {1, 8, 8, 1}, {1024, 128, 16, 0}}, 64, 1, 10},
  {{128, 64, 0, 1, 0, 0, {1, 8, 8, 1}, {1, 1, 1, 0}, {64, 8, 1, 0}, {1, 8, 8, 1}}, {1, 0, 2, 1, -32768, 32767, {1, 8, 8, 1}, {2048, 256, 32, 0}}, 64, 2, 38},
  {{0, 128, 0, 1, -8, 8, {1, 8, 8, 1}, {1, 1, 1, 0}, {128, 16, 2, 0}, {1, 8, 8, 1}}, {2, 0, 2, 1, -32768, 32767, {1, 8, 8, 1}, {1024, 128, 16, 0}}, 64, 1, 62},
  {{0, 1, 0, 1, -8, 8, {1, 1, 1, 1}, {1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 1}}, {3, 64, 1, 1, 0, 15, {1, 1, 1, 1}, {16, 16, 16, 0}}, 1, 1, 74},
  {{4, 1, 0, 1, 0, 0, {1, 1, 1, 1}, {1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 1}}, {4, 2048, 2, 1, -32768, 32767, {1, 1, 1, 1}, {16, 16, 16, 0}}, 1, 2, 94},
  {{0, 2, 0, 1, -8, 8, {1, 1, 1, 1}, {1, 0, 0, 0}, {2, 0, 0, 0}, {1, 1, 1, 1}}, {5, 0, 2, 0, -32768, 32767, {1, 1, 1, 1}, {5, 0, 0, 0}}, 1, 1, 110}
};

void accelerator(const byte_t *in8, const short *in16, const int *in32, const lanes_t *words, const codes_t *weights,
                 const four_t *parameters, byte_t *out8, short *out16, int *out32, bytes_t *all8, shorts_t *all16) {
#pragma HLS INTERFACE m_axi port=in8 offset=slave bundle=numbers8 depth=3840
#pragma HLS INTERFACE m_axi port=in16 offset=slave bundle=numbers16 depth=4096
#pragma HLS INTERFACE m_axi port=in32 offset=slave bundle=numbers32 depth=64
#pragma HLS INTERFACE m_axi port=words offset=slave bundle=words depth=240
#pragma HLS INTERFACE m_axi port=weights offset=slave bundle=weights depth=99
#pragma HLS INTERFACE m_axi port=parameters offset=slave bundle=weights depth=113
#pragma HLS INTERFACE m_axi port=out8 offset=slave bundle=numbers8 depth=3840
#pragma HLS INTERFACE m_axi port=out16 offset=slave bundle=numbers16 depth=4096
#pragma HLS INTERFACE m_axi port=out32 offset=slave bundle=numbers32 depth=64
#pragma HLS INTERFACE m_axi port=all8 offset=slave bundle=all8 depth=480
#pragma HLS INTERFACE m_axi port=all16 offset=slave bundle=all16 depth=512
#pragma HLS INTERFACE s_axilite port=return
#pragma HLS ALLOCATION function instances=product limit=1
#pragma HLS ALLOCATION function instances=sweep_body_4 limit=1
#pragma HLS ALLOCATION function instances=sweep_gate_0 limit=1
  sweep_body_2(in8, in16, in32, out8, out16, out32); // body.2
  PROBE_TENSOR(0);
  product(LAYERS[0], words, weights, parameters, out8, out16, all8, all16); // body.2
  PROBE_TENSOR(1);
  product(LAYERS[1], words, weights, parameters, out8, out16, all8, all16); // body.3
  PROBE_TENSOR(2);
  sweep_body_4(in8, in16, in32, out8, out16, out32, 0, 0); // body.4
  PROBE_TENSOR(3);
  sweep_body_5(in8, in16, in32, out8, out16, out32); // body.5
  PROBE_TENSOR(4);
  sweep_body_5_2(in8, in16, in32, out8, out16, out32); // body.5
  PROBE_TENSOR(5);
  sweep_body_4(in8, in16, in32, out8, out16, out32, 2048, 1); // body.6
  PROBE_TENSOR(6);
  product(LAYERS[2], words, weights, parameters, out8, out16, all8, all16); // body.7
  PROBE_TENSOR(7);
  sweep_gate_0(in8, in16, in32, out8, out16, out32, 0); // gate.0
  PROBE_TENSOR(8);
  sweep_gate_0_2(in8, in16, in32, out8, out16, out32); // gate.0
  PROBE_TENSOR(9);
  product(LAYERS[3], words, weights, parameters, out8, out16, all8, all16); // gate.2
  PROBE_TENSOR(10);
  product(LAYERS[4], words, weights, parameters, out8, out16, all8, all16); // mul_3
  PROBE_TENSOR(11);
  sweep_mul_3(in8, in16, in32, out8, out16, out32); // mul_3
  PROBE_TENSOR(12);
  sweep_gate_0(in8, in16, in32, out8, out16, out32, 1024); // mean_1
  PROBE_TENSOR(13);
  sweep_mean_1_2(in8, in16, in32, out8, out16, out32); // mean_1
  PROBE_TENSOR(14);
  sweep_amax(in8, in16, in32, out8, out16, out32); // amax
  PROBE_TENSOR(15);
  sweep_amax_2(in8, in16, in32, out8, out16, out32); // amax
  PROBE_TENSOR(16);
  sweep_cat(in8, in16, in32, out8, out16, out32); // cat
  PROBE_TENSOR(17);
  sweep_cat_2(in8, in16, in32, out8, out16, out32); // cat
  PROBE_TENSOR(18);
  product(LAYERS[5], words, weights, parameters, out8, out16, all8, all16); // last
  PROBE_TENSOR(19);
}
