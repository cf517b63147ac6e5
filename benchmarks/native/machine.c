/* The two ceilings of a CPU kernel: fused multiply-adds and reads. Compiled for the host by machine.py. */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif

typedef float vector __attribute__((vector_size(WIDTH)));
enum { LANES = WIDTH / sizeof(float) };

/* Compilers that prefer 256-bit registers must not split the vectors. */
#if defined(__x86_64__)
#define FULL_WIDTH __attribute__((min_vector_width(WIDTH * 8)))
#else
#define FULL_WIDTH
#endif

/* Without it the compiler would see that the loops' results are known, or not needed. */
#if defined(__x86_64__)
#define OPAQUE(v) __asm__ volatile("" : "+v"(v))
#else
#define OPAQUE(v) __asm__ volatile("" : "+w"(v))
#endif

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float sum(vector v) {
  float total = 0;
  for (int i = 0; i < LANES; i++) total += v[i];
  return total;
}

/* Twelve chains cover a latency of up to 5 cycles on two pipes, and fit any register file together with x and y. */
enum { CHAINS = 12 };

int machine_lanes(void) { return LANES; }

/* GFLOP/s of this thread over `iterations` steps of CHAINS independent multiply-adds. */
FULL_WIDTH double machine_fma(int64_t iterations, float *sink) {
  vector x = {0}, y = {0}, chain[CHAINS] = {{0}};
  for (int i = 0; i < LANES; i++) x[i] = 0.999f, y[i] = 0.001f;
  double start = seconds();
  for (int64_t i = 0; i < iterations; i++) {
#pragma clang loop unroll(full)
    for (int k = 0; k < CHAINS; k++) {
      chain[k] = chain[k] * x + y;
      OPAQUE(chain[k]);
    }
  }
  double elapsed = seconds() - start;
  for (int k = 0; k < CHAINS; k++) *sink += sum(chain[k]);
  return 2e-9 * CHAINS * LANES * (double)iterations / elapsed;
}

/* GB/s of this thread reading `bytes` (a multiple of 8 vectors, aligned) `passes` times. */
FULL_WIDTH double machine_read(const void *buffer, int64_t bytes, int64_t passes) {
  const vector *data = buffer;
  const int64_t count = bytes / WIDTH / 8 * 8;
  double start = seconds();
  for (int64_t pass = 0; pass < passes; pass++)
    for (int64_t i = 0; i < count; i += 8)
#pragma clang loop unroll(full)
      for (int k = 0; k < 8; k++) {
        vector value = data[i + k]; /* loaded, and then nothing: an addition would be the bottleneck in L1 */
        OPAQUE(value);
      }
  return 1e-9 * (double)(count * WIDTH) * (double)passes / (seconds() - start);
}
